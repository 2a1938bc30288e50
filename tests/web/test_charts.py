"""Pictures from numbers."""

import re

import pytest

from liqpass.orders.states import OrderStatus
from liqpass.web.charts import HEIGHT, STACK, axis_end, patterns, share, stacked, swatch

RECT = re.compile(r'<rect class="of-(\w+)" x="(\d+)" y="(-?\d+)" width="(\d+)" height="(\d+)"')


@pytest.mark.parametrize(
    ("most", "end"),
    [(0, 2), (1, 2), (2, 2), (3, 4), (5, 6), (7, 10), (10, 10), (11, 20), (61, 100), (7_211, 10_000)],
)
def test_an_axis_ends_at_a_round_number_whose_half_is_whole(most: int, end: int) -> None:
    assert axis_end(most) == end


def test_bars_stand_on_each_other_and_are_as_high_as_their_numbers() -> None:
    day = {status: number for number, status in enumerate(STACK, 1)}
    drawn = [
        (status, int(y), int(height))
        for status, _, y, _, height in RECT.findall(stacked([day], ["all"], "x"))
    ]
    assert [status for status, _, _ in drawn] == list(STACK)
    ground = HEIGHT
    for number, (_, y, height) in enumerate(drawn, 1):
        assert y + height == ground
        assert height == HEIGHT * number // axis_end(15)
        ground = y


def test_days_stand_beside_each_other_and_an_empty_one_leaves_a_gap() -> None:
    one = {OrderStatus.ACTIVE: 1}
    places = [int(x) for _, x, _, _, _ in RECT.findall(stacked([one, {}, one], ["a", "b", "c"], "x"))]
    assert len(places) == 2
    assert places[1] - places[0] == 600


def test_every_status_is_told_from_the_others_without_colour() -> None:
    tiles = dict(re.findall(r'<pattern id="(tile-\w+)"[^>]*>(.*?)</pattern>', patterns()))
    fills = [re.findall(r'fill="([^"]*)"', swatch(status))[0] for status in OrderStatus]
    assert len(set(fills)) == len(OrderStatus)
    assert {fill[5:-1] for fill in fills if fill.startswith("url")} == tiles.keys()
    assert len(set(tiles.values())) == len(tiles)


def test_words_in_a_picture_are_never_markup() -> None:
    picture = stacked([{OrderStatus.ACTIVE: 1}], ["<b>"], '"><script>') + share(1, 2, "<i>")
    assert "<b>" not in picture
    assert "<script>" not in picture
    assert "<i>" not in picture


@pytest.mark.parametrize(("part", "whole", "filled"), [(0, 10, 0), (5, 10, 500), (1, 10**9, 3), (0, 0, 0)])
def test_a_share_is_seen_however_small_it_is(part: int, whole: int, filled: int) -> None:
    assert f'width="{filled}" height="20" fill="currentColor"' in share(part, whole, "x")

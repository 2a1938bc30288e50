"""Some days of the books: what was before is brought forward, and each file stands by itself."""

from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest

from liqpass.ledger.book import Entry, Kind
from liqpass.ledger.posting import balances
from tests.exports.checkers import agrees_with_beancount, checked, debits_positive, totals_in_hledger
from tests.exports.facts import HELD_ON_CHAIN, MIDNIGHT, Books, block_hash
from tests.exports.node import BalanceNode
from tests.exports.test_journals import FORMS, exported

pytestmark = pytest.mark.usefixtures("hledger")
# At the end of 9 July the transfer around midnight is on chain and not booked; nothing later is on chain.
BEFORE_MIDNIGHT = HELD_ON_CHAIN - 43


@pytest.fixture
def archive(node: BalanceNode) -> BalanceNode:
    """A node that keeps the block of the last transfer before midnight, too."""
    node.balances[block_hash(190)] = BEFORE_MIDNIGHT
    return node


@pytest.mark.parametrize("form", FORMS)
async def test_what_was_before_is_brought_forward(
    form: str, books: Books, env: dict[str, str], tmp_path: Path
) -> None:
    path = tmp_path / "books"
    await exported(form, path, env, "--from", "2026-07-10")
    assert checked(form, path) == (True, "")
    wanted = debits_positive(await books.db.run(balances))
    if form == "hledger":
        assert totals_in_hledger(path) == wanted
    else:
        assert agrees_with_beancount(path, wanted) == (True, "")
    written = path.read_text()
    assert "Held before the books began" not in written.partition("2026-07-10 *")[2]
    assert "HELD" in written and "EARNED" not in written


@pytest.mark.parametrize("form", FORMS)
async def test_a_past_month_is_held_against_the_block_of_its_last_transfer(
    form: str, archive: BalanceNode, env: dict[str, str], tmp_path: Path
) -> None:
    """That transfer was booked after midnight: it is in transit."""
    path = tmp_path / "books"
    await exported(form, path, env, "--from", "2026-07-01", "--to", "2026-07-09")
    assert checked(form, path) == (True, "")
    told = path.read_text().partition("In transit")[2]
    assert "0.000031 USDC" in told and block_hash(190).hex() in told
    archive.balances[block_hash(190)] += 1
    await exported(form, path, env, "--to", "2026-07-09")
    assert "0.000001" in checked(form, path).said


async def test_two_periods_together_are_all_of_the_books(
    archive: BalanceNode, env: dict[str, str], tmp_path: Path
) -> None:
    whole, first, second = (tmp_path / name for name in ("whole", "first", "second"))
    await exported("csv", whole, env)
    await exported("csv", first, env, "--to", "2026-07-09")
    await exported("csv", second, env, "--from", "2026-07-10")
    later = [line for line in second.read_text().splitlines()[1:] if "BROUGHT_FORWARD" not in line]
    assert whole.read_text().splitlines() == [*first.read_text().splitlines(), *later]


async def test_a_day_without_transfers_is_accepted(env: dict[str, str], tmp_path: Path) -> None:
    for form in FORMS:
        await exported(form, tmp_path / form, env, "--from", "2026-07-05", "--to", "2026-07-05")
        assert checked(form, tmp_path / form) == (True, "")
    assert totals_in_hledger(tmp_path / "hledger")["POOL_FREE"] < 0


async def test_a_transfer_belongs_to_the_day_on_which_it_was_posted_to_the_last_microsecond(
    empty_books: Books, own_env: dict[str, str], tmp_path: Path
) -> None:
    await empty_books.open()
    for number, moment in enumerate((-timedelta(microseconds=1), timedelta(), timedelta(days=1)), 1):
        empty_books.now = MIDNIGHT + moment - timedelta(minutes=1)
        await empty_books.post(Entry(Kind.HELD, bytes([number]) * 32, number))
    found: Counter[str] = Counter()
    for day in ("2026-07-09", "2026-07-10", "2026-07-11"):
        await exported("csv", tmp_path / day, own_env, "--from", day, "--to", day)
        found[day] = (tmp_path / day).read_text().count("HELD")
    assert found == Counter({"2026-07-09": 1, "2026-07-10": 1, "2026-07-11": 1})

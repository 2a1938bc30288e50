"""Whatever happens at the sandbox exchange, its rows add up: no contract and no USDT comes from nowhere."""

from collections import defaultdict
from decimal import Decimal
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from liqpass.clock import system_clock
from liqpass.sandbox.okx_accounts import Books
from liqpass.sandbox.okx_margin import Account
from liqpass.sandbox.okx_rows import history_row, position_row
from tests.sandbox.asking import BTC

START = Decimal(1_000_000)
Step = tuple[str, dict[str, Any]]


def some(name: str, **arguments: st.SearchStrategy[Any]) -> st.SearchStrategy[Step]:
    return st.tuples(st.just(name), st.fixed_dictionaries(arguments))


sizes, fills = st.integers(1, 12), st.integers(1, 3)
steps = st.one_of(
    some("open_position", contracts=sizes, lever=st.sampled_from([5, 20, 50, 100])),
    some("close_position", contracts=sizes),
    some("close_position"),
    some("liquidate", fills=fills),
    some("liquidate", px=st.integers(50_000, 70_000), fills=fills),
    some("liquidate_partly", contracts=sizes, fills=fills),
    some("liquidate_partly", contracts=sizes, px=st.integers(50_000, 70_000)),
    some("deleverage", contracts=sizes),
    some("deleverage"),
    some("set_leverage", lever=st.sampled_from([3, 10, 40, 90])),
    some("add_margin", amount=st.integers(1, 200)),
    some("remove_margin", amount=st.integers(1, 200)),
    some("claw_back", amount=st.integers(1, 5)),
    some("fund", rate=st.sampled_from(["0.0001", "-0.0003", "0.004"])),
    some("move_mark", px=st.integers(58_000, 62_000)),
)


def done(books: Books, account: Account, side: str, mgn_mode: str, step: Step) -> None:
    """What cannot be is refused, and then nothing of it happens. Only who has enough opens: the sandbox gives
    credit, which OKX does not."""
    name, arguments = step
    if name == "open_position" and account.balance < START / 2:
        return
    of_position = name in ("set_leverage", "claw_back", "deleverage") or "position" in name
    named = {} if name in ("fund", "move_mark") else {"uid": account.uid}
    if of_position or name.startswith("liquidate"):
        named["mgn_mode"] = mgn_mode
    if name == "open_position":
        named["side"] = side
    rows = (len(account.orders), len(account.bills), len(account.fills), account.balance)
    try:
        getattr(books, name)(**named, inst_id=BTC, **arguments)
    except ValueError:
        assert (len(account.orders), len(account.bills), len(account.fills), account.balance) == rows


def total(rows: list[dict[str, Any]], name: str) -> Decimal:
    return sum((Decimal(row[name]) for row in rows), Decimal(0))


@example("short", "cross", [("liquidate", {"fills": 1})])
@example("short", "cross", [("liquidate", {"fills": 3})])
@given(
    st.sampled_from(["long", "short"]), st.sampled_from(["isolated", "cross"]), st.lists(steps, max_size=25)
)
def test_balance_margin_bills_orders_and_episodes_add_up(
    side: str, mgn_mode: str, happened: list[Step]
) -> None:
    books = Books(system_clock, seed=11)
    account = books.add_account(balance=START)
    for step in [("open_position", {"contracts": 10, "lever": 20}), *happened]:
        done(books, account, side, mgn_mode, step)
    (slot,) = account.slots.values()
    episodes = [each for each in account.episodes if each is not slot] + [slot]
    clawed = total([bill for bill in account.bills if bill["type"] == "10"], "balChg")
    assert account.balance + slot.margin == START + sum(each.realized() for each in episodes) + clawed
    balances = [Decimal(bill["bal"]) for bill in account.bills]
    changes = [Decimal(bill["balChg"]) for bill in account.bills]
    assert balances == [START + sum(changes[: number + 1]) for number in range(len(changes))]
    assert total(account.bills, "posBalChg") == slot.margin
    opened = [order for order in account.orders if order["reduceOnly"] == "false"]
    closed = [order for order in account.orders if order["reduceOnly"] == "true"]
    assert total(opened, "accFillSz") - total(closed, "accFillSz") == slot.contracts
    assert total(closed, "accFillSz") == sum(each.closed_contracts for each in episodes)
    assert total(account.orders, "pnl") == sum(each.pnl for each in episodes)
    assert total(account.orders, "fee") == sum(each.fee for each in episodes)
    parts: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for bill in account.bills:
        parts[bill["ordId"]].append(bill)
    for order in account.orders:
        assert [total(parts[order["ordId"]], name) for name in ("sz", "pnl", "fee")] == [
            Decimal(order[name]) for name in ("accFillSz", "pnl", "fee")
        ]
    assert [fill["billId"] for fill in account.fills] == [
        bill["billId"] for bill in account.bills if bill["ordId"]
    ]
    for row in (*map(history_row, account.episodes), position_row(account, slot)):
        whole = sum(Decimal(row[name]) for name in ("pnl", "fee", "fundingFee", "liqPenalty"))
        assert whole == Decimal(row["realizedPnl"])

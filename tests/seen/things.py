"""One thing of every kind that somebody could want to see: a trader's, and what of it operators see."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import uuid4

from eth_account import Account

from liqpass.claims.states import ClaimStatus
from liqpass.hexes import checksum, to_hex
from liqpass.sandbox.anvil import Wallet, wallet
from liqpass.sandbox.chain import USDC
from liqpass.sandbox.okx_control import key_json
from liqpass.sandbox.trader import Trader, signed
from liqpass.web.assets import assets
from tests.claims.claimed import step
from tests.flows.newcomers import SLOT, Newcomer, new_wallet
from tests.review.conftest import ADMIN, CLAIMS, WAYS, bring, covered
from tests.world import SKU, TestWorld

OPERATOR = wallet("an operator who may see")
COOKIE = "liqpass_session"
# What is to be covered beside what a newcomer has.
MORE = (
    ("ETH-USDT-SWAP", "long"),
    ("SOL-USDT-SWAP", "long"),
    ("DOGE-USDT-SWAP", "long"),
    ("ETH-USDT-SWAP", "short"),
    ("SOL-USDT-SWAP", "short"),
)
# What of them is named in a request, and may be in its answer only as far as it was asked for.
NAMED = (
    *("account", "bind", "paid", "draft", "second", "claim", "refused", "payable", "reviewed"),
    *("sha256", "tx", "run", "break", "address"),
)
S = ClaimStatus


@dataclass(frozen=True)
class Things:
    """`own`: what the trader's things are called, by what they are; `none`: such names of nothing."""

    own: Mapping[str, Any]
    none: Mapping[str, Any]
    marks: tuple[str, ...]
    named: tuple[str, ...] = NAMED


def cookie_of(trader: Trader) -> str:
    """The session of who is signed in, as a browser sends it."""
    return next(f"{one.key}={one.value}" for one in trader.http.cookie_jar if one.key == COOKIE)


async def session(world: TestWorld, of: Wallet) -> str:
    """One more session of this wallet."""
    async with Trader(world.api, of) as trader:
        await trader.sign_in()
        return cookie_of(trader)


async def ended_sessions(world: TestWorld, of: Wallet) -> list[str]:
    """One whose time is over, and one that was signed out."""
    async with Trader(world.api, of) as trader:
        await trader.sign_in()
        late = cookie_of(trader)
        await world.db.pool.execute(
            """update sessions set created_at = $1::timestamptz - interval '8 days', expires_at = $1
               where created_at = (select max(created_at) from sessions) and user_id = $2 and ctid =
                   (select ctid from sessions where user_id = $2 order by ctid desc limit 1)""",
            *(world.clock(), of.address),
        )
        await trader.sign_in()
        left = cookie_of(trader)
        await trader.call("POST", "/api/auth/logout")
    return [late, left]


async def claimed(world: TestWorld, ada: Newcomer, slot: Mapping[str, str], status: S) -> dict[str, Any]:
    """A covered order's claim, gathered once, so that there is a bundle, and then brought to this state."""
    order = await covered(world, ada, **slot)
    asked = {"purchaseOrderId": order["purchaseOrderId"]}
    claim: dict[str, Any] = await ada.trader.call("POST", CLAIMS, asked)
    await step(world, "gather evidence")
    claim = await ada.trader.call("GET", f"{CLAIMS}/{claim['claimId']}")
    assert claim["bundleSha256"]
    await world.db.pool.execute("update claims set ask_at = null where id = $1", claim["claimId"])
    way = WAYS[status] if claim["status"] == "OPEN" else WAYS[status][1:]
    await bring(world.db, world.clock(), claim["claimId"], way)
    return {**claim, "order": order}


async def paid(world: TestWorld, operator: Trader, ada: Newcomer, claim: Mapping[str, Any]) -> None:
    """Approved, batched, sent by the Safe's owners, seen."""
    path = f"{ADMIN}/{claim['claimId']}/approve"
    await operator.call("POST", path, {"reason": "the bills show it"})
    await operator.call("POST", "/api/admin/treasury/batch", {})
    await step(world, "follow payouts")
    await world.chain.transfer(world.chain.treasury_wallet, ada.trader.wallet.address, 20 * USDC)
    await world.chain.mine(world.chain.slots_in_an_epoch)
    await step(world, "watch", "settle", "book transfers", "follow payouts")


async def everything(world: TestWorld, operator: Trader, ada: Newcomer) -> Things:
    """Make it all."""
    books = world.exchange.books
    slots = [SLOT, *({**SLOT, "instId": name, "posSide": side} for name, side in MORE)]
    for name, side in MORE:
        books.open_position(ada.okx.uid, name, side=side, contracts=5, lever=10)
    world.clock.advance(seconds=1)  # of two readings of a moment the first is kept
    await ada.trader.positions(ada.account)
    settled = await claimed(world, ada, slots[0], S.PAYABLE)
    await paid(world, operator, ada, settled)
    refused = await claimed(world, ada, slots[1], S.NOT_COVERED)
    payable = await claimed(world, ada, slots[2], S.PAYABLE)
    reviewed = await claimed(world, ada, slots[3], S.IN_REVIEW)
    await world.chain.transfer(await new_wallet(world), world.chain.treasury, 7 * USDC)
    await world.confirm()
    await world.pass_time(hours=1)
    await world.work(2)
    await ada.trader.positions(ada.account)
    bound = await ada.bind(**slots[4])
    draft = await ada.trader.create_order(bound["bindId"])
    second = await ada.trader.create_order((await ada.bind(**slots[5]))["bindId"])
    spare = key_json(books, books.add_key(books.add_account().uid))
    payer = await new_wallet(world)
    asking = f"/api/insurance/orders/{draft['purchaseOrderId']}/permit"
    permit = await ada.trader.call("POST", asking, {"payer": to_hex(payer.address)})
    made = Account.sign_typed_data(payer.key, full_message=permit["typedData"])
    run = (await operator.call("GET", "/api/admin/reconciliation"))["run"]
    one = (await operator.call("GET", "/api/admin/reconciliation/breaks"))["breaks"][0]
    own = {
        "account": ada.account, "inst": slots[4]["instId"], "side": slots[4]["posSide"], "sku": SKU,
        "bind": bound["bindId"], "page": 1, "payout": 1, "address": ada.trader.address,
        "paid": settled["order"]["purchaseOrderId"], "draft": draft["purchaseOrderId"],
        "second": second["purchaseOrderId"], "claim": settled["claimId"], "refused": refused["claimId"],
        "payable": payable["claimId"], "reviewed": reviewed["claimId"], "sha256": settled["bundleSha256"],
        "key": spare["apiKey"], "secret": spare["secret"], "passphrase": spare["passphrase"],
        "payer": checksum(payer.address), "permit": to_hex(bytes(made.signature)),
        "deadline": permit["deadline"], "tx": to_hex(b"\x07" * 32), "run": run["id"], "break": one["id"],
        "day": f"{world.clock() - timedelta(days=1):%Y-%m-%d}",
        "digest": assets().digest, "file": "page.js",
    }  # fmt: skip
    orders = [each["order"]["purchaseOrderId"] for each in (settled, refused, payable, reviewed)]
    claims = [each["claimId"] for each in (settled, refused, payable, reviewed)]
    theirs = [ada.trader.address, ada.trader.address.lower(), ada.account, ada.okx.uid, bound["bindId"]]
    marks = [*theirs, *orders, *claims, draft["purchaseOrderId"], second["purchaseOrderId"]]
    return Things(own, own | _nothing(), tuple(marks))


def _nothing() -> dict[str, Any]:
    """Of the same shapes."""
    ids = {name: str(uuid4()) for name in ("account", "bind", "claim", "refused", "payable", "reviewed")}
    hashes = {name: to_hex(uuid4().bytes * 2) for name in ("paid", "draft", "second", "sha256")}
    return {**ids, **hashes, "run": 998_877, "break": 998_877}


async def signed_text(world: TestWorld, of: Wallet) -> dict[str, str]:
    """What a wallet sends to sign in."""
    async with Trader(world.api, of) as trader:
        asked = await trader.call("POST", "/api/auth/nonce", {"address": trader.address})
    signature = to_hex(signed(asked["message"].encode(), of.key))
    return {"message": asked["message"], "signature": signature}

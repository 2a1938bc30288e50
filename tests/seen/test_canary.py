"""One secret of each kind that cannot be mistaken, through everything that handles secrets; then all that
was said and kept is searched for it, in every form that `needles` knows."""

import asyncio
import json
import subprocess
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from liqpass.backups.manifest import DUMP
from liqpass.embedded import embedded_postgres
from liqpass.sandbox.story import priced
from liqpass.sandbox.trader import Refused
from tests.commands.forked import liqpass
from tests.seen.canary import (
    API_KEY,
    NEXT_VAULT,
    OF_NODE,
    PASSPHRASE,
    SECRET,
    STEM,
    VAULT,
    WRONG,
    Cage,
    Listener,
    cage,
    processes,
    sealing,
    until,
)
from tests.seen.echo import Way
from tests.seen.needles import found, found_in_files

ACCOUNTS, POSITIONS = "/api/okx/api-accounts", "/api/okx/positions"
PAGES = (
    *("/", "/cover", "/keys", "/price", "/reserve", "/what-is-covered", "/metrics", "/readyz", "/docs"),
    *("/openapi.json", "/api/policy", "/api/reserve", "/api/price", "/operator", "/operator/claims"),
)
OF_THE_NODE = (("check",), ("reconcile",), ("export", "--format", "hledger"), ("contract", "verify"))
COMMANDS = (
    *(("check", "--books"), ("check", "--help"), ("--help",), ("keys", "check"), ("pool", "show")),
    *(("claims", "list", "--all", "--format", "json"), ("pool", "limits"), ("suspense", "list")),
    *(("price", "again", "--all"), ("export", "--format", "csv")),
    ("export", "--format", "csv", "--table", "claims"),
)


@dataclass(frozen=True)
class Life:
    """What must not be said; what was, by where; a dump of the database and a backup of it, and the files of
    the data folder in which a secret was found. `planted`, `files_after`: the same after one was written into
    a table."""

    secrets: dict[str, str | bytes]
    said: dict[str, bytes]
    dump: bytes
    backup: bytes
    files: list[str]
    planted: bytes
    files_after: list[str]


async def refused(trader: Listener, method: str, path: str, body: Any = None, **query: str) -> None:
    with pytest.raises(Refused):
        await trader.call(method, path, body, **query)


async def handed_over(here: Cage, trader: Listener) -> str:
    """The key, refused in every way in which one can be, and then taken; the account."""
    for wrong in ({"passphrase": WRONG}, {"secret": WRONG}, {"region": WRONG[:12]}, {"demo": True}):
        await refused(trader, "POST", ACCOUNTS, {**here.key, **wrong})
    return await trader.add_key(dict(here.key))


async def read_through_failures(here: Cage, trader: Listener, account: str) -> None:
    """The exchange is down, answers pages, tells what it was sent: in errors, and beside what is right."""
    faults = here.exchange.faults
    faults.html(count=9)
    await refused(trader, "GET", POSITIONS, apiAccountId=account)
    faults.heal()
    for code in ("50113", "50105", "99999"):
        faults.fail(code, count=9)
        await refused(trader, "GET", POSITIONS, apiAccountId=account)
        faults.heal()
    way: Way
    for way in ("page", "error"):
        here.okx.tell(way)
        await refused(trader, "GET", POSITIONS, apiAccountId=account)
    for way in ("rows", "names", "garbage"):  # an answer that repeats the key is none
        here.okx.tell(way)
        await refused(trader, "GET", POSITIONS, apiAccountId=account)
    here.okx.tell("")
    await trader.positions(account)


async def failed_inside(here: Cage, trader: Listener, account: str, position: dict[str, Any]) -> None:
    """The database refuses a row where the plain key is at hand: a trace goes into the log."""
    owner = await here.owner()
    try:
        for table, calls in {
            "api_accounts": (("POST", ACCOUNTS, dict(here.key), {}),),
            "position_readings": (("GET", POSITIONS, None, {"apiAccountId": account}),),
            "sessions": (("POST", "/api/auth/verify", await trader.signed_text(), {}),),
        }.items():
            await owner.execute(f"alter table {table} add constraint never check (false) not valid")
            for method, path, body, query in calls:
                with pytest.raises(Refused, match="INTERNAL_ERROR"):
                    await trader.call(method, path, body, **query)
            await owner.execute(f"alter table {table} drop constraint never")
        await owner.execute("alter table api_accounts add column kept text")
        await owner.execute("update api_accounts set kept = secret_enc, secret_enc = passphrase_enc")
        with pytest.raises(Refused, match="API_ACCOUNT_UNREADABLE"):
            await trader.positions(account)
        await owner.execute("update api_accounts set secret_enc = kept")
        await owner.execute("alter table api_accounts drop column kept")
    finally:
        await owner.close()


async def covered(here: Cage, trader: Listener, account: str) -> dict[str, Any]:
    """An order that is paid for, its position liquidated, its claim decided; the claim."""
    position = next(p for p in await priced(trader, account) if p["instId"] == "BTC-USDT-SWAP")
    await failed_inside(here, trader, account, position)
    order = await trader.create_order((await trader.bind(account, position, "LIQPASS_24H"))["bindId"])
    order_id = order["purchaseOrderId"]
    await trader.submit(order_id, await trader.pay(here.chain, order))

    async def is_active() -> bool:
        return bool((await trader.order(order_id))["status"] == "ACTIVE")

    await until(is_active)
    here.okx.tell("rows")
    before = here.okx.told
    here.exchange.books.liquidate(here.uid, position["instId"])
    claim = await trader.call("POST", "/api/insurance/claims", {"purchaseOrderId": order_id})

    async def is_gathered() -> bool:
        return bool((await trader.call("GET", f"/api/insurance/claims/{claim['claimId']}"))["bundleSha256"])

    async def was_told() -> bool:
        return here.okx.told > before

    await until(was_told)
    here.okx.tell("")
    await until(is_gathered)
    return {**claim, "order": order_id}


async def rights_grown(here: Cage) -> None:
    """The key may trade from now on, and the worker finds out."""
    here.exchange.books.set_perm(API_KEY, "read_only,trade")
    owner = await here.owner()

    async def is_held() -> bool:
        held = await owner.fetchval("select count(*) from api_accounts where held_reason is not null")
        return bool(held == 1)

    try:
        await owner.execute("update api_accounts set checked_at = checked_at - interval '7 hours'")
        async with here.at_work():
            await until(is_held)
    finally:
        await owner.close()


async def doubtful(here: Cage, trader: Listener) -> bool:
    """Whether what the node says has come to be seen by everybody."""
    await trader.look("/readyz")
    worker_too = b"refused eth_chainId" in here.logs["work.log"]
    return b"refused" in trader.heard[-1] and worker_too


async def looked_at(here: Cage, trader: Listener, claim: dict[str, Any]) -> list[str]:
    """Every page, as trader and as operator, and what is to be had as a file; their sessions."""
    order, named = claim["order"], claim["claimId"]
    more = (f"/orders/{order}", f"/orders/{order}/receipt", f"/operator/claims/{named}")
    apis = (f"/api/insurance/claims/{named}/bundle", f"/api/admin/claims/{named}", "/api/insurance/orders")
    async with Listener(here.api, here.chain.owner) as operator:
        operator.heard, operator.signatures = trader.heard, trader.signatures
        await operator.sign_in()
        for path in (*PAGES, *more, *apis):
            for who in (trader, operator):
                await who.look(path)
        await trader.look(f"http://127.0.0.1:{here.metrics_port}/metrics")
        return [*trader.secrets, *operator.secrets]


async def commanded(here: Cage, runs: Iterable[tuple[tuple[str, ...], Mapping[str, str]]]) -> bytes:
    """What these commands said."""
    said = b""
    for words, env in runs:
        done = await liqpass(*words, env=env)
        said += f"\n$ {' '.join(words)}\n{done.out}{done.err}".encode()
    return said


def with_odd_keys(here: Cage) -> list[tuple[tuple[str, ...], Mapping[str, str]]]:
    """With another key ring, a wrong one, and none."""
    ring = {**here.env, "API_KEYS_ENC_KEY": sealing({"k2": NEXT_VAULT, "k1": VAULT})}
    wrong = {**here.env, "API_KEYS_ENC_KEY": sealing({"k1": NEXT_VAULT})}
    broken = {**here.env, "API_KEYS_ENC_KEY": STEM, "LIQPASS_RPC_URLS": f"wss://ann:{STEM}@node"}
    runs = [(("keys", "rewrap"), ring), (("keys", "check"), ring), (("keys", "check"), wrong)]
    return [*runs, (("check",), wrong), (("check",), broken), (("serve", "--port", "1"), broken)]


def dumped(here: Cage, *more: str) -> bytes:
    """The database, as a backup has it."""
    with embedded_postgres(here.data) as server:
        command = [str(server.bin_dir / "pg_dump"), server.url, *more]
        return subprocess.run(command, capture_output=True, check=True).stdout


async def backed_up(here: Cage) -> tuple[bytes, bytes]:
    """A backup that is made, tried and brought back elsewhere: what was said of it, and all that is in it."""
    backups, ring = here.folder / "backups", sealing({"k2": NEXT_VAULT, "k1": VAULT})
    said = await commanded(here, [(("backup", str(backups)), here.env)])
    (backup,) = backups.glob("liqpass-*")
    words = (("restore", str(backup), "--verify"), ("restore", str(backup)), ("check",), ("pool", "show"))
    with TemporaryDirectory(prefix="canary-", dir=here.data.parent) as elsewhere:
        there = {**here.env, "LIQPASS_DATA_DIR": elsewhere, "API_KEYS_ENC_KEY": ring}
        said += await commanded(here, [(each, there) for each in words])
    with embedded_postgres(here.data) as server:
        command = [str(server.bin_dir / "pg_restore"), "--file=-", str(backup / DUMP)]
        plain = await asyncio.to_thread(subprocess.run, command, capture_output=True, check=True)
    return said, plain.stdout + b"".join(path.read_bytes() for path in backup.iterdir())


async def dumped_with_a_secret(here: Cage) -> bytes:
    """A table in which it stands in each type that could hold it, as a backup has it."""
    owner = await here.owner()
    try:
        await owner.execute("create table planted (words text, bytes bytea, document jsonb)")
        row = (SECRET, SECRET.encode(), json.dumps({"secret": SECRET}))
        for at, value in enumerate(row):
            values: list[Any] = [None, None, None]
            values[at] = value
            await owner.execute("insert into planted values ($1, $2, $3)", *values)
        return await asyncio.to_thread(dumped, here, "--table", "planted", "--data-only")
    finally:
        await owner.execute("drop table planted")
        await owner.close()


async def lived(here: Cage, trader: Listener) -> tuple[dict[str, bytes], list[str]]:
    """All of it; what was said, by where, and the sessions."""
    async with here.at_work():
        await trader.sign_in()
        account = await handed_over(here, trader)
        await read_through_failures(here, trader, account)
        claim = await covered(here, trader, account)
    await rights_grown(here)
    async with here.at_work() as worker:
        here.node.tell("refusal")
        await until(lambda: doubtful(here, trader))
        sessions = await looked_at(here, trader, claim)
        said = await commanded(here, ((words, here.env) for words in OF_THE_NODE))
        here.node.tell("")
        own = (("claims", "show", claim["claimId"]), ("claims", "bundle", claim["claimId"]))
        said += await commanded(here, ((words, here.env) for words in (*COMMANDS, *own)))
        said += await commanded(here, with_odd_keys(here))
        running = b"\0".join(processes(besides=(here.serving, worker)))
    return {"commands": said, "processes": running, "answers": b"\n".join(trader.heard)}, sessions


@pytest.fixture(scope="module")
async def life() -> AsyncIterator[Life]:
    """A key's, from its being handed over to the backup of what is left."""
    async with cage() as here, Listener(here.api, here.chain.wallets[2]) as trader:
        trader.heard, trader.signatures = [], []
        said, sessions = await lived(here, trader)
        secrets: dict[str, str | bytes] = {
            **{f"session {n}": one for n, one in enumerate(sessions)},
            **{f"signature {n}": bytes.fromhex(one[2:]) for n, one in enumerate(trader.signatures)},
            "stem": STEM, "secret": SECRET, "passphrase": PASSPHRASE, "wrong": WRONG, "vault": VAULT,
            "next vault": NEXT_VAULT, "node": OF_NODE,
            # the demo's, the same everywhere, so that other processes may have them in their environment
            "wallet": trader.wallet.key, "quote signer": here.chain.signer.key,
        }  # fmt: skip
        said |= {name: here.logs[name] for name in ("serve.log", "work.log")}
        dump = await asyncio.to_thread(dumped, here)
        said["backups"], backup = await backed_up(here)
        files = await asyncio.to_thread(found_in_files, {"stem": STEM}, here.data.rglob("*"))
        planted = await dumped_with_a_secret(here)
        files_after = await asyncio.to_thread(found_in_files, {"stem": STEM}, here.data.rglob("*"))
        yield Life(secrets, said, dump, backup, files, planted, files_after)


WHERE = ("serve.log", "work.log", "commands", "processes", "answers", "backups")


async def test_all_of_it_has_happened(life: Life) -> None:
    """Else nothing could have been found."""
    told = {name: text.count(b"Traceback") for name, text in life.said.items()}
    assert told["serve.log"] >= 3
    for name, words in {
        "serve.log": (b"never", b"API_ACCOUNT_UNREADABLE", b"EXCHANGE_UNAVAILABLE", b"CheckViolationError"),
        "work.log": (b"api_account_hold", b"NO_NODE", b"refused eth_chainId"),
        "commands": (b"claims payable", b"NOT_COVERED", b"sealed anew", b"FAIL  node", b"Example: liqpass"),
        "processes": (b"postgres", b"--log-level"),
        "backups": (b"Next, in this order", b"every sealed secret opens", b"restored from a backup"),
        "answers": (b'"evidence"', b"liqpass_exchange_errors_total", b"repeats_the_key", b"INTERNAL_ERROR"),
    }.items():
        assert [word for word in words if word not in life.said[name]] == [], name
    assert life.dump.count(b"v1.k2.") == 2, "sealed anew"


@pytest.mark.parametrize("where", WHERE)
async def test_no_secret_was_said(life: Life, where: str) -> None:
    known_elsewhere = ("wallet", "quote signer") if where == "processes" else ()
    secrets = {name: secret for name, secret in life.secrets.items() if name not in known_elsewhere}
    assert found(secrets, life.said[where]) == []


@pytest.mark.parametrize("where", WHERE)
async def test_of_the_api_key_its_end_was_said_at_most(life: Life, where: str) -> None:
    assert found({"api key": API_KEY}, life.said[where]) == []


async def test_no_secret_is_kept_but_sealed(life: Life) -> None:
    assert found(life.secrets, life.dump) == []
    assert found(life.secrets, life.backup) == []
    assert life.files == []


async def test_what_is_kept_would_be_found(life: Life) -> None:
    """The key's id is in the backup as it is: it names the account. And a planted secret is."""
    for kept in (life.dump, life.backup):
        assert "api key: plain" in found({"api key": API_KEY}, kept)
    forms = {hit.partition(": ")[2] for hit in found({"it": SECRET}, life.planted)}
    assert {"hex", "JSON in a COPY of PostgreSQL", "Python"} <= forms
    assert life.files_after != []

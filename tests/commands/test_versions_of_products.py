"""The numbers of each version of the products are kept when `liqpass serve` starts: a file of a version that
was sold with other numbers is refused, for old prices could not be computed again."""

import asyncio
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import msgspec
import pytest

from liqpass.clock import system_clock
from liqpass.db import Database, open_database
from liqpass.pricing.skus import Products, load_products
from liqpass.pricing.versions import keep
from liqpass.sandbox.world import MINUTES_SKU_TOML
from liqpass.serving import free_port
from liqpass.settings import SettingError
from tests.commands import forked
from tests.commands.cli import ended, hear, start
from tests.commands.test_check import lines

SERVE = ("serve", "--port", str(free_port()))
KEPT = "select count(*) from product_versions"


@pytest.fixture
def file(env: dict[str, str]) -> Path:
    """The operator's own file of products."""
    return Path(env["LIQPASS_SKUS"])


def edit(file: Path, *changes: tuple[str, str]) -> None:
    """Replace what stands there first."""
    text = file.read_text()
    for was, becomes in changes:
        assert was in text
        text = text.replace(was, becomes, 1)
    file.write_text(text)


async def checked(env: dict[str, str]) -> tuple[bool, str]:
    """What `liqpass check` says of the products."""
    (said,) = lines(await forked.liqpass("check", env=env))["products"]
    return said


async def kept_by(url: str, products: Products) -> str:
    """What a process of its own is told that keeps these products: its refusal, or nothing."""
    db = await open_database(url, name="test", size=1)
    try:
        await keep(db, products, system_clock())
    except SettingError as error:
        return str(error)
    finally:
        await db.close()
    return ""


async def test_serve_does_not_start_with_other_numbers_of_a_version_that_was_sold_and_check_says_so(
    env: dict[str, str], file: Path, database_url: str, db: Database
) -> None:
    products = load_products(file)
    version = products.version
    said = f"version {version}, not kept yet: liqpass serve does it at its start"
    assert await checked(env) == (True, said)
    assert await db.pool.fetchval(KEPT) == 0, "check writes nothing"
    assert await kept_by(database_url, products) == ""
    assert await db.pool.fetchval(KEPT) == len(products.sku)

    edit(file, ("load_bps = 5_500", "load_bps = 5_600"), ("= 9_000", "= 9_100"))
    refused = (
        f"LIQPASS_SKUS: version {version} was sold with other numbers (LIQPASS_8H: load_bps, model); "
        "give the file a new version"
    )
    done = await forked.liqpass(*SERVE, env=env)
    assert (done.status, done.out, done.err) == (1, "", f"liqpass: {refused}\n")
    assert await checked(env) == (False, refused)


async def test_another_version_better_words_and_one_more_product_are_no_other_numbers(
    file: Path, database_url: str, db: Database
) -> None:
    products = load_products(file)
    assert await kept_by(database_url, products) == ""
    edit(file, ("8 hours", "Eight hours"), ("[[sku]]", MINUTES_SKU_TOML + "[[sku]]"))
    assert await kept_by(database_url, load_products(file)) == ""
    assert await db.pool.fetchval(KEPT) == len(products.sku) + 1
    edit(file, (products.version, "another"), ("load_bps = 5_500", "load_bps = 5_600"))
    assert await kept_by(database_url, load_products(file)) == ""
    assert await db.pool.fetchval(KEPT) == 2 * (len(products.sku) + 1)


async def test_serve_keeps_the_numbers_and_on_a_database_that_takes_no_changes_as_soon_as_it_does(
    env: dict[str, str], server_url: str, database_url: str
) -> None:
    owner = await asyncpg.connect(server_url)
    guard = f"alter database {urlsplit(database_url).path.strip('/')} %s default_transaction_read_only"
    await owner.execute(guard % "set" + " = on")
    serve = await start(*SERVE, env=env)
    heard = await hear(serve.stderr, "Ctrl-C")
    assert heard.count("products_not_kept_yet") == 1
    await owner.execute(guard % "reset")
    here = await asyncpg.connect(database_url)
    while not await here.fetchval(KEPT):
        assert serve.returncode is None
        await asyncio.sleep(0.1)
    serve.terminate()
    assert (await ended(serve)).status == 0
    await here.close()
    await owner.close()


async def test_of_many_that_start_at_once_with_two_files_of_one_version_those_of_one_file_sell(
    file: Path, database_url: str, db: Database
) -> None:
    one = load_products(file)
    last = one.sku[-1]
    dearer = msgspec.structs.replace(last, fee_micro=last.fee_micro + 1)
    other = msgspec.structs.replace(one, sku=[dearer, *one.sku[:-1]])
    told = await asyncio.gather(*(kept_by(database_url, products) for products in [one, other] * 4))
    refused = f"LIQPASS_SKUS: version {one.version} was sold with other numbers ({last.id}: fee_micro); "
    assert {told[0], told[1]} == {"", refused + "give the file a new version"}
    assert told == told[:2] * 4
    assert await db.pool.fetchval(KEPT) == len(one.sku)


async def test_what_is_kept_is_never_changed_by_whomever(file: Path, database_url: str, db: Database) -> None:
    assert await kept_by(database_url, load_products(file)) == ""
    owner = await asyncpg.connect(database_url)
    for statement in ("update product_versions set terms = '{}'", "delete from product_versions"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await db.pool.execute(statement)
        with pytest.raises(asyncpg.RestrictViolationError, match="product_versions is append-only"):
            await owner.execute(statement)
    with pytest.raises(asyncpg.CheckViolationError):
        await owner.execute("insert into product_versions values ('v', 'S', '{}', sha256('[]'), now())")
    await owner.close()

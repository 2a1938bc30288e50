"""A statement that is overtaken however often it is tried is an expected end: told, not a failure of ours."""

import asyncpg

from tests.flows.newcomers import SLOT, Newcomer
from tests.world import TestWorld

ALWAYS_LATE = """
    create function always_late() returns trigger language plpgsql as $$
    begin raise exception 'overtaken' using errcode = 'serialization_failure'; end $$;
    create trigger always_late before insert on insured_bindings
    for each row execute function always_late();
"""


async def test_a_binding_that_never_gets_through_is_told_to_try_again(
    world: TestWorld, alice: Newcomer, database_url: str
) -> None:
    owner = await asyncpg.connect(database_url)
    await owner.execute(ALWAYS_LATE)
    body = {**SLOT, "apiAccountId": alice.account, "sku": "LIQPASS_24H"}
    assert await alice.refusal("POST", "/api/insurance/bind-position", body) == (503, "DATABASE_UNAVAILABLE")
    await owner.execute("drop trigger always_late on insured_bindings")
    assert (await alice.bind())["status"] == "DRAFT"
    await owner.close()

"""The books as tests read them: what stands where, in micro-USDC."""

from liqpass.ledger.book import DEBIT_SIDE, Account
from liqpass.ledger.posting import balances
from tests.world import TestWorld

STANDING = """
    select coalesce(sum(case when k.forward then t.amount else -t.amount end), 0)::bigint
    from ledger_transfers t join ledger_kinds k using (kind, debit, credit) where t.kind = $1 and t.ref = $2
"""


async def stands(world: TestWorld, kind: str, ref: str) -> int:
    """What a kind stands at for a ref, given as 0x…"""
    return int(await world.db.pool.fetchval(STANDING, kind, bytes.fromhex(ref[2:])))


async def books(world: TestWorld) -> dict[Account, int]:
    """All balances; that debits equal credits is looked at on the way."""
    found = await world.db.run(balances)
    debits = sum(amount for account, amount in found.items() if account in DEBIT_SIDE)
    assert debits == sum(found.values()) - debits
    return found

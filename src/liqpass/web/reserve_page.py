"""The page on which anybody sees, and checks, that every open cover can be paid."""

from collections.abc import Mapping
from datetime import datetime

from litestar import Response, get
from litestar.di import NamedDependency

from liqpass.disclosure.reserve import Looked, Reserve, reserve
from liqpass.reads import Reads
from liqpass.web.rendering import page
from liqpass.web.site import Site
from liqpass.web.viewing import Viewer

PATH = "/reserve"
YOUR_NODE = "https://YOUR-NODE"


@get(PATH)
async def show_reserve(
    viewer: NamedDependency[Viewer],
    site: NamedDependency[Site],
    reads: NamedDependency[Reads],
    now: NamedDependency[datetime],
) -> Response[str]:
    """For everybody."""
    found, _ = await reads.look(lambda conn: reserve(conn, now, site.chain))
    looked = found.looked
    return page(
        viewer,
        "reserve.html",
        here=PATH,
        site=site,
        now=now,
        found=found,
        looked=looked,
        age=(now - looked.finished_at).total_seconds() if looked else None,
        left=int(looked.balance) - int(looked.to_pay_at_most) if looked else None,
        commands=_commands(found, looked, site.public_rpc or YOUR_NODE) if looked else {},
        links=_links(found, looked, site.explorer) if looked and site.explorer else {},
    )


def _commands(found: Reserve, looked: Looked, rpc: str) -> Mapping[str, str]:
    """What anybody types who has cast (of Foundry), or curl; both ask the same."""
    ask = looked.question
    body = (
        f'{{"jsonrpc":"2.0","id":1,"method":"eth_call","params":[{{"to":"{ask.to}","data":"{ask.data}"}},'
        f'"{ask.block_number:#x}"]}}'
    )
    return {
        "cast": f"cast call {ask.to} 'balanceOf(address)(uint256)' {found.treasury} "
        f"--block {ask.block_number} --rpc-url {rpc}",
        "curl": f"curl -s {rpc} -H 'content-type: application/json' -d '{body}'",
    }


def _links(found: Reserve, looked: Looked, explorer: str) -> Mapping[str, str]:
    return {
        "treasury": f"{explorer}/address/{found.treasury}",
        "usdc": f"{explorer}/token/{found.usdc}?a={found.treasury}",
        "block": f"{explorer}/block/{looked.question.block_number}",
    }

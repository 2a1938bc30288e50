"""Exposure for the wallets of LIQPASS_ADMIN_WALLETS, under /api/admin/exposure.

For everybody else the path does not exist, signed in or not. What is changed, is changed by `liqpass pool`.
"""

from datetime import datetime

from litestar import Router, get
from litestar.di import NamedDependency

from liqpass.clock import Clock
from liqpass.db import Database
from liqpass.exposure.reading import shown
from liqpass.exposure.views import ExposureView, exposure_view
from liqpass.signin.admins import only


@get("/", summary="What open covers add up to, the limits, and what is not sold")
async def show_exposure(db: NamedDependency[Database], now: NamedDependency[datetime]) -> ExposureView:
    """What `liqpass pool limits` shows."""
    async with db.one_moment(whole=True) as conn:
        return exposure_view(await shown(conn, now))


def exposure_router(*, db: Database, clock: Clock, cookie: str, admins: frozenset[bytes]) -> Router:
    """For `admins`, addresses of 20 bytes; `db` and `now` are provided by the app."""
    return Router(
        path="/api/admin/exposure",
        route_handlers=[show_exposure],
        guards=[only(admins, db, clock, cookie)],
        tags=["exposure"],
    )

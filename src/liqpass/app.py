"""The composition root of the API: settings → clients → routes → error mapper."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

import structlog
from litestar import Router
from litestar.di import Provide
from litestar.openapi import OpenAPIConfig
from litestar.routes import HTTPRoute
from litestar.types import Receive, Scope, Send
from prometheus_client import Counter

from liqpass.apidocs import DocumentPlugin, PagePlugin
from liqpass.callers import knowing_callers
from liqpass.chain import verify
from liqpass.chain.checkout import address_of
from liqpass.chain.failures import NodeError, NodeErrorKind
from liqpass.chain.heads import HeadsShown
from liqpass.chain.rpc import Node, first_answer
from liqpass.claims import policy as claims_policy
from liqpass.clock import Clock, system_clock
from liqpass.db import Database
from liqpass.disclosure.routes import disclosure_router
from liqpass.edge import MAX_BODY_BYTES, edge, refuse
from liqpass.exchange.okx import OkxGateway
from liqpass.exposure.routes import exposure_router
from liqpass.front import Calls, front
from liqpass.health import health_router, reads_counter
from liqpass.orders.orders import Terms
from liqpass.orders.routes import CreateRequest, ordering_with, orders_router
from liqpass.payments.routes import SubmitRequest, payments_router, submitting_with
from liqpass.plain_litestar import PlainLitestar
from liqpass.positions.readings import PositionReader
from liqpass.positions.remembered import Remembered
from liqpass.positions.routes import BindRequest, binding_with, positions_router
from liqpass.pricing.premium import refusal
from liqpass.pricing.routes import pricing_router
from liqpass.pricing.skus import Products, load_products
from liqpass.reads import Reads, ReadSettings, open_replica
from liqpass.reconcile.routes import reconcile_router
from liqpass.review.routes import claims_router, review_router
from liqpass.settings import ChainSettings, Settings
from liqpass.signin.routes import session_cookie, signin_router
from liqpass.signin.sessions import session_of, signed_in
from liqpass.treasury.routes import treasury_router
from liqpass.vault.cipher import KeyRing
from liqpass.vault.routes import vault_router
from liqpass.web.assets import static_file
from liqpass.web.operator import operator_router
from liqpass.web.pages import pages_router
from liqpass.web.refusals import answer
from liqpass.web.site import Site

exchange_errors = Counter(
    "liqpass_exchange_errors_total", "Failed requests to the exchange, by its code.", ("code",)
)

log = structlog.get_logger()

AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]


@dataclass(frozen=True)
class Clients:
    """Everything that speaks to the world outside, and the time."""

    settings: Settings
    db: Database
    clock: Clock
    gateway: OkxGateway
    keyring: KeyRing
    nodes: tuple[Node, ...]
    products: Products
    reads: Reads
    """For what decides nothing."""


@asynccontextmanager
async def clients(
    settings: Settings, db: Database, clock: Clock = system_clock, reads: Reads | None = None
) -> AsyncIterator[Clients]:
    """Make them, and close them at the end (the databases belong to the caller). Raises SettingError."""
    gateway = OkxGateway(
        settings.okx_hosts,
        clock,
        on_error=lambda code: exchange_errors.labels(code).inc(),
        per_sec=settings.okx_per_sec,
    )
    nodes = tuple(Node(url) for url in settings.chain.rpc_urls)
    keyring = KeyRing.from_env(settings.api_keys_enc_key)
    try:
        products = load_products(settings.skus_path)
        yield Clients(settings, db, clock, gateway, keyring, nodes, products, reads or Reads(db))
    finally:
        await gateway.close()
        for node in nodes:
            await node.close()


@asynccontextmanager
async def reads_of(place_of: ReadSettings | None, db: Database, *, name: str) -> AsyncIterator[Reads]:
    """For as long as a process lives, which looks at the replica every second."""
    async with open_replica(place_of, db, name=name, tell=_tell_of_replica) as replica:
        looking = asyncio.create_task(replica.keep_looking()) if replica else None
        try:
            yield Reads(db, replica, on_read=lambda server: reads_counter.labels(server).inc())
        finally:
            if looking is not None:
                looking.cancel()
                await asyncio.wait([looking])


def _tell_of_replica(said: str) -> None:
    log.warning("replica", said=said)


def create_app(of: Clients) -> AsgiApp:
    """The API as an ASGI application."""
    app, loop = routed(of)
    cookie = session_cookie(of.settings.public_url)
    answering = edge(front(app, loop, cookie, refuse), origin=of.settings.public_url)
    return knowing_callers(answering, of.settings.proxies)


def routed(of: Clients) -> tuple[PlainLitestar, Calls]:
    """All that answers: the framework with every route, and the calls that are answered before it."""
    chain, db, clock, admins = of.settings.chain, of.db, of.clock, of.settings.admin_wallets
    reader = PositionReader(db, of.gateway, of.keyring, clock, of.settings.cover_demo)
    ttl = timedelta(seconds=of.settings.quote_ttl_sec)
    terms = Terms(chain, of.products, ttl, claims_policy.CURRENT.version)
    cookie = session_cookie(of.settings.public_url)
    heads = HeadsShown(of.nodes, chain, clock)
    remembered = Remembered()
    binding = binding_with(reader, partial(refusal, of.products), remembered)
    ordering, submitting = ordering_with(reader, terms, remembered), submitting_with(db, clock)
    app = PlainLitestar(
        route_handlers=[
            signin_router(
                rpc=partial(_eth_call, of.nodes), public_url=of.settings.public_url, chain_id=chain.chain_id
            ),
            vault_router(gateway=of.gateway, keyring=of.keyring, regions=list(of.settings.okx_hosts)),
            pricing_router(products=of.products),
            positions_router(reader=reader, appraise=partial(refusal, of.products), binding=binding),
            orders_router(reader=reader, terms=terms, ordering=ordering, remembered=remembered),
            payments_router(submitting=submitting, chain=chain, nodes=of.nodes),
            claims_router(),
            disclosure_router(products=of.products, chain=chain),
            *_for_operators(of, cookie),
            pages_router(site=_site(of), admins=admins, reader=reader),
            _operator(of, heads),
            static_file,
            _health(of, heads),
        ],
        dependencies={
            "db": Provide(lambda: db, sync_to_thread=False),
            "reads": Provide(lambda: of.reads, sync_to_thread=False),
            # Litestar copies what it is given: a clock that is called from here is not copied.
            "now": Provide(lambda: clock(), sync_to_thread=False),  # noqa: PLW0108
            "session_cookie": Provide(lambda: cookie, sync_to_thread=False),
            "user": Provide(signed_in),
            "token": Provide(session_of, sync_to_thread=False),
        },
        exception_handlers={Exception: answer},
        request_max_body_size=MAX_BODY_BYTES,
        openapi_config=OpenAPIConfig(
            title="LiqPass",
            version="1",
            path="/docs",
            render_plugins=[PagePlugin(), DocumentPlugin()],
            use_handler_docstrings=True,
        ),
        logging_config=None,
    )
    _provide_in_turn(app)
    loop: Calls = {
        "/api/insurance/bind-position": (BindRequest, binding),
        "/api/insurance/create-order": (CreateRequest, ordering),
        "/api/insurance/submit-payment": (SubmitRequest, submitting),
    }
    return app, loop


def _for_operators(of: Clients, cookie: str) -> list[Router]:
    """What is there for the admins alone."""
    chain, limits = of.settings.chain, of.settings.claims
    db, clock, admins = of.db, of.clock, of.settings.admin_wallets
    return [
        reconcile_router(db=db, clock=clock, cookie=cookie, admins=admins),
        exposure_router(db=db, clock=clock, cookie=cookie, admins=admins),
        treasury_router(db=db, clock=clock, cookie=cookie, admins=admins, chain=chain, nodes=of.nodes),
        review_router(
            db=db, clock=clock, cookie=cookie, admins=admins, limits=limits, chain=chain, nodes=of.nodes
        ),
    ]


def _health(of: Clients, heads: HeadsShown) -> Router:
    chain = of.settings.chain
    return health_router(
        db=of.db,
        clock=of.clock,
        chain=chain,
        obstacles=partial(_obstacles, of.nodes, chain),
        heads=heads,
        replica=of.reads.replica,
    )


def _operator(of: Clients, heads: HeadsShown) -> Router:
    return operator_router(
        site=_site(of),
        admins=of.settings.admin_wallets,
        db=of.db,
        clock=of.clock,
        cookie=session_cookie(of.settings.public_url),
        nodes=of.nodes,
        heads=heads,
        exchange_errors=_exchange_errors,
        limits=of.settings.claims,
    )


def _site(of: Clients) -> Site:
    settings = of.settings
    return Site(
        chain=settings.chain,
        products=of.products,
        public_url=settings.public_url,
        explorer=settings.explorer,
        public_rpc=settings.public_rpc,
        regions=tuple(settings.okx_hosts),
        egress_ips=settings.egress_ips,
    )


def _exchange_errors() -> dict[str, int]:
    """The counter's values by code."""
    (counted,) = exchange_errors.collect()
    return {s.labels["code"]: int(s.value) for s in counted.samples if s.name.endswith("_total")}


def _provide_in_turn(app: PlainLitestar) -> None:
    """Ours are at hand, or wait for each other; Litestar would start a task for each, at a fifth of the
    API's time per request."""
    for route in app.routes:
        if isinstance(route, HTTPRoute):
            for _, model in route.route_handler_map.values():
                model.dependency_batches = [{one} for batch in model.dependency_batches for one in batch]


async def _eth_call(nodes: tuple[Node, ...], transaction: dict[str, str]) -> bytes:
    """One eth_call for sign-in, from the first node that answers. Raises NodeError."""
    answer = await ask_any(nodes, "eth_call", [transaction, "latest"])
    try:
        return bytes.fromhex(str(answer).removeprefix("0x"))
    except ValueError:
        raise NodeError(NodeErrorKind.BAD_ANSWER, "a node answered eth_call with something else") from None


async def ask_any(nodes: tuple[Node, ...], method: str, params: list[object]) -> object:
    """The answer of the first node that gives one. Raises the last one's NodeError."""
    return await first_answer(nodes, lambda node: node.call(method, params))


def checkout_terms(chain: ChainSettings) -> verify.Terms:
    """What the deployed checkout must have been made for."""
    return verify.Terms(
        chain_id=chain.chain_id,
        usdc=chain.usdc,
        treasury=chain.treasury,
        signer=address_of(chain.quote_signer_key),
    )


async def _obstacles(nodes: tuple[Node, ...], chain: ChainSettings) -> list[str]:
    return await verify.sale_obstacles(partial(ask_any, nodes), chain.checkout, chain.usdc, chain.treasury)

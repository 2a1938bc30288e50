"""Who calls, where a proxy stands in front: the address that our own proxies tell, and nobody else."""

from collections.abc import Awaitable, Callable, Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from litestar.types import Receive, Scope, Send

Answering = Callable[[Scope, Receive, Send], Awaitable[None]]


def knowing_callers(app: Answering, proxies: Sequence[str]) -> Answering:
    """The application, whose `client` is who called the proxy: the last of `X-Forwarded-For` that is no proxy
    itself. `proxies` are addresses or networks; a caller from elsewhere may say there what it likes."""
    if not proxies:
        return app
    networks = [ip_network(proxy) for proxy in proxies]

    @lru_cache(maxsize=1024)
    def is_proxy(host: str) -> bool:
        address = _address(host)
        return address is not None and any(address in network for network in networks)

    async def knowing(scope: Scope, receive: Receive, send: Send) -> None:
        client = scope.get("client")
        if client and is_proxy(client[0]):
            told = b",".join([value for name, value in scope["headers"] if name == b"x-forwarded-for"])
            hosts = [host.strip() for host in told.decode("latin-1").split(",")]
            if caller := next((host for host in reversed(hosts) if not is_proxy(host)), hosts[0]):
                scope["client"] = (caller, 0)
        await app(scope, receive, send)

    return knowing


def _address(host: str) -> IPv4Address | IPv6Address | None:
    """A server that listens to IPv6 sees callers of IPv4 at addresses of its own kind (RFC 4291, 2.5.5.2)."""
    try:
        address = ip_address(host)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address

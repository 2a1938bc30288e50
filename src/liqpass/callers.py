"""Who calls, where a proxy stands in front: the address that our own proxies tell, and nobody else."""

from collections.abc import Awaitable, Callable, Sequence
from ipaddress import IPv4Network, ip_network

from granian.utils.proxies import wrap_asgi_with_proxy_headers
from litestar.types import Receive, Scope, Send

Answering = Callable[[Scope, Receive, Send], Awaitable[None]]


def knowing_callers(app: Answering, proxies: Sequence[str]) -> Answering:
    """The application, whose `client` is who called the proxy: the last of `X-Forwarded-For` that is no proxy
    itself. `proxies` are addresses or networks; a caller from elsewhere may say there what it likes."""
    if not proxies:
        return app
    spelt = [spelling for proxy in proxies for spelling in _spellings(proxy)]
    knowing: Answering = wrap_asgi_with_proxy_headers(app, spelt)
    return knowing


def _spellings(proxy: str) -> list[str]:
    """A server that listens to IPv6 sees callers of IPv4 at addresses of its own kind (RFC 4291, 2.5.5.2)."""
    network = ip_network(proxy)
    mapped = f"::ffff:{network.network_address}/{96 + network.prefixlen}"
    return [str(network), mapped] if isinstance(network, IPv4Network) else [str(network)]

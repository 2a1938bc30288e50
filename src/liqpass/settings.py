"""Settings come from the environment, once, at the start. A missing or malformed one stops the start
with one line that names it and says how to make it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_network
from pathlib import Path
from urllib.parse import urlsplit

from liqpass.hexes import address
from liqpass.hosts import as_browsers_write
from liqpass.money import micro
from liqpass.problems import Problem
from liqpass.secp256k1 import is_private_key

DEFAULT_URL = "http://127.0.0.1:8000"
HOW_TO_MAKE_A_SIGNER = "a key that signs quotes and holds no money: openssl rand -hex 32"
# By chain id: Base and Base Sepolia.
EXPLORERS = {8453: "https://basescan.org", 84532: "https://sepolia.basescan.org"}
PUBLIC_RPCS = {8453: "https://mainnet.base.org", 84532: "https://sepolia.base.org"}
CONFIRMATION = re.compile(r"safe|finalized|[1-9][0-9]{0,4}")


class SettingError(Exception):
    """`NAME: what is wrong and how to make it right`, on one line."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(" ".join(f"{name}: {message}".split()))
        self.name = name


@dataclass(frozen=True)
class ChainSettings:
    """Which chain, and which contracts on it, take the money. Addresses are 20 bytes."""

    chain_id: int
    rpc_urls: tuple[str, ...] = field(repr=False)
    """Providers put their customer's key into the address."""
    usdc: bytes
    checkout: bytes
    treasury: bytes
    quote_signer_key: bytes = field(repr=False)
    confirmation: str
    start_block: int


@dataclass(frozen=True)
class ClaimLimits:
    """Micro-USDC of an order's payouts together: up to `one_approves_up_to` one operator approves, above it
    two do; up to `auto_up_to` the policy does, 0: never."""

    one_approves_up_to: int
    auto_up_to: int


@dataclass(frozen=True)
class Settings:
    """Everything but the database, which commands open before they need the rest."""

    chain: ChainSettings
    api_keys_enc_key: str = field(repr=False)
    public_url: str
    okx_hosts: dict[str, str]
    skus_path: Path | None
    quote_ttl_sec: int
    cover_demo: bool
    admin_wallets: frozenset[bytes]
    """Addresses of 20 bytes; who is signed in with one of them may see and close breaks."""
    explorer: str
    """Where people look transactions up, "" where nowhere."""
    public_rpc: str
    """The endpoint that a wallet is offered with the chain, "" where none."""
    egress_ips: tuple[str, ...]
    """Addresses or networks from which OKX is asked: what traders may bind their keys to. None: not told."""
    claims: ClaimLimits
    okx_per_sec: int
    """How many requests a second a process sends to OKX at most."""
    proxies: tuple[str, ...]
    """Addresses or networks of the proxies before this server: they are believed who called them."""

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> "Settings":
        """Read and check all of them. Raises SettingError."""
        chain = chain_from_env(env)
        public_url = _origin("LIQPASS_PUBLIC_URL", env.get("LIQPASS_PUBLIC_URL", DEFAULT_URL).strip())
        _refuse_one_opinion(public_url, chain.rpc_urls)
        skus = env.get("LIQPASS_SKUS")
        return cls(
            chain=chain,
            api_keys_enc_key=required(env, "API_KEYS_ENC_KEY", "make one with: liqpass keys generate"),
            public_url=public_url,
            okx_hosts=_hosts(env),
            skus_path=Path(skus) if skus else None,
            quote_ttl_sec=_integer(env, "LIQPASS_QUOTE_TTL_SEC", 900, 60, 86_400),
            cover_demo=_flag(env, "LIQPASS_COVER_DEMO"),
            admin_wallets=_wallets(env, "LIQPASS_ADMIN_WALLETS"),
            explorer=_public(env, "LIQPASS_EXPLORER", EXPLORERS.get(chain.chain_id)),
            public_rpc=_public(env, "LIQPASS_PUBLIC_RPC", PUBLIC_RPCS.get(chain.chain_id)),
            egress_ips=_ips(env, "LIQPASS_EGRESS_IPS"),
            claims=claim_limits_from_env(env),
            okx_per_sec=_integer(env, "LIQPASS_OKX_PER_SEC", 20, 1, 1_000),
            proxies=_ips(env, "LIQPASS_PROXIES", "127.0.0.0/8,::1"),
        )


def _refuse_one_opinion(public_url: str, rpc_urls: tuple[str, ...]) -> None:
    """Where the site is public, money is real: no single provider may say what was paid."""
    if public_url.startswith("https:") and len({_provider(url) for url in rpc_urls}) < 2:
        raise SettingError(
            "LIQPASS_RPC_URLS",
            "must name endpoints of two or more providers when the site is public",
        )


def _provider(url: str) -> str:
    return (urlsplit(url).hostname or "").removesuffix(".")


def chain_from_env(env: Mapping[str, str]) -> ChainSettings:
    """The chain's settings alone. Raises SettingError."""
    urls = required(
        env, "LIQPASS_RPC_URLS", "one or more JSON-RPC endpoints of the chain, separated by commas"
    )
    confirmation = env.get("LIQPASS_CONFIRMATION", "safe")
    if not CONFIRMATION.fullmatch(confirmation):
        raise SettingError("LIQPASS_CONFIRMATION", "must be safe, finalized, or a number of blocks: 12")
    return ChainSettings(
        chain_id=_integer(env, "LIQPASS_CHAIN_ID", 8453, 1, 2**53),
        rpc_urls=tuple(http_url("LIQPASS_RPC_URLS", u.strip()) for u in urls.split(",")),
        usdc=_address(env, "LIQPASS_USDC", "on Base 0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913"),
        checkout=_address(env, "LIQPASS_CHECKOUT", "liqpass contract deploy prints it"),
        treasury=_address(env, "LIQPASS_TREASURY", "where premiums go, a Safe"),
        quote_signer_key=private_key(env, "LIQPASS_QUOTE_SIGNER_KEY", HOW_TO_MAKE_A_SIGNER),
        confirmation=confirmation,
        start_block=_integer(env, "LIQPASS_START_BLOCK", 0, 0, 2**53),
    )


def claim_limits_from_env(env: Mapping[str, str]) -> ClaimLimits:
    """Who has to approve a claim, alone. Raises SettingError."""
    return ClaimLimits(
        one_approves_up_to=_usdc(env, "LIQPASS_CLAIM_ONE_APPROVES_UP_TO", "500"),
        auto_up_to=_usdc(env, "LIQPASS_CLAIM_AUTO_UP_TO", "0"),
    )


def required(env: Mapping[str, str], name: str, how: str) -> str:
    """The value of a setting that has no default. Raises SettingError."""
    value = env.get(name, "").strip()
    if not value:
        raise SettingError(name, f"is not set: {how}")
    return value


def _integer(env: Mapping[str, str], name: str, default: int, low: int, high: int) -> int:
    text = env.get(name, str(default)).strip()
    if not re.fullmatch(r"[0-9]{1,16}", text) or not low <= int(text) <= high:
        raise SettingError(name, f"must be a whole number from {low} to {high}")
    return int(text)


def _usdc(env: Mapping[str, str], name: str, default: str) -> int:
    text = env.get(name, default).strip()
    try:
        return 0 if text == "0" else micro(text, name)
    except Problem:
        raise SettingError(name, "must be an amount of USDC such as 500 or 12.50, or 0") from None


def _flag(env: Mapping[str, str], name: str) -> bool:
    text = env.get(name, "no").strip().lower()
    if text not in ("yes", "no"):
        raise SettingError(name, "must be yes or no")
    return text == "yes"


def _wallets(env: Mapping[str, str], name: str) -> frozenset[bytes]:
    listed = env.get(name, "").strip()
    how = "of a wallet; separate several by commas"
    return (
        frozenset(_parsed(name, part.strip(), how) for part in listed.split(",")) if listed else frozenset()
    )


def _ips(env: Mapping[str, str], name: str, default: str = "") -> tuple[str, ...]:
    listed = [part.strip() for part in env.get(name, default).split(",") if part.strip()]
    try:
        for part in listed:
            ip_network(part)
    except ValueError:
        raise SettingError(
            name, "must be IP addresses or networks, separated by commas: 203.0.113.7,2001:db8::/64"
        ) from None
    return tuple(listed)


def _public(env: Mapping[str, str], name: str, usual: str | None) -> str:
    """An address that browsers are given; `none` where there is none."""
    text = env.get(name, usual or "none").strip()
    return "" if text.lower() == "none" else http_url(name, text)


def _address(env: Mapping[str, str], name: str, how: str) -> bytes:
    return _parsed(name, required(env, name, f"0x and 40 hexadecimal digits: {how}"), how)


def _parsed(name: str, text: str, how: str) -> bytes:
    try:
        return address(text, name)
    except Problem as refusal:
        mistyped = "checksum" in refusal.detail
        what = "is mistyped, its EIP-55 checksum is wrong; it" if mistyped else ""
        raise SettingError(name, f"{what} must be 0x and 40 hexadecimal digits: {how}") from None


def private_key(env: Mapping[str, str], name: str, what: str) -> bytes:
    """A key of secp256k1, 32 bytes. Raises SettingError."""
    how = f"64 hexadecimal digits, {what}"
    text = required(env, name, how).removeprefix("0x")
    if not re.fullmatch(r"[0-9a-fA-F]{64}", text):
        raise SettingError(name, f"must be {how}")
    key = bytes.fromhex(text)
    if not is_private_key(key):
        raise SettingError(name, f"is no key of secp256k1; it must be {how}")
    return key


def http_url(name: str, text: str) -> str:
    """An http or https address without a slash at its end. Raises SettingError, which does not repeat it:
    there may be a key in it."""
    try:
        parts = urlsplit(text)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # brackets of IPv6, or a port, that are none
        usable = False
    if not usable or re.search(r"\s", text):
        scheme = re.match(r"[A-Za-z][A-Za-z0-9+.-]{0,15}://", text)
        what = f"what begins with {scheme[0]}" if scheme else "what has no ://" if text else "an empty entry"
        raise SettingError(
            name, f"{what} is no http:// or https:// address with a host: https://node.example"
        )
    return text.rstrip("/")


def _origin(name: str, text: str) -> str:
    """Scheme, host and port as a browser writes them in `Origin`, which is compared with it."""
    parts = urlsplit(http_url(name, text))
    usual = {"http": 80, "https": 443}[parts.scheme]
    if parts.path or parts.query or parts.fragment or "@" in parts.netloc or parts.port == usual:
        raise SettingError(name, "must be scheme and host alone, such as https://liqpass.example")
    try:
        host = as_browsers_write(parts.hostname or "")
    except ValueError as error:
        raise SettingError(name, str(error)) from None
    return f"{parts.scheme}://{host}" + (f":{parts.port}" if parts.port else "")


def _hosts(env: Mapping[str, str]) -> dict[str, str]:
    name = "LIQPASS_OKX_HOSTS"
    text = env.get(name, "global=https://www.okx.com,eea=https://eea.okx.com,us=https://us.okx.com")
    hosts = {}
    for pair in text.split(","):
        region, separator, url = pair.strip().partition("=")
        if not separator or not re.fullmatch(r"[a-z]{2,12}", region):
            raise SettingError(
                name, "must be a list such as global=https://www.okx.com,eea=https://eea.okx.com"
            )
        hosts[region] = http_url(name, url)
    return hosts

"""Settings come from the environment, once, at the start. A missing or malformed one stops the start
with one line that names it and says how to make it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from coincurve import PrivateKey

CONFIRMATION = re.compile(r"safe|finalized|[1-9][0-9]{0,4}")


class SettingError(Exception):
    """`NAME: what is wrong and how to make it right`, on one line."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(f"{name}: {message}")
        self.name = name


@dataclass(frozen=True)
class ChainSettings:
    """Which chain, and which contracts on it, take the money. Addresses are 20 bytes."""

    chain_id: int
    rpc_urls: tuple[str, ...]
    usdc: bytes
    checkout: bytes
    treasury: bytes
    quote_signer_key: bytes = field(repr=False)
    confirmation: str
    start_block: int


@dataclass(frozen=True)
class Settings:
    """Everything but the database, which commands open before they need the rest."""

    chain: ChainSettings
    api_keys_enc_key: str = field(repr=False)
    public_url: str
    okx_hosts: dict[str, str]
    skus_path: Path | None
    quote_ttl_sec: int
    production: bool

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> "Settings":
        """Read and check all of them. Raises SettingError."""
        public_url = _url(env, "LIQPASS_PUBLIC_URL", "http://127.0.0.1:8000")
        skus = env.get("LIQPASS_SKUS")
        return cls(
            chain=chain_from_env(env),
            api_keys_enc_key=required(env, "API_KEYS_ENC_KEY", "make one with: liqpass keys generate"),
            public_url=public_url,
            okx_hosts=_hosts(env),
            skus_path=Path(skus) if skus else None,
            quote_ttl_sec=_integer(env, "LIQPASS_QUOTE_TTL_SEC", 900, 60, 86_400),
            production=urlsplit(public_url).scheme == "https",
        )


def chain_from_env(env: Mapping[str, str]) -> ChainSettings:
    """The chain's settings alone. Raises SettingError."""
    urls = required(
        env, "LIQPASS_RPC_URLS", "one or more JSON-RPC endpoints of the chain, separated by commas"
    )
    confirmation = env.get("LIQPASS_CONFIRMATION", "safe")
    if not CONFIRMATION.fullmatch(confirmation):
        raise SettingError("LIQPASS_CONFIRMATION", "is safe, finalized, or a number of blocks such as 12")
    return ChainSettings(
        chain_id=_integer(env, "LIQPASS_CHAIN_ID", 8453, 1, 2**53),
        rpc_urls=tuple(_http_url("LIQPASS_RPC_URLS", u.strip()) for u in urls.split(",")),
        usdc=_address(env, "LIQPASS_USDC", "on Base 0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913"),
        checkout=_address(env, "LIQPASS_CHECKOUT", "liqpass contract deploy prints it"),
        treasury=_address(env, "LIQPASS_TREASURY", "where premiums go, a Safe"),
        quote_signer_key=_key(env, "LIQPASS_QUOTE_SIGNER_KEY"),
        confirmation=confirmation,
        start_block=_integer(env, "LIQPASS_START_BLOCK", 0, 0, 2**53),
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
        raise SettingError(name, f"is a whole number from {low} to {high}")
    return int(text)


def _address(env: Mapping[str, str], name: str, how: str) -> bytes:
    text = required(env, name, f"0x and 40 hexadecimal digits: {how}")
    if not re.fullmatch(r"0x[0-9a-fA-F]{40}", text):
        raise SettingError(name, f"is 0x and 40 hexadecimal digits: {how}")
    return bytes.fromhex(text[2:])


def _key(env: Mapping[str, str], name: str) -> bytes:
    how = "64 hexadecimal digits, a key that signs quotes and holds no money: openssl rand -hex 32"
    text = required(env, name, how).removeprefix("0x")
    if not re.fullmatch(r"[0-9a-fA-F]{64}", text):
        raise SettingError(name, f"is malformed: {how}")
    try:
        PrivateKey(bytes.fromhex(text))
    except ValueError:
        raise SettingError(name, f"is not a key of secp256k1: {how}") from None
    return bytes.fromhex(text)


def _http_url(name: str, text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise SettingError(name, f"{text or 'an empty entry'} is no http:// or https:// address")
    return text.rstrip("/")


def _url(env: Mapping[str, str], name: str, default: str) -> str:
    return _http_url(name, env.get(name, default).strip())


def _hosts(env: Mapping[str, str]) -> dict[str, str]:
    name = "LIQPASS_OKX_HOSTS"
    text = env.get(name, "global=https://www.okx.com,eea=https://eea.okx.com,us=https://us.okx.com")
    hosts = {}
    for pair in text.split(","):
        region, separator, url = pair.strip().partition("=")
        if not separator or not re.fullmatch(r"[a-z]{2,12}", region):
            raise SettingError(name, "is a list such as global=https://www.okx.com,eea=https://eea.okx.com")
        hosts[region] = _http_url(name, url)
    return hosts

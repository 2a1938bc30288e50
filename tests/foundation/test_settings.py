"""Each setting that is missing or malformed gives one line that names it, and no line repeats a secret."""

from pathlib import Path

import pytest

from liqpass.settings import ChainSettings, SettingError, Settings, chain_from_env

USDC = "0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913"
SIGNER_KEY = "5e" * 32
MASTER_KEY = "c2VhbHMgd2hhdCBleGNoYW5nZSBrZXlzIHNheSE="
NODE = "https://node.example/v3/customer-key"
WHOLE = {
    "LIQPASS_RPC_URLS": f"{NODE}, http://127.0.0.1:8545/",
    "LIQPASS_USDC": USDC,
    "LIQPASS_CHECKOUT": USDC.lower(),
    "LIQPASS_TREASURY": f"  0x{USDC[2:].upper()} ",
    "LIQPASS_QUOTE_SIGNER_KEY": SIGNER_KEY,
    "API_KEYS_ENC_KEY": MASTER_KEY,
}


def test_what_has_a_default_need_not_be_set() -> None:
    settings = Settings.from_env(WHOLE)
    usdc = bytes.fromhex(USDC[2:])
    assert settings.chain == ChainSettings(
        chain_id=8453,
        rpc_urls=(NODE, "http://127.0.0.1:8545"),
        usdc=usdc,
        checkout=usdc,
        treasury=usdc,
        quote_signer_key=bytes.fromhex(SIGNER_KEY),
        confirmation="safe",
        start_block=0,
    )
    assert settings.public_url == "http://127.0.0.1:8000"
    assert set(settings.okx_hosts) == {"global", "eea", "us"}
    assert (settings.skus_path, settings.quote_ttl_sec) == (None, 900)
    assert settings.admin_wallets == frozenset()
    assert settings.egress_ips == ()


def test_what_is_set_is_taken() -> None:
    env = WHOLE | {
        "LIQPASS_CHAIN_ID": " 84532 ",
        "LIQPASS_CONFIRMATION": "12",
        "LIQPASS_START_BLOCK": "7",
        "LIQPASS_PUBLIC_URL": "https://liqpass.example/",
        "LIQPASS_OKX_HOSTS": "global=http://127.0.0.1:9, us=http://127.0.0.1:10/",
        "LIQPASS_SKUS": "mine.toml",
        "LIQPASS_QUOTE_TTL_SEC": "60",
        "LIQPASS_QUOTE_SIGNER_KEY": f"0x{SIGNER_KEY.upper()}",
        "LIQPASS_ADMIN_WALLETS": f"{USDC}, 0x{'ab' * 20}",
        "LIQPASS_EGRESS_IPS": "203.0.113.7, 2001:db8::/64",
    }
    settings = Settings.from_env(env)
    chain = settings.chain
    assert (chain.chain_id, chain.confirmation, chain.start_block) == (84532, "12", 7)
    assert chain.quote_signer_key == bytes.fromhex(SIGNER_KEY)
    assert settings.public_url == "https://liqpass.example"
    assert settings.okx_hosts == {"global": "http://127.0.0.1:9", "us": "http://127.0.0.1:10"}
    assert settings.egress_ips == ("203.0.113.7", "2001:db8::/64")
    assert (settings.skus_path, settings.quote_ttl_sec) == (Path("mine.toml"), 60)
    assert settings.admin_wallets == {bytes.fromhex(USDC[2:]), b"\xab" * 20}


@pytest.mark.parametrize("name", sorted(WHOLE))
@pytest.mark.parametrize("nothing", [None, "", "   "])
def test_a_missing_setting_is_named_with_how_to_make_it(name: str, nothing: str | None) -> None:
    env = {**WHOLE, name: nothing or ""}
    if nothing is None:
        del env[name]
    with pytest.raises(SettingError, match=rf"^{name}: is not set: .{{10}}") as refused:
        Settings.from_env(env)
    assert refused.value.name == name


ORDER_OF_SECP256K1 = "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LIQPASS_CHAIN_ID", "base"),
        ("LIQPASS_CHAIN_ID", "0"),
        ("LIQPASS_CHAIN_ID", "-1"),
        ("LIQPASS_CHAIN_ID", "1.5"),
        ("LIQPASS_CHAIN_ID", "9" * 17),
        ("LIQPASS_CHAIN_ID", "٣"),
        ("LIQPASS_START_BLOCK", "0x10"),
        ("LIQPASS_QUOTE_TTL_SEC", "59"),
        ("LIQPASS_QUOTE_TTL_SEC", "86401"),
        ("LIQPASS_CONFIRMATION", "soon"),
        ("LIQPASS_CONFIRMATION", "0"),
        ("LIQPASS_CONFIRMATION", "latest"),
        ("LIQPASS_RPC_URLS", "wss://node.example/v3/customer-key"),
        ("LIQPASS_RPC_URLS", f"{NODE},"),
        ("LIQPASS_RPC_URLS", "http://"),
        ("LIQPASS_RPC_URLS", "http://[::1"),
        ("LIQPASS_RPC_URLS", "http://node.example:99999"),
        ("LIQPASS_RPC_URLS", "http://node.example:0"),
        ("LIQPASS_RPC_URLS", "http://node.example http://other.example"),
        ("LIQPASS_PUBLIC_URL", "liqpass.example"),
        ("LIQPASS_PUBLIC_URL", "http://a\nb"),
        ("LIQPASS_PUBLIC_URL", "http://💩.example"),
        ("LIQPASS_PUBLIC_URL", "http://127.1:8000"),
        ("LIQPASS_PUBLIC_URL", "http://[fe80::1%25eth0]"),
        ("LIQPASS_OKX_HOSTS", "https://www.okx.com"),
        ("LIQPASS_OKX_HOSTS", "global=www.okx.com"),
        ("LIQPASS_OKX_HOSTS", "Global=https://www.okx.com"),
        ("LIQPASS_USDC", USDC[:-1]),
        ("LIQPASS_USDC", USDC[2:]),
        ("LIQPASS_USDC", f"{USDC}00"),
        ("LIQPASS_TREASURY", USDC.replace("f", "F")),
        ("LIQPASS_CHECKOUT", "checkout.eth"),
        ("LIQPASS_ADMIN_WALLETS", USDC[:-1]),
        ("LIQPASS_EGRESS_IPS", "203.0.113.7, ours"),
        ("LIQPASS_EGRESS_IPS", "203.0.113.7/8"),
        ("LIQPASS_PROXIES", "127.0.0.1, nginx"),
        ("LIQPASS_ADMIN_WALLETS", f"{USDC},"),
        ("LIQPASS_ADMIN_WALLETS", f"{USDC};{USDC}"),
        ("LIQPASS_ADMIN_WALLETS", USDC.replace("f", "F")),
        ("LIQPASS_QUOTE_SIGNER_KEY", SIGNER_KEY[:-1]),
        ("LIQPASS_QUOTE_SIGNER_KEY", f"{SIGNER_KEY}00"),
        ("LIQPASS_QUOTE_SIGNER_KEY", "x" * 64),
        ("LIQPASS_QUOTE_SIGNER_KEY", "0" * 64),
        ("LIQPASS_QUOTE_SIGNER_KEY", ORDER_OF_SECP256K1),
    ],
)
def test_a_malformed_setting_is_named_in_one_line(name: str, value: str) -> None:
    with pytest.raises(SettingError) as refused:
        Settings.from_env({**WHOLE, name: value})
    said = str(refused.value)
    assert said.startswith(f"{name}: ")
    assert len(said) > len(name) + 20
    assert len(said.splitlines()) == 1
    assert "customer-key" not in said
    assert name != "LIQPASS_QUOTE_SIGNER_KEY" or value not in said


def test_a_mistyped_letter_of_the_treasury_is_said_to_be_one() -> None:
    with pytest.raises(SettingError, match="LIQPASS_TREASURY: is mistyped, its EIP-55 checksum is wrong"):
        chain_from_env(WHOLE | {"LIQPASS_TREASURY": USDC.replace("833589f", "833589F")})


@pytest.mark.parametrize("shown", [repr, str, "{}".format])
def test_settings_that_are_printed_show_no_secret(shown: object) -> None:
    assert callable(shown)
    settings = Settings.from_env(WHOLE)
    said = shown(settings) + shown(settings.chain)
    for secret in (SIGNER_KEY, repr(bytes.fromhex(SIGNER_KEY)), MASTER_KEY, "customer-key"):
        assert secret not in said


def test_one_provider_in_two_spellings_is_one_opinion() -> None:
    twice = "https://Node.example/a, https://node.example./b"
    with pytest.raises(SettingError, match="LIQPASS_RPC_URLS: must name endpoints of two or more providers"):
        Settings.from_env(
            WHOLE | {"LIQPASS_PUBLIC_URL": "https://liqpass.example", "LIQPASS_RPC_URLS": twice}
        )

"""What was typed or set by mistake is not repeated where it may be a password: what a command says ends in
the logs of whoever started it."""

import pytest

from tests.commands.forked import liqpass
from tests.seen.needles import found

PASSWORD = "Kanari7secret"
ADDRESSES = (
    f"postgresql://ann:{PASSWORD}@127.0.0.1:9/liqpass?sslmode=require",
    f"https://base.example/v2/{PASSWORD}",
    f"HTTPS://base.example/?apikey={PASSWORD}",
    f"wss://u:{PASSWORD}@base.example",
)
# What passwords are that nobody has escaped, and other slips.
DATABASES = (
    *(
        f"postgresql://ann:{PASSWORD}{odd}@127.0.0.1:9/x"
        for odd in ("/x", "#x", "?x", "@x", " x", "%zz", ":x", "[")
    ),
    f"postgresql://ann:{PASSWORD}@127.0.0.1:9/x?sslmode=odd",
    f"postgresql://ann:{PASSWORD}@127.0.0.1:port/x",
    f"postgresql://ann@127.0.0.1:9/x?password={PASSWORD}&foo=bar",
    f"postgresql://ann@127.0.0.1:9/x?password={PASSWORD}",
    *(
        f"postgres//ann:{PASSWORD}@h/x",
        f"mysql://ann:{PASSWORD}@h/x",
        f"ann:{PASSWORD}@h",
        f"host=h password={PASSWORD}",
    ),
)
CALLS = (
    *(("check",), ("migrate",), ("serve",), ("work",), ("demo",), ("contract", "verify"), ("keys", "rewrap")),
    *((), ("claims",), ("keys",), ("pool",), ("reconcile",), ("suspense", "list"), ("export", "--format")),
    *(("export", "--from"), ("serve", "--log-level"), ("serve", "--port"), ("work", "--metrics-port")),
)
SPELT = (
    PASSWORD,
    f"u:{PASSWORD}",
    f"ws://u:{PASSWORD}@node",
    f"http://u:{PASSWORD}@",
    f"http://h:{PASSWORD}/",
)


@pytest.mark.parametrize("address", ADDRESSES)
async def test_an_address_that_was_typed_where_none_belongs_is_not_repeated(address: str) -> None:
    for words in CALLS if address == ADDRESSES[0] else CALLS[:3]:
        done = await liqpass(*words, address, env={})
        assert done.status == 2, done
        assert PASSWORD not in done.out + done.err, words
        assert "://…" in done.err or "Input should be a valid integer" in done.err, done.err


async def test_any_other_word_is() -> None:
    done = await liqpass("check", "everything", env={})
    assert "unexpected extra argument(s) (everything)" in done.err
    assert "No such command 'all'" in (await liqpass("all", env={})).err


@pytest.mark.parametrize("name", ["LIQPASS_RPC_URLS", "LIQPASS_PUBLIC_URL", "LIQPASS_OKX_HOSTS"])
async def test_of_an_address_that_is_none_only_its_scheme_is_told(name: str, env: dict[str, str]) -> None:
    for value in SPELT:
        told = f"global={value}" if name == "LIQPASS_OKX_HOSTS" else value
        done = await liqpass("serve", env={**env, name: told})
        assert (done.status, done.err.splitlines()[-1].startswith(f"liqpass: {name}: ")) == (1, True), done
        for cut in range(2, len(PASSWORD)):
            assert PASSWORD[:cut] not in done.err, done.err


@pytest.mark.parametrize("words", [("migrate",), ("serve", "--log-level", "debug")], ids=" ".join)
async def test_a_databases_password_is_not_told_whatever_is_wrong_with_its_address(
    words: tuple[str, ...], env: dict[str, str]
) -> None:
    for address in DATABASES:
        done = await liqpass(*words, env={**env, "DATABASE_URL": address})
        assert (done.status, "DATABASE_URL: " in done.err) == (1, True), done
        assert found({"password": PASSWORD}, (done.out + done.err).encode()) == []

"""`liqpass serve` and `liqpass work` come up quietly, end with a signal, and leave nothing."""

import asyncio
import signal

import aiohttp
import pytest

from liqpass.serving import free_port
from tests.commands.cli import ended, hear, liqpass, start

SIGNALS = [signal.SIGTERM, signal.SIGINT]


@pytest.mark.parametrize("sent", SIGNALS, ids=lambda s: s.name)
async def test_serve_says_where_it_answers_and_ends_cleanly_with(sent: int, env: dict[str, str]) -> None:
    port = free_port()
    serve = await start("serve", "--port", str(port), env=env)
    heard = await hear(serve.stderr, "Ctrl-C")
    assert f"LiqPass answers at http://127.0.0.1:{port} " in heard
    assert heard.count("\n") == 1  # no warning of any library
    async with aiohttp.ClientSession() as http, http.get(f"http://127.0.0.1:{port}/healthz") as answer:
        assert answer.status == 200
    serve.send_signal(sent)
    assert (await ended(serve)).status == 0


@pytest.mark.parametrize("sent", SIGNALS, ids=lambda s: s.name)
async def test_work_ends_cleanly_with(sent: int, env: dict[str, str]) -> None:
    work = await start("work", env=env)
    assert (await hear(work.stderr, "Ctrl-C")).count("\n") == 1
    await hear(work.stderr, "task_owned")
    work.send_signal(sent)
    done = await ended(work)
    assert done.status == 0
    assert "Traceback" not in done.err


async def test_a_port_in_use_is_said_in_one_line(env: dict[str, str]) -> None:
    server = await asyncio.start_server(lambda _r, _w: None, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    done = await liqpass("serve", "--port", str(port), env=env)
    assert (done.status, done.err) == (
        1,
        f"liqpass: cannot listen at 127.0.0.1:{port}: Address already in use\n",
    )
    server.close()


async def test_where_nobody_can_listen_is_said_by_the_name_of_the_option(env: dict[str, str]) -> None:
    server = await asyncio.start_server(lambda _r, _w: None, "127.0.0.1", 0)
    taken = str(server.sockets[0].getsockname()[1])
    metrics = await liqpass("work", "--metrics-port", taken, env=env)
    assert (metrics.status, metrics.err) == (
        1,
        f"liqpass: --metrics-port {taken} cannot be listened at: Address already in use\n",
    )
    server.close()
    nowhere = await liqpass("serve", "--host", "nowhere.invalid", "--port", taken, env=env)
    assert (nowhere.status, nowhere.err) == (
        1,
        f"liqpass: cannot listen at nowhere.invalid:{taken}: no address has this name\n",
    )


async def test_a_second_serve_does_not_share_the_port_of_the_first(env: dict[str, str]) -> None:
    port = str(free_port())
    first = await start("serve", "--port", port, env=env)
    await hear(first.stderr, "Ctrl-C")
    assert (await liqpass("serve", "--port", port, env=env)).status == 1
    first.terminate()
    assert (await ended(first)).status == 0


async def test_they_start_while_no_node_answers_and_say_so(env: dict[str, str]) -> None:
    env["LIQPASS_RPC_URLS"] = f"http://127.0.0.1:{free_port()}"
    for name in ("serve", "work"):
        arguments = ["--port", str(free_port())] if name == "serve" else []
        process = await start(name, *arguments, env=env)
        assert "contract_not_verified_yet" in await hear(process.stderr, "Ctrl-C")
        process.terminate()
        assert (await ended(process)).status == 0

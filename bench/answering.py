"""What taking a request and giving an answer costs, HTTP alone, beside an earlier commit's server.

python -m bench.answering --before 3048933 --rounds 5
"""

import argparse
import json
import select
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median

from bench.earlier import HERE, checked_out, environment
from bench.kept import RESULTS, commit, machine, tell
from bench.processes import cpu_sec

BEFORE = "3048933"
CLIENTS = (1, 16, 64)
REQUESTS = 10_000
BODY = b'{"purchaseOrderId":"0x0000","payTxHash":"0x0000"}'
REQUEST = (
    b"POST /api/insurance/submit-payment HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    b"Cookie: liqpass_session=dLfU5m1c8mxQ9NN1g_wdA2JWDshevV4WaeN0FQw6Sy8=\r\nAccept: */*\r\n"
    b"Content-Length: %d\r\n\r\n%b" % (len(BODY), BODY)
)
# name → clients → (µs of the processor a request, requests a second), of every round
Found = dict[str, dict[int, list[tuple[float, float]]]]


@contextmanager
def serving(tree: Path) -> Iterator[tuple[int, int]]:
    """Process id and port of that tree's server."""
    process = subprocess.Popen(
        [sys.executable, HERE / "bench" / "bare_server.py"],
        env=environment(tree), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdin and process.stdout  # noqa: S101
    try:
        yield process.pid, int(process.stdout.readline())
    finally:
        process.stdin.close()
        process.wait(60)


def asked(port: int, clients: int) -> float:
    """REQUESTS of so many clients, each asking again once it is answered; seconds."""
    with ExitStack() as stack, select.epoll() as ready:
        sockets = {}
        for _ in range(clients):
            client = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            ready.register(client.fileno(), select.EPOLLIN)
            sockets[client.fileno()] = client
        began = time.perf_counter()
        for client in sockets.values():
            client.sendall(REQUEST)
        left = REQUESTS
        while left:
            for number, _ in ready.poll():
                if not sockets[number].recv(65_536):
                    raise OSError("the server has closed")
                left -= 1
                if not left:
                    break
                sockets[number].sendall(REQUEST)
        return time.perf_counter() - began


def measured(trees: Mapping[str, Path], rounds: int) -> Found:
    """Of each tree's server, the trees in turn; the first round warms up."""
    found: Found = {name: {clients: [] for clients in CLIENTS} for name in trees}
    with ExitStack() as stack:
        servers = {name: stack.enter_context(serving(tree)) for name, tree in trees.items()}
        for number in range(-1, rounds):
            tell(f"round {number + 1} of {rounds} …")
            for clients in CLIENTS:
                for name, (pid, port) in servers.items():
                    before = cpu_sec(pid)
                    took = asked(port, clients)
                    figures = ((cpu_sec(pid) - before) / REQUESTS * 1e6, REQUESTS / took)
                    found[name][clients] += [figures] * (number >= 0)
    return found


def show(found: Found) -> None:
    """A line for each number of clients."""
    (before, was), (now, is_) = found.items()
    print(
        f"{'clients':>8}{f'{before}, µs':>14}{f'{now}, µs':>14}   {'ratio of µs':<26}… of requests a second"
    )
    for clients in CLIENTS:
        pairs = list(zip(was[clients], is_[clients], strict=True))
        ratios = [sorted(new[what] / old[what] for old, new in pairs) for what in (0, 1)]
        told = [f"{median(some):.2f} ({some[0]:.2f} to {some[-1]:.2f})" for some in ratios]
        old, new = (median(of[0] for of in side) for side in zip(*pairs, strict=True))
        print(f"{clients:>8}{old:>14.1f}{new:>14.1f}   {told[0]:<26}{told[1]}")


def main() -> None:
    """Measure, say, and keep it."""
    given = argparse.ArgumentParser(description=__doc__)
    given.add_argument("--before", default=BEFORE, help="the commit to compare with")
    given.add_argument("--rounds", type=int, default=5)
    of = given.parse_args()
    with checked_out(of.before) as before:
        found = measured({of.before: before, commit(): HERE}, of.rounds)
    show(found)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "answering.json").write_text(json.dumps({"machine": machine(), "found": found}, indent=1))


if __name__ == "__main__":
    main()

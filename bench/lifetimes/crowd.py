"""Experiment C: thousands of WebSockets, what each costs, and what is left of them."""

import resource
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from bench.lifetimes.client import Connection, Got, WebSocket
from bench.lifetimes.content import MIB
from bench.lifetimes.ledger import What
from bench.lifetimes.measured import Experiment, Measured
from bench.lifetimes.servers import COMMANDS, SERVERS, serving
from bench.lifetimes.settling import MUST_END, settled

#: KiB of memory that a WebSocket may cost; on trio bare ASGI takes as much as 26.
KIB_EACH = 30
KIB_EACH_ON_TRIO = 40
#: Clients that open at a time.
_PARALLEL = 50
#: What is sent to all, as the applications make it.
_MESSAGE = "x" * 100


@dataclass(frozen=True)
class Size:
    """How many WebSockets are open at once."""

    sockets: int


def measure(server: str, application: str, folder: Path, size: Size) -> list[Measured]:
    """Open all, echo once, broadcast once, close all."""
    _raise_limit(size.sockets + 1000)
    with serving(COMMANDS[server, application], folder / "server") as it:
        if (first := _open(it.port, 0)) is None:  # whatever is loaded late is loaded now
            raise SystemExit("The first WebSocket was not let in.")
        _close(first)
        fresh = settled(it)
        memory = it.memory
        begin = time.monotonic()
        with ThreadPoolExecutor(_PARALLEL) as pool:
            numbers = range(1, size.sockets + 1)
            opened = pool.map(lambda number: _open(it.port, number), numbers)
            sockets = [socket for socket in opened if socket is not None]
            opening = time.monotonic() - begin
            each = (it.memory - memory) / len(sockets)
            heard, broadcasting = _broadcast(it.port, sockets)
            begin = time.monotonic()
            codes = list(pool.map(_close, sockets))
        closing = time.monotonic() - begin
        left = settled(it, fresh)
        ended = it.ledger.count(What.ENDED)
        after = it.memory - memory
    figures = {
        "opened": len(sockets),
        "per second": round(size.sockets / opening),
        "KiB each": each / 1024,
        "broadcast, s": broadcasting,
        "close, s": closing,
        **{f"{name} left": left[name] - fresh[name] for name in MUST_END},
        "MiB left": after / MIB,
    }
    found = Measured(server, application, figures)
    found.expect("opened", len(sockets), size.sockets)
    limit = KIB_EACH_ON_TRIO if server == "hypercorn trio" else KIB_EACH
    found.at_most("KiB each", each / 1024, limit)
    found.expect("heard", heard, len(sockets))
    found.expect("close codes", {code for code in codes if code != 1000}, set())
    for name in MUST_END:
        found.at_most(f"{name} left", left[name] - fresh[name], 0)
    if application == "erlen":
        found.expect("views that ended", ended.total(), len(sockets) + 1)
    return [found]


def _raise_limit(files: int) -> None:
    """Allow this process and its servers as many open files, as far as the system does."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most != resource.RLIM_INFINITY and most < files:
        raise SystemExit(f"{files} open files are wanted and {most} allowed; see 'ulimit -Hn'.")
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, most))


def _open(port: int, number: int) -> WebSocket | None:
    """Return a WebSocket that has echoed; ``None`` when it was not let in."""
    try:
        socket = WebSocket(port, f"/socket/{number}")
        socket.send("hello")
    except ConnectionError as error:
        print(f"{number}: {error}", file=sys.stderr)
        return None
    return socket if socket.receive() == "hello" else None


def _close(socket: WebSocket) -> str | int:
    """Close; return the code with which the other side answers."""
    socket.begin_close()
    code = socket.receive()
    socket.socket.close()
    return code


def _broadcast(port: int, sockets: list[WebSocket]) -> tuple[int, float]:
    """Return how many heard it, and after how many seconds the last one did."""
    begin = time.monotonic()
    with Connection(port) as connection:
        if connection.ask("POST", "/broadcast") is not Got.COMPLETE:
            raise SystemExit("The broadcast was not answered.")
    heard = sum(socket.receive() == _MESSAGE for socket in sockets)
    return heard, time.monotonic() - begin


EXPERIMENT = Experiment(
    name="crowd",
    title="WebSockets by the thousand",
    text=(
        f"{{sockets}} WebSockets are opened, {_PARALLEL} at a time, each echoes once; then one "
        "message is sent to all, and all are closed. *KiB each* is by how much the memory of the "
        "server has grown when all are open; what the kernel takes is not in it."
    ),
    short=Size(sockets=250),
    full=Size(sockets=5000),
    measure=measure,
    servers=SERVERS,
    controls=SERVERS[2:],
)

"""Experiment B: clients that leave in the middle, and what is left of them."""

import contextlib
import random
import socket
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bench.lifetimes.client import LIMIT, abort
from bench.lifetimes.content import MIB, pieces
from bench.lifetimes.ledger import What
from bench.lifetimes.measured import Experiment, Measured
from bench.lifetimes.servers import COMMANDS, SERVERS, Running, serving
from bench.lifetimes.settling import settled

#: Clients at a time.
_PARALLEL = 50
#: Bytes of what is sent in either direction; a file of a form is kept on disk from 256 KiB.
_SIZE = MIB
#: Threads for files, which are kept for the next file: erlen's FILE_THREADS, and anyio's.
THREADS = 40
#: Seconds in which everything must be back as it was.
_PATIENCE = 10.0

#: Gauges that must be back; threads are kept for the next file, blocks are never quite the same.
_MUST_END = ("tasks", "descriptors", "files", "objects")
#: Hypercorn waits for ever for the application to take what it has read, or ends altogether (on
#: trio), when a client leaves that uploads what nobody reads. With bare ASGI, too.
SPARED = ("hypercorn asyncio", "hypercorn trio")

_FORM_HEAD = b'--b\r\nContent-Disposition: form-data; name="up"; filename="a.bin"\r\n\r\n'
_FORM_TAIL = b"\r\n--b--\r\n"


@dataclass(frozen=True)
class Size:
    """How many uploads, and as many downloads, are aborted in each of three rounds."""

    aborts: int


#: Targets of uploads, whose views read the form, the bytes, and nothing.
UPLOADS = ("/form/{}", "/upload/{}/0/0", "/unread/{}/5")
#: Targets of downloads: as fast as can be, slowly, a file, and an answer that is short.
DOWNLOADS = (f"/download/{{}}/{_SIZE}/0", f"/download/{{}}/{_SIZE}/1", "/file/{}", "/busy/{}/5")


def upload(port: int, path: str, chance: random.Random) -> None:
    """Send a part of a request, of any length from one byte on, and leave."""
    body = b"".join((_FORM_HEAD, *pieces(_SIZE), _FORM_TAIL))
    head = (
        f"POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {len(body)}\r\n"
        "Content-Type: multipart/form-data; boundary=b\r\n\r\n"
    ).encode()
    whole = head + body
    # One in ten leaves within the head.
    most = len(head) if chance.random() < 0.1 else len(whole)
    with socket.create_connection(("127.0.0.1", port), LIMIT) as connection:
        with contextlib.suppress(ConnectionError):  # it was answered meanwhile, and closed
            connection.sendall(whole[: chance.randrange(1, most)])
        abort(connection, reset=chance.random() < 0.5)


def download(port: int, path: str, chance: random.Random) -> None:
    """Read a part of a response, of any length from none on, and leave."""
    with socket.create_connection(("127.0.0.1", port), LIMIT) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        left = chance.randrange(_SIZE) if path[1] != "w" else 0
        while left > 0 and (received := connection.recv(min(left, 65536))):
            left -= len(received)
        abort(connection, reset=chance.random() < 0.5)


def measure(server: str, application: str, folder: Path, size: Size) -> list[Measured]:
    """Abort uploads and downloads in three rounds, and compare what is open before and after."""
    file = folder / "file"
    file.write_bytes(b"".join(pieces(_SIZE)))
    uploads = UPLOADS[:2] if server in SPARED else UPLOADS
    with serving(COMMANDS[server, application], folder / "server", LIFETIMES_FILE=str(file)) as it:
        fresh = settled(it)
        clients = Aborting(it, uploads)
        clients.abort(size.aborts)  # as much memory is taken as is ever wanted at once
        settled(it, fresh)
        clients.abort(size.aborts)
        first = settled(it, fresh)
        memory = it.memory
        begin = time.monotonic()
        clients.abort(size.aborts)
        seconds = time.monotonic() - begin
        second = settled(it, fresh)
        growth = (it.memory - memory) / MIB
        begun, torn_down = it.ledger.count(What.BEGUN), it.ledger.count(What.TORN_DOWN)
    left = {name: second[name] - fresh[name] for name in fresh}
    more_blocks = second["blocks"] - first["blocks"]
    del left["blocks"]
    figures = {
        "aborted": 6 * size.aborts,
        "per second": round(2 * size.aborts / seconds),
        "begun": begun.total(),
        "torn down": torn_down.total(),
        **left,
        "blocks more": more_blocks,
        "MiB more": growth,
    }
    found = Measured(server, application, figures)
    found.at_most("threads left", left.pop("threads"), THREADS)
    for name, count in left.items():
        found.at_most(f"{name} left", count, 0)
    found.expect("teardowns", (begun - torn_down) + (torn_down - begun), Counter())
    return [found]


class Aborting:
    """Clients of one server that leave."""

    def __init__(self, running: Running, uploads: tuple[str, ...]) -> None:
        self._running = running
        self._ways = ((upload, uploads), (download, DOWNLOADS))
        self._number = 0

    def abort(self, count: int) -> None:
        """Abort *count* uploads and *count* downloads, mixed."""
        calls: list[Callable[[], None]] = []
        for _ in range(count):
            for act, paths in self._ways:
                self._number += 1
                chance = random.Random(self._number)
                path = chance.choice(paths).format(self._number)
                calls.append(partial(act, self._running.port, path, chance))
        with ThreadPoolExecutor(_PARALLEL) as pool:
            for future in [pool.submit(call) for call in calls]:
                future.result()


EXPERIMENT = Experiment(
    name="aborts",
    title="Clients that leave",
    text=(
        "{aborts} uploads and {aborts} downloads of up to 1 MiB are aborted after any number of "
        f"bytes, {_PARALLEL} at a time, by a reset or an end; this three times. *Begun* and "
        "*torn down* count views and teardowns: fewer than were aborted, as some leave before "
        "their request is whole. *Tasks* to *objects* are what the process has in the end beyond "
        "what it had when it was fresh, *errors* are lines that erlen logged as such, and *more* "
        "is what the third round has added."
    ),
    short=Size(aborts=50),
    full=Size(aborts=1000),
    measure=measure,
    servers=SERVERS,
    controls=SERVERS[2:],
)

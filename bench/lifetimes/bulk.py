"""Experiment D: much more than fits, past the memory of the server."""

import hashlib
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.lifetimes.client import LIMIT, Connection, Got
from bench.lifetimes.content import MIB, digest, pieces
from bench.lifetimes.measured import Experiment, Measured
from bench.lifetimes.servers import COMMANDS, SERVERS, Running, serving

#: What needs no digest.
UNREAD = "upload that nobody reads"
#: By how many MiB the server may grow.
GROWTH = 16
#: Seconds between two looks at the memory.
_LOOK = 0.05


@dataclass(frozen=True)
class Size:
    """How many bytes there are, and after how many of them the slow side rests for how long.

    Attributes:
        patience: Seconds without a byte after which a client gives up whose upload nobody reads.
    """

    size: int
    burst: int
    milliseconds: int
    patience: float


@dataclass
class Transfer:
    """What a client has seen.

    Attributes:
        status: 0 where no response came.
        size: Bytes that arrived on the other side.
        digest: SHA-256 of these.
    """

    status: int = 0
    size: int = 0
    digest: str = ""


def download(port: int, path: str, size: Size, *, slowly: bool) -> Transfer:
    """Read a response, with a rest after each burst."""
    found = Transfer()
    made = hashlib.sha256()
    rests = 0

    def take(chunk: bytes) -> None:
        nonlocal rests
        made.update(chunk)
        found.size += len(chunk)
        if slowly and found.size // size.burst > rests:
            rests += 1
            time.sleep(size.milliseconds / 1000)

    with Connection(port) as connection:
        if connection.ask("GET", path, sink=take) is Got.COMPLETE:
            found.status = 200
    found.digest = made.hexdigest()
    return found


def upload(port: int, path: str, size: int, patience: float = LIMIT) -> Transfer:
    """Send a request as fast as the server takes it; it tells what has arrived.

    *patience* is the number of seconds without a byte after which it is given up.
    """
    with socket.create_connection(("127.0.0.1", port), LIMIT) as connection:
        connection.settimeout(patience)
        sending = threading.Thread(target=_send, args=(connection, path, size))
        sending.start()
        head, body = _read_head(connection)
        while more := _receive(connection):
            body += more
        sending.join()
    found = Transfer(_status(head))
    if body.startswith(b"{"):
        told = json.loads(body)
        found.size, found.digest = told["size"], told["digest"]
    return found


def _send(connection: socket.socket, path: str, size: int) -> None:
    head = f"POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {size}\r\nConnection: close\r\n\r\n"
    try:
        connection.sendall(head.encode())
        for piece in pieces(size):
            connection.sendall(piece)
    except OSError:
        pass  # the server has answered, and wants no more


def _read_head(connection: socket.socket) -> tuple[bytes, bytes]:
    received = b""
    while b"\r\n\r\n" not in received and (more := _receive(connection)):
        received += more
    head, _, rest = received.partition(b"\r\n\r\n")
    return head, rest


def _receive(connection: socket.socket) -> bytes:
    try:
        return connection.recv(65536)
    except (ConnectionError, TimeoutError):
        return b""


def _status(head: bytes) -> int:
    return int(head.split(b" ")[1]) if head else 0


# --- the experiment -------------------------------------------------------------------------------


def measure(server: str, application: str, folder: Path, size: Size) -> list[Measured]:
    """Transfer in each of the four ways, one after the other."""
    file = folder / "file"
    with file.open("wb") as opened:
        opened.writelines(pieces(size.size))
    rest = f"{size.burst}/{size.milliseconds}"
    # Which nobody reads is the last one: with some servers it does not end.
    ways: dict[str, Callable[[int], Transfer]] = {
        "stream to a slow reader": lambda port: download(
            port, f"/download/1/{size.size}/0", size, slowly=True
        ),
        "upload to a slow view": lambda port: upload(port, f"/upload/1/{rest}", size.size),
        "file by `send_file`": lambda port: download(port, "/file/1", size, slowly=False),
        UNREAD: lambda port: upload(
            port, f"/unread/1/{size.milliseconds}", size.size, size.patience
        ),
    }
    expected = Transfer(200, size.size, digest(size.size))
    with serving(COMMANDS[server, application], folder / "server", LIFETIMES_FILE=str(file)) as it:
        upload(it.port, "/upload/2/0/0", MIB)  # whatever is loaded late is loaded now
        download(it.port, "/file/3", size, slowly=False)
        before = it.memory
        return [
            _measured(Measured(server, application, {"way": way}), it, before, transfer, expected)
            for way, transfer in ways.items()
        ]


def _measured(
    found: Measured,
    running: Running,
    before: int,
    transfer: Callable[[int], Transfer],
    expected: Transfer,
) -> Measured:
    way = found.figures["way"]
    begin = time.monotonic()
    with watched(running, before) as growth:
        got = transfer(running.port)
    found.figures |= {
        "MiB": expected.size // MIB,
        "seconds": time.monotonic() - begin,
        "status": got.status,
        "SHA-256": "the same" if got == expected else "",
        "grew by MiB": max(growth) / MIB,
    }
    found.expect(f"{way}: status", got.status, expected.status)
    if way != UNREAD:
        found.expect(f"{way}: content", got, expected)
    found.at_most(f"{way}: growth", max(growth) / MIB, GROWTH)
    return found


@contextmanager
def watched(running: Running, before: int) -> Iterator[list[int]]:
    """Fill a list with how many bytes the server occupies beyond *before*, 20 times a second."""
    growth = [0]
    ended = threading.Event()

    def look() -> None:
        while not ended.wait(_LOOK):
            growth.append(running.memory - before)

    looking = threading.Thread(target=look)
    looking.start()
    try:
        yield growth
    finally:
        ended.set()
        looking.join()


EXPERIMENT = Experiment(
    name="bulk",
    title="More than fits",
    text=(
        "{size:,} bytes in each of four ways, with a rest of {milliseconds} ms after each "
        "{burst:,} bytes where one side is slow; the view that reads nothing answers after such a "
        "rest. *Grew by* is the most that 20 looks a second found in the memory of the server "
        "beyond what it was before the first way."
    ),
    short=Size(size=64 * MIB, burst=16 * MIB, milliseconds=200, patience=1),
    full=Size(size=1024 * MIB, burst=256 * MIB, milliseconds=3000, patience=5),
    measure=measure,
    servers=SERVERS,
    controls=("uvicorn h11", "hypercorn trio"),
)

"""Wait until a server has nothing open any more that it had not at first."""

import json
import time

from bench.lifetimes.client import Connection, Got
from bench.lifetimes.servers import IDLE, Running

#: Seconds in which everything must be back.
PATIENCE = 10.0
#: Gauges that must be back. Threads are kept for the next file, and the blocks of memory are never
#: quite the same.
MUST_END = ("tasks", "descriptors", "files", "objects")


def settled(running: Running, fresh: dict[str, int] | None = None) -> dict[str, int]:
    """Return the gauges when nothing is open that was not when the server was *fresh*.

    After a while they are what they are. Of a fresh server they are returned when the connection is
    closed by which it was first tried.
    """
    begin = time.monotonic()
    patience = 1.2 * IDLE if fresh is None else PATIENCE
    with Connection(running.port) as connection:
        while True:
            # The first answer on a connection finds a task at its end that waited for the request.
            now = read_gauges(connection)
            is_back = fresh is not None and all(now[name] <= fresh[name] for name in MUST_END)
            if is_back or time.monotonic() - begin > patience:
                return now
            time.sleep(0.2)


def read_gauges(connection: Connection) -> dict[str, int]:
    """Return what the server says of itself."""
    if connection.ask("GET", "/gauges") is not Got.COMPLETE:
        raise SystemExit("The server does not answer any more.")
    found: dict[str, int] = json.loads(connection.body)
    return found

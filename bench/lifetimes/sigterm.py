"""Experiment A: SIGTERM at any moment under load, and what was in flight."""

import contextlib
import itertools
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from bench.lifetimes.client import Connection, Got, WebSocket
from bench.lifetimes.content import pieces
from bench.lifetimes.ledger import Ledger, What
from bench.lifetimes.measured import Experiment, Measured
from bench.lifetimes.servers import COMMANDS, GRACE, SERVERS, Running, serving

#: Bytes of a download and of an upload, each of which takes a second.
_DOWNLOAD = 512 * 1024
_UPLOAD = 256 * 1024
#: Clients that start background tasks.
_STARTERS = 10


@dataclass(frozen=True)
class Size:
    """How many clients of each kind there are, and how often the server is ended.

    Attributes:
        latest: Seconds of load before SIGTERM, at most; half a second at least.
    """

    clients: int
    downloads: int
    uploads: int
    sockets: int
    tasks: int
    rounds: int
    latest: float


@dataclass
class Load:
    """Clients that ask on and on until nobody listens any more.

    Attributes:
        asked: Number of each request → how far it came.
        wrong: Numbers of complete responses with a wrong body.
        refused: Connections that were refused after the signal.
        closes: Codes with which WebSockets were closed.
        denied: Handshakes that were not answered with 101.
    """

    port: int
    seed: int
    told: threading.Event = field(default_factory=threading.Event)
    asked: dict[int, Got] = field(default_factory=dict)
    wrong: list[int] = field(default_factory=list)
    refused: int = 0
    closes: Counter[int] = field(default_factory=Counter)
    denied: int = 0
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def ask(self, kind: str, client: int) -> None:
        """Ask for the same again and again, each time when the last one is answered."""
        chance = random.Random(f"{self.seed} {kind} {client}")
        while True:
            try:
                with Connection(self.port) as connection:
                    while connection.is_open:
                        self._ask_once(kind, connection, chance)
            except ConnectionError:
                self.refused += 1
                if self.told.is_set():
                    return

    def _ask_once(self, kind: str, connection: Connection, chance: random.Random) -> None:
        number = next(self._numbers)
        self.asked[number] = Got.UNANSWERED
        expected = b""
        if kind == "work":
            got = connection.ask("GET", f"/busy/{number}/{chance.randint(10, 200)}")
        elif kind == "download":
            got = connection.ask("GET", f"/download/{number}/{_DOWNLOAD}/125")
            expected = b"".join(pieces(_DOWNLOAD))
        elif kind == "upload":
            got = connection.ask("POST", f"/upload/{number}/0/0", slowly(_UPLOAD), _UPLOAD)
            expected = b'{"size":%d,' % _UPLOAD
        else:
            got = connection.ask("POST", f"/tasks/{number}/{chance.choice((200, 500, 60_000))}")
        self.asked[number] = got
        if got is Got.COMPLETE and not connection.body.replace(b" ", b"").startswith(expected):
            self.wrong.append(number)

    def add_tasks(self, count: int, client: int) -> None:
        """Start *count* background tasks, spread over half a second if the server keeps up."""
        chance = random.Random(f"{self.seed} tasks {client}")
        with Connection(self.port) as connection:
            for _ in range(count):
                if not connection.is_open:
                    return
                self._ask_once("tasks", connection, chance)
                time.sleep(0.5 / count)

    def echo(self) -> None:
        """Open a WebSocket and talk until it is closed."""
        try:
            socket = WebSocket(self.port, f"/socket/{next(self._numbers)}")
        except ConnectionError:
            self.denied += 1
            return
        try:
            while True:
                socket.send("hello")
                if (message := socket.receive()) != "hello":
                    break
                time.sleep(0.1)
        except ConnectionError:
            message = socket.receive()  # what came before the connection was lost
        self.closes[message if isinstance(message, int) else 1006] += 1
        with contextlib.suppress(ConnectionError):
            socket.begin_close()
        socket.socket.close()


def slowly(size: int) -> Iterator[bytes]:
    """Give *size* bytes in a second."""
    for piece in pieces(size):
        time.sleep(1 / (size / len(piece)))
        yield piece


def measure(server: str, application: str, folder: Path, size: Size) -> list[Measured]:
    """End the server again and again, and add up."""
    total: Counter[str] = Counter()
    codes: Counter[int] = Counter()
    slowest = 0.0
    for turn in range(size.rounds):
        with serving(COMMANDS[server, application], folder / str(turn)) as running:
            load, code, seconds = _end_under_load(running, size, turn)
        total.update(_count(load, running.ledger))
        codes[code] += 1
        slowest = max(slowest, seconds)
    figures = {
        "ended": size.rounds,
        **{name: total[name] for name in COUNTED},
        "exit codes": " ".join(f"{code}" for code in sorted(codes)),
        "slowest end, s": slowest,
    }
    found = Measured(server, application, figures)
    for name in FORBIDDEN:
        found.expect(name, total[name], 0)
    found.expect("exit code", dict(codes), {0: size.rounds})
    found.expect("after_serving", total["after_serving"], size.rounds)
    found.at_most("seconds", slowest, GRACE + 1)
    return [found]


def _end_under_load(running: Running, size: Size, seed: int) -> tuple[Load, int, float]:
    load = Load(running.port, seed)
    chance = random.Random(seed)
    calls: list[tuple[Callable[..., None], tuple[object, ...]]] = [
        *[(load.ask, ("work", client)) for client in range(size.clients)],
        *[(load.ask, ("download", client)) for client in range(size.downloads)],
        *[(load.ask, ("upload", client)) for client in range(size.uploads)],
        *[(load.echo, ()) for _ in range(size.sockets)],
        *[(load.add_tasks, (size.tasks // _STARTERS, client)) for client in range(_STARTERS)],
    ]
    threads = [threading.Thread(target=call, args=args) for call, args in calls]
    for thread in threads:
        thread.start()
    time.sleep(chance.uniform(0.5, size.latest))
    load.told.set()
    code, seconds = running.end()
    for thread in threads:
        thread.join()
    return load, code, seconds


COUNTED = (
    "begun", "lost", "truncated", "not begun", "503", "refused",
    "WebSockets", "closed with 1001", "tasks", "finished", "cancelled",
)  # fmt: skip
FORBIDDEN = ("lost", "truncated", "wrong", "other teardowns", "other closes", "neither")


def _count(load: Load, ledger: Ledger) -> Counter[str]:
    """Compare what the application noted with what the clients saw."""
    begun = ledger.count(What.BEGUN).keys() & load.asked
    complete = {number for number, got in load.asked.items() if got is Got.COMPLETE}
    torn_down = ledger.count(What.TORN_DOWN)
    tasks = ledger.count(What.TASK_BEGUN)
    finished = ledger.count(What.TASK_ENDED)
    cancelled = ledger.count(What.TASK_CANCELLED)
    seen = Counter(load.asked.values())
    return Counter(
        {
            "begun": len(begun),
            "lost": len(begun - complete),
            "truncated": seen[Got.TRUNCATED],
            "wrong": len(load.wrong),
            "not begun": seen[Got.UNANSWERED] - len(begun - complete) + seen[Got.TRUNCATED],
            "503": seen[Got.UNAVAILABLE],
            "refused": load.refused,
            "other teardowns": sum(torn_down[number] != 1 for number in begun),
            "WebSockets": load.closes.total(),
            "closed with 1001": load.closes[1001],
            "other closes": load.closes.total() - load.closes[1001],
            "tasks": len(tasks),
            "finished": len(finished),
            "cancelled": len(cancelled),
            "neither": len(tasks.keys() - finished.keys() - cancelled.keys()),
            "after_serving": ledger.count(What.AFTER_SERVING)[0],
        }
    )


EXPERIMENT = Experiment(
    name="sigterm",
    title="SIGTERM under load",
    text=(
        "{clients} clients on kept connections ask for what takes 10 to 200 ms, {downloads} "
        "download and {uploads} upload for a second each, {sockets} WebSockets echo, {tasks} "
        "background tasks are started, a third of which never ends by itself. SIGTERM comes at "
        f"any moment from half a second to {{latest}} s of this, {{rounds}} times; the grace is "
        f"{GRACE} s. A request is *lost* when its view has begun and its response is not whole; "
        "*not begun* are those that found their connection closed; *refused* are new connections."
    ),
    short=Size(clients=20, downloads=5, uploads=5, sockets=20, tasks=30, rounds=1, latest=1.0),
    full=Size(clients=200, downloads=50, uploads=50, sockets=200, tasks=500, rounds=5, latest=2.5),
    measure=measure,
    servers=SERVERS,
    controls=SERVERS[2:],
)

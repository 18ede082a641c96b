"""Every row of the catalogue is proved, or is listed with the reason why it cannot be yet."""

import re
from pathlib import Path

#: Sections of the catalogue of bad input → their rows.
SECTIONS = {
    "2.1 targets": range(1, 26),
    "2.2 queries": range(26, 33),
    "2.3 methods and headers": range(33, 51),
    "2.4 bodies": range(51, 73),
    "2.5 cookies": range(73, 83),
    "2.6 JSON": range(83, 95),
    "2.7 urlencoded bodies": range(95, 101),
    "2.8 multipart": range(101, 121),
    "2.9 ranges and conditions": range(121, 147),
    "2.10 output": range(147, 151),
    "2.11 hosts": range(151, 161),
    "2.12 forwarded": range(161, 171),
    "2.13 redirects": range(171, 181),
    "2.14 WebSockets": range(181, 201),
    "2.15 static files": range(201, 226),
    "2.16 send_file": range(226, 237),
    "2.17 URLs, templates": range(237, 247),
    "2.18 sessions": range(247, 263),
    "2.19 debugger console": range(263, 277),
    "2.20 WSGI inside": range(277, 297),
    "2.21 under WSGI": range(297, 307),
    "2.22 lifespan, hooks, background tasks": range(307, 321),
    "2.23 servers": range(321, 333),
}

SERVER = "the server's: it is decided before the application is called"

#: Row → why no bare call of the application can prove it.
LATER = {
    46: SERVER + "; ASGI has no message for trailers of a request",
    47: SERVER,
    48: SERVER,
    51: SERVER + "; two equal lengths that arrive here count as one",
    55: SERVER,
    56: SERVER,
    57: SERVER,
    59: SERVER,
    60: SERVER,
    63: SERVER,
    65: SERVER + ": draining after a 413 happens on the socket",
    198: SERVER + ": pings",
    328: "proved where streams are: tests/exchange/test_streaming.py",
}

#: Parts of rows that are proved for the rest: what they wait for.
PARTLY = {
    70: "an overall timeout of a body",
    94: "the bound of the loop's stall: the decoder of a large text holds the interpreter",
    103: "the bound of 50 ms for each offset: a machine at work takes longer now and then",
    105: "descriptors are counted after the request, not during it",
    114: "a Content-Length of a part that is malformed or wrong is 400: the syntax library refuses it",
    116: "a line that begins with the boundary is 400 inside of data (RFC 2046 section 5.1.1)",
    119: "a quota",
    120: "300 clients leave for each of three views on each loop, not 10,000",
    146: "the first byte of a sparse file within 50 ms; the whole answer is bounded by 0.5 s",
    149: "Partitioned sets Secure in place of an error (CK-1)",
    160: "an exemption: TRUSTED_HOSTS has none, the middleware of that name has",
    191: "floods over a socket are in tests/integration/test_open_websockets.py; pings are the server's",
    200: "code 0 of the process is proved in tests/integration/test_shutdown.py",
    207: "two slashes are merged by a 308, as everywhere",
    210: "names of devices are 404 on every platform, whether files or not",
    214: "a file without permission is simulated: the tests may run as root",
    216: "file systems that fold case are simulated",
    219: "platforms that cannot open relative to a folder: a folder that is swapped back and forth",
    222: "200 clients in place of 1,000",
    235: "300 clients in place of 1,000",
    244: "the debugger's pages",
    250: "applications that have one key and one cookie name share their sessions, on purpose",
    257: "background tasks are not built yet; a kept session stands for one",
    269: "a way to open the console to other machines: there is none, by no option",
    272: "os._exit() ends the server: the console runs what it is given",
    291: "the stall of the loop is bounded by what native routes take, over a socket",
    292: "200 clients in place of 10,000",
    293: "256 MiB in place of 1 GiB",
    307: "the time limit is 0.05 s; exit codes of servers are in tests/integration/test_lifespan.py",
    317: "a response with a stream that is used twice: its second body is empty",
    318: "the task of an hour is cancelled after 0.01 s",
    320: "a finally that waits: what its time limit is belongs to the streams' own tests",
}

ROWS = {row for rows in SECTIONS.values() for row in rows}


#: Where tests prove rows: here, and for proxies and WSGI where their other tests are.
PLACES = ("hostile/test_*.py", "middleware/test_*.py", "wsgi/test_*.py", "debugger/test_*.py",
          "wire/test_forwarded.py", "integration/test_*wsgi*.py")  # fmt: skip


def proved() -> set[int]:
    """Return the rows that names and ids of the tests mention."""
    tests = Path(__file__).parents[1]
    paths = {path for place in PLACES for path in tests.glob(place)} - {Path(__file__)}
    text = "".join(path.read_text() for path in paths)
    return {int(number) for number in re.findall(r"(?<![0-9a-z])b([0-9]{3})(?![0-9])", text)}


def test_every_row_is_proved_or_listed_with_a_reason() -> None:
    assert ROWS - proved() == set(LATER)


def test_no_row_is_listed_that_is_proved_or_does_not_exist() -> None:
    assert not set(LATER) & proved()
    assert set(LATER) | set(PARTLY) <= ROWS
    assert set(PARTLY) <= proved()

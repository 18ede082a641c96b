"""Every row of the catalogue is proved here, or is listed with the reason why it cannot be yet."""

import re
from pathlib import Path

#: Sections of the catalogue of bad input that this directory proves → their rows.
SECTIONS = {
    "2.1 targets": range(1, 26),
    "2.2 queries": range(26, 33),
    "2.3 methods and headers": range(33, 51),
    "2.4 bodies": range(51, 73),
    "2.5 cookies": range(73, 83),
    "2.6 JSON": range(83, 95),
    "2.10 output": range(147, 151),
    "2.11 hosts": range(151, 161),
    "2.14 WebSockets": range(181, 201),
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
    200: "graceful shutdown is not built yet",
    328: "proved where streams are: tests/exchange/test_streaming.py",
    330: "the error about a second event loop belongs to the lifespan and is not built yet",
}

#: Parts of rows that are proved for the rest: what they wait for.
PARTLY = {
    8: "static files refuse dots",
    11: "static files refuse backslashes",
    27: "urlencoded forms",
    70: "an overall timeout of a body",
    81: "sessions of the same name",
    94: "the bound of the loop's stall: the decoder of a large text holds the interpreter",
    160: "static files, mounted applications, the WSGI bridge, an exemption",
    185: "static paths",
    191: "floods over a socket",
}

ROWS = {row for rows in SECTIONS.values() for row in rows}


def proved() -> set[int]:
    """Return the rows that names and ids of this directory's tests mention."""
    text = "".join(
        path.read_text()
        for path in Path(__file__).parent.glob("test_*.py")
        if path != Path(__file__)
    )
    return {int(number) for number in re.findall(r"(?<![0-9a-z])b([0-9]{3})(?![0-9])", text)}


def test_every_row_is_proved_or_listed_with_a_reason() -> None:
    assert ROWS - proved() == set(LATER)


def test_no_row_is_listed_that_is_proved_or_does_not_exist() -> None:
    assert not set(LATER) & proved()
    assert set(LATER) | set(PARTLY) <= ROWS
    assert set(PARTLY) <= proved()

"""What the server logs under erlen run."""

import io
import logging
import logging.config
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest

from erlen.logs import request_id
from erlen.serving.access import AccessFormatter, ServerFilter, log_config, wants_colors

NAMES = ("uvicorn", "uvicorn.error", "uvicorn.access")
#: As uvicorn logs a request.
FORMAT = '%s - "%s %s HTTP/%s" %d'
NOON = "1970-01-01 12:00:00"


@pytest.fixture(autouse=True)
def noon(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is noon when a formatter looks."""
    monkeypatch.setattr(logging.Formatter, "converter", lambda *_: time.gmtime(12 * 3600))
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)


def line(
    target: str = "/", status: int = 200, *, method: str = "GET", client: str = "127.0.0.1:50000",
    **options: Any,
) -> str:  # fmt: skip
    args = (client, method, target, "1.1", status)
    record = logging.LogRecord("uvicorn.access", logging.INFO, "", 1, FORMAT, args, None)
    return AccessFormatter(**options).format(record)


@pytest.mark.parametrize(
    ("target", "shown"),
    [
        pytest.param("/orders/7?page=2", "/orders/7?page=2", id="path and query"),
        pytest.param("/caf%C3%A9", "/café", id="letters are readable"),
        pytest.param("/%1B%5B2J%0AERROR", "/%1B%5B2J%0AERROR", id="A-118 what does not print stays"),
        pytest.param("/a?q=\x1b[2J\r\nERROR", "/a?q=\\x1b[2J\\r\\nERROR", id="A-124 raw in the query"),
        pytest.param("/a?q=\u202e", "/a?q=\\u202e", id="B-007 bidi"),
        pytest.param("/" + "a" * 9000, "/" + "a" * 198 + "…", id="B-016 cut"),
        pytest.param("/in?user=ada&password=x", "/in?user=ada&password=***", id="D-32 password"),
        pytest.param("/in?code=x&state=y", "/in?code=***&state=y", id="D-32 code"),
        pytest.param("/a?api_key=x&KEY=y&Token=", "/a?api_key=***&KEY=***&Token=***", id="D-32 keys"),
        pytest.param("/a?zip_code=1&key", "/a?zip_code=1&key", id="D-32 no secret, no value"),
    ],
)  # fmt: skip
def test_a_request_is_a_line_that_a_person_can_read(target: str, shown: str) -> None:
    assert line(target) == f"[{NOON}] 127.0.0.1 GET {shown} 200"


def test_method_and_client_forge_nothing() -> None:
    shown = line(method="G\nET", client="\x1b:1")
    assert shown == f"[{NOON}] \\x1b G\\nET / 200"
    assert line(client="") == f"[{NOON}] - GET / 200"  # a server on a unix socket knows none


def test_a_short_line_has_neither_date_nor_client() -> None:
    assert line("/", 404, short=True, use_colors=False) == "12:00:00 GET / 404"


@pytest.mark.parametrize(
    ("status", "shown"),
    [
        (101, "101"), (200, "\x1b[32m200\x1b[0m"), (308, "\x1b[36m308\x1b[0m"),
        (404, "\x1b[33m404\x1b[0m"), (500, "\x1b[31;1m500\x1b[0m"),
    ],
)  # fmt: skip
def test_the_status_is_coloured(status: int, shown: str) -> None:
    assert line("/", status, short=True, use_colors=True) == f"12:00:00 GET / {shown}"


def test_the_name_of_the_request_is_in_the_line() -> None:
    token = request_id.set("7f3a")
    try:
        assert line() == f"[{NOON}] 127.0.0.1 GET / 200 (request 7f3a)"
    finally:
        request_id.reset(token)


def test_another_record_is_written_as_it_is() -> None:
    record = logging.LogRecord("uvicorn.access", logging.INFO, "", 1, "hello\n", None, None)
    assert AccessFormatter().format(record) == "hello\\n"


@pytest.mark.parametrize(
    ("variables", "terminal", "colors"),
    [
        ({}, True, True),
        ({}, False, False),
        ({"TERM": "dumb"}, True, False),
        ({"NO_COLOR": "1"}, True, False),
        ({"NO_COLOR": ""}, True, True),
        ({"FORCE_COLOR": "1"}, False, True),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, True, False),
    ],
)
def test_a_terminal_has_colours_unless_the_environment_says_no(
    variables: dict[str, str], terminal: bool, colors: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: terminal, raising=False)
    assert wants_colors() is colors
    assert ("\x1b" in line(short=True)) is colors
    assert "\x1b" not in line()  # without debug mode never


# --- the configuration ----------------------------------------------------------------------------


@pytest.fixture
def streams(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[io.StringIO, io.StringIO]]:
    """What the configured loggers of uvicorn write to stdout and stderr."""
    out, err = io.StringIO(), io.StringIO()
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)
    root = logging.getLogger()
    before = (list(root.handlers), root.level)
    logging.config.dictConfig(log_config())
    assert (root.handlers, root.level) == before
    yield out, err
    for logger in map(logging.getLogger, NAMES):
        logger.handlers.clear()
        logger.filters[:] = [each for each in logger.filters if not isinstance(each, ServerFilter)]
        logger.setLevel(logging.NOTSET)
        logger.propagate = True


def test_requests_and_handshakes_go_to_stdout(streams: tuple[io.StringIO, io.StringIO]) -> None:
    server = logging.getLogger("uvicorn.error")
    server.info('%s - "WebSocket %s" [accepted]', "127.0.0.1:1", "/live")
    server.info('%s - "WebSocket %s" 403', "127.0.0.1:1", "/live")
    server.info('%s - "WebSocket %s" %d', "127.0.0.1:1", "/live", 401)
    lines = streams[0].getvalue().splitlines()
    assert lines == [f"[{NOON}] 127.0.0.1 WEBSOCKET /live {code}" for code in (101, 403, 401)]
    assert streams[1].getvalue() == ""


def test_warnings_go_to_stderr_and_starting_is_not_told(
    streams: tuple[io.StringIO, io.StringIO],
) -> None:
    server = logging.getLogger("uvicorn.error")
    server.info("Started server process [%d]", 7)
    server.info('%s - "WebSocket %s"')  # without arguments it is no handshake
    server.warning("Invalid HTTP request received.\x1b")
    [line] = streams[1].getvalue().splitlines()
    assert line.endswith("] WARNING in test_access: Invalid HTTP request received.\\x1b")
    assert streams[0].getvalue() == ""


def test_uvicorns_own_option_for_colours_is_taken() -> None:
    config = log_config(debug=True)
    for name in ("default", "access"):
        config["formatters"][name]["use_colors"] = True
    logging.config.dictConfigClass({**config, "loggers": {}}).configure()


def test_each_configuration_is_a_new_one() -> None:
    log_config()["formatters"].clear()
    assert log_config()["formatters"]

"""The application's logger."""

import contextlib
import io
import logging
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from erlen import Erlen, request, websocket
from erlen.logs import (
    ExchangeFilter,
    LineFormatter,
    create_logger,
    default_handler,
    has_level_handler,
    note_logged,
    request_id,
    was_logged,
)
from erlen.middleware import RequestID

SERVERS = ("uvicorn.error", "hypercorn.error", "_granian")


@pytest.fixture
def parent() -> Iterator[logging.Logger]:
    """A logger that is cut off from the root logger, where pytest has handlers."""
    logger = logging.getLogger("isolated")
    # Not by propagate: pytest adds its handlers to loggers that do not propagate.
    root, logger.parent = logger.parent, None
    yield logger
    logger.parent = root
    logger.handlers.clear()


@pytest.fixture
def name(parent: logging.Logger) -> Iterator[str]:
    """Name of a logger below *parent*, as new."""
    logger = parent.getChild("application")
    yield logger.name
    logger.handlers.clear()
    logger.setLevel(logging.NOTSET)
    logger.propagate = True


@pytest.mark.parametrize(
    ("level", "debug", "expected"),
    [
        pytest.param(logging.NOTSET, True, logging.DEBUG, id="LG-1 debug"),
        pytest.param(logging.NOTSET, False, logging.INFO, id="LG-1 no debug"),
        pytest.param(logging.ERROR, True, logging.ERROR, id="LG-1 level was set"),
    ],
)
def test_a_level_that_was_not_set_is_set(name: str, level: int, debug: bool, expected: int) -> None:
    logging.getLogger(name).setLevel(level)
    assert create_logger(name, debug=debug).level == expected


def test_lg1_messages_are_visible_without_configuration(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    create_logger(name, debug=False).warning("careful")
    line = capsys.readouterr().err
    assert line.startswith("[")
    assert line.endswith("] WARNING in test_logs: careful\n")


def test_stderr_is_that_of_the_moment(name: str) -> None:
    logger = create_logger(name, debug=False)
    for text in ("first", "second"):
        with contextlib.redirect_stderr(io.StringIO()) as stderr:
            logger.error(text)
        assert stderr.getvalue().endswith(f"{text}\n")


def test_lg1_an_existing_configuration_is_left_as_it_is(name: str) -> None:
    handler = logging.NullHandler()
    logging.getLogger(name).addHandler(handler)
    assert create_logger(name, debug=False).handlers == [handler]


def test_the_handler_is_added_once(name: str) -> None:
    create_logger(name, debug=False)
    assert create_logger(name, debug=True).handlers == [default_handler]


@pytest.mark.parametrize(
    ("level", "propagate", "has"),
    [
        pytest.param(logging.NOTSET, True, True, id="LG-1 handler of a parent"),
        pytest.param(logging.CRITICAL, True, False, id="LG-1 handler takes too little"),
        pytest.param(logging.NOTSET, False, False, id="LG-1 chain is cut"),
    ],
)
def test_handlers_of_the_chain_count(
    parent: logging.Logger, name: str, level: int, propagate: bool, has: bool
) -> None:
    parent.addHandler(logging.NullHandler(level))
    logger = logging.getLogger(name)
    logger.propagate = propagate
    assert has_level_handler(logger) is has


def test_a_configured_logger_keeps_its_level(parent: logging.Logger, name: str) -> None:
    parent.addHandler(logging.NullHandler())
    assert create_logger(name, debug=False).level == logging.NOTSET


@pytest.mark.parametrize("given", ["isolated.application", "root"])
def test_the_root_logger_is_not_touched(given: str, name: str) -> None:
    root = logging.getLogger()
    before = (list(root.handlers), list(root.filters), root.level)
    logger = Erlen(given).logger
    assert logger is not root
    assert (root.handlers, root.filters, root.level) == before


def test_what_another_handler_takes_is_not_written_twice(
    parent: logging.Logger, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    logger = create_logger(name, debug=False)
    parent.addHandler(logging.NullHandler(logging.ERROR))  # later, as basicConfig() would
    logger.error("seen there")
    logger.warning("seen here")
    assert "seen there" not in (stderr := capsys.readouterr().err)
    assert "seen here" in stderr


def test_what_erlen_itself_logs_is_visible_as_well(
    name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    own = logging.getLogger("erlen")
    monkeypatch.setattr(own, "parent", None)
    monkeypatch.setattr(own, "handlers", [])
    create_logger(name, debug=False)
    own.warning("careful")
    assert "WARNING in test_logs: careful\n" in capsys.readouterr().err


# --- lines ----------------------------------------------------------------------------------------


def record(text: str, error: BaseException | None = None) -> logging.LogRecord:
    given = None if error is None else (type(error), error, error.__traceback__)
    return logging.LogRecord("shop", logging.ERROR, "shop.py", 1, text, None, given)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        pytest.param("a\x1b[31mb", "a\\x1b[31mb", id="A-118 ESC"),
        pytest.param("a\rb\x00\x7f\x85\t", "a\\rb\\x00\\x7f\\x85\\t", id="A-118 C0, DEL and C1"),
        pytest.param("a\u2028b\u202ec", "a\\u2028b\\u202ec", id="B-007 line end and bidi"),
        pytest.param("a\nERROR in b", "a\n  ERROR in b", id="A-118 a line break forges no record"),
        pytest.param("\ud800", "\\ud800", id="a surrogate"),
        pytest.param("é" * 999, "é" * 999, id="letters stay, however many"),
        pytest.param("\U000e0001" * 99, "\\U000e0001" * 99, id="nothing is cut"),
    ],
)
def test_what_does_not_print_is_escaped(text: str, line: str) -> None:
    assert LineFormatter("%(levelname)s: %(message)s").format(record(text)) == f"ERROR: {line}"


def test_a118_the_text_of_an_exception_forges_nothing() -> None:
    text = LineFormatter("%(message)s").format(
        record("failed", ValueError("\x1b[2J\n[2026] ERROR"))
    )
    assert text == "failed\n  ValueError: \\x1b[2J\n  [2026] ERROR"


def test_the_name_of_the_request_is_in_the_line_once() -> None:
    token = request_id.set("7f3a")
    try:
        lines = [LineFormatter("%(message)s").format(record(text)) for text in ("a", "b 7f3a")]
    finally:
        request_id.reset(token)
    assert lines == ["a (request 7f3a)", "b 7f3a"]


async def test_a_failure_is_logged_with_method_path_and_request(
    caplog: pytest.LogCaptureFixture,
) -> None:
    app = Erlen("shop")
    app.config["PROPAGATE_EXCEPTIONS"] = False
    app.add_middleware(RequestID)
    app.get("/<path:name>")(lambda name: 1 / 0)
    async with app.test_client() as client:
        response = await client.get("/a%E2%80%A8b")
    name = response.headers["x-request-id"]
    assert [each.getMessage() for each in caplog.records] == [
        f"Exception on GET /a\\u2028b (request {name})"
    ]


# --- for formatters of an application's own -------------------------------------------------------


def facts() -> tuple[str, str, str]:
    made = record("")
    assert ExchangeFilter().filter(made)
    return made.request_id, made.method, made.path  # type: ignore[attr-defined]  # just added


async def test_records_know_their_exchange() -> None:
    app = Erlen("shop")
    app.testing = True
    app.add_middleware(RequestID)
    seen = []

    @app.get("/orders/<path:name>")
    async def order(name: str) -> str:
        seen.append(facts())
        return request.path

    @app.websocket("/live")
    async def live() -> None:
        await websocket.accept()
        seen.append(facts())

    async with app.test_client() as client:
        response = await client.get("/orders/a%E2%80%A8b")
        async with client.websocket("/live") as peer:
            assert [message async for message in peer] == []
    name = response.headers["x-request-id"]
    assert seen[0] == (name, "GET", "/orders/a\\u2028b")
    assert seen[1][1:] == ("WEBSOCKET", "/live")


async def test_records_outside_of_an_exchange_know_nothing() -> None:
    assert facts() == ("-", "-", "-")
    async with Erlen("shop").app_context():
        assert facts() == ("-", "-", "-")


# --- servers --------------------------------------------------------------------------------------


def test_what_was_logged_is_known_once() -> None:
    error = ValueError()
    assert not was_logged(error)
    note_logged(error)
    assert was_logged(error)
    assert not was_logged(error)  # an application may raise the same one for every request


def test_a_group_that_was_logged_as_a_whole_is_known_once() -> None:
    group = ExceptionGroup("", [ValueError(), KeyError()])
    note_logged(group)
    assert was_logged(group)
    assert not was_logged(group)


def test_a_group_was_logged_when_all_of_it_was() -> None:
    first, second = ValueError(), KeyError()
    note_logged(first)
    assert not was_logged(ExceptionGroup("", [first, second]))
    note_logged(first)
    note_logged(second)
    assert was_logged(ExceptionGroup("", [first, ExceptionGroup("", [second])]))


@pytest.mark.parametrize("server", SERVERS)
def test_a_server_does_not_tell_again(
    server: str, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    create_logger(name, debug=False)
    told, news = ValueError("told"), ValueError("news")
    note_logged(told)
    for error in (told, news, None):
        logging.getLogger(server).error("%s", error, exc_info=error)
    assert [each.getMessage() for each in caplog.records] == ["news", "None"]


@pytest.mark.parametrize(
    ("settings", "logs"),
    [
        pytest.param({}, True, id="in production"),
        pytest.param({"DEBUG": True}, True, id="in debug mode"),
        pytest.param({"TESTING": True}, False, id="in tests it is the test's"),
        pytest.param({"PROPAGATE_EXCEPTIONS": True}, False, id="asked to raise"),
    ],
)
async def test_an_error_that_goes_to_the_server_is_logged_and_known_to_be(
    settings: dict[str, Any], logs: bool, caplog: pytest.LogCaptureFixture
) -> None:
    app = Erlen("shop")
    app.config.update(settings)
    failure = LookupError("in the middle")

    @app.get("/stream")
    async def stream() -> AsyncIterator[str]:
        yield "a"
        raise failure

    async with app.test_client() as client:
        with pytest.raises(Exception, match=r"."):  # what a client sees of it
            await client.get("/stream")
    assert [each.getMessage() for each in caplog.records] == ["Exception on GET /stream"] * logs
    assert was_logged(failure) is logs


async def test_a_teardown_hook_that_fails_in_debug_mode_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    app = Erlen("shop")
    app.debug = True
    app.get("/")(lambda: "")
    app.teardown_request(lambda error: 1 / 0)
    async with app.test_client() as client:
        with pytest.raises(ZeroDivisionError) as caught:
            await client.get("/")
    assert [each.getMessage() for each in caplog.records] == ["Exception on GET /"]
    assert was_logged(caught.value)

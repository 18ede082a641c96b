"""The application's logger."""

import contextlib
import io
import logging
from collections.abc import Iterator

import pytest

from erlen import Erlen
from erlen.logs import create_logger, default_handler, has_level_handler


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
        pytest.param(logging.NOTSET, False, logging.NOTSET, id="LG-1 no debug"),
        pytest.param(logging.ERROR, True, logging.ERROR, id="LG-1 level was set"),
    ],
)
def test_debug_sets_a_level_that_was_not_set(
    name: str, level: int, debug: bool, expected: int
) -> None:
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


def test_the_root_logger_is_not_touched(name: str) -> None:
    before = list(logging.getLogger().handlers)
    assert Erlen(name).logger.name == name
    assert logging.getLogger().handlers == before

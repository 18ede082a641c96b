"""A debugger is opened."""

import os
from typing import Any

import pytest

from erlen.debugger import Debugger
from erlen.exceptions import SetupError
from tests.debugger.browsing import new_app, wrapped


def test_d21_production_refuses_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environ, "ERLEN_ENV", "production")
    with pytest.raises(SetupError, match="ERLEN_ENV is 'production'"):
        wrapped(new_app())


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({}, " * Debugger at /_erlen/, token: "),
        ({"workers": 2}, " * The console is off: 2 processes serve"),
    ],
)
def test_the_terminal_gets_one_line(
    options: dict[str, Any], line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Debugger(new_app(), **options)
    assert capsys.readouterr().err.startswith(line)

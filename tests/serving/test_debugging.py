"""The debugger goes around an application in debug mode, and never in production."""

import subprocess
import sys

import pytest

from erlen import Erlen
from erlen.debugger import Debugger
from erlen.serving.debugging import debugged


@pytest.fixture
def app() -> Erlen:
    app = Erlen("here")
    app.debug = True
    return app


def test_the_application_itself_is_served_outside_of_debug_mode(app: Erlen) -> None:
    app.debug = False
    assert debugged(app, "127.0.0.1") is app


def test_in_debug_mode_it_is_in_the_debugger(
    app: Erlen, capsys: pytest.CaptureFixture[str]
) -> None:
    served = debugged(app, "127.0.0.1", token="0" * 32)
    assert isinstance(served, Debugger)
    assert capsys.readouterr().err == f" * Debugger at /_erlen/, token: {'0' * 32}\n"


@pytest.mark.parametrize(("host", "workers"), [("0.0.0.0", 1), ("127.0.0.1", 2)])
def test_the_debugger_knows_where_and_how_often_it_is_served(
    app: Erlen, host: str, workers: int
) -> None:
    said: list[str] = []
    debugged(app, host, workers=workers, say=said.append)
    assert said[0].startswith(" * The console is off")


def test_b335_debug_mode_is_refused_in_production(
    app: Erlen, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ERLEN_ENV", "production")
    with pytest.raises(SystemExit) as caught:
        app.run(port=0)
    assert caught.value.code == 3
    assert capsys.readouterr().err.startswith("Error: Debug mode is on, and ERLEN_ENV says")


def test_the_debugger_is_not_imported_outside_of_debug_mode() -> None:
    code = (
        "import signal, sys, erlen; app = erlen.Erlen('here')\n"
        "app.before_serving(lambda: signal.raise_signal(signal.SIGINT))\n"
        "app.run(port=0); print([name for name in sys.modules if 'debugger' in name])"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout == "[]\n"

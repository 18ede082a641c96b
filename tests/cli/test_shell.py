"""erlen shell: a prompt on the application's event loop."""

import builtins
import os
import signal
import sys
import threading
import types
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import anyio
import click
import pytest
from click.testing import CliRunner, Result

from erlen import Erlen
from erlen.cli import console
from erlen.cli.group import ScriptInfo
from erlen.cli.main import main
from tests.live_server import LIMIT


@pytest.fixture
def app() -> Erlen:
    app = Erlen("shop", static_folder=None)
    app.add_url_rule("/items/<int:id>", "item", lambda **values: "")

    @app.lifespan
    async def database() -> AsyncIterator[dict[str, str]]:
        yield {"database": "rows"}

    return app


@pytest.fixture(autouse=True)
def no_startup_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYTHONSTARTUP", raising=False)


def shell(
    app: Erlen,
    monkeypatch: pytest.MonkeyPatch,
    *lines: Any,
    options: tuple[str, ...] = ("--plain",),
) -> Result:
    """Type lines, then CTRL+D; an exception in their place is raised at the prompt."""
    typed: Iterator[Any] = iter([*lines, EOFError()])

    def read(prompt: str = "") -> str:
        line = next(typed)
        if isinstance(line, BaseException):
            raise line
        return str(line)

    monkeypatch.setattr(builtins, "input", read)
    runner = CliRunner(catch_exceptions=False)
    return runner.invoke(main, ["shell", *options], obj=ScriptInfo(app))


def test_cl12_the_shell_has_names_in_the_context(
    app: Erlen, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = shell(
        app, monkeypatch, "from erlen import current_app", "g.x = current_app.name",
        "print(app, g.x, url_for('item', id=3))",
    )  # fmt: skip
    assert "<Erlen 'shop'> shop /items/3\n" in result.stdout
    assert f"App: shop\nInstance: {app.instance_path}\nNames: app, g, url_for." in result.stderr


def test_cl12_statements_await_in_the_loop_of_the_started_application(
    app: Erlen, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = shell(
        app, monkeypatch, "import anyio", "await anyio.sleep(0)", "print(app.state.database)",
        "import asyncio", "print(asyncio.get_running_loop() is not None)",
        "async def double(x): return 2 * x", "", "await double(21)",
    )  # fmt: skip
    assert result.stdout.splitlines()[-3:] == ["rows", "True", "42"]
    assert not app.lifespan_declarations.running


def test_errors_are_shown_from_the_statement_on(
    app: Erlen, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = shell(app, monkeypatch, "1 / 0", "await nope", "1 +", "print('goes on')")
    assert '  File "<console>", line 1, in <module>\nZeroDivisionError' in result.stderr
    assert "console.py" not in result.stderr
    assert "NameError: name 'nope'" in result.stderr
    assert "SyntaxError" in result.stderr
    assert "goes on" in result.stdout


def test_exit_leaves_the_shell(app: Erlen, monkeypatch: pytest.MonkeyPatch) -> None:
    result = shell(app, monkeypatch, "raise SystemExit(3)", "print('never')")
    assert (result.exit_code, "never" in result.stdout) == (3, False)


def test_ctrl_c_at_the_prompt_begins_a_new_line(
    app: Erlen, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = shell(app, monkeypatch, KeyboardInterrupt(), "print('goes on')")
    assert "KeyboardInterrupt" in result.stderr
    assert "goes on" in result.stdout


@pytest.mark.parametrize(
    "endless",
    [
        pytest.param("import anyio; press(); await anyio.sleep_forever()", id="awaits"),
        pytest.param("press()\nwhile True: pass\n", id="holds up the loop"),
    ],
)
def test_ctrl_c_ends_a_statement(app: Erlen, monkeypatch: pytest.MonkeyPatch, endless: str) -> None:
    pressed = threading.Timer(0, os.kill, (os.getpid(), signal.SIGINT))
    app.shell_context_processors = [lambda: {"press": pressed.start}]
    source = f"exec({endless!r})" if "while" in endless else endless
    result = shell(app, monkeypatch, source, "print('goes on')")
    pressed.join(LIMIT)
    assert "KeyboardInterrupt" in result.stderr
    assert "goes on" in result.stdout


def test_cl12_shell_context_processors_add_names(
    app: Erlen, monkeypatch: pytest.MonkeyPatch
) -> None:
    app.shell_context_processor(lambda: {"answer": 42})
    result = shell(app, monkeypatch, "print(answer)")
    assert "42\n" in result.stdout
    assert "Names: app, g, url_for, answer." in result.stderr


def test_cl12_the_startup_file_is_run(
    app: Erlen, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "startup.py").write_text("answer = 42")
    monkeypatch.setenv("PYTHONSTARTUP", str(tmp_path / "startup.py"))
    assert "42\n" in shell(app, monkeypatch, "print(answer)").stdout


async def test_a_statement_that_is_cancelled_before_it_begins_ends_at_its_first_await() -> None:
    begun = []

    async def wait() -> None:
        begun.append(True)
        await anyio.sleep_forever()

    statement = console._Statement(wait())
    statement.cancel()
    assert await statement.run() == (None, None)
    assert begun == [True]


# --- other prompts, of which these are the parts that erlen uses -------------------------------


class IPythonApplication:
    """Stands for IPython's: takes what it is given and runs one statement."""

    def __init__(self, **options: Any) -> None:
        self.names = options["user_ns"]
        self.shell = types.SimpleNamespace()

    instance = classmethod(lambda cls, **options: cls(**options))

    def initialize(self, argv: list[str]) -> None:
        assert argv == []

    def start(self) -> None:
        async def statement() -> str:
            return str(self.names["app"].state.database)

        assert self.shell.should_run_async("statement()", transformed_cell="")
        click.echo(self.shell.loop_runner(statement()))


def test_cl12_ipython_is_used_when_it_is_installed(
    app: Erlen, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = types.SimpleNamespace(TerminalIPythonApp=IPythonApplication)
    monkeypatch.setitem(sys.modules, "IPython.terminal.ipapp", module)
    monkeypatch.setattr(console, "find_spec", lambda name: name == "IPython" or None)
    assert shell(app, monkeypatch, options=()).stdout == "rows\n"


def test_cl12_ptpython_is_used_when_it_is_installed(
    app: Erlen, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def embed(**options: Any) -> None:
        click.echo(options["globals"]["app"].state.database)

    module = types.SimpleNamespace(embed=embed)
    monkeypatch.setitem(sys.modules, "ptpython.repl", module)
    monkeypatch.setattr(console, "find_spec", lambda name: name == "ptpython" or None)
    assert shell(app, monkeypatch, options=()).stdout == "rows\n"


def test_cl12_without_these_it_is_pythons_own(app: Erlen, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console, "find_spec", lambda name: None)
    assert "3\n" in shell(app, monkeypatch, "1 + 2", options=()).stdout

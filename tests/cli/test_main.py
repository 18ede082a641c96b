"""The erlen command itself."""

import os
import runpy
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from erlen import Erlen
from erlen.cli.group import ScriptInfo
from erlen.cli.main import main
from erlen.routing.rule import Rule
from tests.live_server import LIMIT

APP = """
import os, sys
import click
from erlen import Erlen, current_app

app = Erlen("shop")

@app.cli.command()
@click.argument("word")
async def shout(word):
    "Shout a word."
    click.echo(f"{current_app.name}: {word.upper()}")

@app.get("/items/<int:id>")
@app.post("/items/<int:id>")
def item(id): ...

@app.route("/basket", methods=["PUT", "DELETE"])
def basket(): ...

@app.websocket("/live")
async def live(): ...
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "app.py").write_text(APP)
    (tmp_path / "broken.py").write_text("x = 1\nraise LookupError('no database')")
    return tmp_path


def erlen(folder: Path, *args: str, code: str = "", **env: str) -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own, or *code* in its place."""
    return subprocess.run(
        [sys.executable, *(("-c", code) if code else ("-m", "erlen")), *args],
        cwd=folder,
        env={**os.environ, **env},
        text=True,
        capture_output=True,
        stdin=subprocess.DEVNULL,
        timeout=LIMIT,
        check=False,
    )


def invoke(app: Erlen, *args: str, **options: Any) -> Result:
    """Run the command in this process, for an application that is there."""
    options.setdefault("obj", ScriptInfo(app))
    return CliRunner(catch_exceptions=False).invoke(main, args, **options)


@pytest.fixture
def app(project: Path) -> Erlen:
    found: Erlen = runpy.run_path(str(project / "app.py"))["app"]
    return found


# --- options --------------------------------------------------------------------------------------


def test_a_command_of_the_application_is_found_and_awaited(project: Path) -> None:
    done = erlen(project, "shout", "hello")
    assert (done.returncode, done.stdout, done.stderr) == (0, "shop: HELLO\n", "")


@pytest.mark.parametrize(
    ("args", "env"),
    [(["--app", "shop:app"], {}), (["-A", "shop"], {}), ([], {"ERLEN_APP": "shop"})],
)
def test_cl1_the_application_is_named_by_option_or_environment(
    project: Path, args: list[str], env: dict[str, str]
) -> None:
    (project / "app.py").rename(project / "shop.py")
    assert erlen(project, *args, "shout", "x", **env).stdout == "shop: X\n"


def test_the_application_may_be_named_behind_the_command(project: Path) -> None:
    (project / "app.py").rename(project / "shop.py")
    table = erlen(project, "routes", "--app", "shop").stdout
    assert table == erlen(project, "--app", "nowhere", "routes", "-A", "shop:app").stdout
    assert "/items/<int:id>" in table


@pytest.mark.parametrize(
    ("option", "debug"), [("--debug", "True"), ("--no-debug", "False"), (None, "True")]
)
def test_cl1_debug_is_set_before_the_application_is_imported(
    project: Path, option: str | None, debug: str
) -> None:
    (project / "app.py").write_text(f"{APP}\nprint(app.debug)")
    done = erlen(project, *[option] if option else [], "shout", "x", ERLEN_DEBUG="1")
    assert done.stdout == f"{debug}\nshop: X\n"


def test_cl1_versions_are_shown(project: Path) -> None:
    lines = erlen(project, "--version").stdout.splitlines()
    assert lines[0] == "Python {}.{}.{}".format(*sys.version_info)
    assert lines[1:] == [f"erlen {version('erlen')}", f"uvicorn {version('uvicorn')}"]


def test_cl6_help_lists_commands_of_both(app: Erlen) -> None:
    result = invoke(app, "--help")
    listed = result.stdout.partition("Commands:\n")[2].partition("\n\n")[0]
    names = [line.split()[0] for line in listed.splitlines()]
    assert names == ["check", "new", "routes", "run", "shell", "shout"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_commands_are_completed_by_shells(
    app: Erlen, monkeypatch: pytest.MonkeyPatch, shell: str
) -> None:
    monkeypatch.setenv("_ERLEN_COMPLETE", f"{shell}_source")
    result = CliRunner().invoke(main, prog_name="erlen", complete_var="_ERLEN_COMPLETE")
    assert "_ERLEN_COMPLETE=" in result.output


@pytest.mark.parametrize(
    ("words", "answers"),
    [
        ("erlen r", ["plain,routes", "plain,run"]),
        ("erlen sho", ["plain,shout"]),
        ("erlen --app broken r", ["plain,routes", "plain,run"]),
        ("erlen --app sh", ["file,sh"]),
        ("erlen routes --app sh", ["file,sh"]),
        ("erlen routes --sort m", ["plain,methods", "plain,match"]),
        ("erlen run --log-level w", ["plain,warning"]),
        ("erlen --deb", ["plain,--debug"]),
    ],
)
def test_words_are_completed(project: Path, words: str, answers: list[str]) -> None:
    done = erlen(
        project,
        COMP_WORDS=words,
        COMP_CWORD=str(words.count(" ")),
        _ERLEN_COMPLETE="bash_complete",
        code="from erlen.cli.main import main; main(prog_name='erlen')",
    )
    assert (done.stdout.splitlines(), done.stderr) == (answers, "")


def test_completion_writes_words_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".env").touch(0o600)
    monkeypatch.chdir(tmp_path)  # without an application
    monkeypatch.setitem(sys.modules, "dotenv", None)
    for name, value in {"COMP_WORDS": "erlen r", "COMP_CWORD": "1"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("_ERLEN_COMPLETE", "bash_complete")
    result = CliRunner().invoke(main, prog_name="erlen", complete_var="_ERLEN_COMPLETE")
    assert (result.stdout, result.stderr) == ("plain,routes\nplain,run\n", "")


def test_cl6_help_is_shown_to_whoever_has_no_application_yet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner(catch_exceptions=False).invoke(main, ["-h"])
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.endswith("  Begin with:  erlen new hello\n")


# --- mistakes -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["rnu"], "No such command 'rnu'. Did you mean 'run'?"),
        (["app.py"], "'app.py' is no command. If it is the application, write 'erlen --app app.py"),
        (["shop:app"], "is no command. If it is the application, write 'erlen --app shop:app run'."),
        (["--app", "nowhere", "run"], "There is no module 'nowhere', seen from"),
        (["--app", "./no.py", "run"], "no.py'. Check the path that --app gives."),
        (["--app", "app:shop", "run"], "'app' has no 'shop'. Check the name behind the colon"),
        (["--app", "app:shop(", "run"], "'shop(' is neither a name nor a call with literal"),
        (["--app", "app:item", "run"], "'app:item' cannot be called with these arguments: missing"),
        (["--app", "app:os", "run"], "which is no erlen application. Name an instance of Erlen"),
        (["--app", "broken", "run"], "broken.py, line 2): LookupError: no database"),
        (["--app", "script", "run"], "script.py, line 2), by SystemExit(5). Put what is not for"),
        (["--app", "typo", "run"], "typo.py, line 1): SyntaxError"),
        (["--app"], "Option '--app' requires an argument."),
        (["-e", "no.env", "run"], "File 'no.env' does not exist."),
        (["run", "--port", "http"], "'http' is not a valid integer."),
        (["run", "--port", "70000"], "There is no port 70000. Choose one up to 65535, or 0"),
        (["run", "--host", "nowhere.invalid"], "Choose an address of this machine, for example"),
        (["run", "--log-level", "loud"], "'loud' is not one of 'debug', 'info', 'warning'"),
        (["run", "--workers", "0"], "0 is not in the range x>=1."),
        (["run", "--key", "app.py"], "--key was given without --cert. Give the certificate, too."),
        (["run", "--cert", "app.py"], "The certificate 'app.py' cannot be used with the key"),
        (["routes", "--match", "items"], "--match 'items' is no request. Write 'GET /path'"),
        (["routes", "--sort", "age"], "'age' is not one of 'endpoint', 'methods', 'host'"),
        (["shell", "--python"], "No such option '--python'."),
        (["check", "app"], "Got unexpected extra argument (app)"),
        (["new"], "Missing argument 'NAME'."),
        (["shout"], "Missing argument 'WORD'."),
    ],
    ids=" ".join,
)  # fmt: skip
def test_a_mistake_is_told_in_a_sentence_that_helps(
    project: Path, monkeypatch: pytest.MonkeyPatch, args: list[str], said: str
) -> None:
    (project / "script.py").write_text("import sys\nsys.exit(5)")
    (project / "typo.py").write_text("def")
    monkeypatch.chdir(project)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    for name in ("app", "broken", "script", "typo"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    result = CliRunner(catch_exceptions=False).invoke(main, args)
    sys.modules.pop("app", None)
    assert result.exit_code in {2, 3}
    assert said in result.stderr
    assert "Traceback" not in result.stderr


def test_cl6_help_is_shown_when_the_application_cannot_be_imported(project: Path) -> None:
    done = erlen(project, "--app", "broken", "--help")
    assert "LookupError: no database" in done.stderr
    assert "routes" in done.stdout


def test_b333_an_import_error_is_code_2_without_the_traceback(project: Path) -> None:
    done = erlen(project, "--app", "broken", "run", "--port", "0")
    assert done.returncode == 2
    assert "LookupError: no database" in done.stderr
    assert "Traceback" not in done.stderr


def test_b333_the_traceback_is_shown_when_asked_for(project: Path) -> None:
    done = erlen(project, "--traceback", "--app", "broken", "run")
    assert done.returncode == 2
    assert "Traceback (most recent call last)" in done.stderr
    assert done.stderr.endswith("to see the whole traceback.\n")


def test_b333_a_traceback_that_does_not_exist_is_not_shown() -> None:
    result = invoke(
        Erlen("x", static_folder=None), "--traceback", "--app", "no_such:app", "shout", obj=None
    )
    assert result.exit_code == 2
    assert "There is no module 'no_such'" in result.stderr


def test_b333_two_candidates_are_code_2(project: Path) -> None:
    (project / "app.py").write_text("from erlen import Erlen\na, b = Erlen('a'), Erlen('b')")
    done = erlen(project, "routes")
    assert (done.returncode, done.stdout) == (2, "")
    assert "'app' has 2 applications: a, b." in done.stderr


def test_an_unknown_command_is_code_2(app: Erlen) -> None:
    assert "No such command 'fly'" in invoke(app, "fly").stderr


def test_a_mistyped_command_is_told_where_there_is_no_application(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(main, ["rn"])
    assert (result.exit_code, "Did you mean 'run'?" in result.stderr) == (2, True)
    assert "There is no app.py" in CliRunner().invoke(main, ["orders"]).stderr


def test_the_module_is_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["erlen", "--version"])
    with pytest.raises(SystemExit) as caught:
        runpy.run_module("erlen", run_name="__main__")
    assert caught.value.code == 0
    runpy.run_module("erlen.__main__", run_name="imported")


# --- routes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("args", "table"),
    [
        pytest.param(
            [],
            "Endpoint  Methods      Rule\n"
            "--------  -----------  -----------------------\n"
            "basket    DELETE, PUT  /basket\n"
            "item      GET          /items/<int:id>\n"
            "item      POST         /items/<int:id>\n"
            "live      WEBSOCKET    /live\n"
            "static    GET          /static/<path:filename>\n",
            id="CL-13 by endpoint",
        ),
        pytest.param(
            ["--sort", "methods", "--all-methods"],
            "Endpoint  Methods               Rule\n"
            "--------  --------------------  -----------------------\n"
            "basket    DELETE, OPTIONS, PUT  /basket\n"
            "static    GET, HEAD             /static/<path:filename>\n"
            "item      GET, HEAD, OPTIONS    /items/<int:id>\n"
            "item      OPTIONS, POST         /items/<int:id>\n"
            "live      WEBSOCKET             /live\n",
            id="CL-13 by methods",
        ),
    ],
)
def test_routes_are_a_sorted_table(app: Erlen, args: list[str], table: str) -> None:
    assert invoke(app, "routes", *args).output == table


def test_cl13_routes_by_rule() -> None:
    app = Erlen("x", static_folder=None)
    app.add_url_rule("/b", "first")
    app.add_url_rule("/a", "second")
    lines = invoke(app, "routes", "-s", "rule").output.splitlines()
    assert [line.split()[-1] for line in lines[2:]] == ["/a", "/b"]


def test_cl13_hosts_have_a_column_when_there_are_any() -> None:
    app = Erlen("x", host_matching=True, static_folder=None)
    app.add_url_rule("/", "a", host="a.example")
    assert invoke(app, "routes").output.splitlines()[::2] == [
        "Endpoint  Methods  Host       Rule",
        "a         GET      a.example  /",
    ]


def test_cl13_a_rule_for_every_method_or_only_for_hidden_ones_is_shown() -> None:
    app = Erlen("x", static_folder=None)
    app.url_map.add(Rule("/a", endpoint="a"))
    app.add_url_rule("/b", "b", methods=["OPTIONS"])
    lines = invoke(app, "routes").output.splitlines()
    assert [line.split() for line in lines[2:]] == [["a", "(any)", "/a"], ["b", "OPTIONS", "/b"]]


def test_cl13_an_application_without_rules_says_so() -> None:
    assert (
        invoke(Erlen("x", static_folder=None), "routes").output == "The application has no rules.\n"
    )

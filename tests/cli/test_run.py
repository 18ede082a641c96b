"""erlen run: its options and refusals."""

import datetime as dt
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from erlen import Erlen, serving
from erlen.cli.group import ScriptInfo
from erlen.cli.main import main
from erlen.serving import reloading, workers
from erlen.serving.certificates import AdHoc


@pytest.fixture
def app() -> Erlen:
    return Erlen("shop", static_folder=None)


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What would be served, as (function, host, port, options)."""
    calls: list[Any] = []

    def record(name: str) -> Any:
        # An application, or what loads one.
        return lambda _app, host, port, **options: calls.append((name, host, port, options))

    monkeypatch.setattr(serving, "run", record("run"))
    monkeypatch.setattr(workers, "serve", record("workers"))
    monkeypatch.setattr(reloading, "serve", record("reloading"))
    for name in ("ERLEN_APP", "ERLEN_DEBUG", "ERLEN_ENV"):
        monkeypatch.setenv(name, "")  # so that what the command sets is undone
        monkeypatch.delenv(name)
    return calls


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with an application that must not be imported."""
    (tmp_path / "shop.py").write_text("raise LookupError('imported')")
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(app: Erlen | None, *args: str, before: tuple[str, ...] = ("--app", "shop:app")) -> Result:
    runner = CliRunner(catch_exceptions=False)
    return runner.invoke(main, [*before, "run", *args], obj=ScriptInfo(app))


@pytest.mark.parametrize(
    ("args", "given"),
    [
        ([], (None, None, {})),
        (["--host", "::1", "--port", "0"], ("::1", 0, {})),
        (["--log-level", "error"], (None, None, {"log_level": "error"})),
    ],
)
def test_cl11_run_passes_its_options_on(
    app: Erlen, served: list[Any], args: list[str], given: tuple[Any, ...]
) -> None:
    assert run(app, *args).exit_code == 0
    assert served == [("run", *given)]


def test_cl1_options_come_from_the_environment(
    app: Erlen, served: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ERLEN_RUN_HOST", "::1")
    monkeypatch.setenv("ERLEN_RUN_PORT", "8000")
    assert run(app).exit_code == 0
    assert served == [("run", "::1", 8000, {})]


@pytest.mark.parametrize(("args", "debug"), [(["--reload"], False), (["--debug"], True)])
def test_dv3_where_it_reloads_nothing_is_imported_here(
    served: list[Any], args: list[str], debug: bool
) -> None:
    assert run(None, *args, "-h", "::1", "-p", "80").exit_code == 0
    ((name, host, port, options),) = served
    assert (name, host, port, options["debug"]) == ("reloading", "::1", 80, debug)


def test_debug_mode_of_the_application_reloads(app: Erlen, served: list[Any]) -> None:
    app.debug = True
    assert run(app).exit_code == 0
    ((name, _host, _port, options),) = served
    assert (name, options["debug"]) == ("reloading", True)


def test_debug_mode_does_not_reload_when_told_so(app: Erlen, served: list[Any]) -> None:
    assert run(app, "--debug", "--no-reload").exit_code == 0
    assert served == [("run", None, None, {})]


def test_cl11_extra_files_are_watched_with_those_of_the_environment(
    served: list[Any], folder: Path
) -> None:
    (folder / "env").write_text("")
    given = os.pathsep.join(["a.yaml", str(folder / "templates"), ""])
    before = ("--env-file", "env", "--app", "shop")
    assert run(None, "--reload", "--extra-files", given, before=before).exit_code == 0
    names = ["a.yaml", "templates", ".env", ".erlenenv", ".flaskenv", "env"]
    assert list(served[0][3]["watch"]) == [str(folder / name) for name in names]


@pytest.mark.parametrize("spec", ["nope", "nope.sub:app", "nope.py"])
def test_b333_what_is_not_there_is_not_waited_for(served: list[Any], spec: str) -> None:
    result = run(None, "--reload", before=("--app", spec))
    assert (result.exit_code, served) == (2, [])
    assert "There is no" in result.stderr


def test_cl1_debug_may_stand_behind_run(app: Erlen, served: list[Any]) -> None:
    run(app, "--debug")
    assert os.environ["ERLEN_DEBUG"] == "1"


def test_p75_the_level_of_logs_is_that_of_the_application_too(
    app: Erlen, served: list[Any]
) -> None:
    run(app, "--log-level", "error")
    assert app.logger.level == 40


def test_several_processes_serve_without_reload(app: Erlen, served: list[Any]) -> None:
    app.debug = True
    assert run(app, "--workers", "3", "--log-level", "info").exit_code == 0
    ((name, _host, _port, options),) = served
    load = options.pop("load")
    assert (name, options) == ("workers", {"workers": 3, "log_level": "info"})
    assert load.args == ("shop:app", "info", None, {})


def test_several_processes_cannot_reload(app: Erlen, served: list[Any]) -> None:
    result = run(app, "--workers", "2", "--reload")
    assert (result.exit_code, served) == (2, [])
    assert "--reload serves with one process, and --workers is 2." in result.stderr


def test_b335_debug_mode_is_refused_in_production(
    app: Erlen, served: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ERLEN_ENV", "production")
    assert run(app).exit_code == 0
    app.debug = True
    result = run(app)
    assert (result.exit_code, len(served)) == (2, 1)
    assert "Debug mode is on, and ERLEN_ENV says that this is production." in result.stderr


# --- https ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with key.pem and cert.pem for localhost."""
    folder = tmp_path_factory.mktemp("certificate")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    made = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + dt.timedelta(1))
    pem = serialization.Encoding.PEM
    written = key.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "key.pem").write_bytes(written)
    (folder / "cert.pem").write_bytes(made.sign(key, hashes.SHA256()).public_bytes(pem))
    return folder


def test_cl11_a_certificate_is_passed_on(app: Erlen, served: list[Any], certificate: Path) -> None:
    cert, key = str(certificate / "cert.pem"), str(certificate / "key.pem")
    assert run(app, "--cert", cert, "--key", key).exit_code == 0
    assert served[0][3] == {"ssl_certfile": cert, "ssl_keyfile": key}


def test_cl11_a_certificate_without_its_key_is_refused(
    app: Erlen, served: list[Any], certificate: Path
) -> None:
    result = run(app, "--cert", str(certificate / "cert.pem"))
    assert (result.exit_code, served) == (2, [])
    assert "cannot be used with the key in" in result.stderr


def test_cl11_a_key_without_its_certificate_is_refused(
    app: Erlen, served: list[Any], certificate: Path
) -> None:
    result = run(app, "--key", str(certificate / "key.pem"))
    assert (result.exit_code, served) == (2, [])
    assert "--key was given without --cert." in result.stderr


def test_cl11_a_certificate_alone_may_have_the_key_in_its_file(
    app: Erlen, served: list[Any], certificate: Path, tmp_path: Path
) -> None:
    both = tmp_path / "both.pem"
    both.write_bytes(
        (certificate / "cert.pem").read_bytes() + (certificate / "key.pem").read_bytes()
    )
    assert run(app, "--cert", str(both)).exit_code == 0
    assert served[0][3] == {"ssl_certfile": str(both)}


def test_cl11_a_certificate_is_made(app: Erlen, served: list[Any]) -> None:
    assert run(app, "--cert", "adhoc").exit_code == 0
    assert isinstance(served[0][3]["ssl_context_factory"], AdHoc)


def test_cl11_a_certificate_that_is_made_has_its_own_key(
    app: Erlen, served: list[Any], certificate: Path
) -> None:
    result = run(app, "--cert", "adhoc", "--key", str(certificate / "key.pem"))
    assert (result.exit_code, served) == (2, [])
    assert "which has a key of its own" in result.stderr


def test_cl11_no_certificate_is_made_without_cryptography(
    app: Erlen, served: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "cryptography", None)
    result = run(app, "--cert", "adhoc")
    assert (result.exit_code, served) == (2, [])
    assert "Install it with: pip install cryptography." in result.stderr

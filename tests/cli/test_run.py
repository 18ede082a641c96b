"""erlen run: its options and refusals."""

import datetime as dt
import os
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from erlen import Erlen, serving
from erlen.cli import workers
from erlen.cli.group import ScriptInfo
from erlen.cli.main import main


@pytest.fixture
def app() -> Erlen:
    return Erlen("shop", static_folder=None)


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What would be served, as (function, host, port, options)."""
    calls: list[Any] = []

    def record(name: str) -> Any:
        return lambda app, host, port, **options: calls.append((name, host, port, options))

    monkeypatch.setattr(serving, "run", record("run"))
    monkeypatch.setattr(workers, "serve", record("serve"))
    for name in ("ERLEN_APP", "ERLEN_DEBUG", "ERLEN_RUN_LOG_LEVEL", "ERLEN_ENV"):
        monkeypatch.setenv(name, "")  # so that what the command sets is undone
        monkeypatch.delenv(name)
    return calls


def run(app: Erlen, *args: str, before: tuple[str, ...] = ()) -> Result:
    runner = CliRunner(catch_exceptions=False)
    return runner.invoke(main, [*before, "run", *args], obj=ScriptInfo(app))


@pytest.mark.parametrize(
    ("args", "given"),
    [
        ([], (None, None, {"reload_from": None})),
        (["--host", "::1", "--port", "0"], ("::1", 0, {"reload_from": None})),
        (
            ["-h", "::1", "-p", "80", "--reload"],
            ("::1", 80, {"reload_from": "erlen.cli.loader:load_again"}),
        ),
        (["--log-level", "error"], (None, None, {"reload_from": None, "log_level": "error"})),
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
    assert served == [("run", "::1", 8000, {"reload_from": None})]


def test_debug_mode_reloads(app: Erlen, served: list[Any]) -> None:
    app.debug = True
    run(app)
    assert served[0][3]["reload_from"] is not None


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
    args = ("--workers", "3", "--log-level", "info")
    assert run(app, *args, before=("--app", "shop:app")).exit_code == 0
    options = {"load_from": "erlen.cli.loader:load_again", "workers": 3, "log_level": "info"}
    assert served == [("serve", None, None, options)]
    assert os.environ["ERLEN_APP"] == "shop:app"
    assert os.environ["ERLEN_RUN_LOG_LEVEL"] == "info"


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
    assert served[0][3] == {"reload_from": None, "ssl_certfile": cert, "ssl_keyfile": key}


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

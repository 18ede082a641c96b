"""The WSGI servers of the conformance suite: how each is started, ended, and where it differs."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.integration.notes import VARIABLE, Notes
from tests.integration.raw_client import RawClient
from tests.integration.servers import LIMIT

_ROOT = Path(__file__).parents[2]
_MODULE = "tests.integration.wsgi_app"
_APP = f"{_MODULE}:application"
#: Where the packages of this interpreter are, for servers that bring an interpreter of their own.
_PACKAGES = sysconfig.get_path("purelib")
_LEFT = ("never retrieved", "never awaited", "was destroyed", "Exception ignored", "unclosed")
#: Seconds that a server may take to end in order.
END = 10.0


@dataclass(frozen=True)
class Quirk:
    """One difference; see ``quirks.py``, which has those of ASGI servers.

    Attributes:
        topic: What tests ask for.
        servers: Beginnings of the names of the servers that have it.
        instead: What is seen in place of the usual.
        reason: Why.
    """

    topic: str
    servers: tuple[str, ...]
    instead: Any
    reason: str


QUIRKS: tuple[Quirk, ...] = (
    Quirk(
        "answer before the body has come",
        ("waitress", "mod_wsgi"),
        False,
        "The server takes the whole body before it passes an answer on, or even the request.",
    ),
    Quirk(
        "broken off upload",
        ("waitress",),
        [],
        "The server keeps a body until it has all of it; the application never hears of this one.",
    ),
    Quirk(
        "chunked body",
        ("uwsgi",),
        None,
        "The server reads chunks by a function of its own only, so the adapter answers 411.",
    ),
    Quirk(
        "unread body",
        ("uwsgi",),
        None,
        "The server closes a connection with the body in it: whether the client gets the answer or "
        "a reset is chance. With --post-buffering it reads the body first.",
    ),
    Quirk(
        "memory of a stream",
        ("waitress",),
        48 * 2**20,
        "The server keeps up to 16 MiB that the client has not read, and joins them.",
    ),
    Quirk(
        "broken response looks whole",
        ("uwsgi", "mod_wsgi"),
        True,
        "The server ends a response without a Content-Length as if it were complete.",
    ),
    Quirk(
        "end by SIGTERM",
        ("waitress",),
        False,
        "The server does not handle the signal: the process dies of it.",
    ),
)


def _program(*names: str) -> str | None:
    """Return the path of the first program that is installed; some are not for everyone's PATH."""
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    return next((found for name in names if (found := shutil.which(name, path=path))), None)


def _module_missing(name: str) -> Callable[[], str | None]:
    from importlib.util import find_spec

    return lambda: None if find_spec(name) else f"{name} is not installed"


def _foreign_interpreter() -> str | None:
    """Return why a server that is built for the system's interpreter cannot run this one's packages."""
    told = subprocess.run(
        ["/usr/bin/python3", "-c", "import sys; print(*sys.version_info[:2])"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    ours = f"{sys.version_info.major} {sys.version_info.minor}"
    return None if told.stdout.strip() == ours else "the system has another version of Python"


def _uwsgi_missing() -> str | None:
    if _program("uwsgi") is None or not Path("/usr/lib/uwsgi/plugins/python3_plugin.so").exists():
        return "uwsgi and its plugin python3 are not installed"
    return _foreign_interpreter()


def _is_open(folder: Path) -> bool:
    """Whether other users may look into *folder*."""
    return all(each.stat().st_mode & 0o001 for each in (folder, *folder.parents))


_MODULES = Path("/usr/lib/apache2/modules")


def _apache_missing() -> str | None:
    if _program("apache2") is None or not (_MODULES / "mod_wsgi.so").exists():
        return "apache2 and mod_wsgi are not installed"
    if os.geteuid() == 0 and not (_is_open(_ROOT) and _is_open(Path(_PACKAGES))):
        return "the server's user may not read the checkout or the packages"
    return _foreign_interpreter()


def _gunicorn(*options: str) -> Callable[[int, Path, str], list[str]]:
    def command(port: int, _folder: Path, _prefix: str) -> list[str]:
        return [
            *(sys.executable, "-m", "gunicorn", _APP, "--bind", f"127.0.0.1:{port}"),
            *("--graceful-timeout", "5", "--no-control-socket", *options),
        ]

    return command


def _waitress(port: int, _folder: Path, prefix: str) -> list[str]:
    prefixed = [f"--url-prefix={prefix}"] if prefix else []
    return [
        *(sys.executable, "-m", "waitress", f"--listen=127.0.0.1:{port}", "--threads=8"),
        *("--max-request-body-size=268435456", *prefixed, _APP),
    ]


def _uwsgi(port: int, _folder: Path, prefix: str) -> list[str]:
    program = _program("uwsgi")
    assert program is not None
    where = [f"--mount={prefix}={_APP}", "--manage-script-name"] if prefix else [f"--wsgi={_APP}"]
    return [
        *(program, "--plugin=python3", f"--http-socket=127.0.0.1:{port}", "--master"),
        *("--processes=1", "--threads=8", "--enable-threads", "--die-on-term", "--need-app"),
        *(f"--pythonpath={_ROOT}", f"--pythonpath={_PACKAGES}", *_editable("--pythonpath={}")),
        *where,
    ]


def _editable(option: str) -> list[str]:
    """Return *option* for where erlen is, which an editable installation notes in a ``.pth`` file."""
    import erlen

    return [option.format(Path(erlen.__file__).parents[1])]


def _apache(port: int, folder: Path, prefix: str) -> list[str]:
    program = _program("apache2")
    assert program is not None
    script = folder / "application.wsgi"
    script.write_text(
        f"import os\nos.environ[{VARIABLE!r}] = {str(folder)!r}\n"
        f"from {_MODULE} import application\n"
    )
    modules = ("mpm_event", "authz_core", "wsgi")
    built_in = subprocess.run([program, "-l"], capture_output=True, text=True, check=True).stdout
    path = ":".join([str(_ROOT), _PACKAGES, *_editable("{}")])
    lines = [
        *(
            f"LoadModule {name}_module {_MODULES}/mod_{name}.so"
            for name in modules
            if f"mod_{name}.c" not in built_in
        ),
        f"ServerRoot {folder}",
        "ServerName 127.0.0.1",
        f"Listen 127.0.0.1:{port}",
        f"PidFile {folder}/apache.pid",
        "ErrorLog /dev/stderr",
        "LogLevel warn",
        f"WSGISocketPrefix {folder}/wsgi",
        f"WSGIDaemonProcess erlen processes=1 threads=8 python-path={path} shutdown-timeout=8",
        "WSGIProcessGroup erlen",
        "WSGIApplicationGroup %{GLOBAL}",
        f"WSGIScriptAlias {prefix or '/'} {script}",
        "WSGIChunkedRequest On",
        "AllowEncodedSlashes On",
        "<Directory />",
        "Require all granted",
        "</Directory>",
    ]
    if os.geteuid() == 0:
        lines += ["User nobody", "Group nogroup"]
    config = folder / "apache.conf"
    config.write_text("\n".join(lines) + "\n")
    return [program, "-f", str(config), "-D", "FOREGROUND"]


@dataclass(frozen=True)
class Kind:
    """A server in one of its settings.

    Attributes:
        name: Server and setting.
        missing: Returns why it cannot run, ``None`` when it can.
        command: Returns the command for a port, a folder of its own and a prefix.
    """

    name: str
    missing: Callable[[], str | None]
    command: Callable[[int, Path, str], list[str]]


KINDS = (
    Kind("gunicorn-sync", _module_missing("gunicorn"), _gunicorn()),
    Kind(
        "gunicorn-gthread",
        _module_missing("gunicorn"),
        _gunicorn("--worker-class=gthread", "--threads=8"),
    ),
    Kind("waitress", _module_missing("waitress"), _waitress),
    Kind("uwsgi", _uwsgi_missing, _uwsgi),
    Kind("mod_wsgi", _apache_missing, _apache),
)


class Server:
    """A running server.

    Attributes:
        kind: Which one it is.
        port: Where on 127.0.0.1 it listens.
        notes: What the application notes.
    """

    def __init__(
        self, kind: Kind, process: subprocess.Popen[bytes], port: int, folder: Path
    ) -> None:
        self.kind = kind
        self.port = port
        self._folder = folder
        self.notes = Notes(folder)
        self._process = process

    @property
    def output(self) -> str:
        """What it has printed so far."""
        return (self._folder / "log").read_text(errors="replace")

    def expects(self, topic: str, usual: Any) -> Any:
        """Return what a test must see: *usual*, or what this server is known to do in its place."""
        quirk = self._quirk(topic)
        return usual if quirk is None else quirk.instead

    def require(self, topic: str) -> None:
        """Skip a test that has nothing to show on a server with this quirk."""
        quirk = self._quirk(topic)
        if quirk is not None:
            pytest.skip(f"{self.kind.name}: {quirk.reason}")

    def _quirk(self, topic: str) -> Quirk | None:
        found = [
            quirk
            for quirk in QUIRKS
            if topic == quirk.topic and self.kind.name.startswith(quirk.servers)
        ]
        assert len(found) <= 1, found
        return found[0] if found else None

    def wait_until_it_answers(self, prefix: str) -> None:
        """Return when a request is answered: some listen long before they have the application."""
        deadline = time.monotonic() + LIMIT
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.port), LIMIT).close()
            except ConnectionRefusedError:
                time.sleep(0.02)  # another process decides; there is nothing to wait on
            else:
                with RawClient(self.port) as client:
                    assert client.request("GET", f"{prefix}/status/204").status == 204, self.output
                return
        raise AssertionError(f"{self.kind.name} did not start. It printed:\n{self.output}")

    def stop(self, number: int = signal.SIGTERM) -> float:
        """Send a signal; return the seconds until it has ended. Kill what does not end, and fail."""
        began = time.monotonic()
        if self._process.poll() is None:
            self._process.send_signal(number)
        try:
            self._process.wait(LIMIT)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.kind.name} did not end:\n{self.output}") from None
        finally:
            if self._process.returncode is None:
                os.killpg(self._process.pid, signal.SIGKILL)
                self._process.wait()
        return time.monotonic() - began


@contextmanager
def serving(kind: Kind, *, prefix: str = "", options: Sequence[str] = ()) -> Iterator[Server]:
    """Serve by *kind* below *prefix* for the length of the block."""
    if reason := kind.missing():
        pytest.skip(f"{kind.name}: {reason}")
    folder = Path(tempfile.mkdtemp(prefix="erlen-wsgi-"))
    folder.chmod(0o777)  # the server's user may be another one
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with (folder / "log").open("wb") as output:
        process = subprocess.Popen(
            [*kind.command(port, folder, prefix), *options],
            cwd=_ROOT,
            env={**os.environ, "PYTHONUNBUFFERED": "1", VARIABLE: str(folder),
                 "SCRIPT_NAME": prefix},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )  # fmt: skip
    server = Server(kind, process, port, folder)
    try:
        server.wait_until_it_answers(prefix)
        yield server
        server.stop()
        left = [line for line in server.output.splitlines() if any(map(line.__contains__, _LEFT))]
        assert not left, server.output
    finally:
        try:
            server.stop()
        finally:
            shutil.rmtree(folder)

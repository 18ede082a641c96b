"""Floor 8: serve an application on uvicorn, for development."""

import errno
import inspect
import os
import socket
import sys
from collections.abc import Iterable
from typing import Any, NoReturn
from urllib.parse import urlsplit

import anyio
import uvicorn
from uvicorn.config import LOGGING_CONFIG, STARTUP_FAILURE
from uvicorn.supervisors import ChangeReload

from erlen.app import Erlen

#: Options of uvicorn's ``Config`` that :func:`run` sets itself or cannot honour: it serves one
#: application object on one TCP socket.
_OWN_OPTIONS = frozenset({"app", "factory", "fd", "host", "port", "reload", "uds", "workers"})

#: uvicorn's own, without the lines that tell how it starts and stops; warnings and requests stay.
_LOG_CONFIG: dict[str, Any] = {
    **LOGGING_CONFIG,
    "loggers": {**LOGGING_CONFIG["loggers"], "uvicorn.error": {"level": "WARNING"}},
}


def run(
    app: Erlen,
    host: str | None = None,
    port: int | None = None,
    *,
    reload_from: str | None = None,
    **options: Any,
) -> None:
    """Serve until interrupted; return after CTRL+C, when everything has shut down.

    While the ``erlen`` command imports the module that calls this, it only warns and returns.

    Args:
        app: The application. Settings are taken from its configuration.
        host: Address to listen on; that of ``SERVER_NAME``, else 127.0.0.1.
        port: 0 for any free one; that of ``SERVER_NAME``, else 5000.
        reload_from: ``"module:callable"`` that returns the application anew. When given, it is
            served in a process of its own, started again whenever a Python file below the working
            directory changes.
        options: Passed to uvicorn's ``Config``, over erlen's choices.

    Raises:
        RuntimeError: An event loop runs in this thread.
        TypeError: An option is unknown, or needs uvicorn's own command.
        SystemExit: With code 3: the port cannot be used (one line on stderr says why), or startup
            or shutdown of the application failed (uvicorn logs why).
    """
    if in_event_loop():
        raise RuntimeError(
            "run() was called while an event loop is running in this thread. Call it from plain "
            "code, or await uvicorn.Server(uvicorn.Config(app)).serve() in the running loop."
        )
    if "ERLEN_LOADING" in os.environ:
        _say(
            " * run() was ignored, because the 'erlen' command only imports this module. "
            "Put the call below 'if __name__ == \"__main__\":'."
        )
        return
    _check_options(options)
    with _listen(*_address(app, host, port)) as listener:
        served: Any = reload_from or app
        config = uvicorn.Config(
            served, factory=bool(reload_from), reload=bool(reload_from), **_settings(app) | options
        )
        server = _Server(config, _start_line(app.name, listener, tls=config.is_ssl))
        try:
            if reload_from:
                ChangeReload(config, target=server.run, sockets=[listener]).run()
            else:
                server.run(sockets=[listener])
        except KeyboardInterrupt:
            pass  # uvicorn raises CTRL+C again after it has shut down


def in_event_loop() -> bool:
    """Whether an event loop runs in this thread."""
    try:
        anyio.get_current_task()
    except RuntimeError:
        return False
    return True


class _Server(uvicorn.Server):
    """uvicorn's server, with our start line, and an exit code for a shutdown that failed."""

    def __init__(self, config: uvicorn.Config, start_line: str) -> None:
        super().__init__(config)
        self._start_line = start_line

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        _say(self._start_line)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await super().shutdown(sockets)
        if self.lifespan.should_exit:
            sys.exit(STARTUP_FAILURE)


def _settings(app: Erlen) -> dict[str, Any]:
    """Return erlen's choices among uvicorn's options."""
    config = app.config
    return {
        # SAFETY: a client that httptools reads may send 200 MB of headers, all kept in memory; h11
        # stops at this many bytes. Enough for erlen to answer 414 and 431 itself just above its
        # own limits.
        "http": "h11",
        "h11_max_incomplete_event_size": max(
            64 * 1024, config["MAX_URL_LENGTH"] + config["MAX_HEADER_SIZE"]
        ),
        "ws_max_size": config["MAX_WEBSOCKET_MESSAGE_SIZE"],
        # SAFETY: uvicorn believes X-Forwarded-* from 127.0.0.1, so every local client could claim
        # to be another one and to use https.
        "proxy_headers": False,
        "server_header": False,
        # SAFETY: pipelined requests share a task; a context variable that one sets is seen by the
        # next unless it is reset.
        "reset_contextvars": True,
        "lifespan": "on",
        "timeout_graceful_shutdown": 30,
        "log_config": _LOG_CONFIG,
    }


def _check_options(options: Iterable[str]) -> None:
    known = inspect.signature(uvicorn.Config).parameters.keys() - _OWN_OPTIONS
    wrong = sorted(set(options) - known)
    if wrong:
        raise TypeError(
            f"run() does not take {', '.join(map(repr, wrong))}. It takes host, port and uvicorn's "
            "options for one process on one TCP socket; for others start 'uvicorn module:app'."
        )


def _address(app: Erlen, host: str | None, port: int | None) -> tuple[str, int]:
    """Fill what was not given from ``SERVER_NAME``, then from the defaults."""
    name = app.config["SERVER_NAME"] or ""
    try:
        configured = urlsplit(f"//{name}")
        configured_port = configured.port
    except ValueError as error:
        _refuse(f"SERVER_NAME is {name!r}: {error}. Write it as 'host' or 'host:port'.")
    if port is None:
        port = 5000 if configured_port is None else configured_port
    return host or configured.hostname or "127.0.0.1", port


def _listen(host: str, port: int) -> socket.socket:
    if not 0 <= port <= 65535:
        _refuse(f"There is no port {port}. Choose one up to 65535, or 0 for any free one.")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2048)
    except (OSError, UnicodeError) as error:  # UnicodeError: the host cannot be a name
        _refuse(_reason(error, host, port))


def _reason(error: OSError | UnicodeError, host: str, port: int) -> str:
    """Say why nothing can listen there, and what to do."""
    number = getattr(error, "errno", None)
    if number == errno.EADDRINUSE:
        return (
            f"Port {port} of {host} is in use by another program. "
            "Stop that program, or choose another port (0 for any free one)."
        )
    if number == errno.EACCES:
        return f"Port {port} of {host} needs administrator rights. Choose a port from 1024 upwards."
    return (
        f"Nothing can listen on port {port} of {host!r}: {error}. "
        "Choose an address of this machine, for example 127.0.0.1."
    )


def _start_line(name: str, listener: socket.socket, *, tls: bool) -> str:
    host, port = listener.getsockname()[:2]
    if ":" in host:
        host = f"[{host}]"
    scheme = "https" if tls else "http"
    return f" * Serving erlen app {name!r} at {scheme}://{host}:{port} (Press CTRL+C to stop)"


def _refuse(reason: str) -> NoReturn:
    _say(f"Error: {reason}")
    sys.exit(STARTUP_FAILURE)


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()

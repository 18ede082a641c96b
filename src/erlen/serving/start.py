"""Floor 8: put a server together and run it."""

import contextlib
import inspect
import os
from collections.abc import Iterable, Mapping
from typing import Any

import anyio
import uvicorn

from erlen.app import Erlen
from erlen.serving.access import log_config
from erlen.serving.addresses import choose, listen, start_line
from erlen.serving.debugging import debugged
from erlen.serving.server import Server
from erlen.serving.terminal import say

#: Options of uvicorn's ``Config`` that :func:`run` sets itself or cannot honour: it serves one
#: application object on one TCP socket.
_OWN_OPTIONS = frozenset({"app", "factory", "fd", "host", "port", "reload", "uds", "workers"})

#: Seconds that requests in flight have to finish, when the server ends.
GRACE = 30
#: The same in debug mode and with reload: who has saved a file waits for it.
DEVELOPMENT_GRACE = 1


def run(app: Erlen, host: str | None = None, port: int | None = None, **options: Any) -> None:
    """Serve until CTRL+C or SIGTERM; return when everything has shut down.

    While the ``erlen`` command imports the module that calls this, it only warns and returns.

    Args:
        app: The application. Settings are taken from its configuration; in debug mode it is served
            in the debugger.
        host: Address to listen on; that of ``SERVER_NAME``, else 127.0.0.1.
        port: 0 for any free one; that of ``SERVER_NAME``, else 5000.
        options: Passed to uvicorn's ``Config``, over erlen's choices.

    Raises:
        RuntimeError: An event loop runs in this thread.
        TypeError: An option is unknown, or needs uvicorn's own command.
        SystemExit: With code 3: the port cannot be used, or debug mode is on in production (one
            line on stderr says why), or startup or shutdown of the application failed (uvicorn
            logs why).
    """
    if in_event_loop():
        raise RuntimeError(
            "run() was called while an event loop is running in this thread. Call it from plain "
            "code, or await uvicorn.Server(uvicorn.Config(app)).serve() in the running loop."
        )
    if "ERLEN_LOADING" in os.environ:
        say(
            " * run() was ignored, because the 'erlen' command only imports this module. "
            "Put the call below 'if __name__ == \"__main__\":'."
        )
        return
    _check_options(options)
    with listen(*choose(app.config["SERVER_NAME"], host, port)) as listener:
        served = debugged(app, listener.getsockname()[0])
        settings = uvicorn_settings(app.config, in_haste=app.debug)
        config = uvicorn.Config(served, **settings | options)
        line = start_line(f"erlen app {app.name!r}", listener, tls=config.is_ssl)
        with contextlib.suppress(KeyboardInterrupt):  # CTRL+C, again
            Server(config, line).run(sockets=[listener])


def in_event_loop() -> bool:
    """Whether an event loop runs in this thread."""
    try:
        anyio.get_current_task()
    except RuntimeError:
        return False
    return True


def uvicorn_settings(config: Mapping[str, Any], *, in_haste: bool) -> dict[str, Any]:
    """Return erlen's choices among uvicorn's options; *in_haste* nobody waits long for the end."""
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
        "timeout_graceful_shutdown": DEVELOPMENT_GRACE if in_haste else GRACE,
        "log_config": log_config(debug=bool(config["DEBUG"])),
    }


def _check_options(options: Iterable[str]) -> None:
    known = inspect.signature(uvicorn.Config).parameters.keys() - _OWN_OPTIONS
    wrong = sorted(set(options) - known)
    if wrong:
        raise TypeError(
            f"run() does not take {', '.join(map(repr, wrong))}. It takes host, port and uvicorn's "
            "options for one process on one TCP socket; for others start 'uvicorn module:app'."
        )

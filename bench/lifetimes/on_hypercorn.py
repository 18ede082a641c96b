"""Serve on Hypercorn, which is told of the end as docs/shutdown.md says.

python -m bench.lifetimes.on_hypercorn asyncio|trio app|control PORT GRACE IDLE
"""

import signal
import sys
from collections.abc import Awaitable, Callable
from importlib import import_module
from typing import Any

import anyio
import hypercorn.asyncio
import hypercorn.trio

from erlen import Erlen


def trigger_for(app: Any) -> Callable[[], Awaitable[None]]:
    """Return what ends when the server shall, and tells *app* of it before, if it listens."""

    async def until_signal() -> None:
        with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
            async for _ in signals:
                if isinstance(app, Erlen):
                    app.begin_shutdown()
                return

    return until_signal


def main(worker: str, module: str, port: str, grace: str, idle: str) -> None:
    app: Any = import_module(f"bench.lifetimes.{module}").app
    config = hypercorn.Config()
    config.bind = [f"127.0.0.1:{port}"]
    config.backlog = 2048  # as uvicorn's
    config.graceful_timeout = float(grace)
    config.keep_alive_timeout = float(idle)
    config.loglevel = "WARNING"
    serve: Any = getattr(hypercorn, worker).serve
    anyio.run(lambda: serve(app, config, shutdown_trigger=trigger_for(app)), backend=worker)


if __name__ == "__main__":
    main(*sys.argv[1:])

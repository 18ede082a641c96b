"""The application for uvicorn, which is told of the end as docs/shutdown.md says."""

import signal
import threading
from collections.abc import AsyncIterator
from types import FrameType

from bench.lifetimes.app import app

__all__ = ["app"]


@app.lifespan
async def hear_signals() -> AsyncIterator[None]:
    servers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

    def tell(number: int, frame: FrameType | None) -> None:
        app.begin_shutdown()
        server = servers[signal.Signals(number)]
        if callable(server):
            # A second for WebSockets to close, before uvicorn closes them.
            threading.Timer(1, server, (number, frame)).start()

    for number in servers:
        signal.signal(number, tell)
    yield
    for number, server in servers.items():
        signal.signal(number, server)

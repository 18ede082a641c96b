"""The settings of gunicorn of docs/wsgi.md: streams end when a worker is told to end."""

import signal
from types import FrameType
from typing import Any


def post_worker_init(_worker: Any) -> None:
    """Tell the application of SIGTERM before the worker hears of it."""
    from tests.integration.wsgi_app import app

    before: Any = signal.getsignal(signal.SIGTERM)

    def end(number: int, frame: FrameType | None) -> None:
        app.begin_shutdown()
        before(number, frame)

    signal.signal(signal.SIGTERM, end)

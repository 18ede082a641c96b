"""What stands for a WSGI server that serves an application."""

import io
import threading
from collections.abc import Callable
from typing import Any

#: Seconds after which what does not happen fails its test.
SECONDS = 10


class Log(list[str]):
    """Notes of what happened, that another thread can wait for."""

    def wait(self, note: str) -> bool:
        """Whether *note* is there in time."""
        return comes(lambda: note in self)


def comes(ask: Callable[[], bool]) -> bool:
    """Whether *ask* is true in time, while other threads go on."""
    deadline = threading.Event()
    return any(ask() or deadline.wait(0.01) for _ in range(SECONDS * 100))


class Got:
    """What a server was given.

    Attributes:
        body: The response's iterable.
    """

    def __init__(self, application: Any, environ: dict[str, Any]) -> None:
        self.body: Any = application(environ, self._start)

    def _start(self, status: str, headers: Any, _exc_info: Any = None) -> Callable[[bytes], None]:
        self.status, self.headers = status, headers
        return lambda _data: None

    def read(self) -> bytes:
        """Read the body and close it."""
        try:
            return b"".join(self.body)
        finally:
            getattr(self.body, "close", bool)()


def environ(method: str = "GET", path: str = "/", body: bytes = b"", **more: Any) -> dict[str, Any]:
    return {
        "REQUEST_METHOD": method, "SCRIPT_NAME": "", "PATH_INFO": path, "QUERY_STRING": "",
        "SERVER_NAME": "127.0.0.1", "SERVER_PORT": "80", "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1", "HTTP_HOST": "127.0.0.1", "CONTENT_LENGTH": str(len(body)),
        "wsgi.version": (1, 0), "wsgi.url_scheme": "http", "wsgi.input": io.BytesIO(body),
        "wsgi.errors": io.StringIO(), "wsgi.multithread": True, "wsgi.multiprocess": False,
        "wsgi.run_once": False, **more,
    }  # fmt: skip

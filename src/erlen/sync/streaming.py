"""Floor 8: ``stream()`` for ``def`` views."""

from types import TracebackType
from typing import Self

from erlen.exchange.chunks import Chunk
from erlen.exchange.response import HeadersValue, Response, StatusValue
from erlen.pipeline import pushing
from erlen.pipeline.pushing import PushedResponse
from erlen.sync.bridge import check_caller, wait_for


def stream(
    status: StatusValue | None = None,
    headers: HeadersValue | None = None,
    mimetype: str | None = None,
    content_type: str | None = None,
) -> "BlockingPushedResponse":
    """Return a response that a ``def`` view sends while it runs; the view then returns nothing.

    ::

        with stream(mimetype="text/csv") as out:
            for row in rows():
                out.send(row)

    Arguments and errors as of :func:`erlen.stream`, and those of a call on an event loop.
    """
    check_caller("stream()")
    return BlockingPushedResponse(pushing.stream(status, headers, mimetype, content_type))


class BlockingPushedResponse:
    """One ``with stream() as out``."""

    def __init__(self, pushed: PushedResponse) -> None:
        """Made by :func:`stream`."""
        self._pushed = pushed

    @property
    def response(self) -> Response:
        """Status and headers; they may be changed before the first chunk is sent."""
        return self._pushed.response

    def send(self, chunk: Chunk) -> None:
        """Send a chunk; return when the client may have the next.

        As of :class:`~erlen.pipeline.pushing.PushedResponse`, but nothing here is ended from
        outside: a thread cannot be. A client that left is told by the next ``send()``, and for a
        response without a body every ``send()`` does nothing.
        """
        wait_for("out.send()", self._pushed.send_for_thread, chunk)

    def __enter__(self) -> Self:
        wait_for("stream()", self._pushed.open_for_thread)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        return wait_for("stream()", self._pushed.leave_for_thread, error)

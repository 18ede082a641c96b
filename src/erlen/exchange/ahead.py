"""Floor 3: what a client can be told while its response is made: early hints and promised pushes.

Both are optional extensions of ASGI. A server that has none of them is sent nothing.
"""

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from erlen.exceptions import ClientDisconnected, OutsideContextError
from erlen.exchange.connection import Connection
from erlen.protocols import Message, RawHeaders
from erlen.wire.headers import Headers
from erlen.wire.redirects import redirect_uri

#: Fields of the request that the promised request has too, when no others are given.
#: SPEC: RFC 9113 section 8.4.1: a promised request must be such as the client would have sent.
_KEPT = (b"accept", b"accept-encoding", b"accept-language", b"cache-control", b"user-agent")

HINT = "http.response.early_hint"
PUSH = "http.response.push"


class Ahead(Connection):
    """The part of a request that speaks before the response does."""

    #: Seat: ``erlen.context`` puts here what finds the running context.
    _running_context: ClassVar["staticmethod[[], Any]"]

    async def send_early_hints(self, link: str, /, *additional_links: str) -> None:
        """Tell the client what the response will need, while the view is still at work (103).

        ::

            await request.send_early_hints("</style.css>; rel=preload; as=style")

        Nothing happens where the server does not offer it, as over HTTP/1.1 most do not.

        Args:
            link: The value of a Link field.
            additional_links: More of them.

        Raises:
            ValueError: A value is no Link, or not in ASCII.
            RuntimeError: The response has started, so that nothing comes before it.
            OutsideContextError: This is not the request that runs here.
            ClientDisconnected: The client left.

        Source: RFC 8297; RFC 8288 section 3; ASGI, Early Hint.
        """
        links = [_link(each) for each in (link, *additional_links)]
        context = self._context_for("send_early_hints")
        if context.started:
            raise RuntimeError(
                f"Early hints for {link!r} were to be sent after the response has started. Send "
                "them before the first chunk, or add a Link field to the response."
            )
        await self._tell(context, {"type": HINT, "links": links})

    async def send_push_promise(
        self, path: str, headers: Mapping[str, str] | Iterable[tuple[str, str]] | None = None
    ) -> None:
        """Promise the client the response to ``GET`` *path*; the server then asks for it, too.

        Nothing happens where the server does not offer it. Browsers have given this up: early hints
        do what it was for.

        Args:
            path: Path and query as the client sees them: what ``url_for`` returns.
            headers: Fields of the promised request; by default Accept, Accept-Encoding,
                Accept-Language, Cache-Control and User-Agent of this one.

        Raises:
            ValueError: *path* does not begin with one slash, or a field is malformed.
            OutsideContextError: This is not the request that runs here.
            ClientDisconnected: The client left.

        Source: RFC 9113 section 8.4; ASGI, HTTP/2 Server Push.
        """
        target = _target(path)
        pairs: RawHeaders
        if headers is None:
            pairs = [(name, value) for name, value in self.scope["headers"] if name in _KEPT]
        else:
            pairs = Headers(headers).raw()
        context = self._context_for("send_push_promise")
        await self._tell(context, {"type": PUSH, "path": target, "headers": pairs})

    def _context_for(self, name: str) -> Any:
        context = self._running_context()
        if context.opened_exchange is not self:
            raise OutsideContextError(
                f"{name}() was called on {self!r}, which is not the request that runs here. Call "
                "it in the view, or in what that calls."
            )
        context.check_running("response")
        return context

    async def _tell(self, context: Any, message: Message) -> None:
        if message["type"] not in (self.scope.get("extensions") or ()):
            return
        try:
            await context.send(message)
        except OSError as error:  # SPEC: ASGI 2.4: send() raises OSError once the client is gone
            raise ClientDisconnected("The client left before the response was sent.") from error


def _link(value: str) -> bytes:
    """Return a Link value as bytes.

    SAFETY: a line break in it would be a field, or a response, of a stranger's choice.
    """
    if value.startswith("<") and ">" in value and value.isascii() and value.isprintable():
        return value.encode()
    raise ValueError(
        f"{value!r} is no Link. Write a URL in angle brackets and its parameters, in printable "
        "ASCII: '</style.css>; rel=preload; as=style'."
    )


def _target(path: str) -> str:
    if path.startswith("/") and not path.startswith("//") and "#" not in path:
        return redirect_uri(path)
    raise ValueError(
        f"{path!r} cannot be pushed: a client takes pushes of the host that it asked. Give a path "
        "that begins with one slash, as url_for() returns it, without a fragment."
    )

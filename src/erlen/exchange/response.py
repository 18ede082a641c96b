"""Floor 3: one HTTP response: status, headers and a body that is bytes or a stream.

The headers object is made when someone asks for it: a response that only carries text is sent with
two header pairs that need no object.
"""

import logging
from collections.abc import Callable, Coroutine, Iterable, Mapping
from functools import partial
from typing import Any, ClassVar, Self, TypeAlias

from erlen.exceptions import ClientDisconnected, HTTPException, reason_phrase
from erlen.exchange.chunks import Chunk, Chunks
from erlen.exchange.live_streaming import LiveChunks, LiveStream
from erlen.exchange.media_types import content_type_of, type_pair
from erlen.exchange.patience import SLICE, send_slices
from erlen.exchange.sources import Source, SourceStream
from erlen.exchange.streaming import Stream
from erlen.exchange.trailers import ResponseTrailers
from erlen.protocols import Exchange, Message, RawHeaders
from erlen.wire.headers import Headers
from erlen.wire.ready_headers import ReadyHeaders

StatusValue: TypeAlias = int | str  # an HTTPStatus is an int
HeadersValue: TypeAlias = (
    Headers
    | Mapping[str, str | int | list[str] | tuple[str, ...]]
    | Iterable[tuple[str, str | int]]
)

#: Fields that say how the body is framed; the response and the server own them.
_FRAMING = frozenset(
    {b"content-length", b"transfer-encoding", b"connection", b"keep-alive", b"upgrade"}
)
#: SPEC: RFC 9110 section 15.4.5: a 304 has no metadata of the representation but validators.
_NOT_IN_304 = {
    b"accept-ranges", b"allow", b"content-encoding", b"content-language", b"content-md5",
    b"content-range", b"content-type", b"last-modified",
}  # fmt: skip
#: Status that has no body → fields that it does not have either. SPEC: RFC 9110 sections 15.3.5,
#: 15.3.6 and 15.4.5: 205 is framed as an empty body, the others have no framing at all.
_BODILESS = {
    204: _FRAMING | {b"content-type"},
    205: _FRAMING | {b"content-type"},
    304: _FRAMING | _NOT_IN_304,
}

_LEFT = "The client left before the response was sent."

_logger = logging.getLogger("erlen")


class Response(ResponseTrailers):
    """An HTTP response.

    Attributes:
        default_mimetype: Media type when none is given; a seat for subclasses.
    """

    default_status: ClassVar[int] = 200
    default_mimetype: ClassVar[str] = "text/html"

    _headers: Headers | None = None

    def __init__(
        self,
        response: Chunk | Chunks | Source | None = None,
        status: StatusValue | None = None,
        headers: HeadersValue | None = None,
        mimetype: str | None = None,
        content_type: str | None = None,
        direct_passthrough: bool = False,  # noqa: ARG002  # Flask's signature
    ) -> None:
        """Make a response.

        Args:
            response: Text (sent as UTF-8), bytes, a list or tuple of both (joined), a source, which
                is streamed with its length, or any other iterable, synchronous or not, which is
                streamed. ``None`` is an empty body.
            status: ``404``, ``HTTPStatus.NOT_FOUND``, ``"404"`` or ``"404 Gone Fishing"``.
            headers: Header fields; a Content-Type here wins over *mimetype*'s default.
            mimetype: Media type; a charset is added where text needs one.
            content_type: The whole Content-Type, verbatim.
            direct_passthrough: As in Flask; ignored, because a body is sent as it is anyway.

        Raises:
            ValueError: A status out of 200 to 599, or a header that HTTP does not allow.
            TypeError: A body that is none of these, or a dict.
        """
        if type(response) is str:
            self._body = response.encode()
        elif type(response) is bytes:
            self._body = response
        elif response is not None:
            self._set_body(response)
        if type(headers) is ReadyHeaders and content_type is mimetype is None:
            self._headers = headers  # they have a Content-Type
        else:
            kind = content_type or content_type_of(mimetype or self.default_mimetype)
            self._type_pair = type_pair(kind)
            if headers is not None:
                self._take_headers(headers, kind, explicit=bool(content_type or mimetype))
        self._code = self.default_status
        if status is not None:
            self.status = status

    def _take_headers(self, headers: HeadersValue, kind: str, *, explicit: bool) -> None:
        self._headers = Headers(headers)
        if explicit or "content-type" not in self._headers:
            self._headers.set("Content-Type", kind)

    @classmethod
    def force_type(
        cls,
        response: "Response",
        environ: object = None,  # noqa: ARG003  # Flask's signature
    ) -> Self:
        """Return *response* as one of this class; the same object.

        Args:
            response: One of any response class.
            environ: As in Flask; ignored.

        Raises:
            TypeError: It is no response.
        """
        if not isinstance(response, Response):
            raise TypeError(
                f"{response!r} of type {type(response).__name__} is no response. "
                "Call make_response() for what a view may return."
            )
        if not isinstance(response, cls):
            response.__class__ = cls
            assert isinstance(response, cls)
        return response

    # --- status and headers -----------------------------------------------------------------------

    @property
    def status_code(self) -> int:
        """Three digits, 200 unless given."""
        return self._code

    @status_code.setter
    def status_code(self, value: int) -> None:
        self.status = value

    @property
    def status(self) -> str:
        """Code and phrase, ``"200 OK"``; the phrase is not sent by HTTP/2 and most servers."""
        return f"{self._code} {self._reason or reason_phrase(self._code)}"

    @status.setter
    def status(self, value: StatusValue) -> None:
        if type(value) is int and 200 <= value <= 599:  # PERF: 0.1 µs; by its text 0.4 µs
            self._code, self._reason = value, None
            return
        code, _, reason = str(int(value) if isinstance(value, int) else value).partition(" ")
        if not (len(code) == 3 and code.isascii() and code.isdigit() and 200 <= int(code) <= 599):
            raise ValueError(
                f"{value!r} is not the status of a response. Give three digits from 200 to 599, "
                "with or without a phrase: 404 or '404 Not Found'."
            )
        self._code = int(code)
        self._reason = reason or None

    @property
    def headers(self) -> Headers:  # type: ignore[override]  # read-only on purpose
        """The header fields; changes are sent, but a known body has the length that it has."""
        if self._headers is None:
            self._headers = Headers.of_checked(
                [("Content-Type", self._type_pair[1].decode("latin-1"))]
            )
        elif type(self._headers) is ReadyHeaders:
            self._headers = self._headers.copy()
        return self._headers

    # --- sending ----------------------------------------------------------------------------------

    def send(self, exchange: Exchange) -> Coroutine[Any, Any, None]:
        """Send start and body as ASGI messages, then run what waits for the close.

        Raises:
            ClientDisconnected: The client left.
            SendTimeout: It has taken nothing of a long body for ``exchange.send_timeout``.
            Exception: What a streamed body raised; when ``exchange.started`` the connection must
                break, else it can be answered.
        """
        has_more = self._headers is not None or self._stream is not None
        if has_more or self._on_close is not None or self._code != 200:
            return self._send_any(exchange)
        return send_known(exchange, self._type_pair, self._body)

    async def _send_any(self, exchange: Exchange) -> None:
        body, code = self._body, self._code
        stream = unclosed = self._stream
        end: Message = {"type": "http.response.body", "body": body}
        if self._headers is None and stream is None and code not in _BODILESS:
            headers = [self._type_pair, (b"content-length", b"%d" % len(body))]
        else:
            headers = self._framed(exchange)
            exchange = self._carried(exchange) if self._trailers else exchange
        if code in _BODILESS or exchange.scope["method"] == "HEAD":
            stream, end["body"] = None, b""
        elif stream is not None and (path := self._path_to_send(exchange)) is not None:
            stream, end = None, {"type": "http.response.pathsend", "path": path}
        start = {"type": "http.response.start", "status": code, "headers": headers}
        try:
            if stream is None:
                exchange.started = True
                await exchange.send(start)
                if len(end.get("body", b"")) > SLICE:
                    await send_slices(exchange, self._body)
                else:
                    await exchange.send(end)
            else:
                unclosed = None
                sent = LiveStream if isinstance(stream, LiveChunks) else Stream
                await sent(start, stream, exchange, self.content_length).send_all()
        except OSError as error:
            # SPEC: ASGI 2.4: send() raises OSError once the client is gone. That of a stream is its
            # own: Stream has told the two apart.
            if stream is not None and unclosed is None:
                raise
            raise ClientDisconnected(_LEFT) from error
        finally:
            if unclosed is not None or self._on_close is not None:
                await self._close(unclosed, exchange.run_sync)

    def start_message(self, exchange: Exchange) -> Message:
        """Return the message of status and headers, for a body that someone else sends."""
        return {
            "type": "http.response.start",
            "status": self._code,
            "headers": self._framed(exchange),
        }

    def has_body(self, exchange: Exchange) -> bool:
        """Whether a body follows the start: not after HEAD, nor with some statuses."""
        return self._code not in _BODILESS and exchange.scope["method"] != "HEAD"

    def _path_to_send(self, exchange: Exchange) -> str | None:
        """Return the path of a file that the server sends better than we do, if there is one."""
        if self._code != 200 or not isinstance(self._stream, SourceStream):
            return None
        return self._stream.path_for(exchange.scope)

    async def give_up(self, exchange: Exchange) -> None:
        """Close without sending: the stream, then what waits for the close."""
        await self.close(exchange.run_sync)

    def _framed(self, exchange: Exchange) -> RawHeaders:
        """Return the header pairs, with the framing that belongs to this body and no other."""
        dropped = _BODILESS.get(self._code)
        if self._headers is None and dropped is None:
            pairs = [self._type_pair]  # PERF: a headers object is 1.5 µs
        elif type(self._headers) is ReadyHeaders:
            pairs = self._headers.raw_without(dropped or _FRAMING).copy()
        else:
            pairs = [pair for pair in self.headers.raw() if pair[0] not in (dropped or _FRAMING)]
        if dropped is not None:
            self._warn_of_lost_body()
            return [*pairs, (b"content-length", b"0")] if self._code == 205 else pairs
        length = self.content_length
        if length == 0 and self._stream is None and exchange.scope["method"] == "HEAD":
            length = self._declared_length() or 0
        if length is not None:
            pairs.append((b"content-length", b"%d" % length))
        return pairs

    def _warn_of_lost_body(self) -> None:
        # A 304 comes from make_conditional(), which leaves the body where it is.
        if self._code != 304 and (self._body or self._stream is not None):
            _logger.warning(
                "A response with status %d has no body, so the one that it was given is not sent. "
                "Return an empty body with it.",
                self._code,
            )

    def __repr__(self) -> str:
        body = "streamed" if self._stream is not None else f"{len(self._body)} bytes"
        return f"<{type(self).__name__} {body} [{self.status}]>"


async def send_known(exchange: Exchange, type_pair: tuple[bytes, bytes], body: bytes) -> None:
    """Send a body with the status 200 and one field beside its length; errors as of a response.

    PERF: 0.25 us less than what ``Response._send_any`` does for all.
    """
    exchange.started = True
    size = len(body)
    headers = [type_pair, _LENGTHS.get(size) or _learn_length(size)]
    send = exchange.send  # PERF: to call a slot as a method takes 0.03 us more (CPython 3.11)
    try:
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        if exchange.scope["method"] == "HEAD":
            body = b""
        if len(body) > SLICE:
            await send_slices(exchange, body)
        else:
            await send({"type": "http.response.body", "body": body})
    except OSError as error:
        raise ClientDisconnected(_LEFT) from error


#: Size of a body → its header field. PERF: 0.07 us less than to write the number each time.
_LENGTHS: dict[int, tuple[bytes, bytes]] = {}
_LENGTHS_KEPT = 1024


def _learn_length(size: int) -> tuple[bytes, bytes]:
    pair = (b"content-length", b"%d" % size)
    if len(_LENGTHS) < _LENGTHS_KEPT:
        _LENGTHS[size] = pair
    return pair


def maker(cls: type[Response], mimetype: str | None = None) -> Callable[[str | bytes], Response]:
    """Return what makes responses of *cls* with a known body, and without more arguments.

    Args:
        cls: The class of the responses; one with an ``__init__`` of its own is called.
        mimetype: Their media type; the class's default when it is ``None``.
    """
    if cls.__init__ is not Response.__init__:
        return cls if mimetype is None else partial(cls, mimetype=mimetype)
    new = cls.__new__
    pair = type_pair(content_type_of(mimetype or cls.default_mimetype))
    code = cls.default_status

    def make(body: str | bytes) -> Response:
        # PERF: 0.1 us; the constructor looks at six arguments that nobody gave, 0.4 us.
        response = new(cls)
        response._body = body.encode() if isinstance(body, str) else body
        response._type_pair = pair
        response._code = code
        # PERF: what would be found at the class takes 0.02 us more for each look.
        response._headers = None
        response._stream = None
        response._on_close = None
        return response

    return make


HTTPException.response_class = Response

"""Floor 3: one HTTP response: status, headers and a body that is bytes or a stream.

The headers object is made when someone asks for it: a response that only carries text is sent with
two header pairs that need no object.
"""

import inspect
import json
import logging
from collections.abc import AsyncIterable, Callable, Iterable, Mapping
from http import HTTPStatus
from typing import Any, ClassVar, Literal, TypeAlias, overload

import anyio

from erlen.exceptions import ClientDisconnected, HTTPException, reason_phrase
from erlen.exchange.connection import Connection
from erlen.exchange.media_types import content_type_of, type_pair
from erlen.exchange.response_fields import ResponseFields
from erlen.exchange.streaming import (
    CLOSE_SECONDS,
    Chunk,
    Chunks,
    close_all,
    encode_chunk,
    isolated,
    send_chunks,
)
from erlen.protocols import Exchange, RawHeaders
from erlen.wire.conditional import Precondition, decide, generate_etag
from erlen.wire.headers import Headers
from erlen.wire.ranges import resolve

StatusValue: TypeAlias = int | str | HTTPStatus
HeadersValue: TypeAlias = (
    Headers
    | Mapping[str, str | int | list[str] | tuple[str, ...]]
    | Iterable[tuple[str, str | int]]
)

#: Fields that say how the body is framed; the response and the server own them.
_FRAMING = {b"content-length", b"transfer-encoding", b"connection", b"keep-alive", b"upgrade"}
#: SPEC: RFC 9110 section 15.4.5: a 304 has no metadata of the representation but validators.
_NOT_IN_304 = {
    b"allow", b"content-encoding", b"content-language", b"content-md5", b"content-range",
    b"content-type", b"last-modified",
}  # fmt: skip
#: Status that has no body → fields that it does not have either. SPEC: RFC 9110 sections 15.3.5,
#: 15.3.6 and 15.4.5: 205 is framed as an empty body, the others have no framing at all.
_BODILESS = {
    204: _FRAMING | {b"content-type"},
    205: _FRAMING | {b"content-type"},
    304: _FRAMING | _NOT_IN_304,
}

_logger = logging.getLogger("erlen")


class Response(ResponseFields):
    """An HTTP response.

    Attributes:
        default_mimetype: Media type when none is given; a seat for subclasses.
    """

    default_status: ClassVar[int] = 200
    default_mimetype: ClassVar[str] = "text/html"

    # PERF: what most responses never set stands here and not in each of them, 0.1 µs.
    _body: bytes = b""
    _stream: Chunks | None = None
    _headers: Headers | None = None
    _reason: str | None = None
    _on_close: list[Callable[[], Any]] | None = None

    def __init__(
        self,
        response: Chunk | Chunks | None = None,
        status: StatusValue | None = None,
        headers: HeadersValue | None = None,
        mimetype: str | None = None,
        content_type: str | None = None,
    ) -> None:
        """Make a response.

        Args:
            response: Text (sent as UTF-8), bytes, a list or tuple of both (joined), or any other
                iterable, synchronous or not, which is streamed. ``None`` is an empty body.
            status: ``404``, ``HTTPStatus.NOT_FOUND``, ``"404"`` or ``"404 Gone Fishing"``.
            headers: Header fields; a Content-Type here wins over *mimetype*'s default.
            mimetype: Media type; a charset is added where text needs one.
            content_type: The whole Content-Type, verbatim.

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
        code, _, reason = str(int(value) if isinstance(value, HTTPStatus) else value).partition(" ")
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
            self._headers = Headers([("Content-Type", self._type_pair[1].decode("latin-1"))])
        return self._headers

    @property
    def content_length(self) -> int | None:
        """Bytes of the body; for a stream what was declared, ``None`` when nothing was."""
        if self._stream is None:
            return len(self._body)
        return self.headers.get("content-length", type=int)

    @content_length.setter
    def content_length(self, value: int | None) -> None:
        self._set_or_remove("Content-Length", None if value is None else str(value))

    # --- body -------------------------------------------------------------------------------------

    def _set_body(self, value: Any) -> None:
        self._stream = None
        if isinstance(value, str | bytes | bytearray | memoryview):
            self._body = encode_chunk(value)
        elif isinstance(value, list | tuple):
            self._body = b"".join(map(encode_chunk, value))
        elif isinstance(value, AsyncIterable | Iterable) and not isinstance(value, Mapping):
            self._body = b""
            self._stream = value
        else:
            raise TypeError(
                f"A response body cannot be made of {value!r} of type {type(value).__name__}. "
                "Give str, bytes, or an iterable of them; for JSON call jsonify()."
            )

    @property
    def is_streamed(self) -> bool:
        """Whether the body is made while it is sent."""
        return self._stream is not None

    @property
    def is_sequence(self) -> bool:
        """Whether the body is known."""
        return self._stream is None

    @property
    def response(self) -> Chunks:
        """The body as what it is iterated from."""
        return [self._body] if self._stream is None else self._stream

    @response.setter
    def response(self, value: Chunk | Chunks) -> None:
        self._set_body(value)

    @overload
    def get_data(self, as_text: Literal[False] = ...) -> bytes: ...

    @overload
    def get_data(self, as_text: Literal[True]) -> str: ...

    def get_data(self, as_text: bool = False) -> bytes | str:
        """Return the body.

        Raises:
            RuntimeError: It is streamed; ``await response.freeze()`` first.
        """
        if self._stream is not None:
            raise RuntimeError(
                "The body of this response is a stream and is not known. "
                "Call 'await response.freeze()' first to collect it."
            )
        return self._body.decode() if as_text else self._body

    def set_data(self, value: str | bytes) -> None:
        """Replace the body."""
        self._set_body(value)

    @property
    def data(self) -> bytes:
        """The body; see :meth:`get_data`."""
        return self.get_data()

    @data.setter
    def data(self, value: str | bytes) -> None:
        self._set_body(value)

    @property
    def json(self) -> Any:
        """The body as JSON, ``None`` when its type is another."""
        return self.get_json()

    def get_json(self, force: bool = False, silent: bool = False) -> Any:
        """Return the value of the body's JSON text.

        Args:
            force: Do not look at the media type.
            silent: Return ``None`` for malformed text instead of raising ``ValueError``.
        """
        if not (force or self.is_json):
            return None
        try:
            return json.loads(self.get_data())
        except ValueError:
            if silent:
                return None
            raise

    async def freeze(self) -> None:
        """Collect a streamed body, so that it is known and has a length; then close its source."""
        stream = self._stream
        if stream is None:
            return
        try:
            if isinstance(stream, AsyncIterable):
                chunks = [chunk async for chunk in stream]
            else:
                chunks = list(stream)
        finally:
            await close_all([stream], _at_once)
        self._set_body(chunks)

    def call_on_close(self, function: Callable[[], Any]) -> Callable[[], Any]:
        """Call *function* once the response is sent or given up; may be used as a decorator.

        It may be ``async def``; a ``def`` runs in the exchange's worker thread. What it raises is
        logged, and the next ones run.
        """
        if self._on_close is None:
            self._on_close = []
        self._on_close.append(function)
        return function

    # --- validators -------------------------------------------------------------------------------

    def add_etag(self, overwrite: bool = False, weak: bool = False) -> None:
        """Set an ETag made of the body, unless there is one."""
        if overwrite or "etag" not in self.headers:
            self.set_etag(generate_etag(self.get_data()), weak)

    def make_conditional(
        self,
        request: Connection,
        accept_ranges: bool = False,
        complete_length: int | None = None,
    ) -> "Response":
        """Obey the request's conditions: 304, 412 or, with *accept_ranges*, 206 and 416.

        Args:
            request: Whose ``If-…`` and ``Range`` fields decide.
            accept_ranges: Serve byte ranges of a body that is known.
            complete_length: Bytes of the whole body; computed when the body is known.

        Raises:
            RequestedRangeNotSatisfiable: No byte of the asked ranges exists.

        Source: RFC 9110 sections 13.2.2 and 14.2.
        """
        if request.method not in {"GET", "HEAD"} or self.status_code != 200:
            return self
        verdict = decide(
            request.method,
            request.headers,
            etag=self.headers.get("ETag"),
            last_modified=self.last_modified,
        )
        if verdict is Precondition.NOT_MODIFIED:
            self.status_code = 304
        elif verdict is Precondition.FAILED:
            self.status_code = 412
        elif accept_ranges and self._stream is None:
            self.accept_ranges = "bytes"
            if request.method == "GET":  # SPEC: RFC 9110 section 14.2: Range is for GET alone
                self._take_range(request, complete_length or len(self._body))
        return self

    def _take_range(self, request: Connection, length: int) -> None:
        asked = request.range
        if asked is None or asked.units != "bytes" or len(asked.ranges) != 1:
            return
        if not request.if_range.allows_range(self.headers.get("ETag"), self.last_modified):
            return
        start, stop = resolve(asked, length)[0]
        self.headers.set("Content-Range", f"bytes {start}-{stop - 1}/{length}")
        self._body = self._body[start:stop]
        self.status_code = 206

    # --- sending ----------------------------------------------------------------------------------

    async def send(self, exchange: Exchange) -> None:
        """Send start and body as ASGI messages, then run what waits for the close.

        Raises:
            ClientDisconnected: The client left.
            Exception: What a streamed body raised; when ``exchange.started`` the connection must
                break, else it can be answered.
        """
        code = self._code
        stream = unclosed = self._stream
        body = self._body
        if self._headers is None and stream is None and code not in _BODILESS:
            headers = [self._type_pair, (b"content-length", b"%d" % len(body))]
        else:
            headers = self._framed(exchange)
        if code in _BODILESS or exchange.scope["method"] == "HEAD":
            stream, body = None, b""
        start = {"type": "http.response.start", "status": code, "headers": headers}
        try:
            if stream is None:
                exchange.started = True
                await exchange.send(start)
                await exchange.send({"type": "http.response.body", "body": body})
            else:
                unclosed = None
                await send_chunks(start, stream, exchange, self._declared_length())
        except OSError as error:
            # SPEC: ASGI 2.4: send() raises OSError once the client is gone. That of a stream is its
            # own: send_chunks() has told the two apart.
            if stream is not None and unclosed is None:
                raise
            raise ClientDisconnected("The client left before the response was sent.") from error
        finally:
            if unclosed is not None or self._on_close is not None:
                await self._close(exchange, unclosed)

    async def give_up(self, exchange: Exchange) -> None:
        """Close without sending: the stream, then what waits for the close."""
        await self._close(exchange, self._stream)

    async def _close(self, exchange: Exchange, stream: Chunks | None) -> None:
        with anyio.move_on_after(CLOSE_SECONDS, shield=True):
            if stream is not None:
                await close_all([stream], exchange.run_sync)
            for function in self._on_close or ():
                if inspect.iscoroutinefunction(function):
                    await isolated(function)
                else:
                    await isolated(exchange.run_sync, function)

    def _framed(self, exchange: Exchange) -> RawHeaders:
        """Return the header pairs, with the framing that belongs to this body and no other."""
        dropped = _BODILESS.get(self._code)
        pairs = [pair for pair in self.headers.raw() if pair[0] not in (dropped or _FRAMING)]
        if dropped is not None:
            self._warn_of_lost_body()
            return [*pairs, (b"content-length", b"0")] if self._code == 205 else pairs
        length = len(self._body) if self._stream is None else None
        if length is None or (not length and exchange.scope["method"] == "HEAD"):
            length = self._declared_length() or length
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

    def _declared_length(self) -> int | None:
        text = self.headers.get("content-length", "")
        return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else None

    def __repr__(self) -> str:
        body = "streamed" if self._stream is not None else f"{len(self._body)} bytes"
        return f"<{type(self).__name__} {body} [{self.status}]>"


async def _at_once(function: Callable[[], Any], /) -> Any:
    return function()


HTTPException.response_class = Response

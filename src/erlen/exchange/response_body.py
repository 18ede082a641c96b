"""Floor 3: the body of a response, bytes or a stream: set, read, replaced and closed."""

import inspect
import json
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable, Mapping
from functools import partial
from types import AsyncGeneratorType
from typing import Any, Literal, overload

import anyio

from erlen.exchange import closing
from erlen.exchange.chunks import Chunk, Chunks, encode_chunk
from erlen.exchange.closing import close_all, isolated
from erlen.exchange.response_fields import ResponseFields
from erlen.exchange.sources import Source, SourceStream, is_source
from erlen.wire.headers import Headers

# PERF: tuples, because ``str | bytes`` in a call would be built anew each time, 0.15 µs a bar.
_CHUNK = (str, bytes, bytearray, memoryview)
_SEQUENCE = (list, tuple)


async def at_once(function: Callable[..., Any], /, *args: Any) -> Any:
    """Call a ``def`` where it is: in the place of a worker thread, outside of an exchange."""
    return function(*args)


class ResponseBody(ResponseFields):
    """What a response sends after its header section, and what is to be closed with it."""

    # PERF: what most responses never set stands here and not in each of them, 0.1 µs.
    _body: bytes = b""
    _stream: Chunks | None = None
    _on_close: list[Callable[[], Any]] | None = None
    _headers: Headers | None = None

    def _set_body(self, value: Any) -> None:
        if self._stream is not None:
            self._drop_stream()
        self._body = b""
        if type(value) is AsyncGeneratorType:  # PERF: 1.5 µs sooner than by asking what it can do
            self._stream = value
        elif isinstance(value, _CHUNK):
            self._body = encode_chunk(value)
        elif isinstance(value, _SEQUENCE):
            self._body = b"".join(map(encode_chunk, value))
        elif is_source(value):
            self._stream = SourceStream(value)
        elif isinstance(value, AsyncIterable | Iterable) and not isinstance(value, Mapping):
            self._stream = value
        else:
            raise TypeError(
                f"A response body cannot be made of {value!r} of type {type(value).__name__}. "
                "Give str, bytes, or an iterable of them; for JSON call jsonify()."
            )

    def _drop_stream(self) -> None:
        """Do not send the stream, but close it when the response is closed."""
        stream, self._stream = self._stream, None
        if isinstance(stream, AsyncIterable):
            self.call_on_close(partial(close_all, [stream], at_once))
        elif (close := getattr(stream, "close", None)) is not None:
            self.call_on_close(close)

    # --- reading ----------------------------------------------------------------------------------

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
    def response(self, value: Chunk | Chunks | Source) -> None:
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

    async def iter_encoded(self) -> AsyncIterator[bytes]:
        """Give the body as bytes, a stream chunk by chunk; this consumes it and does not close."""
        if isinstance(self._stream, AsyncIterable):
            async for chunk in self._stream:
                yield encode_chunk(chunk)
        else:
            for chunk in self.response:  # type: ignore[union-attr]  # of the two kinds the other
                yield encode_chunk(chunk)

    async def freeze(self) -> None:
        """Collect a streamed body, so that it is known and has a length; then close its source."""
        stream = self._stream
        if stream is None:
            return
        try:
            body = b"".join([chunk async for chunk in self.iter_encoded()])
        finally:
            await close_all([stream], at_once)
        self._stream = None
        self._body = body

    # --- length -----------------------------------------------------------------------------------

    @property
    def content_length(self) -> int | None:
        """Bytes of the body; for an iterable what was declared, ``None`` when nothing was."""
        if self._stream is None:
            return len(self._body)
        if isinstance(self._stream, SourceStream):
            return self._stream.length
        return self._declared_length()

    @content_length.setter
    def content_length(self, value: int | None) -> None:
        self._set_or_remove("Content-Length", None if value is None else str(value))

    def _declared_length(self) -> int | None:
        if self._headers is None:
            return None
        text = self.headers.get("content-length", "")
        return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else None

    # --- closing ----------------------------------------------------------------------------------

    def call_on_close(self, function: Callable[[], Any]) -> Callable[[], Any]:
        """Call *function* once the response is sent or given up; may be used as a decorator.

        It may be ``async def``; a ``def`` runs in the exchange's worker thread. What it raises is
        logged, and the next ones run.
        """
        if self._on_close is None:
            self._on_close = []
        self._on_close.append(function)
        return function

    async def close(self, run_sync: Callable[..., Awaitable[Any]] = at_once) -> None:
        """Close a response that is not sent: its stream, then what waits for the close.

        One that is sent closes itself.

        Args:
            run_sync: Calls what is ``def``, with its arguments.
        """
        await self._close(self._stream, run_sync)

    async def _close(self, stream: Chunks | None, run_sync: Callable[..., Awaitable[Any]]) -> None:
        with anyio.move_on_after(closing.CLOSE_SECONDS, shield=True):
            if stream is not None:
                await close_all([stream], run_sync)
            interruption: BaseException | None = None
            for function in self._on_close or ():
                try:
                    if inspect.iscoroutinefunction(function):
                        await isolated(function)
                    else:
                        await isolated(run_sync, function)
                except anyio.get_cancelled_exc_class() as error:
                    interruption = error  # the next ones must run, too
            if interruption is not None:
                raise interruption

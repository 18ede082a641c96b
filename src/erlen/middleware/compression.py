"""Floor 8: responses that are text travel compressed, streams chunk by chunk (RFC 9110 8.4)."""

import functools
import importlib
import zlib
from collections.abc import Callable, Iterable
from typing import Any, Final, Protocol

from erlen.exceptions import SetupError
from erlen.exchange.file_work import in_thread
from erlen.middleware.responding import add_vary
from erlen.protocols import ASGIApp, Message, RawHeaders, Receive, Scope, Send
from erlen.wire.accept import parse_accept_header
from erlen.wire.origins import field_values

#: Bytes of one chunk above which it is compressed in a thread: 256 KiB take 4 to 10 ms.
THREAD_THRESHOLD: Final = 256 * 1024

_TYPES: Final = (
    b"text/", b"application/json", b"application/javascript", b"application/xml",
    b"application/xhtml+xml", b"application/manifest+json", b"application/problem+json",
    b"application/ld+json", b"application/rss+xml", b"application/atom+xml",
    b"application/wasm", b"image/svg+xml", b"font/ttf", b"font/otf",
)  # fmt: skip
_BODILESS: Final = frozenset({204, 205, 206, 304})


class Encoder(Protocol):
    """Compresses one body."""

    def add(self, data: bytes) -> bytes:
        """Return what can be sent of everything so far: a whole chunk stands for itself."""
        ...

    def end(self) -> bytes:
        """Return what completes the body."""
        ...


class _Gzip:
    def __init__(self, level: int) -> None:
        self._encoder = zlib.compressobj(level, zlib.DEFLATED, 31)

    def add(self, data: bytes) -> bytes:
        return self._encoder.compress(data) + self._encoder.flush(zlib.Z_SYNC_FLUSH)

    def end(self) -> bytes:
        return self._encoder.flush()


class _Brotli:
    def __init__(self, library: Any, level: int) -> None:
        self._encoder = library.Compressor(quality=level)

    def add(self, data: bytes) -> bytes:
        compressed: bytes = self._encoder.process(data) + self._encoder.flush()
        return compressed

    def end(self) -> bytes:
        last: bytes = self._encoder.finish()
        return last


class _Zstd:
    def __init__(self, library: Any, level: int) -> None:
        self._encoder = library.ZstdCompressor(level=level).compressobj()
        self._flush = library.COMPRESSOBJ_FLUSH_BLOCK

    def add(self, data: bytes) -> bytes:
        compressed: bytes = self._encoder.compress(data) + self._encoder.flush(self._flush)
        return compressed

    def end(self) -> bytes:
        last: bytes = self._encoder.flush()
        return last


def _encoders() -> dict[str, Callable[[], Encoder]]:
    """Return what makes an encoder of each coding that is installed, the best first."""
    found: dict[str, Callable[[], Encoder]] = {}
    for coding, module, make, level in (
        ("zstd", "zstandard", _Zstd, 3),
        ("br", "brotli", _Brotli, 4),
    ):
        try:
            library = importlib.import_module(module)
        except ImportError:
            continue
        found[coding] = functools.partial(make, library, level)
    return {**found, "gzip": functools.partial(_Gzip, 6)}


class Compression:
    """Compresses what is text and not small, by the best coding that the client takes.

    Left as they are: what has a Content-Encoding already, ranges, answers without a body,
    ``no-transform``, server-sent events, files that the server sends by itself.

    SAFETY: where a page shows a secret and repeats what the request says, its compressed length
    tells of the secret (BREACH). Send such a page with ``Cache-Control: no-transform``.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        codings: Iterable[str] = ("zstd", "br", "gzip"),
        minimum: int = 1024,
    ) -> None:
        """Wrap *app*.

        Args:
            app: The ASGI application.
            codings: ``zstd`` (needs zstandard), ``br`` (needs brotli) and ``gzip``, in the order in
                which they are preferred; those that are not installed are left out.
            minimum: Bytes below which a body that is known is sent as it is.

        Raises:
            SetupError: A coding is unknown.
        """
        self._app = app
        self._minimum = minimum
        wanted = tuple(codings)
        if unknown := set(wanted) - {"zstd", "br", "gzip"}:
            raise SetupError(
                f"Compression() does not know {', '.join(sorted(unknown))}. "
                "Give some of 'zstd', 'br' and 'gzip'."
            )
        installed = _encoders()
        self._encoders = {name: installed[name] for name in wanted if name in installed}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        accepted = parse_accept_header(",".join(field_values(scope["headers"], b"accept-encoding")))
        codings = [name for name in self._encoders if accepted.quality(name) > 0]
        coding = max(codings, key=accepted.quality, default=None)
        response = _Response(send, self._minimum, coding, self._encoders.get(coding or ""))
        if scope["method"] == "HEAD":
            response.make = None
        await self._app(scope, receive, response.send)


class _Response:
    """One response on its way; its start waits for the first piece of its body.

    Attributes:
        make: Makes the encoder; ``None`` when the client takes none.
    """

    def __init__(
        self,
        send: Send,
        minimum: int,
        coding: str | None,
        make: Callable[[], Encoder] | None,
    ) -> None:
        self._send = send
        self._minimum = minimum
        self._coding = coding
        self.make = make
        self._start: Message | None = None
        self._encoder: Encoder | None = None

    async def send(self, message: Message) -> None:
        """Take a message of the application's."""
        kind = message["type"]
        if kind == "http.response.start" and _may_be_compressed(message):
            headers = add_vary(list(message["headers"]), b"accept-encoding")
            self._start = {**message, "headers": headers}
        elif kind == "http.response.body" and (self._start or self._encoder):
            await self._add(message)
        else:
            if self._start is not None:
                start, self._start = self._start, None
                await self._send(start)
            await self._send(message)

    async def _add(self, message: Message) -> None:
        body: bytes = message.get("body", b"")
        more: bool = message.get("more_body", False)
        if self._start is not None:
            start, self._start = self._start, None
            if self.make is not None and (more or len(body) >= self._minimum):
                self._encoder = self.make()
                start["headers"] = self._encoded(start["headers"])
            await self._send(start)
        if self._encoder is None:
            await self._send(message)
            return
        data = await self._encode(body, more=more)
        if data or not more:
            await self._send({**message, "body": data})

    async def _encode(self, body: bytes, *, more: bool) -> bytes:
        assert self._encoder is not None
        data = b""
        if len(body) > THREAD_THRESHOLD:
            data = await in_thread(self._encoder.add, body)
        elif body:
            data = self._encoder.add(body)
        return data if more else data + self._encoder.end()

    def _encoded(self, headers: RawHeaders) -> RawHeaders:
        assert self._coding is not None
        changed: RawHeaders = [(b"content-encoding", self._coding.encode())]
        for name, value in headers:
            if name == b"etag" and not value.startswith(b"W/"):
                # SPEC: RFC 9110 section 8.8.1: other bytes have another strong validator.
                changed.append((name, b"W/" + value))
            elif name not in {b"content-length", b"accept-ranges"}:
                changed.append((name, value))
        return changed


def _may_be_compressed(start: Message) -> bool:
    fields = dict(start.get("headers") or ())
    kind = fields.get(b"content-type", b"").lower()
    return (
        start["status"] not in _BODILESS
        and kind.startswith(_TYPES)
        and not kind.startswith(b"text/event-stream")
        and b"content-encoding" not in fields
        and b"content-range" not in fields
        and b"no-transform" not in fields.get(b"cache-control", b"").lower()
    )

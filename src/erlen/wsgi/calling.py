"""Floor 8: one call of a WSGI application, from ``start_response`` to ``close()`` (PEP 3333)."""

import re
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any, Final, TypeAlias

from erlen.protocols import Message, RawHeaders

ExcInfo: TypeAlias = tuple[type[BaseException], BaseException, TracebackType | None]

_STATUS: Final = re.compile(r"([2-5][0-9]{2})(?: [\x20-\x7e\x80-\xff]*)?")
_TOKEN: Final = re.compile(r"[A-Za-z0-9!#$%&'*+\-.^_`|~]+")
_UNSOUND: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
#: SPEC: PEP 3333: "applications and middleware are forbidden from using" these.
HOP_BY_HOP: Final = {
    b"connection", b"keep-alive", b"proxy-authenticate", b"proxy-authorization", b"te",
    b"trailers", b"transfer-encoding", b"upgrade",
}  # fmt: skip
_BODILESS: Final = {204, 304}


class Responding:
    """What an application responds with; a subclass sends the messages.

    Attributes:
        started: Whether status and headers were sent.
        rest: Messages that are left to send when the application has done its part. PERF: 60 us
            less for a body of one piece, which so needs no way to the task and back.
    """

    def __init__(self, *, is_head: bool) -> None:
        """Nothing is said yet; the response to HEAD has no body."""
        self.started = False
        self.rest: list[Message] = []
        self._is_bodiless = is_head
        self._start: Message | None = None

    def emit(self, *messages: Message) -> None:
        """Send ASGI messages; blocks until the server has taken them."""
        raise NotImplementedError

    def start_response(
        self, status: str, headers: list[tuple[str, str]], exc_info: ExcInfo | None = None
    ) -> Callable[[bytes], None]:
        """Take status and headers; the application calls this, once but for errors.

        Raises:
            AssertionError: It was called before, without *exc_info*.
            TypeError, ValueError: Status or headers are not what they must be; the application's
                fault.
        """
        if exc_info is not None:
            try:
                if self.started:
                    raise exc_info[1].with_traceback(exc_info[2])
            finally:
                exc_info = None  # a traceback that names itself would live until it is collected
        elif self._start is not None:
            raise AssertionError(
                "start_response() was called a second time without exc_info. Call it once; after "
                "an error pass sys.exc_info() as well."
            )
        self._start = {
            "type": "http.response.start",
            "status": _code_of(status),
            "headers": [_checked(*pair) for pair in headers],
        }
        return self.write

    def write(self, data: bytes) -> None:
        """Send a piece of the body; the application calls this, before it returns an iterable."""
        self._check_started(data)
        self._send(data, more=True)

    def respond(self, chunks: Iterable[bytes]) -> None:
        """Send what the application returned, to its end; of a list of one piece all is left."""
        if isinstance(chunks, list | tuple) and len(chunks) == 1:
            self._check_started(chunks[0])
            self._declare(len(chunks[0]))
            self.rest = self._messages(chunks[0], more=False)
            return
        for chunk in chunks:
            self._check_started(chunk)
            if chunk:
                self._send(chunk, more=True)
            if self._is_bodiless:
                break
        self._check_started(b"")
        self._send(b"", more=False)

    def fail(self, code: int = 500, phrase: str = "Internal Server Error") -> None:
        """Answer in the place of an application that failed before its first byte."""
        self._start = None
        self.start_response(f"{code} {phrase}", [("Content-Type", "text/plain")])
        self.respond([f"{phrase}\n".encode()])

    def _send(self, data: bytes, *, more: bool) -> None:
        if messages := self._messages(data, more=more):
            self.emit(*messages)

    def _messages(self, data: bytes, *, more: bool) -> list[Message]:
        """Return the messages of a piece of the body, the start before the first one."""
        messages: list[Message] = []
        if not self.started:
            assert self._start is not None
            self.started = True
            self._is_bodiless = self._is_bodiless or self._start["status"] in _BODILESS
            messages.append(self._start)
        data = b"" if self._is_bodiless else data
        if data or not more:
            messages.append({"type": "http.response.body", "body": data, "more_body": more})
        return messages

    def _declare(self, length: int) -> None:
        """Add Content-Length, which a server may where the body is known (PEP 3333)."""
        assert self._start is not None
        if not self.started and self._start["status"] not in _BODILESS:
            headers: RawHeaders = self._start["headers"]
            if all(name != b"content-length" for name, _ in headers):
                headers.append((b"content-length", b"%d" % length))

    def _check_started(self, data: object) -> None:
        if not isinstance(data, bytes):
            raise TypeError(
                f"The WSGI application gave {data!r} of type {type(data).__name__} as a piece of "
                "its body. Give bytes."
            )
        if self._start is None:
            raise AssertionError(
                "The WSGI application gave a body without calling start_response(). "
                "Call it before the first piece."
            )


def call(application: Callable[..., Any], environ: dict[str, Any], response: Responding) -> None:
    """Call *application* and send what it responds; its iterable is closed whatever happens.

    Raises:
        Exception: What the application or its iterable raised, or what sending raised.
    """
    chunks = application(environ, response.start_response)
    try:
        response.respond(chunks)
    finally:
        close = getattr(chunks, "close", None)
        if close is not None:
            close()


def _code_of(status: object) -> int:
    if not isinstance(status, str):
        raise TypeError(
            f"start_response() was given the status {status!r} of type {type(status).__name__}. "
            "Give a str such as '200 OK'."
        )
    found = _STATUS.fullmatch(status)
    if found is None:
        raise ValueError(
            f"start_response() was given the status {status!r}. Give three digits from 200 to 599, "
            "and a phrase after a space."
        )
    return int(found[1])


def _checked(name: object, value: object) -> tuple[bytes, bytes]:
    if not (isinstance(name, str) and isinstance(value, str)):
        raise TypeError(
            f"start_response() was given the header {name!r}: {value!r}. Give both as str."
        )
    if _TOKEN.fullmatch(name) is None or _UNSOUND.search(value):
        # SAFETY: a line break in a value would begin another field, or another response.
        raise ValueError(
            f"start_response() was given the header {name!r}: {value!r}, which HTTP does not "
            "allow. Leave control characters out."
        )
    field = name.lower().encode()
    if field in HOP_BY_HOP:
        raise ValueError(
            f"start_response() was given {name!r}, which belongs to the connection. "
            "Leave it to the server."
        )
    return field, value.strip().encode("latin-1")

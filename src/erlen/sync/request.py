"""Floor 8: ``request`` for ``def`` views: what is awaited elsewhere is waited for here."""

import io
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator, Mapping
from typing import Any, Generic, Literal, TypeVar, TypeVarTuple, cast, overload
from weakref import WeakKeyDictionary

from erlen import proxies
from erlen.exchange.body import Body
from erlen.exchange.children import ChildTask
from erlen.exchange.connection import Connection
from erlen.exchange.pending import Pending
from erlen.exchange.request import Request
from erlen.proxies import Proxy
from erlen.sync.bridge import Each, check_caller, settle, wait_for
from erlen.sync.uploads import BlockingFiles, BlockingPart, BlockingUploadFile
from erlen.wire.multidict import CombinedMultiDict, ImmutableMultiDict

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

#: Bytes that the buffer of ``request.stream`` holds.
BUFFER = 64 * 1024


class _Waiting:
    """The names of :class:`Request` that are awaited, blocking; they raise what those raise."""

    __slots__ = ()

    @property
    def form(self) -> ImmutableMultiDict[str, str]:
        """The text fields of the form; none when the body is no form."""
        return _wait(_request.form, "request.form")

    @property
    def files(self) -> ImmutableMultiDict[str, BlockingUploadFile]:
        """The uploaded files."""
        files = _wait(_request.files, "request.files")
        kept = _kept()
        if kept.files is None:
            kept.files = BlockingFiles(files)
        return kept.files

    @property
    def values(self) -> CombinedMultiDict[str, str]:
        """The query's pairs, then the form's; in a GET the query's only."""
        return _wait(_request.values, "request.values")

    @property
    def data(self) -> bytes:
        """The body; nothing when it is a form."""
        return _wait(_request.data, "request.data")

    @property
    def json(self) -> Any:
        """The body as the value of its JSON text."""
        return _wait(_request.json, "request.json")

    def get_json(self, force: bool = False, silent: bool = False, cache: bool = True) -> Any:
        """Return the body as the value of its JSON text.

        Args:
            force: Do not look at the Content-Type.
            silent: Return ``None`` instead of raising for a wrong type or malformed text.
            cache: Keep the value, so that a second call gives the same object.

        Raises:
            UnsupportedMediaType: The Content-Type is not JSON (415).
            BadRequest: The text is not JSON (400).
        """
        return wait_for("request.get_json()", _request.get_json, force, silent, cache)

    @overload
    def get_data(
        self, cache: bool = ..., as_text: Literal[False] = ..., parse_form_data: bool = ...
    ) -> bytes: ...

    @overload
    def get_data(
        self, cache: bool = ..., *, as_text: Literal[True], parse_form_data: bool = ...
    ) -> str: ...

    def get_data(
        self, cache: bool = True, as_text: bool = False, parse_form_data: bool = False
    ) -> bytes | str:
        """Return the whole body.

        Args:
            cache: Keep it, so that it can be had again.
            as_text: Decode as UTF-8, undecodable bytes replaced, and return ``str``.
            parse_form_data: Read a form as :attr:`form` and :attr:`files`, and return nothing.

        Raises:
            RequestEntityTooLarge: Over ``max_content_length``.
            RequestTimeout: The client stopped sending.
            ClientDisconnected: The client left.
            RuntimeError: The body was read in another way, a form for example, and is gone.
        """
        read = cast(Callable[..., Coroutine[Any, Any, bytes | str]], _request.get_data)
        return wait_for("request.get_data()", read, cache, as_text, parse_form_data)

    @property
    def stream(self) -> io.BufferedReader:
        """The body as a binary file, pulled from the client while it is read; nothing is kept.

        The same object each time. Errors as of :meth:`get_data`.
        """
        kept = _kept()
        if kept.stream is None:
            kept.stream = io.BufferedReader(_RawBody(_request.body), BUFFER)
        return kept.stream

    def multipart(self) -> Iterator[BlockingPart]:
        """Give each part of a multipart body as it arrives: ``for part in …``; nothing is kept.

        Raises:
            UnsupportedMediaType: The Content-Type is not multipart/form-data (415).
            BadRequest: It has no usable boundary.
        """
        return map(BlockingPart, Each("request.multipart()", _request.multipart()))

    @overload
    def start_soon(
        self, function: Callable[[*Ts], Awaitable[T]], *args: *Ts
    ) -> "BlockingChildTask[T]": ...

    @overload
    def start_soon(self, function: Callable[[*Ts], T], *args: *Ts) -> "BlockingChildTask[T]": ...

    def start_soon(self, function: Callable[[*Ts], Any], *args: *Ts) -> "BlockingChildTask[Any]":
        """Start *function* beside the view, as a part of this request.

        As ``Request.start_soon``. Where the handle is not kept, an error does not wait for the end
        of the view to cancel the other children; a ``def`` view itself goes on to its end.

        Args:
            function: A coroutine function; or a ``def``, which gets a thread of its own.
            args: Its arguments.
        """
        check_caller("request.start_soon()")
        return BlockingChildTask(_request.start_soon(function, *args))

    @property
    def is_disconnected(self) -> bool:
        """Whether the client has left; the first question starts to listen."""
        return wait_for("request.is_disconnected", _ask)

    def wait_disconnected(self) -> None:
        """Return when the client has left."""
        wait_for("request.wait_disconnected()", _request.wait_disconnected)

    def send_early_hints(self, link: str, /, *additional_links: str) -> None:
        """Tell the client what the response will need; see ``Request.send_early_hints``."""
        wait_for("request.send_early_hints()", _request.send_early_hints, link, *additional_links)

    def send_push_promise(
        self, path: str, headers: Mapping[str, str] | Iterable[tuple[str, str]] | None = None
    ) -> None:
        """Promise the client the response to GET *path*; see ``Request.send_push_promise``."""
        wait_for("request.send_push_promise()", _request.send_push_promise, path, headers)

    def close(self) -> None:
        """Close the uploaded files; the end of the exchange does it."""
        wait_for("request.close()", _request.close)


async def _ask() -> bool:
    return _request.is_disconnected


class BlockingChildTask(Generic[T]):
    """A function that ``request.start_soon`` has started."""

    __slots__ = ("_task",)

    def __init__(self, task: ChildTask[T]) -> None:
        """*task* is the handle that would be awaited."""
        self._task = task

    @property
    def is_done(self) -> bool:
        """Whether the function has ended."""
        return self._task.is_done

    def result(self) -> T:
        """Wait for what the function returns, or raise its error."""
        return wait_for("start_soon().result()", settle, self._task)

    def cancel(self) -> None:
        """Cancel the function where it waits; a ``def`` function ends by itself."""
        wait_for("start_soon().cancel()", _cancel, self._task)


async def _cancel(task: ChildTask[Any]) -> None:
    task.cancel()


class BlockingRequest(_Waiting, Connection):
    """What the type of :data:`request` has: the synchronous names of ``Request``, and these.

    Attributes:
        max_content_length: Bytes allowed in this request's body; assign before the first read.
        max_form_memory_size: Bytes allowed in all text fields; assign before the form is read.
        max_form_parts: Text fields and files allowed; assign before the form is read.
        max_form_files: Files allowed; assign before the form is read.
        must_close: Whether there is something to close at the end: uploaded files, a listener.
    """

    max_content_length: int | None
    max_form_memory_size: int | None
    max_form_parts: int | None
    max_form_files: int | None
    must_close: bool


class _RequestProxy(_Waiting, Proxy):
    """The request of the running exchange: the names above block, all others are the request's."""

    __slots__ = ()


class _Kept:
    """What must be the same object for the length of a request."""

    def __init__(self) -> None:
        self.files: BlockingFiles | None = None
        self.stream: io.BufferedReader | None = None


class _RawBody(io.RawIOBase):
    """The chunks of a body for a buffered reader."""

    def __init__(self, body: Body) -> None:
        super().__init__()
        self._body = body
        self._chunks: Each[bytes] | None = None
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill *buffer* as far as the chunk at hand reaches; 0 at the end."""
        if not self._rest:
            if self._chunks is None:
                self._chunks = Each("request.stream", self._body)
            self._rest = memoryview(next(self._chunks, b""))
        size = min(len(buffer), len(self._rest))
        buffer[:size] = self._rest[:size]
        self._rest = self._rest[size:]
        return size


def _wait(pending: Pending[T], name: str) -> T:
    return wait_for(name, settle, pending)


def _kept() -> _Kept:
    real: Request = cast(Any, _request)._get_current_object()
    return _all_kept.setdefault(real, _Kept())


_all_kept: WeakKeyDictionary[Request, _Kept] = WeakKeyDictionary()
_request = proxies.request

request = cast(BlockingRequest, _RequestProxy("request"))

"""Floor 3: one HTTP request: the connection's view plus its body: bytes, JSON, form and files."""

from collections.abc import Awaitable, Callable
from typing import Any, Literal, TypeVar, TypeVarTuple, overload

import anyio

from erlen.exceptions import (
    BadRequest,
    HTTPException,
    OutsideContextError,
    UnsupportedMediaType,
    WireError,
)
from erlen.exchange.ahead import Ahead
from erlen.exchange.body import Body
from erlen.exchange.children import ChildTask
from erlen.exchange.file_work import in_thread
from erlen.exchange.forms import NO_FILES, FormData, Forms
from erlen.exchange.lazy import lazy
from erlen.exchange.parts import Parts
from erlen.exchange.pending import Pending
from erlen.exchange.settings import Settings
from erlen.exchange.uploads import UploadFile
from erlen.protocols import Receive, Scope
from erlen.routing.rule import Rule
from erlen.spawning import Child, spawn
from erlen.wire.multidict import CombinedMultiDict, ImmutableMultiDict

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

#: Bytes of a JSON body above which it is parsed in a thread, so that the loop keeps turning.
JSON_THREAD_THRESHOLD = 256 * 1024
_LIMIT = (
    " The limit is MAX_CONTENT_LENGTH; a view may assign to request.max_content_length before it "
    "reads the body."
)


class Request(Ahead):
    """An HTTP request. What needs the network is awaited; everything else is a plain attribute."""

    _made_body: Body | None = None
    _json: dict[bool, Any] | None = None
    _values: CombinedMultiDict[str, str] | None = None
    _has_files = False
    _listener: Child | None = None

    def __init__(
        self,
        scope: Scope,
        receive: Receive,
        settings: Settings,
        path: str | None = None,
        url_rule: Rule | None = None,
        view_args: dict[str, Any] | None = None,
        routing_exception: HTTPException | None = None,
    ) -> None:
        """As :class:`~erlen.exchange.connection.Connection`, with the server's *receive*."""
        # PERF: what a connection has is set right here: 0.4 µs, and by super() 0.6.
        self.scope = scope
        self.settings = settings
        self.path = scope["path"] if path is None else path
        self.url_rule = url_rule
        self.view_args = view_args
        self.routing_exception = routing_exception
        self._receive = receive

    @lazy
    def body(self) -> Body:
        """The bytes, pulled: ``async for chunk in request.body`` or ``await request.body``."""
        settings = self.settings
        self._made_body = body = Body(
            self._receive,
            self.content_length,
            settings.max_content_length,
            settings.body_timeout,
            _LIMIT if settings.debug else "",
        )
        return body

    @property
    def max_content_length(self) -> int | None:
        """Bytes allowed in this request's body; assign before the first read to change it."""
        return self.body.max_length

    @max_content_length.setter
    def max_content_length(self, value: int | None) -> None:
        self.body.max_length = value

    # --- bytes ------------------------------------------------------------------------------------

    @overload
    async def get_data(
        self, cache: bool = ..., as_text: Literal[False] = ..., parse_form_data: bool = ...
    ) -> bytes: ...

    @overload
    async def get_data(
        self, cache: bool = ..., *, as_text: Literal[True], parse_form_data: bool = ...
    ) -> str: ...

    async def get_data(
        self, cache: bool = True, as_text: bool = False, parse_form_data: bool = False
    ) -> bytes | str:
        """Return the whole body.

        JSON and the form can be read afterwards, from what was kept. The reverse is not so: reading
        a form keeps no bytes.

        Args:
            cache: Keep it, so that it can be had again.
            as_text: Decode as UTF-8, undecodable bytes replaced, and return ``str``.
            parse_form_data: Read a form as :attr:`form` and :attr:`files`, and return nothing.

        Raises:
            RequestEntityTooLarge: Over :attr:`max_content_length`.
            RequestTimeout: The client stopped sending.
            ClientDisconnected: The client left.
            RuntimeError: The body was read in another way, a form for example, and is gone.
        """
        if parse_form_data and self._forms.is_form and not self.body.is_kept:
            await self._load_form()
            data = b""
        else:
            data = await self.body.read(cache=cache)
        return data.decode("utf-8", "replace") if as_text else data

    @property
    def data(self) -> Pending[bytes]:
        """``await request.data`` gives the body; nothing, as in Flask, when it is a form."""
        return Pending("request.data", self._get_data)

    async def _get_data(self) -> bytes:
        return await self.get_data(parse_form_data=True)

    # --- forms ------------------------------------------------------------------------------------

    @property
    def form(self) -> Pending[ImmutableMultiDict[str, str]]:
        """``await request.form`` gives the text fields; none when the body is no form.

        Raises:
            BadRequest: The body is not what its Content-Type says, or a text is not UTF-8.
            RequestEntityTooLarge: A limit is passed; the description says which.
            ServiceUnavailable: A large file could not be written to disk.
            RuntimeError: The body was read in another way, and is gone.
        """
        return Pending("request.form", self._get_form)

    @property
    def files(self) -> Pending[ImmutableMultiDict[str, UploadFile]]:
        """``await request.files`` gives the uploaded files. Errors as for :attr:`form`."""
        return Pending("request.files", self._get_files)

    @property
    def values(self) -> Pending[CombinedMultiDict[str, str]]:
        """``await request.values`` gives the query's pairs, then the form's; in a GET the query's.

        Errors as for :attr:`form`.
        """
        return Pending("request.values", self._get_values)

    def multipart(self) -> Parts:
        """Give each part of a multipart body as it arrives: ``async for part in …``.

        Nothing is kept, in memory or on disk, and the body is consumed. :attr:`max_form_parts` and
        :attr:`max_form_files` hold; :attr:`max_form_memory_size` holds for each ``part.read()``.

        Raises:
            UnsupportedMediaType: The Content-Type is not multipart/form-data (415).
            BadRequest: It has no usable boundary.
        """
        return self._forms.parts()

    async def _load_form(self) -> FormData:
        data = await self._forms.load()
        if data.files is not NO_FILES and data.files and not self._has_files:
            self._has_files = True
            self.must_close = self.must_close or self._forms.is_on_disk
        return data

    async def _get_form(self) -> ImmutableMultiDict[str, str]:
        return (await self._load_form()).fields

    async def _get_files(self) -> ImmutableMultiDict[str, UploadFile]:
        return (await self._load_form()).files

    async def _get_values(self) -> CombinedMultiDict[str, str]:
        if self._values is None:
            form = () if self.method == "GET" else (await self._get_form(),)
            self._values = CombinedMultiDict((self.args, *form))
        return self._values

    @lazy
    def _forms(self) -> Forms:
        return Forms(self.body, self.mimetype, self.mimetype_params, self.settings)

    @property
    def max_form_memory_size(self) -> int | None:
        """Bytes allowed in all text fields; assign before the form is read to change it."""
        return self._forms.max_memory

    @max_form_memory_size.setter
    def max_form_memory_size(self, value: int | None) -> None:
        self._forms.max_memory = value

    @property
    def max_form_parts(self) -> int | None:
        """Text fields and files allowed; assign before the form is read to change it."""
        return self._forms.max_parts

    @max_form_parts.setter
    def max_form_parts(self, value: int | None) -> None:
        self._forms.max_parts = value

    @property
    def max_form_files(self) -> int | None:
        """Files allowed; assign before the form is read to change it."""
        return self._forms.max_files

    @max_form_files.setter
    def max_form_files(self, value: int | None) -> None:
        self._forms.max_files = value

    # --- children ---------------------------------------------------------------------------------

    @overload
    def start_soon(self, function: Callable[[*Ts], Awaitable[T]], *args: *Ts) -> ChildTask[T]: ...

    @overload
    def start_soon(self, function: Callable[[*Ts], T], *args: *Ts) -> ChildTask[T]: ...

    def start_soon(self, function: Callable[[*Ts], Any], *args: *Ts) -> ChildTask[Any]:
        """Start *function* beside the view, as a part of this request.

        It has the whole context: the request, ``g``, the session, and a copy of the caller's
        context variables. It is joined after the view has returned, before the value becomes a
        response. It is cancelled, and its end awaited, before error handlers and teardown hooks run
        when the view raises, its ``timeout=`` strikes, or the client leaves where that ends the
        view. The scopes that the caller has opened do not limit it.

        In a streamed body it is joined before the end of the body is sent.

        Args:
            function: A coroutine function; or a ``def``, which gets a thread of its own, one of
                ``WORKER_THREADS``, and is waited for when it is cancelled.
            args: Its arguments; keywords by ``functools.partial``.

        Returns:
            A handle that can be awaited for what *function* returns. Its error is raised there. An
            error that nobody has awaited is raised at the join, like an error of the view; where no
            handle was kept, it cancels the other children at once, and with them a view that has a
            ``timeout=`` or ``cancel_on_disconnect=``.

        Raises:
            RuntimeError: The view has ended.
            OutsideContextError: Another exchange, a background task or nothing runs here.
            TypeError: *function* is no function, or a generator function.
            BaseException: What another child has raised, when nobody can await that.
        """
        context = self._running_context()
        if context.opened_exchange is not self:
            raise OutsideContextError(
                f"start_soon() was called on {self!r}, which is not the request that runs here. "
                "Call it in the view, or in what that calls; a background task starts others by "
                "app.add_background_task()."
            )
        child: ChildTask[Any] = context.start_child(function, *args)
        return child

    # --- the client -------------------------------------------------------------------------------

    @property
    def is_disconnected(self) -> bool:
        """Whether the client has left.

        The first question starts to listen; the event loop must have had a turn before another one
        can be answered by ``True``.
        """
        if self._listener is None and not self.body.is_gone:
            self._listener = spawn(self.body.wait_disconnected)
            self.must_close = True
        return self.body.is_gone

    async def wait_disconnected(self) -> None:
        """Return when the client has left; any number of tasks may wait, also while one reads."""
        await self.body.wait_disconnected()

    def shield(self) -> anyio.CancelScope:
        """Return what keeps the block of a ``with`` from being cancelled, whoever leaves or stops.

        Only asyncio's own ``task.cancel()`` goes through it.
        """
        return anyio.CancelScope(shield=True)

    async def close(self) -> None:
        """Close the uploaded files and stop listening; the end of the exchange does it."""
        try:
            if self._listener is not None:
                self._listener.cancel()
                with self.shield():
                    await self._listener.wait()
        finally:  # asyncio's own task.cancel() goes through the shield
            if self._has_files:
                await self._forms.close()

    def let_go(self) -> None:
        """Give up a large body and the files in memory; called when the exchange has ended."""
        if self._has_files:
            self._forms.let_go()
        if self._made_body is not None and self._made_body.forget_large():
            self._json = None

    # --- JSON -------------------------------------------------------------------------------------

    @property
    def json(self) -> Pending[Any]:
        """``await request.json`` is ``await request.get_json()``."""
        return Pending("request.json", self.get_json)

    async def get_json(self, force: bool = False, silent: bool = False, cache: bool = True) -> Any:
        """Return the body as the value of its JSON text.

        Args:
            force: Do not look at the Content-Type.
            silent: Return ``None`` instead of raising for a wrong type or malformed text.
            cache: Keep the value, so that a second call gives the same object.

        Raises:
            UnsupportedMediaType: The Content-Type is not JSON (415).
            BadRequest: The text is not JSON (400).
        """
        known = self._json
        if cache and known is not None and silent in known:
            return known[silent]
        if not (force or self._is_utf8_json()):
            return None if silent else self.on_json_loading_failed(None)
        data = await self.body.read(cache=cache)
        loads = self.settings.json.loads
        try:
            value = (
                loads(data) if len(data) <= JSON_THREAD_THRESHOLD else await in_thread(loads, data)
            )
        except (ValueError, RecursionError) as error:
            value = None if silent else self.on_json_loading_failed(error)
            answers = {silent: value}
        else:
            answers = {False: value, True: value}
        if cache:
            self._json = answers if known is None else known | answers
        return value

    def _is_utf8_json(self) -> bool:
        kind, parameters = self._content_type_parts
        if kind == "application/json" and not parameters:
            return True
        return self.is_json and parameters.get("charset", "utf-8").lower() in {"utf-8", "utf8"}

    def on_json_loading_failed(self, error: Exception | None) -> Any:
        """Answer a body that is not JSON; override to return a value in its place.

        Args:
            error: What is wrong with the text; ``None`` when the Content-Type is not JSON.

        Raises:
            UnsupportedMediaType: For ``None``.
            BadRequest: Else; in debug mode the description tells where the text went wrong.
        """
        if error is None:
            raise UnsupportedMediaType(
                "JSON is expected: send it with the Content-Type application/json."
            )
        detail = f" {error}" if self.settings.debug and isinstance(error, WireError) else ""
        raise BadRequest(f"The request body is not valid JSON.{detail}") from error

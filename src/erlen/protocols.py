"""Floor 0: the types by which lower floors name what lives above them."""

from collections.abc import Awaitable, Callable, Coroutine, MutableMapping
from typing import Any, Protocol, TypeAlias

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
ASGIApp: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

#: Raw header pairs as ASGI carries them: lower-cased latin-1 names, latin-1 values.
RawHeaders: TypeAlias = list[tuple[bytes, bytes]]


class JSONProvider(Protocol):
    """The seat ``app.json``: Python values to JSON text and back."""

    #: Media type of responses that carry this provider's output.
    mimetype: str

    def dumps(self, value: object, /, **options: Any) -> str:
        """Return *value* as JSON text; ``TypeError`` or ``ValueError`` when it has no JSON form."""
        ...

    def loads(self, text: str | bytes, /, **options: Any) -> Any:
        """Return the value of JSON *text*; ``ValueError`` when it is not JSON."""
        ...

    def encode(self, value: object, /) -> bytes:
        """Return *value* as the UTF-8 bytes of a response body."""
        ...


class Exchange(Protocol):
    """What a response needs of the exchange that it answers.

    Attributes:
        started: Whether status and headers were sent, so that nothing else can be.
    """

    started: bool

    @property
    def send_timeout(self) -> float | None:
        """Seconds that the client may read nothing, ``None`` for no limit."""
        ...

    @property
    def scope(self) -> Scope:
        """The ASGI scope."""
        ...

    @property
    def send(self) -> Send:
        """Send one ASGI message to the server."""
        ...

    def run_sync(self, function: Callable[..., Any], /, *args: Any) -> Coroutine[Any, Any, Any]:
        """Call *function* in the exchange's one worker thread and return what it returns."""
        ...

    async def wait_disconnected(self) -> None:
        """Return when the client has left."""
        ...

    async def join_children(self) -> None:
        """Wait for what the body has started beside itself; raise what that has raised."""
        ...


class Application(Protocol):
    """What lower floors use of the application."""

    @property
    def name(self) -> str:
        """Name of the application."""
        ...

    @property
    def config(self) -> Any:
        """The configuration, a mapping."""
        ...

    @property
    def response_class(self) -> Any:
        """The seat: class of the responses made of view values."""
        ...

    @property
    def json(self) -> Any:
        """The seat: the JSON provider."""
        ...

    @property
    def threads(self) -> Any:
        """Where ``def`` functions run."""
        ...

    @property
    def background_tasks(self) -> Any:
        """What runs in the background."""
        ...

    @property
    def shutting_down(self) -> Any:
        """The event that is set when the application is about to end."""
        ...

    def bind_url_map(self, exchange: Any) -> Any:
        """Return the URL builder for a request, a WebSocket, or ``None``."""
        ...

    def log_exception(self, error: BaseException) -> None:
        """Log an error that nothing handled, once, with its traceback."""
        ...

    def make_response(self, value: Any) -> Any:
        """Return the response that a view's return value stands for."""
        ...

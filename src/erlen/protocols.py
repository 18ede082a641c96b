"""Floor 0: the types by which lower floors name what lives above them."""

from collections.abc import Awaitable, Callable, MutableMapping
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

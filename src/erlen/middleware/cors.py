"""Floor 8: which pages of other origins may read what the application answers (WHATWG Fetch)."""

import re
from collections.abc import Iterable

from erlen.middleware.responding import Pair, add_vary, answer, editing
from erlen.protocols import ASGIApp, RawHeaders, Receive, Scope, Send
from erlen.wire.origins import field_values, is_origin, listed_origins

#: What the Fetch standard lets every page send without asking.
_SIMPLE_METHODS = ("GET", "HEAD", "POST")
_OWN = frozenset(
    b"access-control-allow-origin access-control-allow-credentials "
    b"access-control-expose-headers".split()
)


class CORS:
    """Lets pages of listed origins read responses, errors too, and answers their preflights.

    A page of any other origin gets the same answers, which its browser then keeps from it.
    WebSocket handshakes are none of its concern: they have ``WEBSOCKET_ORIGINS``.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        origins: Iterable[str] = (),
        origin_pattern: str | None = None,
        methods: Iterable[str] = _SIMPLE_METHODS,
        headers: Iterable[str] = (),
        credentials: bool = False,
        expose: Iterable[str] = (),
        max_age: int = 600,
    ) -> None:
        """Wrap *app*.

        Args:
            app: The ASGI application.
            origins: ``"https://shop.example"``; ``"*"`` for every page.
            origin_pattern: A regular expression that matches further origins from their first to
                their last letter.
            methods: What pages may use.
            headers: Fields that pages may send, beyond those that every page may; ``"*"`` for all.
            credentials: Whether cookies are sent along.
            expose: Fields of the response that scripts may read.
            max_age: Seconds for which browsers may remember the answer to a preflight.

        Raises:
            ValueError: No origin is allowed, an entry is no origin, or ``"*"`` is to come with
                credentials.
        """
        self._app = app
        listed = tuple(origins)
        self._any = "*" in listed
        self._origins = listed_origins(origin for origin in listed if origin != "*")
        self._pattern = re.compile(origin_pattern) if origin_pattern is not None else None
        if credentials and self._any:
            # SAFETY: every page in the world could read what belongs to whoever is logged in.
            raise ValueError(
                "CORS(origins=['*'], credentials=True) would give every page the visitor's own "
                "data. Name the origins whose pages may have it."
            )
        if not listed and self._pattern is None:
            raise ValueError("CORS() was given no origin. Give origins= or origin_pattern=.")
        for origin in self._origins:
            if not is_origin(origin) or origin == "null":
                raise ValueError(
                    f"{origin!r} is no origin. Write scheme and host: 'https://shop.example'."
                )
        names = tuple(headers)
        self._allows_all_headers = "*" in names
        self._credentials: list[Pair] = []
        if credentials:
            self._credentials = [(b"access-control-allow-credentials", b"true")]
        self._exposed = _field(b"access-control-expose-headers", expose)
        self._preflight = [
            *_field(b"access-control-allow-methods", methods),
            *_field(b"access-control-allow-headers", () if "*" in names else names),
            (b"access-control-max-age", b"%d" % max_age),
        ]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer it when it is a preflight."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        origins = field_values(scope["headers"], b"origin")
        origin = origins[0] if len(origins) == 1 else None
        is_asked = any(name == b"access-control-request-method" for name, _ in scope["headers"])
        if scope["method"] == "OPTIONS" and origin is not None and is_asked:
            await answer(scope, receive, send, 204, "", self._answer_to(scope, origin))
            return
        allowed = self._allowed(origin)
        if allowed:
            allowed += self._exposed

        def add(_status: int, headers: RawHeaders) -> RawHeaders:
            return self._varied([pair for pair in headers if pair[0] not in _OWN] + allowed)

        await self._app(scope, receive, editing(send, add))

    def _allowed(self, origin: str | None) -> list[Pair]:
        """Return the fields that let the page of *origin* read; none for one that may not."""
        if self._any:
            return [(b"access-control-allow-origin", b"*")]
        if origin is None or not (origin in self._origins or self._matches(origin)):
            return []
        return [(b"access-control-allow-origin", origin.encode("latin-1")), *self._credentials]

    def _matches(self, origin: str) -> bool:
        return (
            self._pattern is not None
            and origin != "null"
            and is_origin(origin)
            and self._pattern.fullmatch(origin) is not None
        )

    def _varied(self, headers: RawHeaders) -> RawHeaders:
        # SAFETY: else a cache would give one page the answer that another one may read.
        return headers if self._any else add_vary(headers, b"origin")

    def _answer_to(self, scope: Scope, origin: str) -> list[Pair]:
        fields = self._allowed(origin)
        if fields:
            fields += self._preflight
            if self._allows_all_headers:
                wanted = field_values(scope["headers"], b"access-control-request-headers")
                fields += _field(b"access-control-allow-headers", wanted)
        return self._varied(fields)


def _field(name: bytes, values: Iterable[str]) -> list[Pair]:
    """Return the field as a list of one, or none when it has no value."""
    text = ", ".join(values)
    return [(name, text.encode("latin-1"))] if text else []

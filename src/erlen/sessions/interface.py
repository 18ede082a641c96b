"""Floor 5: the seat ``app.session_interface``: what opens a session and saves it.

:class:`SessionInterface` is the base of sessions that are kept anywhere. It knows the cookie and
its attributes; where the content is kept its subclasses know.
"""

from collections.abc import Awaitable
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, ClassVar

from erlen.context import current_context
from erlen.exchange.connection import Connection
from erlen.exchange.response import Response
from erlen.protocols import Application
from erlen.sessions.session import NullSession, SessionMixin
from erlen.wire.cookies import dump_cookie, is_plain_value

_NO_LIFETIME: tuple[dict[str, Any], ...] = ({}, {"expires": None})


class SessionInterface:
    """Opens and saves sessions; the base of one's own.

    Only :meth:`open_session` and :meth:`save_session` must be written, as ``def``, which runs in a
    worker thread, or as ``async def``. The other methods say how the cookie is set.

    Attributes:
        null_session_class: Class of the session when :meth:`open_session` opens none.
        pickle_based: Whether what a session holds may be anything that pickles; for extensions.
        lazy: Whether :meth:`open_session` needs no I/O, so that it is called in the event loop when
            a view first uses ``session``. Otherwise each request opens its session at its start.
    """

    null_session_class: ClassVar[type[SessionMixin]] = NullSession
    pickle_based: ClassVar[bool] = False
    lazy: ClassVar[bool] = False

    def open_session(
        self, app: Application, request: Connection
    ) -> SessionMixin | Awaitable[SessionMixin | None] | None:
        """Return the session of a request or WebSocket, or ``None`` when there cannot be one."""
        raise NotImplementedError

    def save_session(
        self, app: Application, session: Any, response: Response
    ) -> Awaitable[None] | None:
        """Save the session and set its cookie; called once, before the response is sent.

        Args:
            app: The application.
            session: What :meth:`open_session` returned.
            response: The answer. For a WebSocket an empty one, whose cookies go with the accept.
        """
        raise NotImplementedError

    def make_null_session(self, app: Application) -> SessionMixin:  # noqa: ARG002  # for subclasses
        """Return the session in place of one that cannot be opened; it is never saved."""
        return self.null_session_class()

    def is_null_session(self, obj: object) -> bool:
        """Whether a session is of :meth:`make_null_session`."""
        # PERF: classes with an ABC among them make isinstance() take 0.4 µs; this takes 0.1.
        return self.null_session_class in obj.__class__.__mro__

    # --- the cookie -------------------------------------------------------------------------------

    def get_cookie_name(self, app: Application) -> str:
        """Return ``SESSION_COOKIE_NAME``.

        The prefixes ``__Host-`` and ``__Secure-`` make browsers ask for attributes (rfc6265bis
        section 4.1.3); the methods below return them whatever is configured.
        """
        name: str = app.config["SESSION_COOKIE_NAME"]
        return name

    def get_cookie_domain(self, app: Application) -> str | None:
        """Return ``SESSION_COOKIE_DOMAIN``; ``None`` for this host alone."""
        return None if self._is_host_bound(app) else app.config["SESSION_COOKIE_DOMAIN"] or None

    def get_cookie_path(self, app: Application) -> str:
        """Return ``SESSION_COOKIE_PATH``, or ``APPLICATION_ROOT`` when it is not set."""
        if self._is_host_bound(app):
            return "/"
        path: str = app.config["SESSION_COOKIE_PATH"] or app.config["APPLICATION_ROOT"]
        return path

    def get_cookie_httponly(self, app: Application) -> bool:
        """Return ``SESSION_COOKIE_HTTPONLY``: whether scripts of a page cannot read it."""
        return bool(app.config["SESSION_COOKIE_HTTPONLY"])

    def get_cookie_secure(self, app: Application) -> bool:
        """Return ``SESSION_COOKIE_SECURE``: whether it is sent over https alone.

        When it is ``None`` a cookie that is set over https stays there; outside of an exchange
        ``PREFERRED_URL_SCHEME`` decides.
        """
        if self.get_cookie_name(app).lower().startswith(("__host-", "__secure-")):
            return True
        secure = app.config["SESSION_COOKIE_SECURE"]
        if secure is not None:
            return bool(secure)
        context = current_context.get(None)
        if context is None or context.scope is None:
            return bool(app.config["PREFERRED_URL_SCHEME"] == "https")
        return context.exchange.is_secure

    def get_cookie_samesite(self, app: Application) -> str | None:
        """Return ``SESSION_COOKIE_SAMESITE``: ``"Lax"``, ``"Strict"``, ``"None"`` or ``None``."""
        samesite: str | None = app.config["SESSION_COOKIE_SAMESITE"]
        return samesite

    def get_cookie_partitioned(self, app: Application) -> bool:
        """Return ``SESSION_COOKIE_PARTITIONED``: whether each embedding site has one of its own."""
        return bool(app.config["SESSION_COOKIE_PARTITIONED"])

    def get_expiration_time(self, app: Application, session: SessionMixin) -> datetime | None:
        """Return when the browser forgets the cookie; ``None`` for when it is closed."""
        return datetime.now(UTC) + self.get_lifetime(app) if session.permanent else None

    def get_lifetime(self, app: Application) -> timedelta:
        """Return ``PERMANENT_SESSION_LIFETIME``, which may be given in seconds."""
        lifetime = app.config["PERMANENT_SESSION_LIFETIME"]
        return lifetime if isinstance(lifetime, timedelta) else timedelta(seconds=lifetime)

    def should_set_cookie(self, app: Application, session: SessionMixin) -> bool:
        """Whether the answer has the cookie: the session changed, or is renewed each time."""
        refreshed = session.permanent and app.config["SESSION_REFRESH_EACH_REQUEST"]
        return session.modified or bool(refreshed)

    def dump_session_cookie(self, app: Application, value: str, **lifetime: Any) -> str:
        """Return the ``Set-Cookie`` field by which the browser keeps *value*, of any size.

        Args:
            app: The application.
            value: What the cookie holds; ``""`` with ``max_age=0, expires=0`` removes it.
            lifetime: ``expires`` or ``max_age``, as of ``response.set_cookie``.

        Raises:
            ValueError: The configuration describes a cookie that browsers refuse.
        """
        name = self.get_cookie_name(app)
        attributes = (
            self.get_cookie_path(app),
            self.get_cookie_domain(app),
            self.get_cookie_secure(app),
            self.get_cookie_httponly(app),
            self.get_cookie_samesite(app),
            self.get_cookie_partitioned(app),
        )
        if lifetime in _NO_LIFETIME and is_plain_value(value):
            return f"{name}={value}{_dump_attributes(name, attributes)}"
        return _dump(name, value, attributes, **lifetime)

    def _is_host_bound(self, app: Application) -> bool:
        return self.get_cookie_name(app).lower().startswith("__host-")


def _dump(name: str, value: str, attributes: tuple[Any, ...], **lifetime: Any) -> str:
    path, domain, secure, httponly, samesite, partitioned = attributes
    return dump_cookie(
        name,
        value,
        path=path,
        domain=domain,
        secure=secure,
        httponly=httponly,
        samesite=samesite,
        partitioned=partitioned,
        max_size=0,
        **lifetime,
    )


@lru_cache(maxsize=64)
def _dump_attributes(name: str, attributes: tuple[Any, ...]) -> str:
    """Return what follows the value of a cookie that ends with the browser's session.

    PERF: remembered, as it is the same for each answer: 1.7 µs of the 4 µs of such a cookie.
    """
    return _dump(name, "", attributes).removeprefix(f"{name}=")

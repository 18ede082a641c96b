"""Floor 5: sessions in signed cookies: their user can read them, and cannot change them.

The cookie is checked when a view first uses ``session``, and not before.

Two requests of one user that overlap both start from the same cookie, and the answer that comes
last decides; a session that is kept on a server can do better. An answer that changed nothing sends
no cookie, so that a slow page does not undo what a fast one did.
"""

import hashlib
import logging
from collections.abc import Callable, Iterable
from functools import cached_property, lru_cache
from typing import Any, ClassVar

from erlen.exceptions import SessionTooLargeError
from erlen.exchange.connection import Connection
from erlen.exchange.response import Response
from erlen.protocols import Application
from erlen.sessions.interface import SessionInterface
from erlen.sessions.keys import signing_keys
from erlen.sessions.seal import RefusedToken, Seal, UnusableToken
from erlen.sessions.session import SecureCookieSession
from erlen.sessions.tagged import TaggedJSONSerializer

#: Cookies of the session's name that are tried. A browser sends several of one name when they were
#: set for different paths or domains. SAFETY: a sibling domain may set as many as it likes.
MAX_COOKIES = 4

#: Values in which nothing can change. PERF: a session of such alone that is only read costs 0.2 µs
#: to save, not the 3 µs of writing it to compare.
_UNCHANGING = frozenset({str, int, float, bool, type(None), bytes})

_VARY = ("Vary", "Cookie")
_PRIVATE = ("Cache-Control", "private")

_logger = logging.getLogger("erlen")


class SecureCookieSessionInterface(SessionInterface):
    """Keeps each session in a cookie, signed with ``SECRET_KEY``.

    Applications that share a key and the name of the cookie share their sessions. To share them
    with Flask, subclass with ``salt = "cookie-session"`` and
    ``digest_method = staticmethod(hashlib.sha1)``.

    Attributes:
        salt: Taken as it is; ``None`` for one that binds the signature to sessions and to the name
            of the cookie.
        digest_method: The hash of the HMAC.
        key_derivation: How itsdangerous makes a key of ``SECRET_KEY`` and the salt.
        session_class: Called with the content of a cookie, or with nothing.
    """

    salt: ClassVar[str | None] = None
    digest_method: ClassVar[Callable[..., Any]] = staticmethod(hashlib.sha256)
    key_derivation: ClassVar[str] = "hmac"
    session_class: ClassVar[type[SecureCookieSession]] = SecureCookieSession
    lazy = True

    @cached_property
    def serializer(self) -> Any:
        """What makes text of a session and reads it; :meth:`TaggedJSONSerializer.register` types.

        A subclass or an assignment may put another one here.
        """
        return TaggedJSONSerializer()

    def get_signing_serializer(self, app: Application) -> Seal | None:
        """Return what signs and verifies, made once for each set of keys; ``None`` without a key.

        ``get_signing_serializer(app).dumps({"user": 1})`` is the value of a cookie for tests.
        """
        keys = signing_keys(app.config)
        if not keys:
            return None
        name = self.get_cookie_name(app) if self.salt is None else ""
        return _seal(
            keys, self.salt, name, self.key_derivation, self.digest_method, self.serializer
        )

    # --- opening ----------------------------------------------------------------------------------

    def open_session(self, app: Application, request: Connection) -> SecureCookieSession | None:
        """Return the session of the first cookie that was signed here and is not too old.

        An empty one when there is none. ``None`` without ``SECRET_KEY``.
        """
        seal = self.get_signing_serializer(app)
        if seal is None:
            return None
        tokens = request.cookies.getlist(self.get_cookie_name(app))
        level, reason = logging.DEBUG, ""
        for token in tokens[:MAX_COOKIES]:
            if not token:
                continue
            try:
                return self._load(seal, token, self.get_lifetime(app).total_seconds())
            except RefusedToken as refused:
                reason = reason or str(refused)
            except UnusableToken as unusable:
                level, reason = logging.WARNING, str(unusable)
        if reason:
            _logger.log(level, "A session starts empty, as its cookie is not accepted: %s.", reason)
        session = self.session_class()
        session.new = True
        return session

    def _load(self, seal: Seal, token: str, max_age: float) -> SecureCookieSession:
        text, is_current = seal.unseal(token, max_age)
        try:
            content = self.serializer.loads(text)
        except (ValueError, TypeError, RecursionError) as error:
            raise UnusableToken(f"it is signed, and no session ({type(error).__name__})") from error
        if not isinstance(content, dict):
            raise UnusableToken(f"it is signed, and holds a {type(content).__name__}")
        session = self.session_class(content)
        session.loaded = text
        if not is_current:
            session.outdated = True
        return session

    # --- saving -----------------------------------------------------------------------------------

    def save_session(
        self, app: Application, session: SecureCookieSession, response: Response
    ) -> None:
        """Set the cookie when the session changed, also inside of a value; remove an empty one's.

        Raises:
            TypeError: A value that has no form in JSON; names its key.
            SessionTooLargeError: The cookie is over ``MAX_COOKIE_SIZE``; names the largest keys.
            ValueError: The configuration describes a cookie that browsers refuse.
        """
        cookie = None
        if not session:
            if session.modified:
                cookie = self.dump_session_cookie(app, "", max_age=0, expires=0)
        else:
            cookie = self._cookie_of(app, session)
        if cookie is None and not session.accessed:
            return
        headers = response.headers
        if "vary" in headers:
            response.vary.add("Cookie")
        else:  # PERF: the same in 0.2 µs, not 3
            headers.add_checked(_VARY)
        if cookie is not None:
            headers.add("Set-Cookie", cookie)
            # SAFETY: a shared cache must not hand one user's cookie to the next.
            if "cache-control" not in headers:
                headers.add_checked(_PRIVATE)

    def _cookie_of(self, app: Application, session: SecureCookieSession) -> str | None:
        """Return the field that sets the cookie, ``None`` when it need not be set."""
        wanted = session.loaded is None or session.outdated or self.should_set_cookie(app, session)
        if not wanted and _UNCHANGING.issuperset(map(type, session.values())):
            return None
        text = self._dumps(session)
        if not wanted and text == session.loaded:
            return None
        seal = self.get_signing_serializer(app)
        if seal is None:
            raise RuntimeError(
                "The session cannot be saved, because SECRET_KEY was removed since it was opened. "
                "Set it before the first request, and leave it set."
            )
        expires = self.get_expiration_time(app, session)
        cookie = self.dump_session_cookie(app, seal.seal(text), expires=expires)
        self._check_size(app, session, len(cookie))
        return cookie

    def _dumps(self, session: SecureCookieSession) -> str:
        try:
            text: str = self.serializer.dumps(dict(session))
        except (TypeError, ValueError) as error:
            raise self._unserialisable(session) from error
        return text

    def _unserialisable(self, session: SecureCookieSession) -> TypeError:
        """Return the error that names the first key that cannot be saved."""
        for key, value in session.items():
            try:
                self.serializer.dumps({key: value})
            except (TypeError, ValueError) as error:
                return TypeError(f"The session cannot be saved because of its key {key!r}. {error}")
        return TypeError("The session cannot be saved. Look at the error before this one.")

    def _check_size(self, app: Application, session: SecureCookieSession, size: int) -> None:
        limit: int = app.config["MAX_COOKIE_SIZE"]
        if not 0 < limit < size:
            return
        sizes = {key: len(self.serializer.dumps(value)) for key, value in session.items()}
        text = (
            f"The session takes {size} bytes as a cookie, over the limit of {limit}: browsers "
            f"would drop it without a word. Its largest keys are {_largest(sizes)}. Keep less in "
            "it, or set app.session_interface to one that keeps sessions on the server."
        )
        if app.config["SESSION_OVERSIZE"] != "warn":
            raise SessionTooLargeError(text)
        _logger.warning(text)


@lru_cache(maxsize=64)
def _seal(
    keys: tuple[str | bytes, ...],
    salt: str | None,
    cookie_name: str,
    key_derivation: str,
    digest_method: Callable[..., Any],
    serializer: Any,
) -> Seal:
    """Return what signs in this way. PERF: made once for each way, 8 µs."""
    from erlen.sessions.signing import SessionSerializer

    return SessionSerializer(
        keys,
        salt=_salt("session", cookie_name) if salt is None else salt,
        serializer=serializer,
        signer_kwargs={"key_derivation": key_derivation, "digest_method": digest_method},
    )


def _salt(*parts: str) -> str:
    """Return a salt that no other parts give.

    SAFETY: joined without their lengths, ("session", "a") and ("sessiona", "") would be one, and a
    token that was signed for one purpose would serve another.
    """
    return "erlen" + "".join(f":{len(part)}:{part}" for part in parts)


def _largest(sizes: dict[str, int]) -> str:
    """Name the three largest keys, each with its bytes."""
    largest: Iterable[str] = sorted(sizes, key=lambda key: -sizes[key])[:3]
    return ", ".join(f"{key!r} ({sizes[key]} bytes)" for key in largest)

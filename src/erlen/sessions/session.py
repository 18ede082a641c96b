"""Floor 5: the session that a view sees: a dict that notes changes, and can be closed."""

from collections.abc import Mapping, MutableMapping
from typing import Any, NoReturn

from erlen.exceptions import SessionClosedError


class SessionMixin(MutableMapping[str, Any]):
    """What every session has beyond a mapping; a server-side session may stand on it alone.

    Attributes:
        new: Whether nothing was loaded; of use only where a subclass sets it.
        modified: Whether it must be saved. A session that cannot tell leaves it ``True``.
        accessed: Whether the exchange looked at it; set when ``session`` is used, and read to tell
            caches that the answer depends on the cookie.
        regenerated: Whether :meth:`regenerate` was called; a store then changes the id.
        closed: Whether it was saved for good.
    """

    new: bool = False
    modified: bool = True
    accessed: bool = False
    regenerated: bool = False
    closed: bool = False

    @property
    def permanent(self) -> bool:
        """Whether it outlives the browser: the key ``_permanent``.

        Setting it to what it is already changes nothing.
        """
        return bool(self.get("_permanent", False))

    @permanent.setter
    def permanent(self, value: bool) -> None:
        if self.permanent != bool(value):
            self["_permanent"] = bool(value)

    def regenerate(self) -> None:
        """Keep the content under a new identity; call it whenever somebody logs in or out.

        SAFETY: who planted a session in a browser before the login must not share the one after it.
        A server-side store finds :attr:`regenerated` set and gives out a new id.

        Raises:
            SessionClosedError: It was saved already.
        """
        self.check_open()
        self.modified = True
        self.regenerated = True

    def close(self) -> None:
        """Refuse changes from now on; called once it is saved.

        What is changed inside of a value (``session["cart"].append(1)``) cannot be seen here, and
        is lost.
        """
        self.closed = True

    def check_open(self) -> None:
        """Raise :exc:`SessionClosedError` when it is closed."""
        if self.closed:
            raise SessionClosedError(
                "The session was changed after it had been saved, so the change would be lost. "
                "Change it before the response or the accept of the WebSocket is sent: in the view "
                "or a hook, not in a streamed body or a background task."
            )


class Session(dict[str, Any], SessionMixin):
    """A session that is a dict and notes which of its own methods change it."""

    modified = False

    def __init__(self, initial: Mapping[str, Any] | None = None) -> None:
        """*initial* is what was loaded; it does not count as a change."""
        super().__init__(initial or {})

    def _change(self, really: bool = True) -> None:
        """Note a change before it is made; not *really* one when it leaves all as it is."""
        if really:
            self.check_open()
            self.modified = True

    def __setitem__(self, key: str, value: Any) -> None:
        self._change()
        super().__setitem__(key, value)

    def __delitem__(self, key: str) -> None:
        self._change(key in self)
        super().__delitem__(key)

    def __ior__(self, other: Any) -> Any:  # type: ignore[misc]  # a dict's, in place
        self.update(other)
        return self

    def clear(self) -> None:
        """Remove everything; the cookie is deleted, even one that was not accepted."""
        self._change()
        super().clear()

    def pop(self, key: str, *default: Any) -> Any:
        """Remove a key and return its value; as a dict's."""
        self._change(key in self)
        return super().pop(key, *default)

    def popitem(self) -> tuple[str, Any]:
        """Remove the key set last and return it with its value; as a dict's."""
        self._change(bool(self))
        return super().popitem()

    def setdefault(self, key: str, default: Any = None) -> Any:
        """Return a value, setting it first when there is none; as a dict's."""
        self._change(key not in self)
        return super().setdefault(key, default)

    def update(self, *args: Any, **kwargs: Any) -> None:
        """Set several keys; as a dict's."""
        self._change()
        super().update(*args, **kwargs)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {super().__repr__()}>"


class SecureCookieSession(Session):
    """A session that is kept in a signed cookie.

    Changes inside of values are found when it is saved, by comparing; :attr:`modified` need not be
    set for them.

    Attributes:
        loaded: The text that was in the cookie; ``None`` when there was none, or none was accepted.
        outdated: Whether that cookie was signed with a key of ``SECRET_KEY_FALLBACKS``.
    """

    loaded: str | None = None
    outdated: bool = False

    def regenerate(self) -> None:
        """As :meth:`SessionMixin.regenerate`; the identity of a cookie is the key ``_nonce``."""
        super().regenerate()
        import secrets

        self["_nonce"] = secrets.token_urlsafe(12)


class NullSession(SecureCookieSession):
    """The session of an application that cannot have any: empty, and not to be changed."""

    def _change(self, really: bool = True) -> NoReturn:  # noqa: ARG002  # inherited
        raise RuntimeError(
            "The session cannot be changed, because the application has no SECRET_KEY with which "
            "its cookie would be signed (or its own session interface opened no session). Set "
            "app.secret_key to 32 random bytes that are kept out of the source, such as "
            "\"python -c 'import secrets; print(secrets.token_hex())'\" prints."
        )

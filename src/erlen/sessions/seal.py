"""Floor 5: what an interface needs of the signing, and why a cookie is refused.

The signing itself is loaded late, so its types stand here.
"""

from typing import Any, NamedTuple, Protocol


class Unsealed(NamedTuple):
    """What a cookie held."""

    text: str
    #: Whether it was signed with the key that signs now, not with a fallback.
    is_current: bool


class Seal(Protocol):
    """Signs texts and takes them back; ``erlen.sessions.signing.SessionSerializer`` is the one."""

    def seal(self, text: str) -> str:
        """Return *text* signed, of characters that a cookie may hold."""
        ...

    def unseal(self, token: str, max_age: float) -> Unsealed:
        """Return what :meth:`seal` was given at most *max_age* seconds ago.

        Raises:
            RefusedToken: It was not signed here for this purpose, or when it may not be.
            UnusableToken: It was signed here, and holds no text.
        """
        ...

    def dumps(self, obj: Any) -> str:
        """Serialise and seal: the value of a session cookie, for tests that forge one."""
        ...

    def loads(self, s: str) -> Any:
        """Return what is in the value of a session cookie, of any age."""
        ...


class RefusedToken(Exception):
    """A cookie that anybody could have made, or that is over; no reason to be loud."""


class UnusableToken(Exception):
    """A cookie that is truly signed and cannot be used; another program has the same key."""

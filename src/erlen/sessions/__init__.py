"""Floor 5: sessions: what a view keeps of its user from one request to the next."""

from typing import TYPE_CHECKING  # noqa: TID251  # see below

from erlen.exporting import exporting

if TYPE_CHECKING:  # PERF: each is loaded when it is asked for: 4 ms for all
    from erlen.sessions.interface import SessionInterface
    from erlen.sessions.keys import check_secret_key
    from erlen.sessions.secure_cookie import SecureCookieSessionInterface
    from erlen.sessions.session import NullSession, SecureCookieSession, Session, SessionMixin
    from erlen.sessions.tagged import JSONTag, TaggedJSONSerializer
else:
    __getattr__ = exporting(
        __name__,
        {
            "erlen.sessions.interface": "SessionInterface",
            "erlen.sessions.keys": "check_secret_key",
            "erlen.sessions.secure_cookie": "SecureCookieSessionInterface",
            "erlen.sessions.session": "NullSession SecureCookieSession Session SessionMixin",
            "erlen.sessions.tagged": "JSONTag TaggedJSONSerializer",
        },
    )

__all__ = [
    "JSONTag",
    "NullSession",
    "SecureCookieSession",
    "SecureCookieSessionInterface",
    "Session",
    "SessionInterface",
    "SessionMixin",
    "TaggedJSONSerializer",
    "check_secret_key",
]

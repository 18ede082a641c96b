"""Floor 5: sessions: what a view keeps of its user from one request to the next."""

from erlen.sessions.interface import SessionInterface
from erlen.sessions.keys import check_secret_key
from erlen.sessions.secure_cookie import SecureCookieSessionInterface
from erlen.sessions.session import NullSession, SecureCookieSession, Session, SessionMixin
from erlen.sessions.tagged import JSONTag, TaggedJSONSerializer

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

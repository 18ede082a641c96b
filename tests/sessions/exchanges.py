"""An application with sessions, and its interface called as the pipeline calls it."""

from typing import Any

from erlen import Erlen
from erlen.exchange.response import Response
from erlen.sessions import SecureCookieSession, SecureCookieSessionInterface

KEY = "0123456789abcdef0123456789abcdef"


def make_app(interface: SecureCookieSessionInterface | None = None, **config: Any) -> Erlen:
    """Return an application with a key and these changes to its configuration."""
    app = Erlen("sessions")
    app.config.update(TESTING=True, SECRET_KEY=KEY)
    app.config.update(config)
    app.session_interface = interface or SecureCookieSessionInterface()
    return app


def token_of(app: Erlen, content: Any) -> str:
    """Return the value of a cookie that holds *content*."""
    token: str = app.session_interface.get_signing_serializer(app).dumps(content)
    return token


def opened(app: Erlen, *tokens: str, name: str = "session") -> SecureCookieSession:
    """Return the session that is opened for a request with cookies of these values."""
    cookie = "; ".join(f"{name}={token}" for token in tokens).encode()
    exchange = app.test_request_context("/", headers=[(b"Cookie", cookie)]).context.exchange
    session: SecureCookieSession = app.session_interface.open_session(app, exchange)
    return session


def saved(app: Erlen, session: SecureCookieSession) -> Response:
    """Return an answer into which the session was saved; it counts as looked at."""
    session.accessed = True
    response = Response()
    app.session_interface.save_session(app, session, response)
    return response


def cookie_of(response: Response) -> str | None:
    """Return the ``Set-Cookie`` field."""
    return response.headers.get("Set-Cookie")


def value_of(response: Response) -> str:
    """Return the value of the cookie that is set."""
    return (cookie_of(response) or "").partition(";")[0].partition("=")[2]

"""The base of interfaces: the cookie's name and attributes, and what subclasses must say."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from erlen import Erlen
from erlen.context import current_context
from erlen.exchange.response import Response
from erlen.sessions import NullSession, Session, SessionInterface
from erlen.wire.cookies import dump_cookie
from tests.sessions.exchanges import make_app

interface = SessionInterface()


def attributes(**config: Any) -> tuple[Any, ...]:
    """Return path, domain, secure and httponly of the cookie that this configuration makes."""
    app = make_app(**config)
    return (
        interface.get_cookie_path(app),
        interface.get_cookie_domain(app),
        interface.get_cookie_secure(app),
        interface.get_cookie_httponly(app),
    )


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        pytest.param({}, ("/", None, False, True), id="defaults"),
        pytest.param({"APPLICATION_ROOT": "/app"}, ("/app", None, False, True), id="root"),
        pytest.param(
            {"APPLICATION_ROOT": "/app", "SESSION_COOKIE_PATH": "/a"},
            ("/a", None, False, True), id="path",
        ),
        pytest.param(
            {"SESSION_COOKIE_DOMAIN": "example.com", "SESSION_COOKIE_SECURE": True},
            ("/", "example.com", True, True), id="domain",
        ),
        pytest.param({"SESSION_COOKIE_DOMAIN": ""}, ("/", None, False, True), id="no domain"),
        pytest.param({"SESSION_COOKIE_HTTPONLY": False}, ("/", None, False, False), id="script"),
        pytest.param({"PREFERRED_URL_SCHEME": "https"}, ("/", None, True, True), id="scheme"),
        pytest.param(
            {"PREFERRED_URL_SCHEME": "https", "SESSION_COOKIE_SECURE": False},
            ("/", None, False, True), id="insecure by choice",
        ),
        pytest.param(
            {"SESSION_COOKIE_NAME": "__Host-id", "APPLICATION_ROOT": "/app",
             "SESSION_COOKIE_DOMAIN": "example.com", "SESSION_COOKIE_SECURE": False},
            ("/", None, True, True), id="the prefix __Host- implies what it asks for",
        ),
        pytest.param(
            {"SESSION_COOKIE_NAME": "__secure-id", "APPLICATION_ROOT": "/app"},
            ("/app", None, True, True), id="the prefix __Secure- too",
        ),
    ],
)  # fmt: skip
def test_se3_the_cookies_attributes(config: dict[str, Any], expected: tuple[Any, ...]) -> None:
    assert attributes(**config) == expected


@pytest.mark.parametrize(("scheme", "secure"), [("http", False), ("https", True)])
def test_d08_a_cookie_that_is_set_over_https_stays_there(scheme: str, secure: bool) -> None:
    app = make_app(PREFERRED_URL_SCHEME="http")
    with app.test_request_context("/", base_url=f"{scheme}://localhost"):
        assert interface.get_cookie_secure(app) is secure


def test_d08_an_application_context_has_no_scheme_of_its_own() -> None:
    app = make_app(PREFERRED_URL_SCHEME="https")
    with app.app_context():
        assert interface.get_cookie_secure(app)
    assert current_context.get(None) is None


def test_se3_samesite_and_partitioned_come_from_the_configuration() -> None:
    app = make_app()
    assert interface.get_cookie_samesite(app) == "Lax"
    assert interface.get_cookie_partitioned(app) is False


@pytest.mark.parametrize("lifetime", [timedelta(seconds=60), 60])
def test_se7_only_a_permanent_session_has_a_time(lifetime: Any) -> None:
    app = make_app(PERMANENT_SESSION_LIFETIME=lifetime)
    session = Session()
    assert interface.get_expiration_time(app, session) is None
    session.permanent = True
    expires = interface.get_expiration_time(app, session)
    assert expires is not None
    assert timedelta(seconds=59) < expires - datetime.now(UTC) <= timedelta(seconds=60)


@pytest.mark.parametrize(
    ("modified", "permanent", "refresh", "expected"),
    [
        (False, False, True, False),
        (True, False, False, True),
        (False, True, False, False),
        (False, True, True, True),
    ],
)
def test_se7_when_the_cookie_is_set(
    modified: bool, permanent: bool, refresh: bool, expected: bool
) -> None:
    app = make_app(SESSION_REFRESH_EACH_REQUEST=refresh)
    session = Session({"_permanent": permanent})
    session.modified = modified
    assert interface.should_set_cookie(app, session) is expected


def test_se3_subclasses_say_where_the_content_is() -> None:
    app = make_app()
    exchange = app.test_request_context("/").context.exchange
    with pytest.raises(NotImplementedError):
        interface.open_session(app, exchange)
    with pytest.raises(NotImplementedError):
        interface.save_session(app, Session(), Response())


def test_se4_the_null_session_is_known_again() -> None:
    null = interface.make_null_session(make_app())
    assert isinstance(null, NullSession)
    assert interface.is_null_session(null)
    assert not interface.is_null_session(Session())


@pytest.mark.parametrize("value", ["abc.DEF-_1", 'a "b"; c', ""])
@pytest.mark.parametrize("lifetime", [{}, {"expires": None}, {"expires": 0}, {"max_age": 5}])
def test_se3_the_cookie_is_what_dump_cookie_writes(value: str, lifetime: dict[str, Any]) -> None:
    app = Erlen("t")
    expected = dump_cookie("session", value, httponly=True, samesite="Lax", **lifetime)
    for _ in range(2):
        assert SessionInterface().dump_session_cookie(app, value, **lifetime) == expected


def test_se3_the_flags_of_an_interface() -> None:
    assert (SessionInterface.pickle_based, SessionInterface.lazy) == (False, False)

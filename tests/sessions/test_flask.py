"""Sessions that are shared with a Flask application: each reads the other's cookie."""

import hashlib
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import flask
import pytest
from flask.sessions import SecureCookieSessionInterface as FlaskInterface
from markupsafe import Markup

from erlen.sessions import SecureCookieSession, SecureCookieSessionInterface
from tests.sessions.exchanges import KEY, make_app, opened, saved, token_of, value_of

CONTENT: dict[str, Any] = {
    "user": 7,
    "_permanent": True,
    "_flashes": [("message", Markup("<b>hello</b>"))],
    "id": UUID(int=1),
    "at": datetime(2024, 2, 29, 12, 0, 1, tzinfo=UTC),
    "raw": b"\x00\xff",
    "long": "text " * 200,
}


class Shared(SecureCookieSessionInterface):
    salt = "cookie-session"
    digest_method = staticmethod(hashlib.sha1)


def flask_serializer(**config: Any) -> Any:
    app = flask.Flask("theirs")
    app.config.update(SECRET_KEY=KEY, **config)
    return FlaskInterface().get_signing_serializer(app)


def test_se5_erlen_opens_flasks_cookie() -> None:
    assert opened(make_app(Shared()), flask_serializer().dumps(CONTENT)) == CONTENT


def test_se5_flask_opens_erlens_cookie() -> None:
    app = make_app(Shared())
    token = value_of(saved(app, SecureCookieSession(CONTENT)))
    assert flask_serializer().loads(token) == CONTENT


def test_se5_fallback_keys_mean_the_same() -> None:
    old = "an old key of more than sixteen"
    app = make_app(Shared(), SECRET_KEY_FALLBACKS=[old])
    theirs = flask_serializer(SECRET_KEY_FALLBACKS=[old])
    assert opened(app, theirs.dumps({"a": 1})) == {"a": 1}
    assert theirs.loads(token_of(app, {"a": 1})) == {"a": 1}


def test_se7_flasks_cookie_is_not_written_again_by_who_only_reads_it() -> None:
    app = make_app(Shared())
    session = opened(app, flask_serializer().dumps(CONTENT))
    assert "Set-Cookie" not in saved(app, session).headers


def test_a83_by_default_they_do_not_mistake_each_others() -> None:
    assert opened(make_app(), flask_serializer().dumps(CONTENT)) == {}
    with pytest.raises(Exception, match="does not match"):
        flask_serializer().loads(token_of(make_app(), CONTENT))

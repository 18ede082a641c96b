"""Sessions in signed cookies: what opens them, what saves them, and what the answer says."""

import hashlib
import logging
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from erlen.exceptions import SessionTooLargeError
from erlen.sessions import SecureCookieSession, SecureCookieSessionInterface
from erlen.sessions.secure_cookie import _salt
from tests.sessions.exchanges import KEY, cookie_of, make_app, opened, saved, token_of, value_of

OTHER_KEY = "fedcba9876543210fedcba9876543210"


# --- opening --------------------------------------------------------------------------------------


def test_se6_without_a_cookie_it_is_new_and_empty() -> None:
    session = opened(make_app())
    assert (session, session.new, session.modified) == ({}, True, False)


@pytest.mark.parametrize("key", [None, "", b""])
def test_b258_se4_without_a_key_there_is_no_session(key: Any) -> None:
    app = make_app(SECRET_KEY=key)
    assert opened(app) is None
    assert app.session_interface.get_signing_serializer(app) is None


def test_se9_b255_what_was_saved_is_opened() -> None:
    app = make_app()
    session = opened(app)
    content = {
        "list": [1, (2, {" t": 3})],
        "bytes": b"\x00",
        "markup": Markup("<b>"),
        "uuid": UUID(int=7),
        "moment": datetime(2024, 1, 2, 3, 4, 5, 6, UTC),
        "text": "ü" * 300,
    }
    session.update(content)
    again = opened(app, value_of(saved(app, session)))
    assert (again, again.new, again.modified) == (content, False, False)


def test_b248_b249_a_cookie_of_another_key_is_not_opened() -> None:
    token = token_of(make_app(SECRET_KEY=OTHER_KEY), {"user": 1})
    assert opened(make_app(), token) == {}
    assert opened(make_app(SECRET_KEY_FALLBACKS=[OTHER_KEY]), token) == {"user": 1}


@pytest.mark.parametrize("key", ["ü" * 16, b"\xff" * 16])
def test_a_key_is_text_or_bytes(key: Any) -> None:
    app = make_app(SECRET_KEY=key)
    assert opened(app, token_of(app, {"a": 1})) == {"a": 1}


def test_b250_a_cookie_of_another_name_is_not_opened() -> None:
    app, other = make_app(), make_app(SESSION_COOKIE_NAME="other")
    assert opened(app, token_of(other, {"user": 1})) == {}
    assert opened(other, token_of(other, {"user": 1}), name="other") == {"user": 1}


def test_b250_a_token_of_another_purpose_is_not_opened() -> None:
    class Remember(SecureCookieSessionInterface):
        salt = _salt("remember", "session")

    assert opened(make_app(), token_of(make_app(Remember()), {"user": 1})) == {}


@given(st.text(), st.text(), st.text(), st.text())
def test_a83_no_two_purposes_share_a_salt(a: str, b: str, c: str, d: str) -> None:
    assert (_salt(a, b) == _salt(c, d)) == ((a, b) == (c, d))


def test_se11_the_name_may_depend_on_the_moment() -> None:
    class Named(SecureCookieSessionInterface):
        def get_cookie_name(self, app: Any) -> str:
            return "dynamic"

    app = make_app(Named())
    response = saved(app, SecureCookieSession({"a": 1}))
    assert opened(app, value_of(response), name="dynamic") == {"a": 1}


@pytest.mark.parametrize(
    ("tokens", "found"),
    [
        pytest.param(["good"], 1, id="b081-one"),
        pytest.param(["bad", "good"], 1, id="b081-second"),
        pytest.param(["good", "good2"], 1, id="b081-first"),
        pytest.param(["bad", "bad", "bad", "good"], 1, id="b081-fourth"),
        pytest.param(["bad", "bad", "bad", "bad", "good"], None, id="b081-fifth"),
        pytest.param(["", "good"], 1, id="b081-empty"),
        pytest.param(["list", "good"], 1, id="b081-unusable"),
    ],
)
def test_b081_the_first_valid_cookie_of_four(tokens: list[str], found: int | None) -> None:
    app = make_app()
    made = {"good": token_of(app, {"n": 1}), "good2": token_of(app, {"n": 2}),
            "list": token_of(app, [1]), "bad": "x.y.z", "": ""}  # fmt: skip
    assert opened(app, *(made[name] for name in tokens)).get("n") == found


@pytest.mark.parametrize("content", [[1], None, "text", 1, ("a",)], ids=repr)
def test_b253_a_signed_cookie_that_holds_no_session_is_told(
    content: Any, caplog: pytest.LogCaptureFixture
) -> None:
    app = make_app()
    assert opened(app, "x.y.z", token_of(app, content)) == {}
    [record] = caplog.records
    assert (record.name, record.levelname) == ("erlen", "WARNING")
    assert "it is signed, and holds a" in record.getMessage()


@pytest.mark.parametrize("text", ["", "{", "NaN", '{"a":NaN}', "[" * 60_000, '{" d":"x"}'])
def test_b253_a_signed_cookie_that_is_no_json_is_told(
    text: str, caplog: pytest.LogCaptureFixture
) -> None:
    app = make_app()
    token = app.session_interface.get_signing_serializer(app).seal(text)
    assert opened(app, token) == {}
    assert [record.levelname for record in caplog.records] == ["WARNING"]


def test_b247_junk_costs_one_quiet_record(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger="erlen")
    assert opened(make_app(), "junk", "x" * 9000, "ü.ü.ü") == {}
    [record] = caplog.records
    assert (record.levelname, "signature is not ours" in record.message) == ("DEBUG", True)
    assert "junk" not in record.message


def test_b252_se6_every_session_is_too_old_one_day() -> None:
    app = make_app()
    token = token_of(app, {"user": 1})
    app.config["PERMANENT_SESSION_LIFETIME"] = timedelta(seconds=-1)
    assert opened(app, token) == {}


# --- saving ---------------------------------------------------------------------------------------


def test_se8_the_shape_of_the_field() -> None:
    app = make_app(
        SESSION_COOKIE_DOMAIN="ex.com", SESSION_COOKIE_PATH="/app", SESSION_COOKIE_SECURE=True,
        SESSION_COOKIE_SAMESITE="Strict", SESSION_COOKIE_PARTITIONED=True,
    )  # fmt: skip
    field = cookie_of(saved(app, SecureCookieSession({"a": 1}))) or ""
    assert field.partition("; ")[2] == (
        "Domain=ex.com; Secure; HttpOnly; Path=/app; SameSite=Strict; Partitioned"
    )


def test_se8_the_shape_by_default() -> None:
    field = cookie_of(saved(make_app(), SecureCookieSession({"a": 1}))) or ""
    assert field.partition("; ")[2] == "HttpOnly; Path=/; SameSite=Lax"
    assert field.startswith("session=ey")


def test_se8_a_name_with_the_prefix_host_needs_nothing_else() -> None:
    app = make_app(SESSION_COOKIE_NAME="__Host-s", APPLICATION_ROOT="/app")
    field = cookie_of(saved(app, SecureCookieSession({"a": 1}))) or ""
    assert field.partition("; ")[2] == "Secure; HttpOnly; Path=/; SameSite=Lax"


def test_se7_a_permanent_session_expires() -> None:
    session = SecureCookieSession()
    session.permanent = True
    field = cookie_of(saved(make_app(), session)) or ""
    assert "; Expires=" in field


CONTENT = {"user": 1, "name": "maria", "cart": {"apples": [1]}, "moment": datetime(2024, 1, 1)}  # noqa: DTZ001  # a naive one comes back naive


def test_se7_d13_who_only_looks_gets_no_cookie_but_caches_are_told() -> None:
    app = make_app()
    response = saved(app, opened(app, token_of(app, CONTENT)))
    assert (cookie_of(response), response.headers.get("Vary")) == (None, "Cookie")
    assert "Cache-Control" not in response.headers


def test_se2_who_does_not_look_gets_nothing() -> None:
    app = make_app()
    session = opened(app, token_of(app, {"a": 1}))
    response = app.response_class()
    app.session_interface.save_session(app, session, response)
    assert "Vary" not in response.headers


def test_d13_a_cookie_is_for_one_user() -> None:
    response = saved(make_app(), SecureCookieSession({"a": 1}))
    assert response.headers.get("Cache-Control") == "private"
    assert response.headers.get("Vary") == "Cookie"


def test_d13_what_the_view_says_of_caches_stays() -> None:
    app = make_app()
    session = SecureCookieSession({"a": 1})
    response = app.response_class(headers={"Cache-Control": "no-store", "Vary": "Accept"})
    app.session_interface.save_session(app, session, response)
    assert response.headers.get("Cache-Control") == "no-store"
    assert response.headers.get("Vary") == "Accept, Cookie"


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda s: s["cart"]["apples"].append(2), id="b256-nested"),
        pytest.param(lambda s: s["cart"].clear(), id="b256-nested dict"),
        pytest.param(lambda s: s.__setitem__("user", 2), id="b256-top"),
        pytest.param(lambda s: s.setdefault("new", 2), id="b256-default"),
        pytest.param(lambda s: setattr(s, "modified", True), id="b256-by hand"),
        pytest.param(lambda s: s.regenerate(), id="b260-regenerate"),
    ],
)
def test_b256_every_change_is_saved(change: Any) -> None:
    app = make_app()
    session = opened(app, token_of(app, CONTENT))
    change(session)
    assert opened(app, value_of(saved(app, session))) == session


@pytest.mark.parametrize(
    ("refresh", "permanent", "sent"),
    [(True, True, True), (True, False, False), (False, True, False)],
)
def test_se7_a_permanent_session_may_be_renewed(refresh: bool, permanent: bool, sent: bool) -> None:
    app = make_app(SESSION_REFRESH_EACH_REQUEST=refresh)
    response = saved(app, opened(app, token_of(app, {"a": 1, "_permanent": permanent})))
    assert (cookie_of(response) is not None) is sent


def test_a04_b249_a_cookie_of_a_fallback_key_is_signed_anew() -> None:
    old, both = make_app(SECRET_KEY=OTHER_KEY), make_app(SECRET_KEY_FALLBACKS=[OTHER_KEY])
    session = opened(both, token_of(old, {"user": 1}))
    renewed = value_of(saved(both, session))
    assert opened(make_app(), renewed) == {"user": 1}
    assert opened(old, renewed) == {}
    assert cookie_of(saved(both, opened(both, renewed))) is None


def test_a04_a_new_cookie_is_signed_with_the_secret_key_alone() -> None:
    both = make_app(SECRET_KEY_FALLBACKS=[OTHER_KEY, "older" * 5])
    token = value_of(saved(both, SecureCookieSession({"a": 1})))
    assert opened(make_app(), token) == {"a": 1}
    assert opened(make_app(SECRET_KEY=OTHER_KEY), token) == {}


def test_b259_an_emptied_session_is_removed_as_it_was_set() -> None:
    app = make_app(
        SESSION_COOKIE_DOMAIN="ex.com", SESSION_COOKIE_PATH="/app", SESSION_COOKIE_SECURE=True,
        SESSION_COOKIE_PARTITIONED=True,
    )  # fmt: skip
    session = opened(app, token_of(app, {"a": 1}))
    session.clear()
    response = saved(app, session)
    assert cookie_of(response) == (
        "session=; Domain=ex.com; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0; Secure; "
        "HttpOnly; Path=/app; SameSite=Lax; Partitioned"
    )
    assert response.headers.get("Cache-Control") == "private"


def test_b259_a_session_that_was_empty_all_the_time_sets_nothing() -> None:
    app = make_app()
    assert cookie_of(saved(app, opened(app))) is None
    assert cookie_of(saved(app, opened(app, "forged"))) is None


def test_b260_a_cookie_from_before_the_login_is_not_logged_in() -> None:
    app = make_app()
    planted = token_of(app, {"_nonce": "of the attacker"})
    session = opened(app, planted)
    session["user"] = 1
    session.regenerate()
    assert opened(app, value_of(saved(app, session)))["_nonce"] != "of the attacker"
    assert "user" not in opened(app, planted)


def test_b261_two_answers_hold_one_state_each_and_the_last_decides() -> None:
    app = make_app()
    token = token_of(app, {"a": 0})
    first, second = opened(app, token), opened(app, token)
    first["b"] = 1
    second["c"] = 1
    assert opened(app, value_of(saved(app, first))) == {"a": 0, "b": 1}
    assert opened(app, value_of(saved(app, second))) == {"a": 0, "c": 1}


# --- what cannot be saved -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        pytest.param({"deep": [{1, 2}]}, "type set has no form", id="b255-set"),
        pytest.param({1: 2}, "key 1 of a dict", id="b255-key"),
        pytest.param(float("nan"), "no form in JSON", id="b255-nan"),
    ],
)
def test_b255_a_value_that_cannot_be_saved_is_named(value: Any, reason: str) -> None:
    session = SecureCookieSession({"fine": 1, "cart": value})
    with pytest.raises(TypeError, match=rf"because of its key 'cart'\. .*{reason}"):
        saved(make_app(), session)


def test_b255_a_key_of_the_session_that_is_no_text_is_named() -> None:
    session: Any = SecureCookieSession()
    session[7] = 1
    with pytest.raises(TypeError, match=r"its key 7\. The key 7 of a dict is of type int"):
        saved(make_app(), session)


def test_b255_a_serializer_that_fails_for_the_whole_alone_is_told() -> None:
    class Whole:
        def dumps(self, value: dict[str, Any]) -> str:
            if len(value) > 1:
                raise ValueError("together")
            return "{}"

    app = make_app()
    app.session_interface.serializer = Whole()
    with pytest.raises(TypeError, match=r"cannot be saved\. Look at the error before"):
        saved(app, SecureCookieSession({"a": 1, "b": 2}))


def large() -> SecureCookieSession:
    noise = hashlib.shake_256(b"").hexdigest(4000)  # zlib finds a half of it
    return SecureCookieSession({"a": noise, "b": 1, "c": "xx", "d": [1, 2, 3]})


def test_b254_pains46_a_session_that_is_too_large_names_its_largest_keys() -> None:
    with pytest.raises(SessionTooLargeError) as raised:
        saved(make_app(), large())
    text = str(raised.value)
    assert "over the limit of 4093" in text
    assert "'a' (8002 bytes), 'd'" in text
    assert "'d' (7 bytes), 'c' (4 bytes)" in text
    assert "'b'" not in text


def test_b254_it_may_be_sent_all_the_same(caplog: pytest.LogCaptureFixture) -> None:
    app = make_app(SESSION_OVERSIZE="warn")
    response = saved(app, large())
    assert len(cookie_of(response) or "") > 4093
    [record] = caplog.records
    assert (record.levelname, "largest keys" in record.message) == ("WARNING", True)


def test_b254_without_a_limit_nothing_is_too_large(caplog: pytest.LogCaptureFixture) -> None:
    assert cookie_of(saved(make_app(MAX_COOKIE_SIZE=0), large()))
    assert not caplog.records


def test_a_key_that_is_gone_when_the_session_is_saved_is_told() -> None:
    app = make_app()
    session = opened(app)
    session["a"] = 1
    app.secret_key = None
    with pytest.raises(RuntimeError, match=r"SECRET_KEY was removed .* leave it set"):
        saved(app, session)


# --- seats ----------------------------------------------------------------------------------------


def test_the_signer_is_made_once_for_each_set_of_keys() -> None:
    app = make_app()
    interface = app.session_interface
    first = interface.get_signing_serializer(app)
    assert interface.get_signing_serializer(app) is first
    app.config["SECRET_KEY_FALLBACKS"] = [OTHER_KEY]
    assert interface.get_signing_serializer(app) is not first


def test_types_are_registered_with_one_application_only() -> None:
    first, second = SecureCookieSessionInterface(), SecureCookieSessionInterface()
    assert first.serializer is not second.serializer
    assert first.serializer is first.serializer


def test_a_session_class_of_ones_own() -> None:
    class Mine(SecureCookieSession):
        @property
        def user(self) -> Any:
            return self.get("user")

    class Interface(SecureCookieSessionInterface):
        session_class = Mine

    app = make_app(Interface())
    session: Any = opened(app, token_of(app, {"user": 7}))
    assert (session.user, opened(app).new) == (7, True)


def test_keys_are_not_shown_by_the_session() -> None:
    assert KEY not in repr(opened(make_app()))

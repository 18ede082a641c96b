"""Catalogue 2.18: sessions in signed cookies; tests/sessions has the same rows without a server."""

import base64
import json
import logging
import zlib
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast
from uuid import UUID

import anyio
import pytest
from itsdangerous import URLSafeTimedSerializer
from markupsafe import Markup

from erlen import Erlen, Response, abort, make_response, redirect, request, session, websocket
from erlen.exceptions import SessionClosedError, SetupError
from erlen.sessions import SecureCookieSessionInterface
from erlen.sessions.signing import SessionSigner
from erlen.wire.cookies import parse_cookie
from tests.hostile.harness import HOST, Answer, Bare

KEY = "0123456789abcdef0123456789abcdef"
OLD_KEY = "fedcba9876543210fedcba9876543210"
VALUES: dict[str, Any] = {
    "moment": datetime(2024, 1, 2, 3, 4, 5, 678901, UTC),
    "uuid": UUID(int=7),
    "bytes": b"\x00\xff",
    "markup": Markup("<b>"),
    "tuple": (1, (2,)),
    "imitation": {" t": [1]},
}


def make_app(**config: Any) -> Erlen:
    app = Erlen("sessions", static_folder=config.pop("static_folder", None))
    app.config.update({"SECRET_KEY": KEY, **config})
    add_plain_views(app)
    add_answers(app)
    add_late_views(app)
    add_sockets(app)
    return app


def add_plain_views(app: Erlen) -> None:  # noqa: C901  # a list of views
    @app.get("/ok")
    async def ok() -> str:
        return "ok"

    @app.get("/read")
    async def read() -> dict[str, Any]:
        return {"user": session.get("user")}

    @app.get("/login")
    async def login() -> str:
        session["user"] = 1
        session.regenerate()
        return ""

    @app.get("/set/<key>")
    async def put(key: str) -> str:
        session[key] = 1
        await anyio.lowlevel.checkpoint()
        return ""

    @app.get("/nested")
    async def nested() -> str:
        session["list"].append(1)
        return ""

    @app.get("/clear")
    async def clear() -> str:
        session.clear()
        return ""

    @app.get("/types")
    async def types() -> str:
        session.update(VALUES)
        return ""

    @app.get("/bad/<kind>")
    async def bad(kind: str) -> str:
        session["cart"] = {"set": {1}, "key": {1: 2}, "nan": float("nan")}[kind]
        return ""

    @app.get("/large")
    async def large() -> str:
        session["large"] = [n * 7919 % 99991 for n in range(2000)]
        return ""

    @app.get("/touch/<how>")
    async def touch(how: str) -> str:
        TOUCHES[how](session)
        return ""


TOUCHES: dict[str, Callable[[Any], Any]] = {
    "in": lambda s: "a" in s,
    "len": len,
    "iter": list,
    "bool": bool,
    "equal": lambda s: s == {},
    "repr": repr,
    "keys": lambda s: s.keys(),
    "items": lambda s: s.items(),
    "values": lambda s: s.values(),
    "get": lambda s: s.get("a"),
    "copy": lambda s: s.copy(),
    "dict": dict,
    "json": lambda s: json.dumps(dict(s)),
    "pop": lambda s: s.pop("a", None),
    "setdefault": lambda s: s.setdefault("user", 1),
    "permanent": lambda s: s.permanent,
    "modified": lambda s: s.modified,
    "delete": lambda s: s.__delitem__("user"),
}


def add_answers(app: Erlen) -> None:
    @app.get("/answer/<kind>")
    async def answer(kind: str) -> Any:
        session["user"] = 2
        if kind == "404":
            abort(404)
        if kind == "500":
            raise LookupError
        if kind == "redirect":
            return redirect("/ok")
        response = make_response("x")
        response.set_etag("v1")
        return response.make_conditional(request)

    @app.errorhandler(LookupError)
    async def failed(error: LookupError) -> Any:
        return "sorry", 500


def add_late_views(app: Erlen) -> None:
    @app.get("/after")
    async def after() -> str:
        return ""

    @app.after_request
    async def hook(response: Response) -> Response:
        if request.path == "/after":
            session["user"] = 3
        return response

    @app.get("/stream/<when>")
    async def stream(when: str) -> AsyncIterator[str]:
        if when == "opened":
            session.get("user")

        async def chunks() -> AsyncIterator[str]:
            if when != "first":
                yield "x"
            session["late"] = 1
            yield "y"

        return chunks()

    @app.get("/kept")
    async def kept() -> str:
        app.extensions["kept"] = cast(Any, session)._get_current_object()
        return ""


def add_sockets(app: Erlen) -> None:
    @app.websocket("/ws/ok")
    async def socket() -> None:
        session["user"] = 4
        await websocket.accept()
        try:
            session["late"] = 1
        except SessionClosedError:
            await websocket.send("closed")

    @app.websocket("/ws/late")
    async def late() -> None:
        await websocket.accept()
        try:
            session["late"] = 1
        except SessionClosedError:
            await websocket.send(f"closed {session.get('user')}")

    @app.websocket("/ws/refused")
    async def refused() -> Any:
        session["user"] = 5
        return "no", 403


def server_of(app: Erlen) -> Bare:
    return Bare(app, [])


@pytest.fixture
def app() -> Erlen:
    return make_app()


@pytest.fixture
def server(app: Erlen) -> Bare:
    return server_of(app)


@pytest.fixture
def chatty() -> Iterator[None]:
    """Let DEBUG records be counted, too; the harness allows one."""
    logger = logging.getLogger("erlen")
    logger.setLevel(logging.DEBUG)
    yield
    logger.setLevel(logging.NOTSET)


def token_of(app: Erlen, content: Any) -> bytes:
    token: str = app.session_interface.get_signing_serializer(app).dumps(content)
    return token.encode()


def with_cookies(*tokens: bytes) -> list[tuple[bytes, bytes]]:
    return [HOST, (b"cookie", b"; ".join(b"session=" + token for token in tokens))]


async def read(server: Bare, *tokens: bytes) -> Any:
    """Return the user that a view sees with these cookies."""
    answer = await server.http("/read", headers=with_cookies(*tokens))
    assert answer.status == 200
    return json.loads(answer.body)["user"]


def cookie_of(headers: Any) -> bytes | None:
    """Return the value of the session's cookie, ``None`` when it is not set."""
    field = dict(headers).get(b"set-cookie")
    return None if field is None else field.partition(b";")[0].partition(b"=")[2]


def content_of(app: Erlen, answer: Answer) -> Any:
    token = cookie_of(answer.headers)
    assert token is not None
    return app.session_interface.get_signing_serializer(app).loads(token.decode())


# --- what a client may send -----------------------------------------------------------------------

GOOD = b"eyJ1c2VyIjoxfQ"

FORGERIES: dict[str, Callable[[bytes], bytes]] = {
    "b247-payload": lambda token: b"f" + token[1:],
    "b247-signature": lambda token: token[:-4] + b"AAAA",
    "b247-swapped": lambda token: b".".join(reversed(token.split(b"."))),
    "b247-dots": lambda token: b"." + token + b".",
    "b247-empty": lambda _token: b"",
    "b247-junk": lambda _token: b"x" * 40_000,
    "b247-non-ascii": lambda token: token + "ü".encode(),
    "b247-padding": lambda token: token + b"==",
    "b251-unsigned": lambda _token: b'{"user":1}',
    "b251-alg-none": lambda _token: b"eyJhbGciOiJub25lIn0.eyJ1c2VyIjoxfQ.",
    "b251-no-signature": lambda token: token.rpartition(b".")[0] + b".",
}


@pytest.mark.usefixtures("chatty")
@pytest.mark.parametrize("forge", FORGERIES.values(), ids=FORGERIES.keys())
async def test_a_forged_cookie_is_an_empty_session(
    app: Erlen, server: Bare, forge: Callable[[bytes], bytes]
) -> None:
    token = token_of(app, {"user": 1})
    assert await read(server, token) == 1
    assert await read(server, forge(token)) is None


@pytest.mark.usefixtures("chatty")
async def test_b247_a_cookie_that_is_cut_anywhere_is_an_empty_session(
    app: Erlen, server: Bare
) -> None:
    token = token_of(app, {"user": 1})
    for length in range(len(token)):
        assert await read(server, token[:length]) is None


async def test_b081_the_first_valid_cookie_of_four_counts(app: Erlen, server: Bare) -> None:
    valid, other = token_of(app, {"user": 1}), token_of(app, {"user": 2})
    assert await read(server, b"forged", valid, other) == 1
    assert await read(server, b"a", b"b", b"c", valid) == 1
    assert await read(server, b"a", b"b", b"c", b"d", valid) is None


async def test_b248_b249_the_key_decides_and_a_fallback_is_signed_anew() -> None:
    old, new, both = (
        make_app(SECRET_KEY=OLD_KEY),
        make_app(),
        make_app(SECRET_KEY_FALLBACKS=[OLD_KEY]),
    )
    token = token_of(old, {"user": 1})
    assert await read(server_of(new), token) is None
    answer = await server_of(both).http("/read", headers=with_cookies(token))
    assert json.loads(answer.body) == {"user": 1}
    renewed = cookie_of(answer.headers)
    assert renewed is not None
    assert await read(server_of(new), renewed) == 1
    assert await read(server_of(old), renewed) is None


class OtherPurpose(SecureCookieSessionInterface):
    salt = "erlen:8:remember:7:session"


@pytest.mark.parametrize("what", ["salt", "purpose", "cookie name"])
async def test_b250_a_token_for_something_else_is_an_empty_session(
    app: Erlen, server: Bare, what: str
) -> None:
    other = make_app(SESSION_COOKIE_NAME="session2" if what == "cookie name" else "session")
    token = token_of(other, {"user": 1})
    if what == "salt":
        token = URLSafeTimedSerializer(KEY, salt="cookie-session").dumps({"user": 1}).encode()
    elif what == "purpose":
        other.session_interface = OtherPurpose()
        token = token_of(other, {"user": 1})
    assert await read(server, token) is None


@pytest.mark.usefixtures("chatty")
@pytest.mark.parametrize(
    ("age", "user"),
    [
        pytest.param(14 * 86400, 1, id="b252-last-second"),
        pytest.param(14 * 86400 + 1, None, id="b252-expired"),
        pytest.param(-3600, None, id="b252-future"),
        pytest.param(-60, 1, id="b252-skew"),
        pytest.param(3600, 1, id="b252-signed-by-a-clock-that-is-behind"),
    ],
)
async def test_the_age_of_a_cookie_decides(
    app: Erlen, server: Bare, monkeypatch: pytest.MonkeyPatch, age: int, user: int | None
) -> None:
    monkeypatch.setattr(SessionSigner, "get_timestamp", lambda _self: 1_700_000_000)
    token = token_of(app, {"user": 1})
    monkeypatch.setattr(SessionSigner, "get_timestamp", lambda _self: 1_700_000_000 + age)
    assert await read(server, token) == user


def signed(app: Erlen, payload: bytes, stamp: bytes = b"ZVPxAA") -> bytes:
    """Return a truly signed token with any payload and timestamp."""
    signer = app.session_interface.get_signing_serializer(app).make_signer()
    value = payload + b"." + stamp
    return value + b"." + bytes(signer.get_signature(value))


def packed(data: bytes, *, compressed: bool = False) -> bytes:
    text = base64.urlsafe_b64encode(zlib.compress(data, 9) if compressed else data).rstrip(b"=")
    return b"." + text if compressed else text


@pytest.mark.usefixtures("chatty")
@pytest.mark.parametrize("stamp", [b"", b"__________8", b"gAAAAAAAAAA", b"AAAA_____w", b"ZVPx!"])
async def test_b252_a_timestamp_that_is_none_is_an_empty_session(
    app: Erlen, server: Bare, stamp: bytes
) -> None:
    assert await read(server, signed(app, GOOD, stamp)) is None


@pytest.mark.parametrize(
    "payload",
    [
        pytest.param(packed(b"{"), id="b253-not-json"),
        pytest.param(packed(b"[1]"), id="b253-list"),
        pytest.param(packed(b"null"), id="b253-null"),
        pytest.param(packed(b'{"user":NaN}'), id="b253-nan"),
        pytest.param(packed(b"\xff"), id="b253-not-utf-8"),
        pytest.param(packed(b"[" * 60_000, compressed=True), id="b253-deep"),
        pytest.param(packed(b"[" * 100_000, compressed=True), id="b253-deep-and-large"),
        pytest.param(packed(b"\0" * 4 * 1024 * 1024, compressed=True), id="b253-bomb"),
        pytest.param(b".eHh4", id="b253-not-zlib"),
    ],
)
async def test_what_is_signed_and_no_session_is_an_empty_one_and_a_warning(
    app: Erlen, server: Bare, monkeypatch: pytest.MonkeyPatch, payload: bytes
) -> None:
    monkeypatch.setattr(SessionSigner, "get_timestamp", lambda _self: 1_700_000_000)
    answer = await server.http("/read", headers=with_cookies(signed(app, payload)))
    assert (answer.status, json.loads(answer.body)) == (200, {"user": None})
    assert [record.levelname for record in answer.log] == ["WARNING"]


# --- what an application may do -------------------------------------------------------------------


async def test_b254_what_is_too_large_is_an_error(server: Bare) -> None:
    answer = await server.http("/large")
    assert (answer.status, b"set-cookie" in answer.headers) == (500, False)
    assert "largest keys are 'large'" in str(answer.log[0].exc_info)


async def test_b254_what_is_too_large_may_be_sent_with_a_warning() -> None:
    answer = await server_of(make_app(SESSION_OVERSIZE="warn")).http("/large")
    assert answer.status == 200
    assert len(answer.headers[b"set-cookie"]) > 4093
    assert [record.levelname for record in answer.log] == ["WARNING"]


@pytest.mark.parametrize("kind", ["set", "key", "nan"])
async def test_b255_what_has_no_form_is_an_error_that_names_its_key(
    server: Bare, kind: str
) -> None:
    answer = await server.http(f"/bad/{kind}")
    assert (answer.status, b"set-cookie" in answer.headers) == (500, False)
    assert "because of its key 'cart'" in str(answer.log[0].exc_info)


async def test_b255_the_documented_types_round_trip_through_the_wire(
    app: Erlen, server: Bare
) -> None:
    answer = await server.http("/types")
    assert content_of(app, answer) == VALUES
    [(name, _value)] = parse_cookie(answer.headers[b"set-cookie"].decode().partition(";")[0])
    assert name == "session"


async def test_b256_a_change_inside_of_a_value_is_saved(app: Erlen, server: Bare) -> None:
    token = token_of(app, {"list": []})
    answer = await server.http("/nested", headers=with_cookies(token))
    assert content_of(app, answer) == {"list": [1]}


async def test_b257_an_after_hook_may_change_it(app: Erlen, server: Bare) -> None:
    assert content_of(app, await server.http("/after")) == {"user": 3}


@pytest.mark.parametrize("when", ["opened", "later", "first"])
async def test_b257_a_body_that_streams_may_not(server: Bare, when: str) -> None:
    """The session is opened before, after the first chunk, or before any byte was sent."""
    if when == "first":
        assert (await server.http("/stream/first")).status == 500
    else:
        with pytest.raises(SessionClosedError):
            await server.http(f"/stream/{when}")


async def test_b257_work_that_outlives_the_exchange_may_not(app: Erlen, server: Bare) -> None:
    await server.http("/kept")
    with pytest.raises(SessionClosedError):
        app.extensions["kept"]["late"] = 1


@pytest.mark.parametrize("key", [None, ""])
async def test_b258_without_a_key_it_is_empty_and_not_to_be_changed(key: Any) -> None:
    server = server_of(make_app(SECRET_KEY=key))
    assert await read(server, b"anything") is None
    answer = await server.http("/set/user")
    assert answer.status == 500
    assert "Set app.secret_key" in str(answer.log[0].exc_info)


async def test_b258_a_weak_key_is_told_at_the_start(caplog: pytest.LogCaptureFixture) -> None:
    make_app(SECRET_KEY="dev").freeze()
    [record] = caplog.records
    assert (record.levelname, record.getMessage()[:13]) == ("WARNING", "SECRET_KEY is")


async def test_b258_a_weak_key_is_refused_in_production(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ERLEN_ENV", "production")
    with pytest.raises(SetupError, match="SECRET_KEY"):
        make_app(SECRET_KEY="dev").freeze()


async def test_b259_what_is_cleared_is_removed_with_the_same_attributes() -> None:
    app = make_app(
        SESSION_COOKIE_PATH="/", SESSION_COOKIE_DOMAIN="example.com", SESSION_COOKIE_SECURE=True,
        SESSION_COOKIE_SAMESITE="None", SESSION_COOKIE_PARTITIONED=True,
    )  # fmt: skip
    set_field = (await server_of(app).http("/set/user")).headers[b"set-cookie"]
    headers = with_cookies(token_of(app, {"user": 1}))
    removed = (await server_of(app).http("/clear", headers=headers)).headers[b"set-cookie"]
    assert removed.startswith(b"session=; Domain=example.com; Expires=Thu, 01 Jan 1970")
    kept = removed.split(b"; ")
    assert set(set_field.split(b"; ")[1:]) <= set(kept)


async def test_b260_a_planted_cookie_is_not_logged_in(app: Erlen, server: Bare) -> None:
    planted = token_of(app, {"cart": 1})
    answer = await server.http("/login", headers=with_cookies(planted))
    after = content_of(app, answer)
    assert (after["cart"], after["user"]) == (1, 1)
    again = content_of(app, await server.http("/login", headers=with_cookies(planted)))
    assert after["_nonce"] != again["_nonce"]
    assert await read(server, planted) is None


async def test_b261_parallel_changes_each_give_one_whole_state(app: Erlen, server: Bare) -> None:
    headers = with_cookies(token_of(app, {"user": 1}))
    first, second = [await server.http(f"/set/{key}", headers=headers) for key in "ab"]
    assert content_of(app, first) == {"user": 1, "a": 1}
    assert content_of(app, second) == {"user": 1, "b": 1}


async def test_b261_pains45_an_answer_that_changed_nothing_overwrites_nothing(
    app: Erlen, server: Bare
) -> None:
    answer = await server.http("/read", headers=with_cookies(token_of(app, {"user": 1})))
    assert b"set-cookie" not in answer.headers
    assert answer.headers[b"vary"] == b"Cookie"


@pytest.mark.parametrize(
    ("kind", "status"), [("404", 404), ("500", 500), ("redirect", None), ("304", 304)]
)
async def test_b262_every_kind_of_answer_saves_it(
    app: Erlen, server: Bare, kind: str, status: int | None
) -> None:
    answer = await server.http(f"/answer/{kind}", headers=[HOST, (b"if-none-match", b'"v1"')])
    assert answer.status == status or 301 <= answer.status <= 308
    assert content_of(app, answer) == {"user": 2}


async def test_b262_a_static_file_does_not_look_at_it(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("a")
    app = make_app(static_folder=str(tmp_path))
    headers = with_cookies(token_of(app, {"user": 1, "_permanent": True}))
    answer = await server_of(app).http(f"/{tmp_path.name}/a.txt", headers=headers)
    assert answer.status == 200
    assert b"cookie" not in answer.headers.get(b"vary", b"").lower()
    assert b"set-cookie" not in answer.headers


async def test_b262_a_handshake_saves_it_with_the_accept(app: Erlen, server: Bare) -> None:
    answer = await server.websocket("/ws/ok")
    token = cookie_of(answer.sent[0]["headers"])
    assert token is not None
    assert await read(server, token) == 4
    assert answer.sent[1]["text"] == "closed"


async def test_b262_after_the_accept_it_can_only_be_read(app: Erlen, server: Bare) -> None:
    headers = with_cookies(token_of(app, {"user": 1}))
    answer = await server.websocket("/ws/late", headers=headers)
    assert (cookie_of(answer.sent[0]["headers"]), answer.sent[1]["text"]) == (None, "closed 1")


async def test_b262_a_handshake_that_is_refused_saves_it_too(app: Erlen, server: Bare) -> None:
    answer = await server.websocket("/ws/refused")
    token = cookie_of(answer.headers)
    assert (answer.status, token is not None) == (403, True)


# --- caches ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", TOUCHES)
async def test_a03_every_look_at_it_is_told_to_caches(app: Erlen, server: Bare, how: str) -> None:
    headers = with_cookies(token_of(app, {"user": 1}))
    answer = await server.http(f"/touch/{how}", headers=headers)
    assert (answer.status, answer.headers[b"vary"]) == (200, b"Cookie")


async def test_a03_a_view_that_does_not_look_says_nothing(app: Erlen, server: Bare) -> None:
    answer = await server.http("/ok", headers=with_cookies(token_of(app, {"user": 1})))
    assert not {b"vary", b"set-cookie", b"cache-control"} & set(answer.headers)

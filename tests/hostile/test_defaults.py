"""Secure by default: what ``Erlen("x")`` does that was told nothing but a SECRET_KEY, D-01 to D-37."""

import hashlib
import math
import os
import re
import tomllib
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import anyio
import pytest
import uvicorn
from anyio.lowlevel import checkpoint
from itsdangerous import URLSafeTimedSerializer

from erlen import (
    Erlen,
    Response,
    redirect,
    redirect_local,
    render_template,
    request,
    session,
    websocket,
)
from erlen.exceptions import SessionTooLargeError, SetupError
from erlen.exchange import arrival
from erlen.protocols import Message
from erlen.serving import addresses, start
from erlen.sessions.signing import SessionSigner
from erlen.spawning import running_loop
from tests.debugger.browsing import browsing
from tests.exchange.form_bodies import KIB, MIB, MULTIPART, URLENCODED, field, multipart
from tests.hostile.harness import HOST, Answer, Bare, http_scope, left, part, text

KEY = "0123456789abcdef0123456789abcdef"
ROWS = set(range(1, 38))

#: Row → what will build it.
LATER = {
    6: "lifetimes: a client that does not read its response is aborted",
    19: "middleware: headers on every response; files have nosniff (D-23), run() no Server (D-35)",
    33: "lifetimes: background tasks",
    34: "lifetimes: a gate for concurrent exchanges",
}

#: Rows proved for the rest: what they wait for, or what is decided otherwise.
PARTLY = {
    1: "a limit is decided when the body is first read; a view that reads nothing may answer",
    7: "duplicate keys are allowed, the last wins: DESIGN law 11",
    8: "Secure when the request is https, whether in debug mode or not: DESIGN law 11",
    10: "the 14 days count from the last change, as in Flask",
    12: "a short key is a warning, refused with ERLEN_ENV=production (B-258); `erlen new`: command line",
    15: "middleware: hops for each header",
    18: "pings are the server's; nothing is queued here, for nothing is received before it is asked for",
    20: "middleware: the id of a request",
    21: "command line: refused with ERLEN_ENV=production, a banner, never from a file",
    26: "slashes in a row are merged by a 308: DESIGN section 4",
    30: "middleware: CORS for origins that are listed",
    31: "a send before the accept accepts, as in Quart",
    32: "middleware: the id of a request; command line: the access log and what it masks",
    36: "release: hashes, trusted publishing, a list of parts",
    37: "command line: `erlen check --deploy`; the debugger's masks are in tests/debugger/test_veil.py",
}


@pytest.fixture
def app(tmp_path: Path) -> Erlen:
    """An application as a newcomer makes it; its folder is the test's."""
    app = Erlen("x", root_path=str(tmp_path))
    app.config["SECRET_KEY"] = KEY
    for name in ("static/sub", "templates"):
        (tmp_path / name).mkdir(parents=True)

    @app.get("/ok")
    async def ok() -> str:
        return "ok"

    @app.post("/data")
    async def data() -> str:
        return str(len(await request.get_data()))

    @app.post("/form")
    async def form() -> str:
        return str(len(await request.form) + len(await request.files))

    @app.post("/json")
    async def read_json() -> Any:
        return [await request.get_json()]

    add_sessions(app)
    return app


def add_sessions(app: Erlen) -> None:
    @app.get("/read")
    async def read() -> str:
        return str(session.get("user", "nobody"))

    @app.get("/write")
    async def write() -> str:
        session["user"] = "ada"
        return "written"

    @app.get("/stay")
    async def stay() -> str:
        session.permanent = True
        return await write()


@pytest.fixture
def server(app: Erlen) -> Bare:
    return Bare(app, [])


async def get(server: Bare, path: str, *headers: tuple[bytes, bytes], **scope: Any) -> Answer:
    return await server.http(path, headers=[HOST, *headers], **scope)


async def post(server: Bare, path: str, body: Any, kind: str = "text/plain") -> Answer:
    headers = [HOST, (b"content-type", kind.encode())]
    return await server.http(path, method="POST", headers=headers, body=body)


def cookie(value: str, name: str = "session") -> tuple[bytes, bytes]:
    return (b"cookie", f"{name}={value}".encode())


def set_cookie(answer: Answer) -> set[str]:
    """Return the name and the attributes of the cookie that is set."""
    name, *attributes = answer.headers.get(b"set-cookie", b"").decode().split("; ")
    return {name.partition("=")[0], *attributes}


def token_of(answer: Answer) -> str:
    """Return the value of the session's cookie."""
    return answer.headers[b"set-cookie"].decode().split(";")[0].removeprefix("session=")


# --- limits ---------------------------------------------------------------------------------------


async def test_d01_a_body_has_at_most_16_mib_counted_as_it_streams(server: Bare) -> None:
    chunks = [part(bytes(MIB), more=True)] * 16
    assert (await post(server, "/data", [*chunks, part()])).body == b"%d" % (16 * MIB)
    over = await post(server, "/data", [*chunks, part(b"x", more=True), part()])
    assert (over.status, over.taken) == (413, 17)
    length = (b"content-length", b"%d" % (16 * MIB + 1))
    declared = await server.http("/data", method="POST", headers=[HOST, length], body=[])
    assert (declared.status, declared.taken) == (413, 0)


def urlencoded(count: int, size: int = 1) -> bytes:
    return b"&".join(b"f%d=%b" % (index, b"x" * size) for index in range(count))


def fields(count: int, size: int = 1, name: str | None = None) -> bytes:
    return multipart(*(field(f"f{index}", b"x" * size, name) for index in range(count)))


@pytest.mark.parametrize(("make", "kind"), [(urlencoded, URLENCODED), (fields, MULTIPART)])
async def test_d02_both_kinds_of_forms_have_1000_fields_and_1_mib(
    server: Bare, make: Any, kind: str
) -> None:
    assert (await post(server, "/form", make(1000), kind)).body == b"1000"
    assert (await post(server, "/form", make(1001), kind)).status == 413
    assert (await post(server, "/form", make(3, 512 * KIB), kind)).status == 413


async def test_d02_a_form_has_at_most_100_files(server: Bare) -> None:
    assert (await post(server, "/form", fields(100, name="a.txt"), MULTIPART)).body == b"100"
    assert (await post(server, "/form", fields(101, name="a.txt"), MULTIPART)).status == 413


async def test_d03_a_query_has_at_most_1000_arguments(app: Erlen, server: Bare) -> None:
    @app.get("/args")
    async def args() -> str:
        return str(len(request.args))

    assert (await get(server, "/args", query_string=urlencoded(1000))).body == b"1000"
    assert (await get(server, "/args", query_string=urlencoded(1001))).status == 400


async def test_d04_a_header_section_has_at_most_200_fields_and_64_kib(server: Bare) -> None:
    many = [(b"x-%d" % index, b"") for index in range(200)]
    assert (await get(server, "/ok", *many[1:])).status == 200
    assert (await get(server, "/ok", *many)).status == 431
    assert (await get(server, "/ok", (b"x-large", b"a" * 64 * KIB))).status == 431


async def test_d05_a_client_may_send_nothing_of_its_body_for_60_seconds(
    app: Erlen, monkeypatch: pytest.MonkeyPatch
) -> None:
    patience: list[float] = []

    async def receive() -> Message:
        """As trio's scope limits it."""
        if (deadline := anyio.current_effective_deadline()) < math.inf:
            patience.append(deadline - anyio.current_time())
        await checkpoint()
        return part(b"x", more=len(patience) < 2)

    async def send(_message: Message) -> None:
        pass

    monkeypatch.setattr(arrival, "running_loop", lambda: Timed(running_loop(), patience))
    await app(http_scope("/data", [HOST], method="POST"), receive, send)
    assert patience == [pytest.approx(60, abs=5)] * 2


class Timed:
    """An event loop that tells for how long its timers are set; trio has none."""

    def __init__(self, loop: Any, told: list[float]) -> None:
        def call_later(delay: float, call: Any) -> Any:
            told.append(delay)
            return loop.call_later(delay, call)

        if hasattr(loop, "call_later"):
            self.call_later = call_later


DEEPEST = b"[" * 127 + b"]" * 127  # the view adds one
REFUSED = [
    b"[" * 129 + b"]" * 129, b"NaN", b"Infinity", b"-Infinity", b"1e400", b'"\\ud800"', b'"\xff"',
    "1".encode("utf-16"),
]  # fmt: skip


async def test_d07_json_is_utf_8_finite_and_of_its_type_where_the_last_key_wins(
    server: Bare,
) -> None:
    for refused in REFUSED:
        assert (await post(server, "/json", refused, "application/json")).status == 400, refused
    assert (await post(server, "/json", b"1")).status == 415
    assert (await post(server, "/json", DEEPEST, "application/json")).status == 200
    twice = await post(server, "/json", b'{"a":1,"a":2}', "application/json")
    assert twice.body == b'[{"a":2}]'


# --- sessions -------------------------------------------------------------------------------------


async def test_d08_a_session_cookie_is_httponly_lax_and_secure_over_https(server: Bare) -> None:
    plain = await get(server, "/write")
    assert set_cookie(plain) == {"session", "HttpOnly", "Path=/", "SameSite=Lax"}
    secure = await get(server, "/write", scheme="https")
    assert set_cookie(secure) == {"session", "HttpOnly", "Path=/", "SameSite=Lax", "Secure"}


async def test_d08_a_name_with_host_in_front_is_bound_to_the_host(app: Erlen, server: Bare) -> None:
    app.config.update(SESSION_COOKIE_NAME="__Host-session", SESSION_COOKIE_DOMAIN="example.com")
    answer = await get(server, "/write")
    bound = {"__Host-session", "HttpOnly", "Path=/", "SameSite=Lax", "Secure"}
    assert set_cookie(answer) == bound


async def user(server: Bare, token: str, name: str = "session") -> str:
    return (await get(server, "/read", cookie(token, name))).body.decode()


def sign(salt: str, digest: Any, key: str = KEY) -> str:
    how = {"key_derivation": "hmac", "digest_method": digest}
    return str(URLSafeTimedSerializer(key, salt, signer_kwargs=how).dumps({"user": "ada"}))


async def test_d09_a_session_is_signed_by_sha_256_with_a_key_of_its_purpose(server: Bare) -> None:
    own = "erlen:7:session:7:session"
    assert await user(server, sign(own, hashlib.sha256)) == "ada"
    assert await user(server, sign(own, hashlib.sha1)) == "nobody"
    for other in ("cookie-session", "itsdangerous", "erlen:7:session:5:other"):
        assert await user(server, sign(other, hashlib.sha256)) == "nobody"


async def test_d09_what_a_former_key_signed_is_signed_anew(app: Erlen, server: Bare) -> None:
    app.config["SECRET_KEY_FALLBACKS"] = [KEY[::-1]]
    former = sign("erlen:7:session:7:session", hashlib.sha256, KEY[::-1])
    answer = await get(server, "/read", cookie(former))
    assert answer.body == b"ada"
    app.config["SECRET_KEY_FALLBACKS"] = None
    assert await user(server, former) == "nobody"
    assert await user(server, token_of(answer)) == "ada"


async def test_d10_a_session_ends_after_14_days_or_with_the_browser(
    server: Bare, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = await get(server, "/write")
    assert b"Expires" not in written.headers[b"set-cookie"]
    now = SessionSigner.get_timestamp
    for late, name in ((14 * 86400 - 60, "ada"), (14 * 86400 + 60, "nobody")):
        monkeypatch.setattr(SessionSigner, "get_timestamp", lambda s, late=late: now(s) + late)
        assert await user(server, token_of(written)) == name


async def test_d10_a_permanent_session_is_kept_14_days_and_not_renewed(server: Bare) -> None:
    written = await get(server, "/stay")
    expires = re.search(r"Expires=([^;]+)", written.headers[b"set-cookie"].decode())
    assert expires
    kept = parsedate_to_datetime(expires[1]) - datetime.now(UTC)
    assert kept == pytest.approx(timedelta(days=14), abs=timedelta(minutes=1))
    read = await get(server, "/read", cookie(token_of(written)))
    assert (read.body, b"set-cookie" in read.headers) == (b"ada", False)


async def test_d11_a_session_over_4093_bytes_is_an_error(app: Erlen, server: Bare) -> None:
    @app.get("/large")
    async def large() -> str:
        session["large"] = os.urandom(4096).hex()
        return ""

    answer = await get(server, "/large")
    assert (answer.status, b"set-cookie" in answer.headers) == (500, False)
    assert answer.log[0].exc_info
    assert answer.log[0].exc_info[0] is SessionTooLargeError


async def test_d12_without_a_key_a_session_is_empty_and_cannot_be_written(
    app: Erlen, server: Bare
) -> None:
    app.config["SECRET_KEY"] = None
    assert await user(server, "x.y.z") == "nobody"
    answer = await get(server, "/write")
    assert answer.status == 500
    assert answer.log[0].exc_info
    assert isinstance(answer.log[0].exc_info[1], RuntimeError)
    assert "SECRET_KEY" in str(answer.log[0].exc_info[1])


@pytest.mark.parametrize("key", ["x" * 15, "dev", "super-secret-key"])
def test_d12_a_weak_key_is_a_warning_and_refused_in_production(
    app: Erlen, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, key: str
) -> None:
    app.config["SECRET_KEY"] = key
    app.freeze()
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert repr(key) not in caplog.text
    monkeypatch.setenv("ERLEN_ENV", "production")
    with pytest.raises(SetupError, match="SECRET_KEY"):
        app.freeze()


async def test_d13_a_session_that_was_used_keeps_shared_caches_away(server: Bare) -> None:
    for path, vary, cached in (
        ("/ok", None, None),
        ("/read", b"Cookie", None),
        ("/write", b"Cookie", b"private"),
    ):
        headers = (await get(server, path)).headers
        assert (headers.get(b"vary"), headers.get(b"cache-control")) == (vary, cached)


# --- who asks -------------------------------------------------------------------------------------


@pytest.mark.parametrize("headers", [[], [(b"host", b"a b")], [(b"host", b"a@b")], [HOST, HOST]])
async def test_d14_a_host_has_the_form_of_one(server: Bare, headers: Any) -> None:
    assert (await server.http(headers=headers)).status == 400


async def test_d14_in_debug_mode_a_host_is_loopback(app: Erlen) -> None:
    app.debug = True
    client = app.test_client()
    for host, status in (("localhost", 200), ("127.0.0.1:5000", 200), ("example.com", 400)):
        assert (await client.get(f"http://{host}/ok")).status_code == status


SPOOFED = [
    (b"forwarded", b"for=1.2.3.4;proto=https;host=evil.example"),
    (b"x-forwarded-for", b"1.2.3.4"),
    (b"x-forwarded-host", b"evil.example"),
    (b"x-forwarded-prefix", b"/evil"),
    (b"x-forwarded-proto", b"https"),
    (b"x-real-ip", b"1.2.3.4"),
]


async def test_d15_fields_of_proxies_are_not_believed(app: Erlen, server: Bare) -> None:
    @app.get("/who")
    async def who() -> list[Any]:
        return [request.scheme, request.host, request.remote_addr, request.root_path]

    answer = await get(server, "/who", *SPOOFED)
    assert answer.body == b'["http","example.com","203.0.113.9",""]'


@pytest.mark.parametrize(
    ("said", "status"),
    [
        ((b"sec-fetch-site", b"cross-site"), 403),
        ((b"sec-fetch-site", b"same-origin"), 200),
        ((b"origin", b"http://evil.example"), 403),
        ((b"origin", b"http://example.com"), 200),
        ((b"cookie", b"a=b"), 403),
        ((b"x-client", b"no browser"), 200),
    ],
)
async def test_d16_an_unsafe_request_of_another_site_is_refused(
    server: Bare, said: tuple[bytes, bytes], status: int
) -> None:
    answer = await server.http("/data", method="POST", headers=[HOST, said])
    assert answer.status == status


async def echo() -> None:
    async for message in websocket:
        await websocket.send(message)


async def test_d17_a_websocket_is_opened_by_no_page_of_another_origin(
    app: Erlen, server: Bare
) -> None:
    app.add_url_rule("/echo", view_func=echo, websocket=True)
    for origin, first in (
        (b"http://evil", "http"),
        (b"null", "http"),
        (b"http://example.com", "accept"),
    ):
        answer = await server.websocket("/echo", left(), headers=[HOST, (b"origin", origin)])
        assert answer.kinds[0].startswith(first)


async def test_d18_a_websocket_message_has_at_most_1_mib_and_is_taken_when_asked_for(
    app: Erlen, server: Bare
) -> None:
    @app.websocket("/silent")
    async def silent() -> None:
        await websocket.accept()

    app.add_url_rule("/echo", view_func=echo, websocket=True)
    assert (await server.websocket("/echo", text("x" * MIB), text("x" * (MIB + 1)))).close == 1009
    assert (await server.websocket("/silent", *[text("x")] * 17)).taken == 1


# --- what is answered -----------------------------------------------------------------------------


INSIDE = re.compile(rb"tea|LookupError|Traceback|evil|/ok|/data|\.py")


@pytest.mark.parametrize(("path", "status"), [("/fails", 500), ("/evil", 404), ("/data", 405)])
@pytest.mark.parametrize("kind", [b"text/html", b"application/problem+json"])
async def test_d20_an_error_page_says_nothing_of_the_inside_or_of_the_request(
    app: Erlen, server: Bare, path: str, status: int, kind: bytes
) -> None:
    @app.get("/fails")
    async def fails() -> str:
        raise LookupError("the password is tea")

    answer = await get(server, path, (b"accept", kind))
    assert (answer.status, INSIDE.search(answer.body)) == (status, None)
    assert answer.headers[b"content-type"].startswith(kind)


def test_d21_debug_mode_is_off_unless_the_environment_or_the_code_asks_for_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for value, debug in ((None, False), ("0", False), ("1", True)):
        monkeypatch.delenv("ERLEN_DEBUG", raising=False)
        if value is not None:
            monkeypatch.setenv("ERLEN_DEBUG", value)
        assert Erlen("x").debug is debug


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({}, 200),
        ({"host": "evil.example"}, 403),
        ({"origin": "http://evil.example"}, 403),
        ({"x_forwarded_for": "127.0.0.1"}, 403),
        ({"x_erlen_page": "0"}, 403),
        ({"cookie": ""}, 403),
    ],
)
async def test_d22_the_console_is_behind_its_gate(
    app: Erlen, changes: dict[str, str], status: int
) -> None:
    app.debug = True
    app.get("/fail")(lambda: 1 / 0)
    async with browsing(app) as browser:
        page = await browser.open("/fail")
        await browser.unlock(page)
        answer = await browser.command(page, "0/evaluate", {"source": "1"}, **changes)
    assert answer.status_code == status


async def test_d23_static_files_are_regular_files_within_the_folder(
    server: Bare, tmp_path: Path
) -> None:
    for name in (".env", "CON", "../secret.txt", "a.txt"):
        (tmp_path / "static" / name).write_text("content")
    (tmp_path / "static/link.txt").symlink_to(tmp_path / "secret.txt")
    for name in (".env", "CON", "../secret.txt", "link.txt", "sub", "sub/", ""):
        assert (await get(server, f"/static/{name}")).status == 404, name
    headers = (await get(server, "/static/a.txt")).headers
    assert {b"etag", b"last-modified"} < headers.keys()
    assert headers[b"x-content-type-options"] == b"nosniff"
    assert headers[b"cache-control"] == b"no-cache"


async def test_d24_an_upload_on_disk_has_no_name_and_is_gone_with_the_request(
    app: Erlen, server: Bare
) -> None:
    seen: list[Any] = []

    @app.post("/upload")
    async def upload() -> str:
        file = (await request.files)["file"]
        seen.extend([file, os.fstat(file._stream.fileno())])  # type: ignore[union-attr]  # open
        return file.filename or ""

    body = multipart(field("file", b"x" * 257 * KIB, "../../evil.txt"))
    assert (await post(server, "/upload", body, MULTIPART)).body == b"evil.txt"
    assert (seen[1].st_mode & 0o777, seen[1].st_nlink, seen[0]._stream) == (0o600, 0, None)


@pytest.mark.parametrize("name", ["page.html", "page.txt", "page"])
async def test_d25_every_template_is_escaped(app: Erlen, tmp_path: Path, name: str) -> None:
    (tmp_path / "templates" / name).write_text("{{ x }}")
    async with app.app_context():
        assert await render_template(name, x="<b>'") == "&lt;b&gt;&#39;"


async def test_d26_a_path_is_strict_and_its_slashes_are_its_own(app: Erlen, server: Bare) -> None:
    @app.get("/x/<name>/")
    async def one(name: str) -> str:
        return name

    for raw in (b"/x/%ff/", b"/x/%00/", b"/x/%0a/"):
        assert (await get(server, "/x/?/", raw_path=raw)).status == 400
    assert (await get(server, "/x/a/b/", raw_path=b"/x/a%2Fb/")).status == 404
    for asked, location in (("/x/a", b"/x/a/"), ("//x//a/", b"/x/a/")):
        moved = await get(server, asked)
        assert (moved.status, moved.headers[b"location"]) == (308, location)


@pytest.mark.parametrize("char", [chr(code) for code in [*range(9), *range(10, 32), 127]])
def test_d27_a_control_character_in_a_header_raises_where_it_is_set(char: str) -> None:
    with pytest.raises(ValueError, match="X-Name"):
        Response().headers["X-Name"] = f"a{char}b"


async def test_d28_a_redirect_leads_to_a_place_of_the_web_and_a_local_one_stays(app: Erlen) -> None:
    async with app.test_request_context("/"):
        for target in ("javascript:alert(1)", "data:,x", "ftp://a.com"):
            with pytest.raises(ValueError, match="redirect"):
                redirect(target)
        assert redirect("/a\\b\r\nX: y").location == "/a%5Cb%0D%0AX:%20y"
        for target in ("//evil.example", "/\\evil.example", "https://evil.example", ""):
            assert redirect_local(target, "/home").location == "/home"


async def test_d29_of_the_cookies_of_one_name_the_first_wins(app: Erlen, server: Bare) -> None:
    @app.get("/cookies")
    async def cookies() -> dict[str, str]:
        return dict(request.cookies)

    answer = await get(server, "/cookies", (b"cookie", b"a=1; =nameless; nameless; a=2; b=3"))
    assert answer.body == b'{"a":"1","b":"3"}'


@pytest.mark.parametrize("method", ["GET", "OPTIONS"])
async def test_d30_no_other_origin_may_read_an_answer(server: Bare, method: str) -> None:
    asked = [(b"origin", b"http://evil.example"), (b"access-control-request-method", b"GET")]
    answer = await get(server, "/ok", *asked, method=method)
    assert not [name for name in answer.headers if name.startswith(b"access-control-")]


async def test_d31_a_websocket_is_accepted_by_word_or_by_its_first_use(
    app: Erlen, server: Bare
) -> None:
    @app.websocket("/unused")
    async def unused() -> None:
        pass

    @app.websocket("/sends")
    async def sends() -> None:
        await websocket.send("a")

    assert (await server.websocket("/sends")).kinds == ["accept", "send", "close"]
    assert (await server.websocket("/unused", denial=False)).kinds == ["close"]


# --- what is shown --------------------------------------------------------------------------------


async def test_d32_a_log_shows_a_path_escaped_and_cut(app: Erlen, server: Bare) -> None:
    @app.get("/fails/<name>")
    async def fails(name: str) -> str:
        raise LookupError

    answer = await get(server, "/fails/\u202e\u2028" + "x" * 1000)
    message = answer.log[0].getMessage()
    assert "/fails/\\u202e\\u2028x" in message
    assert len(message) < 250


def test_d35_run_serves_loopback_by_h11_and_believes_no_proxy(app: Erlen) -> None:
    settings = start.uvicorn_settings(app.config, in_haste=False)
    options: dict[str, Any] = {**settings, "log_config": None}
    config = uvicorn.Config(app, **options)
    assert addresses.choose(None, None, None) == ("127.0.0.1", 5000)
    assert (config.http, config.h11_max_incomplete_event_size) == ("h11", 80 * KIB)
    assert (config.proxy_headers, config.server_header) == (False, False)
    assert config.reset_contextvars
    assert config.timeout_graceful_shutdown == 30
    assert (config.ws_max_size, config.ws_ping_interval) == (MIB, 20)


def test_d36_dependencies_are_few_and_above_their_known_defects() -> None:
    pyproject = Path(__file__).parents[2] / "pyproject.toml"
    core = tomllib.loads(pyproject.read_text())["project"]["dependencies"]
    assert len(core) < 12
    assert {"h11>=0.16", "jinja2>=3.1.6", "multipart>=2.0.1,<3"} < set(core)


def test_d37_secrets_are_not_shown(app: Erlen) -> None:
    app.config["MAIL_PASSWORD"] = "letmein"
    shown = repr(app.config)
    assert KEY not in shown
    assert "letmein" not in shown


# --- every row ------------------------------------------------------------------------------------


def proved() -> set[int]:
    """Return the rows that names of this file's tests mention."""
    return {int(row) for row in re.findall(r"\bdef test_d(\d\d)_", Path(__file__).read_text())}


def test_every_row_is_proved_or_listed_with_what_will_build_it() -> None:
    assert ROWS - proved() == set(LATER)


def test_no_row_is_listed_that_is_proved_or_does_not_exist() -> None:
    assert not set(LATER) & proved()
    assert set(PARTLY) <= proved() <= ROWS

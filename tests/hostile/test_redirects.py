"""Catalogue 2.13: redirects to what somebody else says, and redirects of the router."""

from typing import Any
from urllib.parse import unquote

import pytest

from erlen import redirect, request
from erlen.replies import redirect_local
from tests.hostile.application import Hostile, make_app
from tests.hostile.harness import HOST, Answer, Bare


@pytest.fixture
def app() -> Hostile:
    app = make_app()

    @app.view("/go")
    async def go() -> Any:
        code = request.args.get("code", "303")
        return redirect(request.args["to"], int(code) if code.isdigit() else code)  # type: ignore[arg-type]  # what a developer may pass by mistake

    @app.view("/login", methods=["POST"])
    async def login() -> Any:
        return redirect_local(request.args.get("next"), "/home")

    @app.view("/dir/", methods=["GET", "POST"])
    async def folder() -> Any:
        return redirect("/elsewhere") if "on" in request.args else "here"

    @app.view("/dir/<path:rest>/", methods=["GET", "POST"])
    async def below(rest: str) -> str:
        return rest

    return app


@pytest.fixture
def server(app: Hostile) -> Bare:
    return Bare(app, app.ran)


def quoted(text: str) -> bytes:
    return "".join(f"%{byte:02x}" for byte in text.encode("utf-8", "surrogatepass")).encode()


async def go(server: Bare, target: str, code: str = "303") -> Answer:
    return await server.http("/go", query_string=b"to=%b&code=%b" % (quoted(target), code.encode()))


@pytest.mark.parametrize(
    ("target", "location"),
    [
        pytest.param("//evil.com", b"//evil.com", id="b171-as-the-developer-says"),
        pytest.param("/\\evil.com", b"/%5Cevil.com", id="b171-backslash"),
        pytest.param("\\\\evil.com", b"%5C%5Cevil.com", id="b171-backslashes"),
        pytest.param("/%09/evil.com", b"/%09/evil.com", id="b171-encoded-tab"),
        pytest.param("/\t/evil.com", b"/%09/evil.com", id="b171-tab"),
        pytest.param(" //evil.com", b"%20//evil.com", id="b171-space"),
        pytest.param("/a\r\nSet-Cookie: a=b", b"/a%0D%0ASet-Cookie:%20a=b", id="b173-crlf"),
        pytest.param("/a\nb", b"/a%0Ab", id="b173-lf"),
        pytest.param("/a\0b", b"/a%00b", id="b173-nul"),
        pytest.param("/ünïcode?q=ä", b"/%C3%BCn%C3%AFcode?q=%C3%A4", id="b175-iri"),
        pytest.param("//\u2147vil.com", b"//evil.com", id="b175-idna"),
        pytest.param("//evil\u3002com", b"//evil.com", id="b175-idna-dot"),
        pytest.param('/"><script>', b"/%22%3E%3Cscript%3E", id="b179"),
        pytest.param("/?a='&b=1", b"/?a='&b=1", id="b179-apostrophe"),
    ],
)
async def test_redirect_of_the_developer_is_encoded(
    server: Bare, target: str, location: bytes
) -> None:
    answer = await go(server, target)
    assert (answer.status, answer.headers[b"location"]) == (303, location)
    assert b"set-cookie" not in answer.headers
    link = location.replace(b"&", b"&amp;").replace(b"'", b"&#39;")
    assert answer.body.count(b'<a href="%b">%b</a>' % (link, link)) == 1
    assert answer.body.count(b"<") == answer.body.count(b">") == 10


@pytest.mark.parametrize(
    "target",
    [
        pytest.param("///evil.com", id="b171-three-slashes"),
        pytest.param("javascript:alert(1)", id="b172-javascript"),
        pytest.param("data:text/html,x", id="b172-data"),
        pytest.param("vbscript:x", id="b172-vbscript"),
        pytest.param("JaVaScRiPt:x", id="b172-mixed-case"),
        pytest.param("java\nscript:x", id="b172-newline"),
        pytest.param("http://good.com\\@evil.com", id="b174-backslash"),
        pytest.param("https:evil.com", id="b174-no-slashes"),
        pytest.param("//a\u2100b.com", id="b175-folds-to-a-slash"),
        pytest.param("/" + "a" * 16384, id="b176-over-16-kib"),
    ],
)
async def test_redirect_to_no_place_of_the_web_is_one_500(app: Hostile, target: str) -> None:
    app.config["MAX_URL_LENGTH"] = 1024 * 1024
    answer = await go(Bare(app, app.ran), target)
    assert (answer.status, len(answer.log)) == (500, 1)
    assert answer.log[0].exc_info
    assert answer.log[0].exc_info[0] is ValueError
    assert b"location" not in answer.headers


async def test_b176_a_target_of_100_kib_is_one_500() -> None:
    app = make_app()

    @app.view("/far")
    async def far() -> Any:
        return redirect("/" + "a" * 100 * 1024)

    answer = await Bare(app, app.ran).http("/far")
    assert (answer.status, len(answer.log)) == (500, 1)


@pytest.mark.parametrize("code", ["200", "300", "304", "305", "999", "x302"])
async def test_b177_a_code_that_is_no_redirect_is_one_500(server: Bare, code: str) -> None:
    answer = await go(server, "/", code)
    assert (answer.status, len(answer.log)) == (500, 1)


@pytest.mark.parametrize("code", ["301", "302", "303", "307", "308"])
async def test_b177_a_code_that_redirects_is_sent(server: Bare, code: str) -> None:
    assert (await go(server, "/", code)).status == int(code)


@pytest.mark.parametrize(
    ("target", "location"),
    [
        *[
            pytest.param(target, b"/home", id=f"b171-{target!a}")
            for target in (
                "//evil.com", "///evil.com", "/\\evil.com", "\\\\evil.com", "/%09/evil.com",
                "/\t/evil.com", " //evil.com", "%2F/evil.com", "/%2Fevil.com", "/%5cevil.com",
            )
        ],
        *[
            pytest.param(target, b"/home", id=f"b172-{target!a}")
            for target in ("javascript:alert(1)", "data:,", "vbscript:", "JaVaScRiPt:", "java\nscript:")
        ],
        *[pytest.param(f"/a{end}b", b"/home", id=f"b173-{end!a}") for end in ("\r\n", "\n", "\0")],
        *[
            pytest.param(target, b"/home", id=f"b174-{target}")
            for target in (
                "http://good.com@evil.com", "http://good.com.evil.com", "http://good.com\\@evil.com",
                "https:evil.com", "http:/evil.com", "http:\\\\evil.com",
            )
        ],
        pytest.param("//\u2147vil.com", b"/home", id="b175-host"),
        pytest.param("/ünïcode?q=ä", b"/%C3%BCn%C3%AFcode?q=%C3%A4", id="b175-path"),
        pytest.param("/" + "é" * 6000, b"/home", id="b176-encoded"),
        pytest.param("\ud800", b"/home", id="surrogate"),
        pytest.param("", b"/home", id="empty"),
        pytest.param("/account?tab=1#top", b"/account?tab=1#top", id="local"),
    ],
)  # fmt: skip
async def test_next_of_a_stranger_stays_on_the_host(
    app: Hostile, target: str, location: bytes
) -> None:
    app.config["MAX_URL_LENGTH"] = 1024 * 1024
    server = Bare(app, app.ran)
    answer = await server.http("/login", method="POST", query_string=b"next=" + quoted(target))
    assert (answer.status, answer.headers[b"location"]) == (303, location)


async def test_next_that_is_missing_is_the_fallback(server: Bare) -> None:
    answer = await server.http("/login", method="POST")
    assert answer.headers[b"location"] == b"/home"


@pytest.mark.parametrize(
    ("raw", "query", "location"),
    [
        pytest.param("/dir", b"", b"/dir/", id="b178-slash"),
        pytest.param("/dir", b"a=b&c=%2F", b"/dir/?a=b&c=%2F", id="b178-query"),
        pytest.param("/dir", b"a=\"<'\\", b"/dir/?a=%22%3C'%5C", id="b178-query-encoded"),
        pytest.param("/dir/%C3%BC%20b", b"", b"/dir/%C3%BC%20b/", id="b178-path-encoded"),
        pytest.param("//dir/", b"", b"/dir/", id="b178-doubled"),
        pytest.param("/dir//evil.com", b"", b"/dir/evil.com/", id="b178-merged"),
        pytest.param("/dir/%5Cevil.com", b"", b"/dir/%5Cevil.com/", id="b178-backslash"),
        pytest.param("/dir/%0d%0ax", b"", None, id="b178-crlf"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_b178_a_redirect_of_the_router_is_a_308_to_a_path(
    server: Bare, raw: str, query: bytes, location: bytes | None, method: str
) -> None:
    """The Host is not in it, whatever the client says it is; 308 keeps method and body."""
    answer = await server.http(
        unquote(raw), raw_path=raw.encode(), query_string=query, method=method, body=b"kept"
    )
    if location is None:
        assert answer.status == 400
    else:
        assert (answer.status, answer.headers[b"location"]) == (308, location)
        assert answer.taken == 0
    assert answer.ran == []


async def test_b179_the_page_of_the_router_escapes_its_link(server: Bare) -> None:
    answer = await server.http("/dir", query_string=b"a=1&b='")
    assert b'<a href="/dir/?a=1&amp;b=&#39;">' in answer.body


async def test_b180_a_route_that_redirects_is_redirected_once_by_the_router(server: Bare) -> None:
    first = await server.http("/dir", query_string=b"on=1")
    assert (first.status, first.headers[b"location"], first.ran) == (308, b"/dir/?on=1", [])
    second = await server.http("/dir/", query_string=b"on=1")
    assert (second.status, second.headers[b"location"]) == (303, b"/elsewhere")
    assert second.ran == ["folder"]


async def test_b180_doubled_slashes_and_a_missing_one_are_one_redirect(server: Bare) -> None:
    answer = await server.http("/dir//a", headers=[HOST])
    assert answer.headers[b"location"] == b"/dir/a/"
    assert (await server.http("/dir/a/")).status == 200

"""Catalogue 2.11: the Host, and who is trusted."""

import json
from pathlib import Path
from typing import Any
from wsgiref.util import setup_testing_defaults

import pytest

from erlen import Erlen
from tests.hostile.application import before, make_app
from tests.hostile.harness import Bare

TRUSTED = ["example.com", ".svc.example"]


def hosted(*hosts: bytes) -> list[tuple[bytes, bytes]]:
    return [(b"host", host) for host in hosts]


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param(hosted(), id="b151-none"),
        pytest.param(hosted(b""), id="b151-empty"),
        pytest.param(hosted(b"  "), id="b151-spaces"),
        pytest.param(hosted(b"example.com", b"example.com"), id="b152-twice"),
        pytest.param(hosted(b"example.com", b"evil.com"), id="b152-two"),
        pytest.param(hosted(b"example.com/abc?x="), id="b153-path"),
        pytest.param(hosted(b"a#b"), id="b153-fragment"),
        pytest.param(hosted(b"a\\b"), id="b153-backslash"),
        pytest.param(hosted(b"a b"), id="b153-space"),
        pytest.param(hosted(b"a%00"), id="b153-encoded"),
        pytest.param(hosted(b"a\tb"), id="b153-tab"),
        pytest.param(hosted(b"user:pw@example.com"), id="b154"),
        pytest.param(hosted(b"example.com:99999"), id="b155-large"),
        pytest.param(hosted(b"example.com:0"), id="b155-zero"),
        pytest.param(hosted(b"example.com:-1"), id="b155-negative"),
        pytest.param(hosted(b"example.com:\xd9\xa8\xd9\xa0"), id="b155-arabic"),
        pytest.param(hosted(b"example.com:80:80"), id="b155-two"),
        pytest.param(hosted(b"[::1"), id="b158-open"),
        pytest.param(hosted(b"[fe80::1%25eth0]"), id="b158-zone"),
        pytest.param(hosted("пример.рф".encode()), id="b159-utf8"),
        pytest.param(hosted("example\uff0ecom".encode()), id="b159-full-width"),
        pytest.param(hosted("\u212a.com".encode()), id="b159-kelvin"),
    ],
)
@pytest.mark.parametrize("config", [{}, {"TRUSTED_HOSTS": TRUSTED}], ids=["any", "listed"])
async def test_a_malformed_host_is_400(headers: Any, config: Any) -> None:
    app = make_app(**config)
    answer = await Bare(app, app.ran).http("/c", headers=headers)
    assert (answer.status, answer.ran) == (400, [])


@pytest.mark.parametrize(
    ("host", "trusted"),
    [
        pytest.param(b"example.com:", True, id="b155-no-port"),
        pytest.param(b"EXAMPLE.com.", True, id="b156-dot"),
        pytest.param(b"EXAMPLE.COM:443", True, id="b156-port"),
        pytest.param(b"exampleXcom", False, id="b157-no-dot"),
        pytest.param(b"example.com.evil.com", False, id="b157-suffix"),
        pytest.param(b"evil-example.com", False, id="b157-prefix"),
        pytest.param(b"evil.com#.svc.example", False, id="b157-fragment"),
        pytest.param(b"svc.example", True, id="b157-itself"),
        pytest.param(b"a.b.svc.example", True, id="b157-below"),
        pytest.param(b"[::1]:80", False, id="b158-ipv6"),
        pytest.param(b"[::ffff:127.0.0.1]", False, id="b158-mapped"),
        pytest.param(b"2130706433", False, id="b158-number"),
        pytest.param(b"0177.0.0.1", False, id="b158-octal"),
        pytest.param(b"127.1", False, id="b158-short"),
        pytest.param(b"xn--e1afmkfd.xn--p1ai", False, id="b159-punycode"),
    ],
)
async def test_only_listed_hosts_are_served(host: bytes, trusted: bool) -> None:
    app = make_app(TRUSTED_HOSTS=TRUSTED)
    answer = await Bare(app, app.ran).http("/c", headers=hosted(host))
    assert (answer.status, bool(answer.ran)) == ((200, True) if trusted else (400, False))


@pytest.mark.parametrize(
    ("host", "seen"),
    [
        (b"EXAMPLE.com:80", "example.com"),
        (b"Example.com:8080", "example.com:8080"),
        (b"[::1]:80", "[::1]"),
        (b"2130706433", "2130706433"),
    ],
)
async def test_without_a_list_every_sound_host_is_served_in_one_spelling(
    server: Bare, host: bytes, seen: str
) -> None:
    answer = json.loads((await server.http("/host", headers=hosted(host))).body)
    assert (answer["host"], answer["url"]) == (seen, f"http://{seen}/host")


@pytest.mark.parametrize(
    ("path", "method"), [("/c", "GET"), ("/nowhere", "GET"), ("/c", "OPTIONS"), ("/c", "POST")]
)
async def test_b160_an_untrusted_host_is_400_everywhere_before_any_hook(
    path: str, method: str
) -> None:
    app = make_app(TRUSTED_HOSTS=TRUSTED)
    before(app)
    answer = await Bare(app, app.ran).http(path, method=method, headers=hosted(b"evil.com"))
    assert (answer.status, answer.ran) == (400, [])


@pytest.mark.parametrize("path", ["/sub/c", "/sub/nowhere", "/old/c"])
async def test_b160_an_untrusted_host_is_400_for_what_is_mounted(path: str) -> None:
    inner, called = make_app(), list[str]()
    app = make_app(TRUSTED_HOSTS=TRUSTED)
    before(inner)
    app.mount("/sub", inner)
    app.mount("/old", wsgi=lambda environ, _start: called.append(environ["PATH_INFO"]))
    async with app.test_client() as client:
        answer = await client.get(path, headers={"Host": "evil.com"})
    assert (answer.status_code, inner.ran, called) == (400, [], [])


async def test_b160_an_untrusted_host_gets_no_static_file(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("file")
    app = Erlen("files", static_folder=str(tmp_path), static_url_path="/static")
    app.config["TRUSTED_HOSTS"] = TRUSTED
    async with app.test_client() as client:
        trusted = await client.get("/static/a.txt", headers={"Host": "example.com"})
        other = await client.get("/static/a.txt", headers={"Host": "evil.com"})
    assert (trusted.text, other.status_code) == ("file", 400)


def test_b160_an_untrusted_host_is_400_under_a_wsgi_server() -> None:
    app = make_app(TRUSTED_HOSTS=TRUSTED)
    environ: dict[str, Any] = {"PATH_INFO": "/c", "HTTP_HOST": "evil.com"}
    setup_testing_defaults(environ)
    started: list[str] = []

    def start_response(status: str, *_rest: Any) -> Any:
        started.append(status)

    try:
        body: Any = app.wsgi(environ, start_response)
        list(body)
        body.close()
    finally:
        app.wsgi.close()
    assert (started, app.ran) == (["400 Bad Request"], [])


@pytest.mark.parametrize("path", ["/ws/echo", "/nowhere"])
async def test_b160_an_untrusted_host_opens_no_websocket(path: str) -> None:
    app = make_app(TRUSTED_HOSTS=TRUSTED)
    before(app)
    answer = await Bare(app, app.ran).websocket(path, headers=hosted(b"evil.com"))
    assert (answer.status, answer.ran) == (400, [])
    closed = await Bare(app, app.ran).websocket(path, headers=hosted(b"evil.com"), denial=False)
    assert closed.kinds == ["close"]


async def test_b160_an_error_handler_sees_no_trusted_host_where_there_is_none() -> None:
    app = make_app(TRUSTED_HOSTS=TRUSTED)

    @app.errorhandler(400)
    async def handler(error: Exception) -> tuple[str, int]:
        return "refused", 400

    answer = await Bare(app, app.ran).http("/c", headers=hosted(b"evil.com"))
    assert (answer.status, answer.body) == (400, b"refused")


@pytest.mark.parametrize(
    ("host", "status"),
    [
        (b"localhost:5000", 200), (b"a.localhost", 200), (b"127.0.0.1:8000", 200), (b"[::1]", 200),
        (b"evil.com", 400), (b"127.0.0.1.nip.io", 400), (b"localhost.evil.com", 400),
    ],
)  # fmt: skip
async def test_debug_mode_serves_loopback_only(host: bytes, status: int) -> None:
    app = make_app(DEBUG=True, SERVER_NAME="example.com")
    answer = await Bare(app, app.ran).http("/c", headers=hosted(host))
    assert answer.status == status

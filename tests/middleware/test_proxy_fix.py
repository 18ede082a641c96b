"""The request as the client made it, told by the proxies in front."""

from typing import Any

import pytest

from erlen import Erlen, request, session, url_for, websocket
from erlen.middleware import ProxyFix
from erlen.protocols import Message, Receive, Scope, Send
from tests.exchange.wire import scope_of

PROXY = "127.0.0.1"
Fields = dict[str, str]


async def seen(
    headers: Fields | list[tuple[str, str]], *, scope: Any = None, **options: Any
) -> Scope:
    """Return the scope that an application gets behind ``ProxyFix(app, **options)``."""
    got: list[Scope] = []

    async def app(scope: Scope, _receive: Receive, _send: Send) -> None:
        got.append(scope)

    pairs = headers.items() if isinstance(headers, dict) else headers
    raw = [(b"host", b"inside"), *((name.encode(), value.encode()) for name, value in pairs)]
    sent = scope_of(headers=raw, **{"client": (PROXY, 40000), **(scope or {})})
    await ProxyFix(app, **options)(sent, _nothing, _nowhere)
    return got[0]


async def _nothing() -> Message:
    raise NotImplementedError


async def _nowhere(_message: Message) -> None:
    raise NotImplementedError


def host(scope: Scope) -> str:
    (value,) = (value for name, value in scope["headers"] if name == b"host")
    return str(value.decode())


ALL = {
    "x-forwarded-for": "203.0.113.7",
    "x-forwarded-proto": "https",
    "x-forwarded-host": "shop.example",
    "x-forwarded-port": "8443",
    "x-forwarded-prefix": "/shop",
}


async def test_b161_nothing_is_believed_that_was_not_asked_for() -> None:
    scope = await seen(ALL, x_for=0, x_proto=0)
    assert (scope["client"], scope["scheme"], host(scope)) == ((PROXY, 40000), "http", "inside")
    assert (scope["root_path"], scope["path"]) == ("", "/")


async def test_what_is_asked_for_is_corrected() -> None:
    scope = await seen(ALL, x_host=1, x_port=1, x_prefix=1, scope={"raw_path": b"/"})
    assert (scope["client"], scope["scheme"]) == (("203.0.113.7", 0), "https")
    assert host(scope) == "shop.example:8443"
    assert (scope["root_path"], scope["path"], scope["raw_path"]) == ("/shop", "/shop/", b"/shop/")


@pytest.mark.parametrize(
    ("count", "value", "client"),
    [
        (1, "192.0.2.66, 10.0.0.1", "10.0.0.1"),
        (2, "192.0.2.66, 10.0.0.1", "192.0.2.66"),
        (2, "10.0.0.1", PROXY),
        (1, "evil", PROXY),
        (1, "10.0.0.1, unknown", PROXY),
        (1, "_hidden", PROXY),
        (1, "10.0.0.1\x00", PROXY),
        (1, "a,,10.0.0.1", PROXY),
        (1, ",".join(["10.0.0.1"] * 10_000), PROXY),
        (1, "10.0.0.1:99", "10.0.0.1"),
        (1, "[::1]:99", "::1"),
    ],
    ids=lambda value: str(value)[:30],
)
async def test_b162_b163_the_client_is_counted_from_the_right(
    count: int, value: str, client: str
) -> None:
    scope = await seen({"x-forwarded-for": value}, x_for=count)
    assert scope["client"][0] == client


async def test_b163_repeated_fields_are_one_list() -> None:
    fields = [("x-forwarded-for", "10.0.0.9"), ("x-forwarded-for", "10.0.0.1")]
    assert (await seen(fields, x_for=2))["client"][0] == "10.0.0.9"


@pytest.mark.parametrize(
    ("client", "expected"),
    [
        (("10.1.2.3", 1), "203.0.113.7"),
        (("192.0.2.1", 1), "192.0.2.1"),
        (("not an address", 1), "not an address"),
        (None, None),
    ],
)
async def test_b164_only_trusted_peers_are_believed(client: Any, expected: str | None) -> None:
    scope = await seen(ALL, scope={"client": client}, trusted=["10.0.0.0/8"])
    assert (scope["client"] and scope["client"][0]) == expected


async def test_b164_a_peer_on_a_unix_socket_is_trusted_by_name() -> None:
    scope = await seen(ALL, scope={"client": None}, trusted=["unix"])
    assert scope["client"][0] == "203.0.113.7"


@pytest.mark.parametrize(
    ("value", "client"),
    [
        ("192.0.2.66, 203.0.113.7, 10.0.0.1, 10.0.0.2", "203.0.113.7"),
        ("10.0.0.1, 10.0.0.2", "10.0.0.1"),
        ("203.0.113.7", "203.0.113.7"),
        ("_hidden, 10.0.0.1", PROXY),
    ],
)
async def test_trusted_proxies_are_walked_from_the_right(value: str, client: str) -> None:
    scope = await seen({"x-forwarded-for": value}, trusted=["10.0.0.0/8", PROXY])
    assert scope["client"][0] == client


async def test_of_trusted_peers_the_last_entry_counts() -> None:
    scope = await seen({"x-forwarded-proto": "http, https"}, trusted=[PROXY], x_proto=5)
    assert scope["scheme"] == "https"


@pytest.mark.parametrize(
    ("value", "count", "scheme"),
    [
        ("https,http", 1, "http"),
        ("https,http", 2, "https"),
        ("HTTPS", 1, "https"),
        ("javascript", 1, "http"),
        ("wss", 1, "http"),
    ],
)
async def test_b165_the_scheme_is_counted_from_the_right(
    value: str, count: int, scheme: str
) -> None:
    assert (await seen({"x-forwarded-proto": value}, x_proto=count))["scheme"] == scheme


async def test_b165_the_scheme_of_a_websocket_is_its_own() -> None:
    scope = await seen(ALL, scope={"type": "websocket", "scheme": "ws"})
    assert scope["scheme"] == "wss"


@pytest.mark.parametrize("value", ["a b", "a@b", "a/b", "é.example"])
async def test_b166_a_host_that_is_none_is_ignored(value: str) -> None:
    assert host(await seen({"x-forwarded-host": value}, x_host=1)) == "inside"


@pytest.mark.parametrize("value", ["99999", "x", "0"])
async def test_a_port_that_is_none_is_ignored(value: str) -> None:
    assert host(await seen({"x-forwarded-port": value}, x_port=1)) == "inside"


async def test_a_port_replaces_that_of_the_host() -> None:
    fields = {"x-forwarded-host": "[::1]:80", "x-forwarded-port": "8080"}
    assert host(await seen(fields, x_host=1, x_port=1)) == "[::1]:8080"


async def test_a_port_needs_one_host() -> None:
    fields = [("host", "other"), ("x-forwarded-port", "8080")]
    scope = await seen(fields, x_port=1)
    assert [value for name, value in scope["headers"] if name == b"host"] == [b"inside", b"other"]


@pytest.mark.parametrize("value", ["//evil.com", "/a/../b", "/a%0d%0a", "/%2e%2e/b", "javascript:"])
async def test_b167_a_prefix_that_is_no_path_is_ignored(value: str) -> None:
    scope = await seen({"x-forwarded-prefix": value}, x_prefix=1)
    assert (scope["root_path"], scope["path"]) == ("", "/")


async def test_a_prefix_stands_before_that_of_the_server() -> None:
    inner = {"root_path": "/in", "path": "/in/x"}
    scope = await seen({"x-forwarded-prefix": "/caf%C3%A9/"}, scope=inner, x_prefix=1)
    assert (scope["root_path"], scope["path"]) == ("/café/in", "/café/in/x")


FORWARDED = {"forwarded": 'for="[2001:db8::7]:99";proto=https;host=shop.example, for=10.0.0.1'}


async def test_forwarded_is_read_when_it_is_asked_for() -> None:
    scope = await seen(FORWARDED, forwarded=True, x_for=2, x_proto=2, x_host=2)
    assert (scope["client"], scope["scheme"]) == (("2001:db8::7", 99), "https")
    assert host(scope) == "shop.example"


async def test_what_an_element_of_forwarded_does_not_tell_stays() -> None:
    scope = await seen(FORWARDED, forwarded=True, x_host=1)
    assert (scope["client"], scope["scheme"]) == (("10.0.0.1", 0), "http")
    assert host(scope) == "inside"


@pytest.mark.parametrize("value", ["for=1.2.3.4;for=5.6.7.8", 'for="1.2.3.4', "x" * 65536])
async def test_b168_a_malformed_forwarded_is_ignored(value: str) -> None:
    scope = await seen({"forwarded": value}, forwarded=True)
    assert scope["client"] == (PROXY, 40000)


async def test_b168_a_malformed_parameter_leaves_the_others() -> None:
    scope = await seen({"forwarded": "for=evil;proto=https"}, forwarded=True)
    assert (scope["client"], scope["scheme"]) == ((PROXY, 40000), "https")


async def test_b169_an_underscore_makes_another_field() -> None:
    assert (await seen({"x_forwarded_for": "10.0.0.1"}))["client"] == (PROXY, 40000)


@pytest.mark.parametrize(("forwarded", "client"), [(True, "10.0.0.1"), (False, "203.0.113.7")])
async def test_b170_only_one_family_is_read(forwarded: bool, client: str) -> None:
    scope = await seen({**ALL, "forwarded": "for=10.0.0.1"}, forwarded=forwarded)
    assert scope["client"][0] == client


async def test_the_servers_scope_is_left_as_it_is() -> None:
    sent = scope_of(headers=[(b"x-forwarded-for", b"10.0.0.1")])
    before = {**sent, "headers": list(sent["headers"])}

    async def app(_scope: Scope, _receive: Receive, _send: Send) -> None: ...

    await ProxyFix(app)(sent, _nothing, _nowhere)
    assert sent == before


async def test_a_lifespan_passes() -> None:
    got: list[Scope] = []

    async def app(scope: Scope, _receive: Receive, _send: Send) -> None:
        got.append(scope)

    scope: Scope = {"type": "lifespan"}
    await ProxyFix(app)(scope, _nothing, _nowhere)
    assert got[0] is scope


def test_a_network_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match=r"10\.0\.0"):
        ProxyFix(_nothing, trusted=["10.0.0"])  # type: ignore[arg-type]  # never called


async def test_b166_a_forwarded_host_is_checked_like_any_other() -> None:
    app = Erlen("proxied")
    app.config.update(TESTING=True, TRUSTED_HOSTS=["shop.example"])
    app.add_middleware(ProxyFix, x_host=1)
    app.add_url_rule("/", "index", lambda: request.host)
    async with app.test_client() as client:
        good = await client.get("/", headers={"X-Forwarded-Host": "shop.example"})
        bad = await client.get("/", headers={"X-Forwarded-Host": "evil.com"})
    assert (good.text, bad.status_code) == ("shop.example", 400)


async def test_b161_without_the_middleware_no_proxy_is_believed() -> None:
    app = Erlen("direct")
    app.config.update(TESTING=True, SECRET_KEY="of tests only, and long enough")

    @app.get("/where")
    async def where() -> list[str | None]:
        session["seen"] = True
        return [request.url, request.remote_addr, request.root_path, url_for("where")]

    told = {"Forwarded": "for=203.0.113.7;proto=https;host=evil.com", "X-Real-IP": "203.0.113.7"}
    async with app.test_client() as client:
        plain = await client.get("/where")
        lied = await client.get("/where", headers={**ALL, **told})
    assert lied.get_json() == plain.get_json()
    assert "Secure" not in lied.headers["set-cookie"]


async def test_links_follow_the_proxies() -> None:
    app = Erlen("proxied")
    app.config["TESTING"] = True
    app.add_middleware(ProxyFix, x_host=1, x_prefix=1)
    app.add_url_rule("/where", "where", lambda: f"{url_for('where')} {request.url}")
    async with app.test_client() as client:
        answer = await client.get("/where", headers=ALL)
    assert answer.text == "/shop/where https://shop.example/shop/where"


async def test_a_websocket_behind_proxies_has_the_pages_origin() -> None:
    app = Erlen("proxied")
    app.config["TESTING"] = True
    app.add_middleware(ProxyFix, x_host=1)

    @app.websocket("/live")
    async def live() -> None:
        await websocket.send(websocket.url)

    headers = {**ALL, "Origin": "https://shop.example"}
    async with app.test_client() as client, client.websocket("/live", headers=headers) as socket:
        assert await socket.receive() == "wss://shop.example/live"

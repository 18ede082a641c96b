"""The client's cookies, kept and sent as a browser does."""

from typing import Any

import pytest

from erlen.protocols import ASGIApp, Receive, Scope, Send
from erlen.testing import Client


def setting(*fields: str) -> ASGIApp:
    """Make an application that sets cookies at /set and answers with the Cookie field elsewhere."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        headers = []
        if scope["path"].endswith("/set"):
            headers = [(b"set-cookie", field.encode()) for field in fields]
        sent = [value for name, value in scope["headers"] if name == b"cookie"]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"; ".join(sent)})

    return app


async def sent_to(client: Client, url: str, **options: Any) -> str:
    return (await client.get(url, **options)).text


@pytest.mark.parametrize(
    ("field", "at", "to", "sent"),
    [
        ("a=1", "http://localhost", "http://localhost", True),
        ("a=1; Domain=localhost", "http://localhost", "http://localhost", True),
        ("a=1; Domain=localhost", "http://localhost", "http://x.localhost", True),
        ("a=1", "http://localhost", "http://x.localhost", False),
        ("a=1", "http://h.test", "http://h.test", True),
        ("a=1", "http://h.test", "http://x.h.test", False),
        ("a=1; Domain=h.test", "http://h.test", "http://x.h.test", True),
        ("a=1; Domain=h.test", "http://h.test", "http://xh.test", False),
        ("a=1; Domain=h.test", "http://x.h.test", "http://h.test", True),
        ("a=1; Domain=other.test", "http://h.test", "http://other.test", False),
        ("a=1; Domain=0.0.1", "http://127.0.0.1", "http://127.0.0.1", False),
        ("a=1", "http://127.0.0.1", "http://127.0.0.1", True),
        ("a=1", "http://[::1]", "http://[::1]", True),
        ("a=1; Secure", "https://h.test", "https://h.test", True),
        ("a=1; Secure", "https://h.test", "http://h.test", False),
        ("a=1; Path=/in", "http://h.test", "http://h.test/in/x", True),
        ("a=1; Path=/in", "http://h.test", "http://h.test/index", False),
        ("a=1; Max-Age=0", "http://h.test", "http://h.test", False),
    ],
)
async def test_te6_a_cookie_goes_where_a_browser_sends_it(
    field: str, at: str, to: str, sent: bool
) -> None:
    client = Client(setting(field))
    await client.get(f"{at}/set")
    assert await sent_to(client, to) == ("a=1" if sent else "")


async def test_te6_get_cookie_shows_what_is_kept() -> None:
    client = Client(setting("a=1; Path=/p; Secure; HttpOnly; SameSite=Lax; Max-Age=9"))
    await client.get("/set")
    assert client.get_cookie("a") is None
    cookie = client.get_cookie("a", path="/p")
    assert cookie is not None
    assert cookie[:4] == ("a", "1", "localhost", "/p")
    assert (cookie.secure, cookie.http_only, cookie.same_site) == (True, True, "Lax")
    assert cookie.expires is not None


async def test_te6_attributes_may_be_in_lower_case() -> None:
    client = Client(setting("a=1; path=/; httponly; samesite=strict"))
    await client.get("/set")
    cookie = client.get_cookie("a")
    assert cookie is not None
    assert (cookie.secure, cookie.http_only, cookie.same_site) == (False, True, "strict")
    assert cookie.expires is None


async def test_te6_set_cookie_and_delete_cookie() -> None:
    client = Client(setting())
    client.set_cookie("a", "x;y", max_age=9)
    client.set_cookie("b", domain="h.test")
    assert await sent_to(client, "/") == 'a="x\\073y"'
    assert await sent_to(client, "http://h.test") == "b="
    client.delete_cookie("a")
    client.delete_cookie("a")
    assert (client.get_cookie("a"), await sent_to(client, "/")) == (None, "")


async def test_te6_set_cookie_for_subdomains() -> None:
    client = Client(setting())
    client.set_cookie("a", "1", domain=".h.test", origin_only=False)
    client.set_cookie("b", "2", domain="h.test")
    assert await sent_to(client, "http://x.h.test") == "a=1"
    assert client.get_cookie("a", domain="h.test") is not None


async def test_cookies_of_the_constructor_go_everywhere() -> None:
    client = Client(setting(), cookies={"a": "1"})
    assert await sent_to(client, "/") == await sent_to(client, "http://h.test") == "a=1"


async def test_cookies_of_a_call_join_the_kept_ones_once() -> None:
    client = Client(setting(), cookies={"a": "1"})
    assert await sent_to(client, "/", cookies={"b": "2"}) == "a=1; b=2"
    assert await sent_to(client, "/") == "a=1"


async def test_a_cookie_header_replaces_the_kept_cookies() -> None:
    client = Client(setting(), cookies={"a": "1"})
    assert await sent_to(client, "/", headers={"Cookie": "raw; x"}) == "raw; x"


async def test_a_redirect_carries_the_cookie_that_it_sets() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/set":
            headers = [(b"location", b"/"), (b"set-cookie", b"a=2")]
            await send({"type": "http.response.start", "status": 303, "headers": headers})
            await send({"type": "http.response.body"})
        else:
            await setting()(scope, receive, send)

    client = Client(app, follow_redirects=True)
    assert await sent_to(client, "/set", headers={"cookie": "raw=1"}) == "a=2"

"""What comes without TLS is sent to where it is encrypted."""

import pytest

from erlen.middleware import HTTPSRedirect
from tests.middleware.exchanges import exchange, passes_lifespan


async def test_http_is_redirected_with_path_and_query() -> None:
    scope = {"path": "/a b/é", "query_string": b"q=%C3%A9"}
    answer = await exchange(HTTPSRedirect, request=[(b"host", b"shop.example:80")], scope=scope)
    assert (answer.status, answer.scope) == (308, None)
    assert answer.field("location") == "https://shop.example/a%20b/%C3%A9?q=%C3%A9"


async def test_https_passes() -> None:
    answer = await exchange(HTTPSRedirect, b"yes", scope={"scheme": "https"})
    assert answer.body == b"yes"


@pytest.mark.parametrize("host", [b"shop.example@evil", b"a/b", b""])
async def test_a_host_that_is_none_leads_nowhere(host: bytes) -> None:
    assert (await exchange(HTTPSRedirect, request=[(b"host", host)])).status == 400


async def test_without_a_host_there_is_nowhere_to_go() -> None:
    assert (await exchange(HTTPSRedirect, request=[])).status == 400


async def test_another_host_and_status_can_be_given() -> None:
    answer = await exchange(HTTPSRedirect, host="shop.example:8443", status=307)
    assert (answer.status, answer.field("location")) == (307, "https://shop.example:8443/")


async def test_an_exempt_path_is_answered() -> None:
    scope = {"path": "/health"}
    assert (await exchange(HTTPSRedirect, b"ok", scope=scope, exempt=["/health"])).body == b"ok"


async def test_a_websocket_without_tls_is_refused() -> None:
    scope = {
        "type": "websocket", "scheme": "ws", "extensions": {"websocket.http.response": {}}
    }  # fmt: skip
    assert (await exchange(HTTPSRedirect, scope=scope)).status == 403


async def test_the_answer_to_head_has_no_body() -> None:
    answer = await exchange(HTTPSRedirect, request=[], scope={"method": "HEAD"})
    assert (answer.body, answer.field("content-length")) == (b"", "12")


async def test_a_lifespan_passes() -> None:
    assert await passes_lifespan(HTTPSRedirect)

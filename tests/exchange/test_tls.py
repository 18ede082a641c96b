"""What a server tells of the encryption of a connection (ASGI, TLS extension)."""

from typing import Any

import pytest

from erlen import Erlen, Request, WebSocket
from erlen.exchange.tls import TLS
from tests.exchange.wire import scope_of, settings

TOLD = {
    "server_cert": "-----BEGIN CERTIFICATE-----",
    "client_cert_chain": ["leaf", "issuer"],
    "client_cert_name": "CN=ann,O=example",
    "client_cert_error": None,
    "tls_version": 0x0304,
    "cipher_suite": 0x1301,
}


def seen(told: Any, kind: type[Request] | type[WebSocket] = Request) -> TLS | None:
    async def unused(*args: Any) -> Any:
        raise AssertionError

    scope = scope_of("/", extensions=told)
    if kind is WebSocket:
        return WebSocket({**scope, "type": "websocket"}, unused, unused, settings()).tls
    return Request(scope, unused, settings()).tls


@pytest.mark.parametrize("kind", [Request, WebSocket])
def test_a_verified_client_has_a_name(kind: Any) -> None:
    tls = seen({"tls": TOLD}, kind)
    assert tls is not None
    assert tls.client_cert_name == "CN=ann,O=example"
    assert tls.client_cert_chain == ("leaf", "issuer")
    assert (tls.tls_version, tls.cipher_suite) == (0x0304, 0x1301)
    assert tls.client_is_verified


@pytest.mark.parametrize(
    "changed",
    [
        {"client_cert_name": None},
        {"client_cert_name": ""},
        {"client_cert_error": "self-signed certificate"},
    ],
)
def test_a_client_that_proves_nothing_is_not_verified(changed: dict[str, Any]) -> None:
    tls = seen({"tls": {**TOLD, **changed}})
    assert tls is not None
    assert not tls.client_is_verified


def test_what_a_server_leaves_out_is_unknown() -> None:
    assert seen({"tls": {}}) == TLS(None, (), None, None, None, None)


@pytest.mark.parametrize("told", [None, {}, {"other": {}}, {"tls": None}])
def test_no_extension_is_no_tls(told: Any) -> None:
    assert seen(told) is None


async def test_fields_of_the_request_are_not_believed() -> None:
    app = Erlen("tls")
    app.testing = True

    @app.get("/")
    async def index() -> str:
        from erlen import request

        return str(request.tls)

    async with app.test_client() as client:
        answer = await client.get(
            "/", headers={"X-Client-Cert": "x", "SSL-Client-Verify": "SUCCESS"}
        )
    assert answer.text == "None"

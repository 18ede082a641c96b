"""Only requests for the application's own hosts come in."""

import pytest

from erlen.middleware import TrustedHosts
from tests.middleware.exchanges import exchange, passes_lifespan

HOSTS = ["example.com", ".svc.example"]


@pytest.mark.parametrize(
    "host", [b"example.com", b"EXAMPLE.COM:443", b"example.com.", b"a.b.svc.example"]
)
async def test_b156_b157_hosts_of_the_list_come_in(host: bytes) -> None:
    answer = await exchange(TrustedHosts, b"yes", request=[(b"host", host)], hosts=HOSTS)
    assert (answer.status, answer.body) == (200, b"yes")


@pytest.mark.parametrize(
    "host",
    [b"exampleXcom", b"example.com.evil.com", b"evil-example.com", b"a b", b"", b"a@example.com"],
)
async def test_b157_others_are_400(host: bytes) -> None:
    answer = await exchange(TrustedHosts, request=[(b"host", host)], hosts=HOSTS)
    assert (answer.status, answer.scope) == (400, None)


@pytest.mark.parametrize("count", [0, 2])
async def test_b151_b152_there_is_one_host(count: int) -> None:
    answer = await exchange(TrustedHosts, request=[(b"host", b"example.com")] * count, hosts=HOSTS)
    assert answer.status == 400


async def test_b160_an_exempt_path_answers_for_any_host() -> None:
    scope = {"path": "/health"}
    answer = await exchange(
        TrustedHosts, b"ok", request=[], scope=scope, hosts=HOSTS, exempt=["/health"]
    )
    assert answer.body == b"ok"


async def test_b160_a_handshake_for_another_host_is_refused() -> None:
    scope = {"type": "websocket", "extensions": {"websocket.http.response": {}}}
    answer = await exchange(TrustedHosts, request=[(b"host", b"evil")], scope=scope, hosts=HOSTS)
    assert [message["type"] for message in answer.sent] == [
        "websocket.http.response.start",
        "websocket.http.response.body",
    ]


async def test_a_server_without_denials_closes_the_handshake() -> None:
    scope = {"type": "websocket"}
    answer = await exchange(TrustedHosts, request=[(b"host", b"evil")], scope=scope, hosts=HOSTS)
    assert [message["type"] for message in answer.sent] == ["websocket.close"]


async def test_a_lifespan_passes() -> None:
    assert await passes_lifespan(TrustedHosts, hosts=HOSTS)


def test_a_list_without_hosts_is_refused() -> None:
    with pytest.raises(ValueError, match="no host"):
        TrustedHosts(None, [])  # type: ignore[arg-type]  # never called

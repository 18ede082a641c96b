"""HTTP over real sockets: what every server must show of a request and a response."""

from contextlib import ExitStack

import h11
import pytest

from tests.integration.app import CROWD
from tests.integration.raw_client import Pairs, RawClient
from tests.integration.servers import Server

#: The quirk of a server that keeps a body until it has all of it.
STARTS_EARLY = "application starts before the body has come"

# --- answers --------------------------------------------------------------------------------------


def test_text_is_html_with_its_length(client: RawClient) -> None:
    reply = client.request("GET", "/")
    assert (reply.status, reply.body) == (200, b"hello")
    assert reply.get("content-type") == "text/html; charset=utf-8"
    assert reply.get("content-length") == "5"


def test_json_is_compact_utf8(client: RawClient) -> None:
    reply = client.request("GET", "/json")
    assert reply.get("content-type") == "application/json"
    assert reply.body == '{"text":"wörld","numbers":[1,2.5,null]}'.encode()


@pytest.mark.parametrize(
    ("target", "name"),
    [
        ("/names/ann", "ann"),
        ("/names/a%20b+c", "a b+c"),
        ("/names/%E2%82%AC%F0%9F%8D%B5", "€🍵"),
        ("/names/100%25", "100%"),
        ("/files/a/b%2Fc", "a/b/c"),
    ],
)
def test_path_parameters_are_decoded_once(client: RawClient, target: str, name: str) -> None:
    assert client.request("GET", target).json["name"] == name


def test_b010_an_encoded_slash_is_no_separator(client: RawClient) -> None:
    assert client.request("GET", "/names/a%2Fb").status == 404


def test_a_query_keeps_repeated_and_empty_values(client: RawClient) -> None:
    reply = client.request("GET", "/query?a=1&a=%C3%A9&b=&c=x+y")
    assert reply.json == {"a": ["1", "é"], "b": [""], "c": ["x y"]}


def test_headers_pass_in_both_directions(client: RawClient) -> None:
    reply = client.request("GET", "/headers", [("X-Sent", "one, two")])
    assert reply.get("x-seen") == "one, two"
    cookies = [value for name, value in reply.headers if name == "set-cookie"]
    assert cookies == ["first=1; Path=/", "second=2; Path=/"]


@pytest.mark.parametrize("target", ["/", "/json", "/pieces", "/nowhere"])
def test_b035_head_has_the_headers_of_get_and_no_body(
    server: Server, client: RawClient, target: str
) -> None:
    head = client.request("HEAD", target)
    with RawClient(server.port) as other:
        same = other.request("GET", target)
    assert (head.status, head.body, head.complete) == (same.status, b"", True)
    assert described(head.headers) == described(same.headers)
    assert client.request("GET", "/").body == b"hello"


def described(headers: Pairs) -> Pairs:
    """Return the headers of the representation, without those of the connection."""
    own = {"date", "connection", "transfer-encoding", "server"}
    return sorted(pair for pair in headers if pair[0] not in own)


@pytest.mark.parametrize("code", [204, 304])
def test_statuses_without_content_have_none(client: RawClient, code: int) -> None:
    reply = client.request("GET", f"/status/{code}")
    assert (reply.status, reply.body, reply.complete) == (code, b"", True)
    assert reply.get("content-length") is None
    assert reply.get("transfer-encoding") is None
    assert client.request("GET", "/").body == b"hello"


# --- answers of the router ------------------------------------------------------------------------


def test_an_unknown_path_is_404(client: RawClient) -> None:
    assert client.request("GET", "/nowhere").status == 404


def test_a_wrong_method_is_405_with_allow(client: RawClient) -> None:
    reply = client.request("DELETE", "/json")
    assert (reply.status, reply.get("allow")) == (405, "GET, HEAD, OPTIONS")


def test_options_is_204_with_allow(client: RawClient) -> None:
    reply = client.request("OPTIONS", "/echo")
    assert (reply.status, reply.get("allow"), reply.body) == (204, "OPTIONS, POST", b"")


def test_p49_a_slash_redirect_is_308_to_a_path(client: RawClient) -> None:
    reply = client.request("GET", "/folder?a=1", [("X-Forwarded-Proto", "http")])
    assert (reply.status, reply.get("location")) == (308, "/folder/?a=1")


def test_b186_a_plain_request_for_a_websocket_is_400(client: RawClient) -> None:
    assert client.request("GET", "/ws/echo").status == 400


# --- bad targets and hosts ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "target",
    [
        pytest.param(b"/names/%00", id="b001-nul"),
        pytest.param(b"/names/%ff%fe", id="b002-utf8"),
        pytest.param(b"/names/%c0%ae", id="b003-overlong"),
        pytest.param(b"/names/%ed%a0%80", id="b004-surrogate"),
        pytest.param(b"/names/100%", id="b005-lone-percent"),
        pytest.param(b"/names/%zz", id="b005-no-hex"),
        pytest.param(b"/names/a%0ab", id="b007-newline"),
        pytest.param(b"/names/%1b[31m", id="b007-escape"),
    ],
)
def test_a_bad_path_is_400(server: Server, client: RawClient, target: bytes) -> None:
    [reply] = client.exchange(head(server, target))
    assert reply.status == 400


def head(server: Server, target: bytes, *fields: bytes) -> bytes:
    """Return the bytes of a GET; the own Host is sent unless *fields* are given."""
    own = b"Host: 127.0.0.1:%d" % server.port
    lines = [b"GET " + target + b" HTTP/1.1", *(fields or (own,)), b"Connection: close", b"", b""]
    return b"\r\n".join(lines)


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param((b"Accept: */*",), id="b058-no-host"),
        pytest.param((b"Host: a", b"Host: b"), id="b045-two-hosts"),
        pytest.param((b"Host: a b",), id="space"),
        pytest.param((b"Host: a/b",), id="slash"),
        pytest.param((b"Host: user@a",), id="user"),
        pytest.param((b"Host: a:port",), id="port"),
    ],
)
def test_a_bad_host_is_400(server: Server, client: RawClient, fields: tuple[bytes, ...]) -> None:
    [reply] = client.exchange(head(server, b"/", *fields))
    assert reply.status == 400


def test_b013_an_absolute_target_is_its_path(server: Server, client: RawClient) -> None:
    [reply] = client.exchange(head(server, b"http://127.0.0.1:%d/names/ann" % server.port))
    assert (reply.status, reply.json) == (200, {"name": "ann", "path": "/names/ann"})


def test_b013_an_absolute_target_of_another_host_is_400(server: Server, client: RawClient) -> None:
    [reply] = client.exchange(head(server, b"http://evil.example/names/ann"))
    assert reply.status == server.expects("absolute target", 400)


def test_b043_headers_over_the_limit_are_refused(server: Server, client: RawClient) -> None:
    """A server that refuses them itself may reset the connection, because it has not read all."""
    own = b"Host: 127.0.0.1:%d" % server.port
    replies = client.exchange(head(server, b"/", own, b"X: %065000d" % 0, b"Y: %065000d" % 0))
    assert {reply.status for reply in replies} <= {400, 431}


# --- what the server knows ------------------------------------------------------------------------


def test_addresses_are_text_and_number(server: Server, client: RawClient) -> None:
    """Granian gives ports as text, daphne lists."""
    seen = client.request("GET", "/address").json
    assert seen["server"] == ["127.0.0.1", server.port]
    assert seen["client"] == "127.0.0.1"
    assert seen["url"] == f"http://127.0.0.1:{server.port}/address"
    assert seen["root_path"] == ""


# --- errors ---------------------------------------------------------------------------------------


def test_an_exception_before_the_first_byte_is_a_whole_500(client: RawClient) -> None:
    reply = client.request("GET", "/fail")
    assert (reply.status, reply.complete) == (500, True)
    assert b"LookupError" not in reply.body
    assert client.request("GET", "/").body == b"hello"


@pytest.mark.parametrize(("target", "came"), [("/fail-midway", b"first\n"), ("/short", b"five!")])
def test_a_body_that_fails_midway_breaks_the_connection(
    server: Server, client: RawClient, target: str, came: bytes
) -> None:
    client.socket.settimeout(1)
    client.start("GET", target)
    client.end()
    reply = client.read_head()
    broken = (h11.RemoteProtocolError, ConnectionError)
    with pytest.raises(server.expects("broken off response", broken)):
        reply.chunks.extend(client.iter_chunks())
    assert (reply.status, reply.body) == (200, came)


# --- several requests on one connection, many connections at once ---------------------------------


def test_a_connection_serves_request_after_request(client: RawClient) -> None:
    for name in ("ann", "bob", "cid"):
        assert client.request("GET", f"/names/{name}").json["name"] == name
        assert client.request("POST", "/echo", body=name.encode()).body == name.encode()


def test_pipelined_requests_are_answered_in_order(server: Server, client: RawClient) -> None:
    own = b"Host: 127.0.0.1:%d\r\n" % server.port
    one, two = (b"GET /names/%s HTTP/1.1\r\n" % name + own for name in (b"ann", b"bob"))
    replies = client.exchange(one + b"\r\n" + two + b"Connection: close\r\n\r\n")
    assert [reply.json["name"] for reply in replies] == ["ann", "bob"]


def test_p7_b049_large_requests_on_one_connection_do_not_see_each_others_g(
    server: Server, client: RawClient
) -> None:
    seen = [client.request("POST", f"/who/{name}", body=b"x" * 300_000).json for name in "ab"]
    assert [each["g"] for each in seen] == [None, None]
    assert [each["size"] for each in seen] == [300_000, 300_000]
    assert seen[0]["variable"] == "nobody"
    # Where a server has the quirk, it shows only when its reading was paused meanwhile.
    assert seen[1]["variable"] in {"nobody", server.expects("fresh context variables", "nobody")}


def test_b049_pipelined_requests_do_not_see_each_others_g(
    server: Server, client: RawClient
) -> None:
    own = b"Host: 127.0.0.1:%d\r\nContent-Length: 0\r\n" % server.port
    heads = [b"POST /who/%s HTTP/1.1\r\n" % name + own for name in (b"a", b"b", b"c")]
    replies = client.exchange(b"\r\n".join(heads) + b"Connection: close\r\n\r\n")
    assert [reply.json["g"] for reply in replies] == [None, None, None]


def test_def_views_of_many_connections_each_have_a_thread_and_their_request(
    server: Server,
) -> None:
    with ExitStack() as stack:
        clients = [stack.enter_context(RawClient(server.port)) for _ in range(CROWD)]
        for number, client in enumerate(clients):
            client.start("GET", f"/crowd/{number}?number={number}")
            client.end()
        seen = [client.read().json for client in clients]
    assert len({each["thread"] for each in seen}) == CROWD
    for number, each in enumerate(seen):
        assert (each["number"], each["asked"], each["g"]) == (number, number, number)


# --- bodies ---------------------------------------------------------------------------------------


def test_b064_a_body_of_the_limit_is_read(client: RawClient) -> None:
    body = bytes(range(250)) * 400
    assert client.request("POST", "/echo", body=body).body == body


def test_b064_a_declared_body_over_the_limit_is_413(server: Server, client: RawClient) -> None:
    server.require(STARTS_EARLY)
    client.start("POST", "/echo", [("Content-Length", "100001")])
    assert client.read_head().status == 413


def test_b064_a_chunked_body_over_the_limit_is_413(server: Server, client: RawClient) -> None:
    server.require(STARTS_EARLY)
    client.start("POST", "/echo", [("Transfer-Encoding", "chunked")])
    client.send(h11.Data(data=b"x" * 60_000), h11.Data(data=b"x" * 60_000))
    assert client.read_head().status == 413


def test_a_chunked_body_is_put_together(client: RawClient) -> None:
    client.start("POST", "/echo", [("Transfer-Encoding", "chunked")])
    client.send(*(h11.Data(data=part) for part in (b"a", b"bc", b"def")))
    client.end()
    assert client.read().body == b"abcdef"


def test_b069_an_unread_body_is_not_taken_for_the_next_request(
    server: Server, client: RawClient
) -> None:
    own = b"Host: 127.0.0.1:%d\r\n" % server.port
    inner = b"GET /names/smuggled HTTP/1.1\r\n" + own + b"\r\n"
    outer = b"POST /unread HTTP/1.1\r\n" + own + b"Content-Length: %d\r\n\r\n" % len(inner)
    last = b"GET /names/last HTTP/1.1\r\n" + own + b"Connection: close\r\n\r\n"
    replies = client.exchange(outer + inner + last)
    assert replies[0].body == b"not read"
    assert b"smuggled" not in b"".join(reply.body for reply in replies)


def test_b050_continue_is_sent_when_the_body_is_read(client: RawClient) -> None:
    client.start("POST", "/echo", [("Content-Length", "3"), ("Expect", "100-continue")])
    assert isinstance(event := client.receive(), h11.InformationalResponse)
    assert event.status_code == 100
    client.send(h11.Data(data=b"abc"))
    client.end()
    assert client.read().body == b"abc"


def test_b050_a_declared_body_over_the_limit_is_413_without_continue(
    server: Server, client: RawClient
) -> None:
    server.require(STARTS_EARLY)
    client.start("POST", "/echo", [("Content-Length", "100001"), ("Expect", "100-continue")])
    reply = client.read_head()
    assert reply.status == 413
    assert reply.informational == server.expects("continue before a refusal", [])

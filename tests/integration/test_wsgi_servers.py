"""The application under the WSGI servers: what every one of them must show."""

import hashlib
import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import uuid4

import h11
import pytest

from tests.exchange.form_bodies import MULTIPART, multipart
from tests.integration.raw_client import UPGRADE, Pairs, RawClient
from tests.integration.wsgi_app import MAX_BODY
from tests.integration.wsgi_servers import END, KINDS, Kind, Server, serving

MIB = 2**20
GUNICORN = [kind for kind in KINDS if kind.name.startswith("gunicorn")]
#: Seconds without progress after which a peer counts as held back.
STILL = 0.5


@pytest.fixture(scope="module", params=KINDS, ids=[kind.name for kind in KINDS])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """A server; tests with it run once for each kind."""
    with serving(request.param) as running:
        yield running


@pytest.fixture
def client(server: Server) -> Iterator[RawClient]:
    with RawClient(server.port) as connected:
        yield connected


@pytest.fixture
def run() -> str:
    """A name for one exchange, under which the application takes its notes."""
    return uuid4().hex


def ask(server: Server, method: str, target: str, *args: Any) -> Any:
    """Return the response to one request on a connection of its own."""
    with RawClient(server.port) as client:
        return client.request(method, target, *args)


# --- requests and responses -----------------------------------------------------------------------


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_methods_arrive(client: RawClient, method: str) -> None:
    assert client.request(method, "/facts").json["method"] == method


def test_head_has_the_headers_of_get_and_no_body(server: Server) -> None:
    head, same = ask(server, "HEAD", "/user"), ask(server, "GET", "/user")
    assert (head.status, head.body, head.complete) == (200, b"", True)
    assert head.get("content-length") == same.get("content-length") == "13"


@pytest.mark.parametrize("code", [200, 204, 304, 404, 451, 503])
def test_statuses_arrive(client: RawClient, code: int) -> None:
    reply = client.request("GET", f"/status/{code}")
    assert (reply.status, reply.complete) == (code, True)


def test_errors_of_http_have_their_pages(client: RawClient) -> None:
    reply = client.request("GET", "/aborts")
    assert (reply.status, b"short and stout" in reply.body) == (418, True)


def test_headers_pass_in_both_directions(server: Server) -> None:
    latin: Any = [("X-Sent", b"caf\xe9"), ("X-Twice", "1"), ("X-Twice", "2")]
    seen = ask(server, "GET", "/facts", latin).json
    assert (seen["sent"], seen["twice"].replace(", ", ",")) == ("café", "1,2")
    reply = ask(server, "GET", "/headers")
    assert reply.get("x-latin") == "café"
    assert [value for name, value in reply.headers if name == "set-cookie"] == [
        "first=1", "second=2",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("target", "name"),
    [
        ("/facts/ann", "ann"),
        ("/facts/a%20b+c", "a b+c"),
        ("/facts/%E2%82%AC%F0%9F%8D%B5", "€🍵"),
        ("/facts/100%25", "100%"),
        ("/facts/%2541", "%41"),
    ],
)
def test_b298_paths_are_decoded_once(client: RawClient, target: str, name: str) -> None:
    seen = client.request("GET", target).json
    assert (seen["name"], seen["raw"]) == (name, target)


def test_b298_an_encoded_slash_is_no_separator(server: Server, client: RawClient) -> None:
    expected = server.expects("encoded slash", 404)
    assert client.request("GET", "/facts/a%2Fb").status == expected


@pytest.mark.parametrize("target", [b"/facts/%FF", b"/facts/%C3", b"/facts/%01"])
def test_b298_bytes_that_are_no_text_are_400(client: RawClient, target: bytes) -> None:
    assert client.request("GET", target.decode()).status == 400


def test_a_query_keeps_repeated_and_empty_values(client: RawClient) -> None:
    seen = client.request("GET", "/facts?a=1&a=%C3%A9&b=&c=x+y").json
    assert seen["query"] == {"a": ["1", "é"], "b": [""], "c": ["x y"]}


def test_the_client_has_an_address(client: RawClient) -> None:
    seen = client.request("GET", "/facts").json
    assert seen["client"] == "127.0.0.1"
    assert seen["url"] == f"http://{client.host}/facts"


def test_b304_a_websocket_is_501(server: Server, client: RawClient) -> None:
    client.start("GET", "/ws", UPGRADE)
    client.end()
    reply = client.read()
    assert (reply.status, b"WebSockets" in reply.body) == (501, True)


@pytest.mark.parametrize("kind", KINDS, ids=[kind.name for kind in KINDS])
def test_b298_a_prefix_is_taken_off_for_the_router_and_put_on_for_links(kind: Kind) -> None:
    with serving(kind, prefix="/mounted") as server:
        seen = ask(server, "GET", "/mounted/facts/%C3%A9?q").json
        assert (seen["root_path"], seen["path"], seen["name"]) == ("/mounted", "/facts/é", "é")
        assert seen["link"] == "/mounted/facts"
        assert seen["url"] == f"http://127.0.0.1:{server.port}/mounted/facts/é?q"


# --- request bodies -------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 1, 65_536, MAX_BODY])
def test_a_body_with_a_length_arrives(client: RawClient, size: int) -> None:
    body = os.urandom(size)
    assert client.request("POST", "/echo", [], body).body == body


def test_a_chunked_body_arrives(server: Server, client: RawClient) -> None:
    server.require("chunked body")
    client.start("POST", "/echo", [("Transfer-Encoding", "chunked")])
    client.send(*(h11.Data(data=bytes([65 + number]) * 30_000) for number in range(3)))
    client.end()
    reply = client.read()
    assert reply.body == b"A" * 30_000 + b"B" * 30_000 + b"C" * 30_000


def test_a_body_over_the_limit_is_413(server: Server) -> None:
    with RawClient(server.port) as client:
        client.start("POST", "/echo", [("Content-Length", str(MAX_BODY + 1))])
        if not server.expects("answer before the body has come", usual=True):
            client.send(h11.Data(data=bytes(MAX_BODY + 1)))
        assert client.read_head().status == 413


def test_a_chunked_body_over_the_limit_is_413(server: Server, client: RawClient) -> None:
    server.require("chunked body")
    client.start("POST", "/echo", [("Transfer-Encoding", "chunked")])
    client.send(h11.Data(data=bytes(MAX_BODY + 1)))
    client.end()
    assert client.read_head().status == 413


def test_a_body_that_nobody_reads_harms_nobody(server: Server) -> None:
    server.require("unread body")
    assert ask(server, "POST", "/unread", [], bytes(50_000)).body == b"not read"
    assert ask(server, "GET", "/status/204").status == 204


def test_an_upload_of_20_mib_arrives_whole(client: RawClient, run: str) -> None:
    body = os.urandom(MIB) * 20
    reply = client.request("POST", f"/digest/{run}", [], body)
    assert reply.json == {"digest": hashlib.sha256(body).hexdigest(), "size": 20 * MIB}


def test_b297_an_upload_that_is_broken_off_is_never_taken_for_whole(
    server: Server, client: RawClient, run: str
) -> None:
    client.start("POST", f"/digest/{run}", [("Content-Length", str(2 * MIB))])
    client.send(h11.Data(data=bytes(MIB)))
    client.socket.close()
    usual = ["first chunk", "teardown: ClientDisconnected"]
    expected = server.expects("broken off upload", usual)
    assert server.notes.read(run, 2, patience=5 if expected else STILL) == expected


def test_forms_files_and_sessions_are_those_of_the_application(server: Server) -> None:
    body = multipart(("name", b"ann"), ("up", bytes(5000), "große.bin"))
    kind: Pairs = [("Content-Type", MULTIPART)]
    reply = ask(server, "POST", "/login", kind, body)
    assert reply.json == {"name": "große.bin", "size": 5000}
    cookie = (reply.get("set-cookie") or "").partition(";")[0]
    assert ask(server, "GET", "/user", [("Cookie", cookie)]).json == {"user": "ann"}
    assert ask(server, "GET", "/user").json == {"user": None}


# --- streams --------------------------------------------------------------------------------------


def test_b303_a_chunk_arrives_before_the_next_is_made(
    server: Server, client: RawClient, run: str
) -> None:
    client.start("GET", f"/streams/{run}")
    client.end()
    assert client.read_head().status == 200
    chunks = client.iter_chunks()
    assert next(chunks) == b"first\n"
    server.notes.open_gate(run)
    assert b"".join(chunks) == f"last of /streams/{run}\n".encode()
    assert server.notes.read(run, 1) == ["teardown: NoneType"]


def test_b303_a_client_that_reads_slowly_holds_the_stream_back(server: Server, run: str) -> None:
    """Until it reads on, the view makes no more than what kernels and the server's buffer hold."""
    size = 48 * MIB
    pid = ask(server, "GET", "/facts").json["pid"]
    before = memory_of(pid)
    with RawClient(server.port) as client:
        client.start("GET", f"/flood/{run}/{size}")
        client.end()
        client.read_head()
        assert server.notes.read(run, 1, patience=STILL) == []
        assert sum(map(len, client.iter_chunks())) == size
    assert server.notes.read(run, 2) == ["all was sent", "teardown: NoneType"]
    assert memory_of(pid) - before < server.expects("memory of a stream", 8 * MIB)


def memory_of(pid: int) -> int:
    """Return the largest number of bytes that a process has had in memory so far."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) * 1024


def test_b300_a_client_that_leaves_ends_the_view_once(
    server: Server, client: RawClient, run: str
) -> None:
    client.start("GET", f"/endless/{run}")
    client.end()
    client.read_head()
    assert next(client.iter_chunks())
    client.socket.close()
    ended = ["closed", "teardown: ClientDisconnected"]
    assert server.notes.read(run, 2) == ended
    assert server.notes.read(run, 3, patience=0.1) == ended


def test_head_of_an_endless_stream_ends(server: Server, client: RawClient, run: str) -> None:
    assert client.request("HEAD", f"/endless/{run}").complete
    assert server.notes.read(run, 1) == ["teardown: NoneType"]


def test_b305_an_error_before_the_first_byte_is_500(server: Server) -> None:
    reply = ask(server, "GET", "/fail")
    assert (reply.status, reply.complete) == (500, True)
    assert "LookupError: fails before the first byte" in server.output


def test_b305_an_error_in_the_middle_breaks_the_connection(
    server: Server, client: RawClient, run: str
) -> None:
    reply = client.request("GET", f"/fail-midway/{run}")
    assert reply.status == 200
    assert reply.complete == server.expects("broken response looks whole", usual=False)
    assert server.notes.read(run, 1) == ["teardown: LookupError"]
    assert f"LookupError: fails after the first byte of {run}" in server.output


# --- the process ----------------------------------------------------------------------------------


def test_b301_a_hundred_requests_at_once_share_one_loop(server: Server) -> None:
    def one(number: int) -> Any:
        return ask(server, "GET", f"/facts/{number}").json

    with ThreadPoolExecutor(100) as pool:
        seen = list(pool.map(one, range(100)))
    assert [each["name"] for each in seen] == list(map(str, range(100)))
    assert len({each["pid"] for each in seen}) == 1
    assert [note.split()[0] for note in server.notes.read("lifespan", 1)] == ["up"]


def test_a_background_task_goes_on_after_its_response(server: Server, run: str) -> None:
    assert ask(server, "GET", f"/background/{run}").body == b"taken"
    server.notes.open_gate(run)
    assert "worked" in server.notes.read(run, 2)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
@pytest.mark.parametrize("kind", KINDS, ids=[kind.name for kind in KINDS])
def test_b301_a_signal_ends_the_server_in_order(kind: Kind, number: signal.Signals) -> None:
    with serving(kind) as server:
        pid = ask(server, "GET", "/facts").json["pid"]
        time.sleep(0.2)  # a server may not yet know that the connection is closed
        assert server.stop(number) < END
        usual = [f"up {pid}", f"after {pid}", f"down {pid}"]
        ends = server.expects(f"end by {number.name}", usual=True)
        assert server.notes.read("lifespan", 3, patience=0) == (usual if ends else usual[:1])


@pytest.mark.parametrize("kind", GUNICORN, ids=[kind.name for kind in GUNICORN])
def test_event_streams_end_when_gunicorn_tells_the_application(kind: Kind, run: str) -> None:
    config = ("--config", "python:tests.integration.gunicorn_hooks")
    with serving(kind, options=config) as server, RawClient(server.port) as client:
        client.start("GET", f"/events/{run}")
        client.end()
        client.read_head()
        chunks = client.iter_chunks()
        assert next(chunks) == f"data: first of {run}\n\n".encode()
        assert server.stop(signal.SIGTERM) < END
        assert b"".join(chunks).endswith(b"data: goodbye\n\n")
        assert server.notes.read(run, 1) == ["teardown: NoneType"]
        assert len(server.notes.read("lifespan", 3)) == 3

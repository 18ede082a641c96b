"""HTTP/2 over real sockets: the application is the same, and what only HTTP/2 has works."""

import datetime as dt
import hashlib
import ssl
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from h2.settings import SettingCodes
from wsproto.connection import Connection, ConnectionType
from wsproto.events import CloseConnection, Message, TextMessage

from tests.integration.h2_client import H2Client, Pairs
from tests.integration.servers import KINDS, Kind, Server, serving

#: Those that speak it without a library of their own for it.
SPEAKERS = [kind for kind in KINDS if kind.name.startswith("hypercorn")]
#: Seconds without progress after which a stream counts as held back.
STILL = 0.5
#: SPEC: RFC 9113 section 8.2.2: fields of one connection, which HTTP/2 does not have.
OF_A_CONNECTION = {"connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"}


@pytest.fixture(scope="module", params=SPEAKERS, ids=[kind.name for kind in SPEAKERS])
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("http2")
    with serving(request.param, folder, application="http2_app") as running:
        yield running


@pytest.fixture
def client(server: Server) -> Iterator[H2Client]:
    with H2Client(server.port) as connected:
        yield connected


# --- requests -------------------------------------------------------------------------------------


def test_a_page_has_its_type_and_length(client: H2Client) -> None:
    reply = client.request("GET", "/")
    fields = dict(reply.headers)
    assert (reply.status, reply.body) == (200, b"hello")
    assert fields["content-type"] == "text/html; charset=utf-8"
    assert fields["content-length"] == "5"


def test_head_has_the_fields_of_get_and_no_body(client: H2Client) -> None:
    head = client.request("HEAD", "/json")
    assert (head.status, head.body, head.complete) == (200, b"", True)
    assert dict(head.headers)["content-type"] == "application/json"


def test_the_authority_is_the_host(server: Server, client: H2Client) -> None:
    seen = client.request("GET", "/address").json
    assert seen["host"] == f"127.0.0.1:{server.port}"
    assert seen["url"] == f"http://127.0.0.1:{server.port}/address"


def test_b324_the_version_is_told(client: H2Client) -> None:
    assert client.request("GET", "/connection").body == b"2 http"


def test_an_upload_larger_than_a_window_arrives_whole(client: H2Client) -> None:
    body = bytes(range(256)) * 390  # the first window is 65,535 bytes
    assert client.request("POST", "/echo", body=body).body == body


def test_an_upload_over_the_limit_is_refused_and_the_connection_stays(client: H2Client) -> None:
    stream = client.start("POST", "/echo", [("content-length", "100001")], end=False)
    assert client.finish(stream).status == 413
    assert client.request("GET", "/").body == b"hello"


def test_an_upload_is_read_as_it_comes(server: Server, client: H2Client, run: str) -> None:
    stream = client.start("POST", f"/uploads/{run}", end=False)
    client.send(stream, b"one")
    assert server.notes(run, 1) == ["first chunk"]
    server.open_gate(run)
    client.send(stream, b"two", end=True)
    assert client.finish(stream).json == {"size": 6}


@pytest.mark.parametrize(
    "path", ["/", "/pieces", "/nowhere", "/status/204", "/connection", "/fail"]
)
def test_no_field_of_a_connection_is_sent(client: H2Client, path: str) -> None:
    reply = client.request("GET", path)
    assert not {name for name, _value in reply.headers} & OF_A_CONNECTION
    assert all(name == name.lower() for name, _value in reply.headers)


def test_cookies_that_came_in_pieces_are_one_field(client: H2Client) -> None:
    """RFC 9113 section 8.2.3."""
    reply = client.request("GET", "/headers", [("cookie", "a=1"), ("cookie", "b=2")])
    assert [value for name, value in reply.headers if name == "set-cookie"] == [
        "first=1; Path=/", "second=2; Path=/",
    ]  # fmt: skip


# --- streams --------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", ["/streams", "/pushed/streams"])
def test_a_chunk_arrives_before_the_next_is_made(
    server: Server, client: H2Client, run: str, target: str
) -> None:
    stream = client.start("GET", f"{target}/{run}")
    client.read_until(lambda: bool(client.replies[stream].chunks))
    assert client.replies[stream].body == b"first\n"
    server.open_gate(run)
    assert client.finish(stream).body == f"first\nlast of {target}/{run}\n".encode()


@pytest.mark.parametrize("target", ["/silent", "/endless", "/pushed/silent"])
def test_a_stream_that_is_reset_ends_its_view_and_no_other(
    server: Server, client: H2Client, run: str, target: str
) -> None:
    left = client.start("GET", f"{target}/{run}")
    kept = client.start("GET", f"/streams/{run}")
    client.read_until(lambda: all(client.replies[each].chunks for each in (left, kept)))
    client.leave(left)
    assert server.notes(run, 2) == ["closed", "teardown: ClientDisconnected"]
    server.open_gate(run)
    assert client.finish(kept).body.startswith(b"first\nlast")


def test_a_client_that_does_not_read_holds_no_other_stream_back(
    server: Server, client: H2Client, run: str
) -> None:
    usual: list[str] = []
    taken = server.expects("held back HTTP/2 stream", usual)
    client.acknowledges = False
    stream = client.start("GET", f"/flood/{run}/{16 * 2**20}")
    client.read_until(lambda: len(client.replies[stream].body) == 65_535)
    assert server.notes(run, 1, patience=STILL if taken == usual else None) == taken
    client.acknowledges = True
    assert client.request("HEAD", "/").status == 200


def test_a_view_that_fails_after_its_first_chunk_is_seen_to_fail(client: H2Client) -> None:
    stream = client.start("GET", "/fail-midway")
    client.read_until(lambda: bool(client.replies[stream].chunks))
    client.request("GET", "/")
    assert not client.replies[stream].complete


def test_streams_of_one_connection_are_isolated(client: H2Client) -> None:
    """The crowd of threads waits for one another, so all of them run at once."""
    streams = [client.start("GET", f"/crowd/{n}?number={n}") for n in range(20)]
    seen = [client.finish(stream).json for stream in streams]
    assert [one["number"] for one in seen] == list(range(20))
    assert all(one["number"] == one["asked"] == one["g"] for one in seen)
    assert len({one["thread"] for one in seen}) == 20


def test_nothing_of_one_stream_is_seen_in_the_next(client: H2Client) -> None:
    for name in "abc":
        reply = client.request("POST", f"/who/{name}", body=b"x" * 70_000)
        assert reply.json == {"g": None, "variable": "nobody", "size": 70_000}


# --- extensions -----------------------------------------------------------------------------------


def test_early_hints_come_before_the_response(client: H2Client) -> None:
    reply = client.request("GET", "/hints")
    (hints,) = [dict(fields) for fields in reply.informational]
    assert (hints[":status"], hints["link"]) == ("103", "</style.css>; rel=preload; as=style")
    assert (reply.status, reply.body) == (200, b"page")


def test_a_promised_push_is_answered_by_the_application(client: H2Client) -> None:
    reply = client.request("GET", "/promise", [("accept-language", "de")])
    ((stream, fields),) = reply.promised
    assert dict(fields)[":path"] == "/names/pushed"
    assert dict(fields)["accept-language"] == "de"
    assert client.finish(stream).json["name"] == "pushed"


def test_a_client_that_takes_no_push_gets_the_page(server: Server) -> None:
    with H2Client(server.port) as client:
        client.wire.update_settings({SettingCodes.ENABLE_PUSH: 0})
        reply = client.request("GET", "/promise")
    assert (reply.body, reply.promised) == (b"page", [])


def test_trailers_come_after_the_stream(client: H2Client) -> None:
    reply = client.request("GET", "/trailers", [("te", "trailers")])
    assert reply.body == b"onetwo"
    assert reply.trailers == [("x-digest", hashlib.sha256(b"onetwo").hexdigest())]


def test_nobody_gets_trailers_who_has_not_asked(client: H2Client) -> None:
    reply = client.request("GET", "/trailers")
    assert (reply.body, reply.trailers, reply.complete) == (b"onetwo", [], True)


# --- WebSockets over a stream (RFC 8441) ----------------------------------------------------------


class Socket:
    """A WebSocket that is one stream of a connection."""

    def __init__(self, client: H2Client, path: str) -> None:
        client.read_until(lambda: client.wire.remote_settings.enable_connect_protocol == 1)
        fields: Pairs = [(":protocol", "websocket"), ("sec-websocket-version", "13")]
        self.stream = client.start("CONNECT", path, fields, end=False)
        client.read_until(lambda: bool(client.replies[self.stream].headers))
        self.status = client.replies[self.stream].status
        self._client = client
        self._frames = Connection(ConnectionType.CLIENT)

    def send(self, text: str) -> None:
        self._client.send(self.stream, self._frames.send(Message(data=text)))

    def close(self) -> None:
        self._client.send(self.stream, self._frames.send(CloseConnection(code=1000)))

    def receive(self) -> object:
        """Return the next message, or the code of the close."""
        reply = self._client.replies[self.stream]
        while True:
            for event in self._frames.events():
                if isinstance(event, TextMessage):
                    return event.data
                if isinstance(event, CloseConnection):
                    return event.code
            self._client.read_until(lambda: bool(reply.chunks))
            self._frames.receive_data(reply.chunks.pop(0))


def test_a_websocket_shares_a_connection_with_pages(client: H2Client) -> None:
    socket = Socket(client, "/ws/echo")
    assert socket.status == 200
    socket.send("wörld")
    assert client.request("GET", "/").body == b"hello"
    assert socket.receive() == "wörld"


def test_two_websockets_of_a_connection_are_isolated(client: H2Client) -> None:
    first, second = Socket(client, "/ws/echo"), Socket(client, "/ws/echo")
    second.send("two")
    first.send("one")
    assert (first.receive(), second.receive()) == ("one", "two")


@pytest.mark.parametrize(("path", "code"), [("/ws/end/return", 1000), ("/ws/end/raise", 1011)])
def test_a_websocket_ends_with_its_code(client: H2Client, path: str, code: int) -> None:
    socket = Socket(client, path)
    assert (socket.receive(), socket.receive()) == ("hello", code)


def test_a_refused_handshake_is_an_http_response(client: H2Client) -> None:
    assert Socket(client, "/ws/refuse/abort/404").status == 404


def test_a_websocket_whose_stream_is_reset_ends(server: Server, client: H2Client, run: str) -> None:
    socket = Socket(client, f"/ws/listen/{run}")
    client.leave(socket.stream)
    assert "teardown" in server.notes(run, 1)[-1]


# --- TLS ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with key.pem and cert.pem of 127.0.0.1."""
    folder = tmp_path_factory.mktemp("certificate")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    made = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + dt.timedelta(1))
    address = x509.IPAddress(ip_address("127.0.0.1"))
    made = made.add_extension(x509.SubjectAlternativeName([address]), critical=False)
    pem, bare = serialization.Encoding.PEM, serialization.NoEncryption()
    kind = serialization.PrivateFormat.PKCS8
    (folder / "key.pem").write_bytes(key.private_bytes(pem, kind, bare))
    (folder / "cert.pem").write_bytes(made.sign(key, hashes.SHA256()).public_bytes(pem))
    return folder


@pytest.mark.parametrize("kind", SPEAKERS, ids=[kind.name for kind in SPEAKERS])
def test_browsers_choose_it_by_alpn(kind: Kind, certificate: Path, tmp_path: Path) -> None:
    cert = str(certificate / "cert.pem")
    tls = ssl.create_default_context(cafile=cert)
    tls.set_alpn_protocols(["h2", "http/1.1"])
    options = ("--certfile", cert, "--keyfile", str(certificate / "key.pem"))
    with (
        serving(kind, tmp_path, *options, application="http2_app") as server,
        H2Client(server.port, tls) as client,
    ):
        assert client.request("GET", "/connection").body == b"2 https"
        assert client.request("GET", "/hints").informational

"""Files over real sockets: whole, in ranges, by the server's own hand, and broken off."""

import gzip
import os
from collections.abc import Iterator
from pathlib import Path

import h11
import pytest

from tests.integration.raw_client import RawClient
from tests.integration.servers import KINDS, Server, serving

SMALL = b"a { color: red }"
LARGE = bytes(range(256)) * 2048
PACKED = gzip.compress(SMALL)
#: Bytes of a file of which two kernels and a server hold a part only.
HUGE = 64 * 2**20


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The root path of the application."""
    root = tmp_path_factory.mktemp("files")
    (root / "static").mkdir()
    (root / "static" / "a.css").write_bytes(SMALL)
    (root / "static" / "a.css.gz").write_bytes(PACKED)
    (root / "static" / "large.bin").write_bytes(LARGE)
    return root


@pytest.fixture(scope="module", params=KINDS, ids=[kind.name for kind in KINDS])
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, root: Path
) -> Iterator[Server]:
    """A server of the application with files."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ERLEN_TEST_FILES", str(root))
        with serving(
            request.param, tmp_path_factory.mktemp("server"), application="files_app"
        ) as running:
            yield running


@pytest.mark.parametrize(("name", "data"), [("a.css", SMALL), ("large.bin", LARGE)])
def test_p44_a_file_comes_whole_on_a_connection_that_goes_on(
    client: RawClient, name: str, data: bytes
) -> None:
    for _ in range(2):
        reply = client.request("GET", f"/static/{name}")
        assert (reply.status, reply.complete, reply.body) == (200, True, data)
        assert reply.get("content-length") == str(len(data))
        assert reply.get("accept-ranges") == "bytes"
        assert reply.get("x-content-type-options") == "nosniff"


@pytest.mark.parametrize(
    ("asked", "start", "stop"),
    [
        ("bytes=0-0", 0, 1), ("bytes=-5", len(LARGE) - 5, len(LARGE)),
        ("bytes=65530-200000", 65530, 200_001), ("bytes=0-", 0, len(LARGE)),
    ],
)  # fmt: skip
def test_p44_a_range_is_exact(client: RawClient, asked: str, start: int, stop: int) -> None:
    reply = client.request("GET", "/static/large.bin", [("Range", asked)])
    assert (reply.status, reply.body) == (206, LARGE[start:stop])
    assert reply.get("content-range") == f"bytes {start}-{stop - 1}/{len(LARGE)}"
    assert reply.get("content-length") == str(stop - start)


def test_p44_two_ranges_are_two_parts(client: RawClient) -> None:
    reply = client.request("GET", "/static/large.bin", [("Range", "bytes=0-1,70000-70001")])
    assert reply.status == 206
    assert (reply.get("content-type") or "").startswith("multipart/byteranges; boundary=")
    assert reply.body.lower().count(b"\r\ncontent-range: bytes ") == 2
    assert reply.get("content-length") == str(len(reply.body))


def test_p44_a_range_behind_the_end_is_416(client: RawClient) -> None:
    reply = client.request("GET", "/static/large.bin", [("Range", "bytes=999999999-")])
    assert (reply.status, reply.get("content-range")) == (416, f"bytes */{len(LARGE)}")


@pytest.mark.parametrize("name", ["a.css", "large.bin"])
def test_p44_a_file_that_the_client_has_is_304(client: RawClient, name: str) -> None:
    etag = client.request("GET", f"/static/{name}").get("etag") or ""
    reply = client.request("GET", f"/static/{name}", [("If-None-Match", etag)])
    assert (reply.status, reply.body, reply.get("etag")) == (304, b"", etag)
    assert client.request("GET", f"/static/{name}").complete


def test_p44_if_range_of_another_file_gives_the_whole(client: RawClient) -> None:
    headers = [("Range", "bytes=0-1"), ("If-Range", '"other"')]
    reply = client.request("GET", "/static/large.bin", headers)
    assert (reply.status, reply.body) == (200, LARGE)


@pytest.mark.parametrize(("name", "size"), [("a.css", len(SMALL)), ("large.bin", len(LARGE))])
def test_p44_head_tells_the_length(client: RawClient, name: str, size: int) -> None:
    client.start("HEAD", f"/static/{name}")
    client.end()
    reply = client.read()
    assert (reply.status, reply.complete, reply.body) == (200, True, b"")
    assert reply.get("content-length") == str(size)


def test_p44_granian_sends_files_by_itself(client: RawClient, server: Server) -> None:
    offers = "http.response.pathsend" in client.request("GET", "/extensions").json
    assert offers == server.kind.name.startswith("granian")


def test_a_compressed_neighbour_is_sent_to_who_takes_it(client: RawClient) -> None:
    reply = client.request("GET", "/static/a.css", [("Accept-Encoding", "gzip")])
    assert (reply.body, reply.get("content-encoding")) == (PACKED, "gzip")
    assert reply.get("vary") == "Accept-Encoding"


def test_a_name_that_is_not_ascii_is_told(client: RawClient) -> None:
    reply = client.request("GET", "/saved")
    disposition = "attachment; filename=e.bin; filename*=UTF-8''%C3%A9.bin"
    assert (reply.get("content-disposition"), reply.body) == (disposition, LARGE)


def test_a_pipe_is_streamed(client: RawClient) -> None:
    reply = client.request("GET", "/pipe")
    assert (reply.complete, reply.body) == (True, b"from a pipe")


@pytest.mark.parametrize("target", ["..%2fsecret", "%2e%2e/secret", "..%5csecret", "%2Fetc/passwd"])
def test_b203_no_spelling_leads_out(client: RawClient, root: Path, target: str) -> None:
    (root / "secret").write_bytes(b"secret")
    reply = client.request("GET", f"/static/{target}")
    assert reply.status in {400, 404}
    assert b"secret" not in reply.body


def test_b235_a_client_that_leaves_in_the_middle_leaves_no_file_open(
    client: RawClient, server: Server, root: Path
) -> None:
    grow(root / "static" / "huge")
    client.start("GET", "/static/huge")
    client.end()
    assert client.read_head().get("content-length") == str(HUGE)
    assert next(client.iter_chunks())
    client.socket.close()
    with RawClient(server.port) as other:
        assert other.request("GET", "/open").json == []


def test_b145_a_file_that_is_truncated_meanwhile_never_looks_whole(
    client: RawClient, server: Server, root: Path
) -> None:
    server.require("held back stream")
    grow(root / "static" / "huge")
    client.start("GET", "/static/huge")
    client.end()
    client.read_head()
    os.truncate(root / "static" / "huge", 2**20)
    with pytest.raises((h11.RemoteProtocolError, ConnectionError)):
        sum(map(len, client.iter_chunks()))


def grow(path: Path) -> None:
    """Make a file of HUGE bytes that takes no room."""
    path.touch()
    os.truncate(path, HUGE)

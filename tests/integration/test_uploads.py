"""Uploads of 8 MiB by every server."""

import hashlib
from collections.abc import Iterator

import pytest

from tests.exchange.form_bodies import KIB, MIB, MULTIPART, multipart, sliced
from tests.integration.raw_client import Pairs, RawClient
from tests.integration.servers import KINDS, Server, serving

CONTENT = bytes(range(256)) * (32 * KIB)
BODY = multipart(("note", "é".encode()), ("up", CONTENT, "große.bin"))
DIGEST = hashlib.sha256(CONTENT).hexdigest()
TYPE: Pairs = [("Content-Type", MULTIPART)]


@pytest.fixture(scope="module", params=KINDS, ids=[kind.name for kind in KINDS])
def uploads(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    with serving(
        request.param, tmp_path_factory.mktemp("uploads"), application="upload_app"
    ) as running:
        yield running


def left(server: Server, uploads: int) -> dict[str, int]:
    """Return how many files are open once so many uploads have ended, and how many have."""
    with RawClient(server.port) as client:
        found: dict[str, int] = client.request("GET", f"/left/{uploads}").json
        return found


@pytest.mark.parametrize(("path", "on_disk"), [("/files", 1), ("/parts", 0)])
def test_an_upload_of_8_mib_arrives_whole(uploads: Server, path: str, on_disk: int) -> None:
    ended = left(uploads, 0)["ended"] + 1
    with RawClient(uploads.port) as client:
        reply = client.request("POST", path, TYPE, BODY)
        assert reply.json == {
            "digest": DIGEST, "name": "große.bin", "note": "é", "on_disk": on_disk,
        }  # fmt: skip
    assert left(uploads, ended) == {"on_disk": 0, "ended": ended}


def test_b120_a_client_that_leaves_leaves_no_file(uploads: Server) -> None:
    chunks = sliced(BODY, 3 * MIB)[:2]
    begun = uploads.expects("application starts before the body has come", chunks)
    ended = left(uploads, 0)["ended"] + len(begun)
    for chunk in chunks:
        with RawClient(uploads.port) as client:
            client.start("POST", "/files", [("Content-Length", str(len(BODY))), *TYPE])
            client.socket.sendall(chunk)
    assert left(uploads, ended) == {"on_disk": 0, "ended": ended}

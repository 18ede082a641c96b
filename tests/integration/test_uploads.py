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


@pytest.mark.parametrize(("path", "on_disk"), [("/files", 1), ("/parts", 0)])
def test_an_upload_of_8_mib_arrives_whole(uploads: Server, path: str, on_disk: int) -> None:
    with RawClient(uploads.port) as client:
        reply = client.request("POST", path, TYPE, BODY)
        assert reply.json == {
            "digest": DIGEST, "name": "große.bin", "note": "é", "on_disk": on_disk,
        }  # fmt: skip
        assert client.request("GET", "/left").json == {"on_disk": 0}


def test_b120_a_client_that_leaves_leaves_no_file(uploads: Server) -> None:
    for chunk in sliced(BODY, 3 * MIB)[:2]:
        with RawClient(uploads.port) as client:
            client.start("POST", "/files", [("Content-Length", str(len(BODY))), *TYPE])
            client.socket.sendall(chunk)
    with RawClient(uploads.port) as client:
        assert client.request("GET", "/left").json == {"on_disk": 0}

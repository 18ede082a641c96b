"""https with a certificate that is made for the occasion."""

import pickle
import socket
import ssl
import tempfile
import threading
from pathlib import Path

import httpx
import pytest

from erlen.serving.certificates import AdHoc
from tests.live_server import launch


@pytest.fixture(scope="module")
def made() -> AdHoc:
    return AdHoc.make("shop.localhost")


@pytest.mark.parametrize("name", ["localhost", "shop.localhost", "127.0.0.1", "::1"])
def test_cl11_who_trusts_it_connects(made: AdHoc, name: str) -> None:
    ours, theirs = socket.socketpair()
    trusting = ssl.create_default_context(cadata=made.certificate.decode())
    server = threading.Thread(target=lambda: made().wrap_socket(theirs, server_side=True).close())
    server.start()
    with trusting.wrap_socket(ours, server_hostname=name) as connection:
        assert connection.version() == "TLSv1.3"
    server.join()


@pytest.mark.parametrize("http", ["h11", "httptools"])
def test_cl11_an_application_is_served_by_it(made: AdHoc, http: str) -> None:
    program = (
        "from erlen import Erlen; from erlen.serving.certificates import AdHoc\n"
        "app = Erlen('shop'); app.get('/<int:size>')(lambda size: b'x' * size)\n"
        f"app.run(port=0, ssl_context_factory={made!r}, http={http!r})"
    )
    trusting = ssl.create_default_context(cadata=made.certificate.decode())
    with launch("-c", program, cwd=Path.cwd()) as server, httpx.Client(verify=trusting) as client:
        for size in (0, 1, 10**6, 1):
            answer = client.get(f"https://localhost:{server.port}/{size}", timeout=20)
            assert len(answer.content) == size
        assert server.stop() == 0
    assert "Traceback" not in server.output


def test_nobody_else_trusts_it(made: AdHoc) -> None:
    ours, theirs = socket.socketpair()
    ours.settimeout(5)

    def serve() -> None:
        with pytest.raises(ssl.SSLError):
            made().wrap_socket(theirs, server_side=True)
        theirs.close()

    server = threading.Thread(target=serve)
    server.start()
    with ours, pytest.raises(ssl.SSLCertVerificationError):
        ssl.create_default_context().wrap_socket(ours, server_hostname="localhost")
    server.join()


def test_the_key_does_not_stay_on_the_disk(
    made: AdHoc, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    made()
    assert list(tmp_path.iterdir()) == []


def test_each_process_serves_with_the_same_one(made: AdHoc) -> None:
    assert pickle.loads(pickle.dumps(made)) == made


def test_two_starts_have_two_keys(made: AdHoc) -> None:
    assert AdHoc.make().key != made.key

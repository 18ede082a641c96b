"""The application behind nginx: a prefix, TLS that ends there, streams and WebSockets."""

import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Origin

from tests.integration.notes import VARIABLE, Notes
from tests.integration.servers import KINDS, LIMIT, serving

UVICORN = next(kind for kind in KINDS if kind.name == "uvicorn-httptools-websockets")
NGINX = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin")
OPENSSL = shutil.which("openssl")

CONFIG = """
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log stderr warn;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    map $http_upgrade $connection_upgrade {{ default upgrade; '' ''; }}
    server {{
        listen 127.0.0.1:{port} ssl;
        ssl_certificate {folder}/certificate.pem;
        ssl_certificate_key {folder}/key.pem;
        location /shop/ {{
            proxy_pass http://127.0.0.1:{behind}/;
            proxy_http_version 1.1;
            proxy_set_header Host $http_host;
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
            proxy_set_header X-Forwarded-Proto $scheme;
            proxy_set_header X-Forwarded-Prefix /shop;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection $connection_upgrade;
        }}
    }}
}}
"""


class Front:
    """What a browser sees.

    Attributes:
        host: With its port.
        notes: Of the application behind.
        tls: Trusts the certificate.
        behind: The port of the application itself.
    """

    def __init__(self, port: int, behind: int, notes: Notes) -> None:
        self.port = port
        self.host = f"127.0.0.1:{port}"
        self.behind = behind
        self.notes = notes
        self.tls = ssl.create_default_context(cafile=str(notes.folder / "certificate.pem"))

    def client(self, address: str | None = None) -> httpx.Client:
        """Return a client whose connections come from *address*."""
        transport = httpx.HTTPTransport(verify=self.tls, local_address=address)
        return httpx.Client(base_url=f"https://{self.host}/shop", transport=transport)


@pytest.fixture(scope="module")
def front(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    if NGINX is None or OPENSSL is None:
        pytest.skip("nginx or openssl is not installed")
    folder = tmp_path_factory.mktemp("nginx")
    make_certificate(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, str(folder))
        with serving(UVICORN, folder, "--no-proxy-headers", application="proxied_app") as server:
            yield from run_nginx(folder, server.port)


def make_certificate(folder: Path) -> None:
    assert OPENSSL is not None
    subprocess.run(
        [
            *(OPENSSL, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"),
            *("-nodes", "-days", "2", "-subj", "/CN=localhost"),
            *("-addext", "subjectAltName=IP:127.0.0.1"),
            *("-keyout", str(folder / "key.pem"), "-out", str(folder / "certificate.pem")),
        ],
        check=True,
        capture_output=True,
    )


def run_nginx(folder: Path, behind: int) -> Iterator[Front]:
    """Run nginx in front of the port *behind*."""
    assert NGINX is not None
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    config = folder / "nginx.conf"
    config.write_text(CONFIG.format(folder=folder, port=port, behind=behind))
    log = folder / "nginx.log"
    with log.open("wb") as output:
        command = [NGINX, "-c", str(config), "-p", str(folder)]
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
    try:
        wait_for(port, process, log)
        yield Front(port, behind, Notes(folder))
    finally:
        process.terminate()
        try:
            process.wait(LIMIT)
        finally:
            process.kill()
            process.wait()


def wait_for(port: int, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + LIMIT
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), LIMIT).close()
        except ConnectionRefusedError:
            time.sleep(0.02)  # another process decides; there is nothing to wait on
        else:
            return
    raise AssertionError(f"nginx did not start. It printed:\n{log.read_text()}")


# --- addresses and links --------------------------------------------------------------------------


def test_urls_and_links_are_those_that_the_browser_sees(front: Front) -> None:
    with front.client() as client:
        seen = client.get("/facts/a%20b?q=1").json()
    there = f"https://{front.host}/shop/facts"
    assert (seen["name"], seen["url"]) == ("a b", f"{there}/a%20b?q=1")
    assert (seen["root_path"], seen["secure"]) == ("/shop", True)
    assert (seen["link"], seen["external"]) == ("/shop/facts/%C3%A9", f"{there}/%C3%A9")


def test_b162_the_client_is_the_one_that_nginx_saw(front: Front) -> None:
    with front.client("127.0.0.2") as client:
        invented = {
            "X-Forwarded-For": "6.6.6.6",
            "Forwarded": "for=6.6.6.6",
            "X-Real-IP": "6.6.6.6",
        }
        assert client.get("/facts/a", headers=invented).json()["client"] == "127.0.0.2"


def test_b164_who_comes_past_nginx_is_not_believed(front: Front) -> None:
    transport = httpx.HTTPTransport(local_address="127.0.0.3")
    with httpx.Client(base_url=f"http://127.0.0.1:{front.behind}", transport=transport) as client:
        invented = {"X-Forwarded-For": "6.6.6.6", "X-Forwarded-Proto": "https"}
        seen = client.get("/facts/a", headers=invented).json()
    assert (seen["client"], seen["secure"], seen["root_path"]) == ("127.0.0.3", False, "")


@pytest.mark.parametrize(("path", "status"), [("/folder", 308), ("/away", 303)])
def test_p49_redirects_stay_below_the_prefix(front: Front, path: str, status: int) -> None:
    with front.client() as client:
        reply = client.get(path)
        assert (reply.status_code, reply.headers["location"]) == (status, "/shop/folder/")
        assert client.get(path, follow_redirects=True).text == "in the folder"


# --- cookies and forms ----------------------------------------------------------------------------


def test_the_session_cookie_is_secure_and_comes_back(front: Front) -> None:
    with front.client() as client:
        reply = client.post("/login", data={"name": "ann"})
        assert {"Secure", "HttpOnly", "SameSite=Lax"} <= {*reply.headers["set-cookie"].split("; ")}
        assert client.get("/user").text == "ann"


@pytest.mark.parametrize(
    ("origin", "status"),
    [("https://{}", 200), ("http://{}", 403), ("https://evil.example", 403), ("null", 403)],
)
def test_the_origin_of_a_form_is_compared_with_what_the_browser_sees(
    front: Front, origin: str, status: int
) -> None:
    with front.client() as client:
        headers = {"Origin": origin.format(front.host)}
        assert client.post("/login", data={"name": "ann"}, headers=headers).status_code == status


def test_an_upload_passes(front: Front) -> None:
    with front.client() as client:
        files = {"up": ("a.bin", bytes(900_000))}
        assert client.post("/login", data={"name": "ann"}, files=files).text == "welcome"


# --- streams and WebSockets -----------------------------------------------------------------------


def test_nginx_passes_each_event_on_at_once(front: Front) -> None:
    run = uuid4().hex
    with front.client() as client, client.stream("GET", f"/events/{run}") as reply:
        lines = reply.iter_lines()
        assert next(line for line in lines if line) == "data: first"
        front.notes.open_gate(run)
        assert next(line for line in lines if line) == "data: last"


def test_nginx_keeps_other_streams_back(front: Front) -> None:
    """What the test above would see without X-Accel-Buffering."""
    run = uuid4().hex
    later = threading.Timer(0.3, front.notes.open_gate, (run,))
    later.start()
    with front.client() as client, client.stream("GET", f"/held/{run}") as reply:
        assert next(reply.iter_bytes())
        assert (front.notes.folder / f"{run}.gate").exists()
    later.join()


def test_a_websocket_is_upgraded(front: Front) -> None:
    url = f"wss://{front.host}/shop/echo"
    with connect(url, ssl=front.tls, origin=Origin(f"https://{front.host}")) as peer:
        assert peer.recv(LIMIT) == f"127.0.0.1 {url}"
        peer.send("é")
        assert peer.recv(LIMIT) == "é"


@pytest.mark.parametrize("origin", ["http://{}", "https://evil.example"])
def test_a_websocket_of_another_origin_is_refused(front: Front, origin: str) -> None:
    url, foreign = f"wss://{front.host}/shop/echo", Origin(origin.format(front.host))
    with pytest.raises(InvalidStatus) as refused:
        connect(url, ssl=front.tls, origin=foreign).close()
    assert refused.value.response.status_code == 403

"""ASGI applications of erlen, Starlette and Django, and a single-page one, below paths."""

import hashlib
from collections.abc import Iterator
from contextlib import AbstractContextManager
from importlib.util import find_spec
from pathlib import Path

import pytest
from websockets.sync.client import connect

from tests.integration.notes import VARIABLE, Notes
from tests.integration.raw_client import LIMIT, RawClient
from tests.integration.servers import KINDS, Kind, Server, serving

NAMES = {"uvicorn-h11-websockets", "uvicorn-httptools-wsproto", "hypercorn-asyncio",
         "hypercorn-trio", "granian"}  # fmt: skip
SERVERS = [kind for kind in KINDS if kind.name in NAMES]
#: What the application imports.
FRAMEWORKS = ("django", "starlette")

apps = pytest.mark.parametrize("mounted", ["erlen", "starlette", "django"])
sockets = pytest.mark.parametrize("mounted", ["erlen", "starlette"])


def mounted_by(kind: Kind, folder: Path) -> AbstractContextManager[Server]:
    for framework in FRAMEWORKS:
        if find_spec(framework) is None:
            pytest.skip(f"{framework} is not installed")
    return serving(kind, folder, application="mounted_asgi_app")


@pytest.fixture(scope="module")
def notes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Notes]:
    folder = tmp_path_factory.mktemp("notes")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, str(folder))
        yield Notes(folder)


@pytest.fixture(scope="module", params=SERVERS, ids=[kind.name for kind in SERVERS])
def server(
    request: pytest.FixtureRequest, notes: Notes, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    with mounted_by(request.param, tmp_path_factory.mktemp("server")) as running:
        yield running


@pytest.fixture
def below(server: Server, mounted: str) -> str:
    """The path of what is mounted, where it can run."""
    if mounted == "django" and server.kind.name.endswith("trio"):
        pytest.skip("Django's ASGI handler starts asyncio tasks and cannot run on trio")
    return f"/{mounted}"


# --- every framework ------------------------------------------------------------------------------


@apps
def test_mw3_it_sees_its_prefix_and_links_lead_below_it(
    server: Server, client: RawClient, below: str
) -> None:
    seen = client.request("GET", f"{below}/see").json
    assert seen["root"] == below
    assert seen["link"] == f"http://127.0.0.1:{server.port}{below}/see"


@apps
def test_an_upload_arrives_whole(client: RawClient, below: str) -> None:
    body = bytes(range(256)) * 4096
    reply = client.request("POST", f"{below}/upload", body=body)
    assert reply.json == {"size": len(body), "digest": hashlib.sha256(body).hexdigest()}


@apps
def test_a_stream_arrives_whole(client: RawClient, below: str) -> None:
    reply = client.request("GET", f"{below}/stream")
    assert (reply.status, reply.body, reply.complete) == (200, b"0\n1\n2\n3\n4\n", True)


@apps
def test_a_stream_ends_when_its_client_leaves(
    server: Server, notes: Notes, below: str, run: str
) -> None:
    with RawClient(server.port) as client:
        client.start("GET", f"{below}/endless/{run}")
        client.end()
        client.read_head()
        assert next(client.iter_chunks())
    assert notes.read(run, 1) == ["closed"]


@apps
def test_what_fails_there_is_a_500_and_the_rest_goes_on(
    server: Server, client: RawClient, below: str
) -> None:
    assert client.request("GET", f"{below}/fail").status == 500
    with RawClient(server.port) as other:
        assert other.request("GET", f"{below}/stream").status == 200


@apps
def test_a_404_there_is_its_own(client: RawClient, below: str) -> None:
    reply = client.request("GET", f"{below}/nowhere")
    assert reply.status == 404
    assert reply.body != b"nothing outside"
    assert client.request("GET", "/nowhere").body == b"nothing outside"


@apps
def test_the_path_itself_leads_to_its_slash(client: RawClient, below: str) -> None:
    reply = client.request("GET", f"{below}?a=1")
    assert (reply.status, reply.get("location")) == (308, f"{below}/?a=1")


@sockets
def test_websockets_are_mounted_too(server: Server, below: str) -> None:
    uri = f"ws://127.0.0.1:{server.port}{below}/ws"
    with connect(uri, open_timeout=LIMIT, close_timeout=LIMIT) as socket:
        socket.send("wörld")
        assert socket.recv(LIMIT) == f"{below} wörld"


@sockets
def test_p51_its_lifespan_has_run_and_its_state_is_its_own(client: RawClient, below: str) -> None:
    expected = {"/erlen": "inner", "/starlette": "starlette"}[below]
    assert client.request("GET", f"{below}/see").json["pool"] == expected


def test_hooks_there_are_its_own(client: RawClient) -> None:
    assert client.request("GET", "/erlen/see").json["marked"] == "inner"
    assert client.request("GET", "/").body == b"whole"


# --- a single-page application --------------------------------------------------------------------


@pytest.mark.parametrize(
    "target", ["/pages/", "/pages/orders", "/pages/orders/7", "/pages/index.html"]
)
def test_a_path_of_the_browsers_router_gets_the_shell(client: RawClient, target: str) -> None:
    reply = client.request("GET", target)
    assert (reply.status, reply.get("content-type")) == (200, "text/html; charset=utf-8")
    assert b"<title>shell</title>" in reply.body
    assert reply.get("cache-control") == "no-cache"


def test_a_file_is_sent_and_kept(client: RawClient) -> None:
    reply = client.request("GET", "/pages/assets/main-1f2e3d4c.js")
    assert (reply.status, reply.get("content-type")) == (200, "text/javascript; charset=utf-8")
    assert "max-age=31536000" in (reply.get("cache-control") or "")


@pytest.mark.parametrize(
    "target",
    [
        "/pages/assets/gone.js",
        "/pages/favicon.ico",
        "/pages/..%2fmounted_asgi_app.py",
        "/pages/.env",
    ],
)
def test_a_file_that_is_missing_is_no_page(client: RawClient, target: str) -> None:
    reply = client.request("GET", target)
    assert reply.status == 404
    assert b"shell" not in reply.body


def test_a_shell_that_the_browser_has_is_not_sent_again(client: RawClient) -> None:
    tag = client.request("GET", "/pages/orders").get("etag")
    assert tag is not None
    assert client.request("GET", "/pages/orders/7", [("If-None-Match", tag)]).status == 304


# --- the end --------------------------------------------------------------------------------------


# On trio Hypercorn without worker processes lets the interrupt out in whatever task runs, and then
# cancels the lifespan.
@pytest.mark.parametrize(
    "kind", [kind for kind in SERVERS if kind.name != "hypercorn-trio"], ids=lambda kind: kind.name
)
def test_p51_all_of_them_start_after_the_whole_and_end_before_it(
    kind: Kind, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    with mounted_by(kind, tmp_path) as running, RawClient(running.port) as client:
        assert client.request("GET", "/").status == 200
    assert Notes(tmp_path).read("lifespan", 6) == [
        "whole opens", "inner opens", "starlette opens",
        "starlette closes", "inner closes", "whole closes",
    ]  # fmt: skip

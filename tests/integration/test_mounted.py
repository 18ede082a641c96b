"""Servers that put a prefix before the application."""

from collections.abc import Iterator

import pytest

from tests.integration.raw_client import RawClient
from tests.integration.servers import KINDS, Server, serving

#: One setting of each server: the prefix does not depend on parser or event loop.
MOUNTED = {kind.name.partition("-")[0]: kind for kind in KINDS}


@pytest.fixture(scope="module", params=list(MOUNTED.values()), ids=list(MOUNTED))
def mounted(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    kind = request.param
    with serving(kind, tmp_path_factory.mktemp("mounted"), *kind.mounted) as running:
        yield running


def test_b025_the_prefix_is_taken_off_for_the_router_and_put_on_for_links(mounted: Server) -> None:
    with RawClient(mounted.port) as client:
        seen = client.request("GET", f"{prefix(mounted)}/address").json
    assert seen["root_path"] == "/mounted"
    assert seen["link"] == "/mounted/folder/"
    assert seen["url"] == f"http://127.0.0.1:{mounted.port}/mounted/address"


def test_b025_a_slash_redirect_stays_below_the_prefix(mounted: Server) -> None:
    with RawClient(mounted.port) as client:
        reply = client.request("GET", f"{prefix(mounted)}/folder?a=1")
    assert (reply.status, reply.get("location")) == (308, "/mounted/folder/?a=1")


def prefix(server: Server) -> str:
    """Return what a client puts before the paths of the application."""
    return "" if server.kind.strips else "/mounted"

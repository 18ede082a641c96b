"""Each server is started once, when its first test comes, and ended after its last."""

from collections.abc import Iterator
from uuid import uuid4

import pytest

from tests.integration.raw_client import RawClient
from tests.integration.servers import KINDS, Server, serving


@pytest.fixture(scope="session", params=KINDS, ids=[kind.name for kind in KINDS])
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """A server; tests with it run once for each kind."""
    with serving(request.param, tmp_path_factory.mktemp("server")) as running:
        yield running


@pytest.fixture
def client(server: Server) -> Iterator[RawClient]:
    """A new connection to the server."""
    with RawClient(server.port) as connected:
        yield connected


@pytest.fixture
def run() -> str:
    """A name for one exchange, under which the application takes its notes."""
    return uuid4().hex

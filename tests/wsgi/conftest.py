"""What the tests of served applications share."""

import pytest

from tests.wsgi.serving import Log


@pytest.fixture(params=["asyncio", "trio"])
def backend(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def log() -> Log:
    return Log()

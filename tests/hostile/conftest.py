"""The application and its bare server."""

import pytest

from tests.hostile.application import Hostile, make_app
from tests.hostile.harness import Bare


@pytest.fixture(scope="module")
def app() -> Hostile:
    return make_app()


@pytest.fixture
def server(app: Hostile) -> Bare:
    app.seen.clear()
    return Bare(app, app.ran)

"""What every test stands on: both event loops, and examples that continuous integration repeats."""

import os

import pytest
from hypothesis import HealthCheck, settings

# By hand each run tries other examples. Continuous integration tries the same ones each time, so
# that a change is judged by what it changed; and a machine at work is no finding.
settings.register_profile(
    "ci", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
if os.environ.get("CI"):
    settings.load_profile("ci")


@pytest.fixture(
    params=[
        pytest.param(("asyncio", {"use_uvloop": False}), id="asyncio"),
        pytest.param(("trio", {}), id="trio"),
    ]
)
def anyio_backend(request: pytest.FixtureRequest) -> object:
    """Run every asynchronous test on asyncio and on trio."""
    return request.param

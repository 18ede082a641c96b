"""The suite of the client runs on ``httpx`` and on ``httpx2``."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from erlen.exceptions import SetupError
from erlen.testing import Client
from erlen.testing.binding import choose, httpx

OTHER = "httpx" if httpx.__name__ == "httpx2" else "httpx2"


@pytest.mark.parametrize(
    ("asked", "installed", "chosen"),
    [
        (None, True, "httpx2"),
        ("", True, "httpx2"),
        (None, False, "httpx"),
        ("httpx", True, "httpx"),
        ("httpx2", False, "httpx2"),
    ],
)
def test_httpx2_is_taken_when_it_is_installed(
    asked: str | None, installed: bool, chosen: str
) -> None:
    assert choose(asked, httpx2_installed=installed) == chosen


def test_another_name_is_an_error() -> None:
    with pytest.raises(SetupError, match=r"ERLEN_HTTPX is 'requests', .* Set it to"):
        choose("requests", httpx2_installed=True)


def test_the_client_is_one_of_the_chosen_module() -> None:
    assert issubclass(Client, httpx.AsyncClient)


def test_the_whole_suite_passes_on_the_other_one_too() -> None:
    here = Path(__file__)
    command = [sys.executable, "-m", "pytest", "-q", f"--ignore={here}", str(here.parent)]
    environment = os.environ | {"ERLEN_HTTPX": OTHER}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout

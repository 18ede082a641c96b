"""Start, memory and dependencies of a peer that is here: erlen."""

import sys
from pathlib import Path

import pytest

from bench.peers import PEERS
from bench.startup.installed import needed
from bench.startup.processes import PROGRAMS, import_once, imports, start_once
from bench.startup.sockets import bytes_per_socket

PYTHON = Path(sys.executable)


@pytest.fixture(autouse=True)
def a_loop_that_is_everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.servers.LOOP", "asyncio")


@pytest.mark.parametrize("peer", [each.name for each in PEERS])
def test_each_peer_has_a_smallest_program(peer: str) -> None:
    assert (PROGRAMS / f"{peer}.py").is_file()
    assert "import" in imports(peer)


def test_the_imports_of_a_program_are_its_statements() -> None:
    assert imports("erlen") == "from erlen import Erlen"


def test_an_import_takes_time_and_brings_modules() -> None:
    found = import_once(PYTHON, "erlen")
    assert found.seconds > 0
    assert found.modules > 50


def test_a_server_answers_and_occupies_memory() -> None:
    start = start_once(PYTHON, "bare")
    assert start.seconds > 0
    assert start.resident > 10_000_000


def test_websockets_are_opened_and_closed() -> None:
    bytes_per_socket(PYTHON, "bare", 5)


def test_what_a_distribution_needs_includes_itself() -> None:
    found = needed(["jinja2"])
    assert found == {"jinja2", "markupsafe"}

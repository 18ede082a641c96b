"""The whole benchmark in its short size: every scenario, verified and measured, in real workers."""

import ast
import json
import sys
from pathlib import Path

import pytest

from bench import run as command
from bench.crew import Hand
from bench.peers import BY_NAME
from bench.scenarios import BY_NAME as SCENARIOS_BY_NAME
from bench.scenarios import SCENARIOS

PEERS_FOLDER = Path(command.__file__).parent / "peers"


@pytest.mark.skipif(sys.platform == "win32", reason="the worker's limits are signals")
def test_every_scenario_is_verified_and_measured_in_the_short_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    figures = tmp_path / "figures.json"
    short = "--here --rounds 1 --seconds 0.02 --peers bare,erlen,starlette --json"
    monkeypatch.setattr(sys, "argv", ["bench", *short.split(), str(figures)])
    command.main()
    found = json.loads(figures.read_text("utf-8"))
    assert [row["name"] for row in found["rows"]] == [scenario.name for scenario in SCENARIOS]
    for row in found["rows"]:
        assert {peer for peer, cell in row["cells"].items() if cell["us"] > 0} == {
            "bare",
            "erlen",
            "starlette",
        }
    assert "## Ratios to bare ASGI" in capsys.readouterr().out


def test_a_peer_that_is_not_installed_here_is_named_and_left_out(
    capsys: pytest.CaptureFixture[str],
) -> None:
    given = command.arguments(["--here", "--peers", "bare,sanic"])
    assert [*command.interpreters(given)] == ["bare"]
    assert "Sanic (ASGI) is not installed here" in capsys.readouterr().err


def test_an_unknown_scenario_is_refused_with_the_known_ones(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        command.arguments(["--only", "plaintext,coffee"])
    assert "not coffee" in capsys.readouterr().err


def test_a_worker_that_dies_ends_the_run_with_its_words() -> None:
    hand = Hand("nobody", Path(sys.executable), "plaintext", 0, "asyncio")
    try:
        with pytest.raises(SystemExit, match=r"(?s)nobody, plaintext.*No module named"):
            hand.ask(do="tell")
    finally:
        hand.dismiss()
        hand.end()


@pytest.mark.parametrize("peer", BY_NAME)
def test_every_peer_makes_every_application_or_says_why_not(peer: str) -> None:
    made, lacks = set(), {}
    for node in ast.parse((PEERS_FOLDER / f"{peer}.py").read_text("utf-8")).body:
        if isinstance(node, ast.FunctionDef):
            made.add(node.name)
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            made.add(node.targets[0].id)
            if node.targets[0].id == "LACKS":
                lacks = ast.literal_eval(node.value)
    assert lacks.keys() <= SCENARIOS_BY_NAME.keys()
    assert [
        each.name for each in SCENARIOS if each.app not in made and each.name not in lacks
    ] == []

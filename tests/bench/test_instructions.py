"""Instructions: what valgrind prints, and what is made of it."""

from functools import reduce
from importlib import import_module
from pathlib import Path

import pytest

from bench.instructions.__main__ import regressions, table
from bench.instructions.counting import CannotCount, Subject, count, per_request
from bench.instructions.stages import FRAME, STAGES, shares
from bench.instructions.trees import WORKING_TREE, NoRevision, described, trees

PRINTED = "plaintext 0 11 0\nplaintext 10 12 0\nsession-read 0 13 3\nsession-read 10 14 3\n"
ERRORS = "==11== I   refs:      1,000,000\n==12== I   refs:      1,500,000\n"


def test_one_request_is_the_difference_of_two_processes() -> None:
    assert per_request(PRINTED, ERRORS, 10) == {"plaintext": 50_000}


def test_messages_of_a_websocket_count_one_by_one() -> None:
    printed = PRINTED.replace("plaintext", "websocket")
    assert per_request(printed, ERRORS, 10) == {"websocket": 500}


def test_a_process_that_failed_is_an_error_in_its_own_words() -> None:
    with pytest.raises(CannotCount, match=r"plaintext has failed:\nAssertionError$"):
        per_request("plaintext 0 11 1\n", "==11== noise\nAssertionError\n", 10)


def test_the_table_tells_the_change() -> None:
    lines = table(("a", "b"), {"json": 1000.0}, {"json": 1015.0}).splitlines()
    assert lines[0] == "| | a | b | change |"
    assert lines[2] == "| json | 1,000 | 1,015 | +1.50% |"


def test_only_what_is_as_much_worse_as_the_limit_is_a_regression() -> None:
    first = {"json": 1000.0, "form": 1000.0, "query": 1000.0}
    second = {"json": 1030.0, "form": 1029.0, "query": 900.0}
    assert regressions(first, second, 3) == {"json": pytest.approx(3)}


def test_the_working_tree_is_copied_without_bytecode() -> None:
    with trees(WORKING_TREE, WORKING_TREE) as (first, second):
        assert len(str(first)) == len(str(second))
        assert (first / "erlen" / "app.py").is_file()
        assert not [*second.rglob("*.pyc")]
    assert not first.exists()


def test_an_unknown_revision_is_an_error() -> None:
    with pytest.raises(NoRevision):
        described("no-such-revision")


def test_another_package_than_the_one_to_be_counted_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("COUNTED_SOURCE", str(tmp_path))
    with pytest.raises(CannotCount, match="was imported, which is not below"):
        count([Subject("erlen")], ["plaintext"], 1)


@pytest.mark.parametrize("stage", STAGES)
def test_the_function_of_a_stage_exists(stage: str) -> None:
    module, _, path = STAGES[stage][0].partition(":")
    assert callable(reduce(getattr, path.split("."), import_module(module)))


def test_stages_and_the_frame_are_the_whole() -> None:
    own = shares(
        dict.fromkeys(STAGES, 10.0) | {"match: from the target to the pipeline": 35.0}, 100
    )
    assert sum(own.values()) == 100
    assert own["match: from the target to the pipeline"] == 15
    assert own[FRAME] == 100 - 35 - 20

"""The table of endings in docs/websockets.md is the one that is proved."""

import re
from pathlib import Path

import pytest

from tests.integration.websocket_cases import ENDINGS, TABLE

PAGE = Path(__file__).parents[2] / "docs" / "websockets.md"
ROW = re.compile(r"^\| (.+?) \| (\d{4}|that code) \|$", re.MULTILINE)


def test_the_page_prints_the_table() -> None:
    rows = ROW.findall(PAGE.read_text())
    assert rows == [(how, seen) for how, seen, _ in TABLE] + [("the application ends", "1001")]


def test_every_case_belongs_to_one_row() -> None:
    assert sorted(case for _, _, cases in TABLE for case in cases) == sorted(
        case.id for case in ENDINGS
    )


@pytest.mark.parametrize(("how", "seen", "cases"), TABLE, ids=[row[0] for row in TABLE])
def test_the_cases_of_a_row_end_as_it_says(how: str, seen: str, cases: tuple[str, ...]) -> None:
    codes = {str(case.expected.code) for case in ENDINGS if case.id in cases}  # type: ignore[union-attr]  # all are accepted
    assert seen == "that code" or codes == {seen}

"""Prints the table into ``docs/lifetimes.md``: ``python -m tests.matrix.printing``."""

import re
from collections.abc import Iterable
from pathlib import Path

from tests.matrix.expectation import rows
from tests.matrix.table import FATES, IMPOSSIBLE, LIVES, MATRICES, TITLES

PAGE = Path(__file__).parents[2] / "docs" / "lifetimes.md"
#: A part of the page stands between two comments, the first of which bears its name.
PART = re.compile(r"(<!-- printed: (.+?) -->\n).*?(<!-- end -->)", re.DOTALL)

HANDLERS = {"its": "the error's", "500": "of 500", "": ""}
LOGGED = {0: "", 1: "once"}
TORN = {
    "nothing": "`None`",
    "error": "the error",
    "cancellation": "the cancellation",
    "left": "`ClientDisconnected`, `WebSocketDisconnect`",
}
RAISED = {"never": "", "in tests": "in tests, the error", "always": "the same"}


def page(text: str) -> str:
    """Return the page with every part printed anew."""
    return PART.sub(lambda found: f"{found[1]}\n{printed(found[2])}\n\n{found[3]}", text)


def printed(part: str) -> str:
    """Return one part of the page; what has no other name is a matrix."""
    match part:
        case "lives":
            lives = {path: life for lives in LIVES.values() for path, life in lives.items()}
            return "\n".join(f"- {TITLES[path]}: {' → '.join(lives[path])}." for path in TITLES)
        case "fates":
            return _fates()
        case "outcomes" | "kinds":
            _, outcomes, _ = MATRICES["HTTP" if part == "outcomes" else "HTTP, kinds of errors"]
            return _table(["column", "what happens"], outcomes.items())
        case "impossible":
            head = ["position", "column", "functions", "why"]
            return _table(head, ([place, *rest] for place, *rest in IMPOSSIBLE))
        case _:
            _, outcomes, matrix = MATRICES[part]
            lines = ([" · ".join(positions), *row] for positions, row in rows(matrix))
            return _table(["where", *(name.replace("; ", ", ") for name in outcomes)], lines)


def _fates() -> str:
    head = ["", "what becomes of it", "handler", "logged", "teardown hooks get", "the server gets"]
    return _table(
        head,
        (
            [
                name, fate.words, HANDLERS[fate.handler], LOGGED[fate.logged],
                TORN[fate.hooks_get], RAISED[fate.raised] if name != "stopped" else "the error",
            ]
            for name, fate in FATES.items()
        ),
    )  # fmt: skip


def _table(head: list[str], lines: Iterable[Iterable[str]]) -> str:
    rule = ["---"] * len(head)
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, rule, *lines))


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text()))

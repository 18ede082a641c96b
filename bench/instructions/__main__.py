"""Compare two revisions of erlen by the instructions that a request takes; see ../README.md.

python -m bench.instructions [REV_A] [REV_B] [--only NAMES] [--requests N] [--limit PER_CENT]
"""

import argparse
import sys

from bench.instructions.counting import CannotCount, Subject, count, require_valgrind
from bench.instructions.trees import WORKING_TREE, NoRevision, described, trees
from bench.scenarios import BY_NAME

#: What is counted unless told; with more rules, starting takes longer than anything else.
NAMES = [name for name, scenario in BY_NAME.items() if scenario.counts and scenario.rules < 10_000]


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Compare two revisions by instruction counts.")
    parser.add_argument("first", nargs="?", default="HEAD~1", help="a revision (HEAD~1)")
    parser.add_argument("second", nargs="?", default=WORKING_TREE, help="(the working tree)")
    parser.add_argument("--only", default=",".join(NAMES), help="of " + ", ".join(BY_NAME))
    parser.add_argument("--requests", type=int, default=300, help="per scenario (300)")
    parser.add_argument("--limit", type=float, default=3.0, help="per cent that is too much (3)")
    given = parser.parse_args()
    given.only = given.only.split(",")
    if unknown := {*given.only} - {*BY_NAME}:
        parser.error(f"There is no {', '.join(sorted(unknown))}.")
    return given


def main(given: argparse.Namespace) -> int:
    """Return 1 when a scenario takes more instructions than the limit allows."""
    require_valgrind()
    titles = described(given.first), described(given.second)
    with trees(given.first, given.second) as sources:
        subjects = [Subject("erlen", source=source) for source in sources]
        first, second = count(subjects, given.only, given.requests)
    print(f"Instructions of one request, counted by valgrind over {given.requests}.\n")
    print(table(titles, first, second))
    worse = regressions(first, second, given.limit)
    for name, change in worse.items():
        print(f"\n{name}: {change:+.1f} %, which is worse by {given.limit:g} % or more.")
    return int(bool(worse))


def table(titles: tuple[str, str], first: dict[str, float], second: dict[str, float]) -> str:
    """Return the figures by scenario as a table in Markdown."""
    lines = [f"| | {titles[0]} | {titles[1]} | change |", "|---|---:|---:|---:|"]
    for name, before in first.items():
        after = second[name]
        lines.append(f"| {name} | {before:,.0f} | {after:,.0f} | {after / before - 1:+.2%} |")
    return "\n".join(lines)


def regressions(
    first: dict[str, float], second: dict[str, float], limit: float
) -> dict[str, float]:
    """Return by how many per cent the second is worse, where that is *limit* or more."""
    changes = {name: (second[name] / before - 1) * 100 for name, before in first.items()}
    return {name: change for name, change in changes.items() if change >= limit}


if __name__ == "__main__":
    options = arguments()
    try:
        sys.exit(main(options))
    except (CannotCount, NoRevision) as error:
        sys.exit(str(error))

"""Where the instructions of one plaintext request go, stage by stage.

python -m bench.instructions.stages [--requests N] [--json FILE]

The cost of a stage is what a request takes more when the stage is done twice. What no stage takes
is the frame around them: the doors of the application, ``serve``, and what it awaits.
"""

import argparse
import sys
from pathlib import Path

from bench.instructions.counting import CannotCount, Subject, count, require_valgrind
from bench.page import tables
from bench.page.files import write
from bench.peers import BY_NAME

ROW = "plaintext"
#: Stage → function, and the stages that are a part of it and told by themselves.
STAGES = {
    "admission: the header section and the host": (
        "erlen.pipeline.plan:sound_host",
        (),
    ),
    "context: the object, without what is made when it is asked for": (
        "erlen.pipeline.plan:_init",
        (),
    ),
    "match: from the target to the pipeline": (
        "erlen.pipeline.plan:Plan.open",
        (
            "admission: the header section and the host",
            "context: the object, without what is made when it is asked for",
        ),
    ),
    "coerce: the body of what the view returned": (
        "erlen.pipeline.coerce:Coercion.known",
        (),
    ),
    "send: start and body as two messages": ("erlen.pipeline.dispatch:send_known", ()),
}
FRAME = "the frame around them, the view, and the context variable"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Count the instructions of a request by stage.")
    parser.add_argument("--requests", type=int, default=300, help="(300)")
    parser.add_argument("--json", type=Path, help="file for the figures")
    return parser.parse_args()


def main(given: argparse.Namespace) -> None:
    require_valgrind()
    rows = [f"{ROW}*{target}*{times}" for target, _ in STAGES.values() for times in (1, 2)]
    (counts,) = count([Subject("erlen")], [ROW, *rows], given.requests)
    once = {
        stage: counts[f"{ROW}*{target}*2"] - counts[f"{ROW}*{target}*1"]
        for stage, (target, _) in STAGES.items()
    }
    own = shares(once, counts[ROW])
    print(tables.stages(own))
    if given.json:
        peer, python = BY_NAME["erlen"], Path(sys.executable)
        write(given.json, "stages", own, {"requests": given.requests}, [peer], {peer.name: python})


def shares(once: dict[str, float], total: float) -> dict[str, float]:
    """Return what each stage takes by itself, and the rest, of costs that include one another."""
    own = {
        stage: once[stage] - sum(once[part] for part in parts)
        for stage, (_, parts) in STAGES.items()
    }
    return own | {FRAME: total - sum(own.values())}


if __name__ == "__main__":
    try:
        main(arguments())
    except CannotCount as error:
        sys.exit(str(error))

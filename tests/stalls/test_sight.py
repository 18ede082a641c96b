"""What counts of a step of an event loop, and by which clocks: P-20."""

import sys
import threading
from contextlib import closing
from typing import Any

import pytest

from erlen.stalls.sight import Clocks, Reading, Sight


class ByHand:
    """Clocks that are set by hand."""

    def __init__(self) -> None:
        self.reading = Reading(0, 0, 0, 0, is_ready=False)

    def __call__(self) -> Reading:
        return self.reading

    def advance(
        self,
        time: float,
        computed: float = 0,
        kept: float = 0,
        late: float = 0,
        is_ready: bool = False,
    ) -> None:
        old = self.reading
        self.reading = Reading(
            old.time + time, old.computed + computed, old.kept + kept, old.late + late, is_ready
        )


def frame() -> Any:
    """Return a new frame."""
    return sys._getframe()


@pytest.mark.parametrize(
    ("looks", "seconds", "computed"),
    [
        pytest.param([("a", 1)], 0, 0, id="the first look counts nothing"),
        pytest.param([("a", 1), ("a", 1), ("a", 1)], 2, 0, id="the time since the first look"),
        pytest.param([("a", 1), ("a", 9)], 3, 0, id="a late look counts for three seconds"),
        pytest.param([("a", 1), ("a", 9, 8)], 8, 8, id="or for all that was computed"),
        pytest.param([("a", 1), ("a", 1), ("b", 1)], 0, 0, id="another step begins anew"),
        pytest.param([("a", 1), (None, 1), ("a", 1)], 0, 0, id="none between, too"),
        pytest.param([("a", 1), ("a", 2, 0, 1)], 1, 0, id="but what the machine has kept"),
        pytest.param([("a", 1), ("a", 9, 0, 9)], 0, 0, id="which may be more than that"),
        pytest.param([("a", 1), ("a", 2, 1, 0, 0, True)], 1, 1, id="or keeps now"),
        pytest.param([("a", 9, 9)], 8, 8, id="what has let nobody look counts, but for the wait"),
        pytest.param([("a", 1, 1), ("b", 6, 4)], 4, 4, id="what was computed of it, that is"),
        pytest.param([("a", 9, 9, 0, 7)], 1, 1, id="but not if the watching thread was late"),
        pytest.param([("a", 9, 9, 0, 9)], 0, 0, id="for all of it, too"),
        pytest.param([(None, 9, 9)], 0, 0, id="what nobody has computed"),
    ],
)
def test_what_counts_of_a_step(looks: list[Any], seconds: float, computed: float) -> None:
    """Each look comes a second after the last one, or late: as of ByHand.advance()."""
    clocks, roots = ByHand(), {"a": frame(), "b": frame(), None: None}
    sight = Sight(clocks, 3)
    for root, *later in looks:
        clocks.advance(*later)
        sight.see(roots[root], 1)
    assert (sight.seconds, sight.computed) == (seconds, computed)


@pytest.mark.skipif(sys.platform != "linux", reason="no system that tells what threads do")
def test_the_clocks_tell_what_a_thread_computes() -> None:
    with closing(Clocks(threading.get_native_id())) as clocks:
        before = clocks()
        sum(range(3_000_000))
        after = clocks()
    elapsed, *others = (new - old for new, old in zip(after, before, strict=True))
    assert others[0] > 0
    assert all(0 <= each <= elapsed + 0.02 for each in others[:3])
    assert after.is_ready  # it has asked itself


def test_where_a_system_tells_nothing_all_the_time_counts_as_late() -> None:
    clocks = Clocks(0)  # there is no such thread
    reading = clocks()
    assert reading == (reading.time, 0, 0, reading.time, False)
    clocks.close()

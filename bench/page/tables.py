"""The tables of the page, in Markdown."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from math import prod
from typing import Any

from bench.page.figures import BARE, OWN, Measure
from bench.peers import BY_NAME
from bench.scenarios import SCENARIOS

#: A peer whose figure is better by less than this part is not told from erlen.
SAME = 0.005
#: Packages that are named of each peer.
_SHOWN = 4
#: Scenarios that are no part of the geometric mean.
_APART = {scenario.name for scenario in SCENARIOS if not scenario.counts}


def by_peer(measures: Sequence[Measure]) -> str:
    """Return one line for each measure, one column for each peer; the best framework is bold."""
    peers = [*measures[0].values]
    lines = [_line(["", *(BY_NAME[peer].title for peer in peers)])]
    lines.append("|---|" + "---:|" * len(peers))
    for each in measures:
        first = best(each)
        cells = [each.written(peer) for peer in peers]
        marked = [
            f"**{cell}**" if peer == first else cell
            for peer, cell in zip(peers, cells, strict=True)
        ]
        lines.append(_line([each.title, *marked]))
    return "\n".join(lines)


def shares(measures: Iterable[Measure]) -> list[Measure]:
    """Return the same as multiples of bare ASGI."""
    return [replace(each, values=each.of_bare(), digits=2) for each in measures]


def mean(ratios: Sequence[Measure]) -> Measure:
    """Return the geometric mean of multiples of bare ASGI, of those scenarios that count."""
    counted = [each for each in ratios if each.row not in _APART]
    values: dict[str, float | None] = {}
    for peer in counted[0].values:
        offered = [value for each in counted if (value := each.values[peer])]
        values[peer] = prod(offered) ** (1 / len(offered)) if offered else None
    return replace(ratios[0], row="mean", title="geometric mean", values=values)


def ahead(measures: Iterable[Measure], reasons: dict[tuple[str, str, str], str]) -> str:
    """Return where frameworks are better than erlen, by how many times, and why.

    Args:
        measures: All figures.
        reasons: Kind, row and peer → the reason; a row or a peer may be ``*``.
    """
    lines = []
    for each in measures:
        if found := leaders(each):
            what = each.title if each.title == each.what else f"{each.title}: {each.what}"
            who = (
                f"{BY_NAME[peer].title} {each.written(peer)} ({times:.2f} times)"
                for peer, times in found.items()
            )
            why = dict.fromkeys(reason(reasons, each, peer) for peer in found)
            lines.append(_line([what, each.written(OWN), ", ".join(who), "; ".join(why)]))
    if not lines:
        return "Nowhere."
    return "\n".join((_line(["", "erlen", "ahead", "why"]), "|---|---:|---|---|", *lines))


def stages(own: Mapping[str, float]) -> str:
    """Return what each stage of a request takes, and its part of the whole."""
    total = sum(own.values())
    lines = [_line(["stage", "instructions", "part"]), "|---|---:|---:|"]
    lines += [_line([stage, f"{each:,.0f}", f"{each / total:.0%}"]) for stage, each in own.items()]
    return "\n".join([*lines, _line(["all", f"{total:,.0f}", f"{1:.0%}"])])


def calls(found: Mapping[str, Mapping[str, Any]]) -> str:
    """Return peer by peer how many functions a request calls, and the packages with the most."""
    lines = [_line(["", "Python calls", "calls into C", "most of them in"]), "|---|---:|---:|---|"]
    for name, counts in found.items():
        python = Counter(counts["python"])
        most = ", ".join(f"{package} {number}" for package, number in python.most_common(_SHOWN))
        cells = [BY_NAME[name].title, str(python.total()), str(counts["native"]), most]
        lines.append(_line(cells))
    return "\n".join(lines)


def leaders(measure: Measure) -> dict[str, float]:
    """Return by how many times each peer that is ahead of erlen is ahead, the first one first."""
    own = measure.values.get(OWN)
    if not own:
        return {}
    times = {
        peer: value / own if measure.more_is_better else own / value
        for peer, value in measure.values.items()
        if value and peer not in {OWN, BARE}
    }
    found = [(peer, each) for peer, each in times.items() if each >= 1 + SAME]
    return dict(sorted(found, key=lambda pair: -pair[1]))


def reason(reasons: dict[tuple[str, str, str], str], measure: Measure, peer: str) -> str:
    """Return the reason of the most precise entry."""
    kind, row = measure.kind, measure.row
    keys = [(kind, row, peer), (kind, row, "*"), (kind, "*", peer), (kind, "*", "*")]
    return next((reasons[key] for key in keys if key in reasons), "not known")


def best(measure: Measure) -> str | None:
    """Return the framework with the best figure; bare ASGI is none."""
    found = {peer: value for peer, value in measure.values.items() if value and peer != BARE}
    pick = max if measure.more_is_better else min
    return pick(found, key=lambda peer: found[peer]) if found else None


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"

"""The plots of the page: PNG by matplotlib, dark on white, legible when scaled down."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import StrMethodFormatter

from bench.page.figures import BARE, OWN, Measure
from bench.peers import BY_NAME

_INK, _GREY, _OTHER, _MARKED = "#1a1a1a", "#5a5a5a", "#9db4c8", "#c2410c"
mpl.use("agg")
mpl.rcParams.update(
    {
        "font.size": 13,
        "axes.edgecolor": _GREY,
        "axes.labelcolor": _INK,
        "axes.titlesize": 14,
        "axes.titleweight": "bold",
        "text.color": _INK,
        "xtick.color": _INK,
        "ytick.color": _INK,
        "figure.facecolor": "white",
        "savefig.dpi": 110,
    }
)


def heat_map(measures: Sequence[Measure], path: Path) -> None:
    """Write the multiples of bare ASGI: a line for each measure, a column for each peer."""
    peers = [peer for peer in measures[0].values if peer != BARE]
    lines = [[each.of_bare()[peer] for peer in peers] for each in measures]
    cells = [[float("nan") if value is None else value for value in line] for line in lines]
    figure = Figure(
        figsize=(2.8 + 1.2 * len(peers), 1.6 + 0.42 * len(measures)), layout="constrained"
    )
    axes = figure.subplots()
    image = axes.imshow(cells, norm=LogNorm(1, 100), cmap="YlOrRd", aspect="auto")
    axes.set_xticks(range(len(peers)), [BY_NAME[peer].title.replace(" (", "\n(") for peer in peers])
    axes.xaxis.tick_top()
    axes.tick_params(axis="x", labelsize=12)
    axes.set_yticks(range(len(measures)), [each.title for each in measures])
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    for y, line in enumerate(lines):
        for x, value in enumerate(line):
            _write_cell(axes, x, y, value, line)
    bar = figure.colorbar(image, ax=axes, fraction=0.03, pad=0.02, ticks=[1, 2, 5, 10, 20, 50, 100])
    bar.ax.set_yticklabels(["1", "2", "5", "10", "20", "50", "100"])
    figure.suptitle("Time of a request, as a multiple of bare ASGI", fontweight="bold")
    figure.savefig(path)


def _write_cell(
    axes: Axes, x: int, y: int, value: float | None, line: Sequence[float | None]
) -> None:
    if value is None:
        axes.text(x, y, "n/a", ha="center", va="center", color=_GREY, fontsize=11)
        return
    first = value == min(each for each in line if each is not None)
    text = f"{value:.2f}" if value < 10 else f"{value:,.0f}"
    colour = "white" if value > 30 else _INK
    weight = "bold" if first else "normal"
    axes.text(x, y, text, ha="center", va="center", color=colour, fontweight=weight)


def grid(
    measures: Sequence[Measure], path: Path, title: str, *, columns: int = 2, log: bool = False
) -> None:
    """Write one panel of bars for each measure, the best framework on top."""
    rows = -(-len(measures) // columns)
    height = 1 + rows * (0.9 + 0.36 * len(measures[0].values))
    figure = Figure(figsize=(6.4 * columns, height), layout="constrained")
    panels: list[Axes] = [*figure.subplots(rows, columns, squeeze=False).flat]
    for each, axes in zip(measures, panels, strict=False):
        _panel(axes, each, log=log)
    for axes in panels[len(measures) :]:
        axes.set_visible(False)
    figure.suptitle(title, fontweight="bold")
    figure.savefig(path)


def _panel(axes: Axes, measure: Measure, *, log: bool) -> None:
    found = {peer: value for peer, value in measure.values.items() if value is not None}
    order = sorted(found, key=lambda peer: found[peer], reverse=not measure.more_is_better)
    colours = [_MARKED if peer == OWN else _GREY if peer == BARE else _OTHER for peer in order]
    drawn = axes.barh([BY_NAME[peer].title for peer in order], [found[peer] for peer in order])
    for patch, colour in zip(drawn.patches, colours, strict=True):
        patch.set_facecolor(colour)
    axes.bar_label(drawn, [measure.written(peer) for peer in order], padding=4)
    axes.set_title(measure.title, loc="left")
    if measure.what != measure.title:
        axes.set_xlabel(measure.what + (" (logarithmic)" if log else ""))
    for label, peer in zip(axes.get_yticklabels(), order, strict=True):
        label.set_fontweight("bold" if peer == OWN else "normal")
    axes.margins(x=0.16)
    if log:
        axes.set_xscale("log")
        axes.set_xlim(left=min(1.0, *found.values()))
        axes.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(axis="y", length=0)

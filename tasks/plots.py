"""Curves and bars as SVG. Imports matplotlib: import this module only to draw."""

import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tasks.pages import length_range


def training_curves(history: Iterable[Mapping[str, float]]) -> str:
    """Training and validation loss (nats per target token) and validation BLEU over steps, as SVG."""
    entries = list(history)
    figure = Figure(figsize=(9, 3.2), layout="constrained")
    losses, scores = figure.subplots(1, 2, sharex=True)
    _draw(losses, entries, "loss", "training")
    _draw(losses, entries, "valid_nats_per_token", "validation", marker=".")
    losses.set(xlabel="step", ylabel="nats per target token")
    losses.legend()
    _draw(scores, entries, "valid_bleu", "validation", marker=".")
    scores.set(xlabel="step", ylabel="BLEU, validation", ylim=(0, 1.05 * scores.get_ylim()[1]))
    return _svg(figure)


def bleu_by_length(buckets: Sequence[Mapping[str, Any]], overall: float) -> str:
    """A bar for each range of source lengths, with its BLEU and number of pairs; a line at the BLEU of all."""
    figure = Figure(figsize=(7, 2.8), layout="constrained")
    axes = figure.subplots()
    ranges = [f"{length_range(bucket)}\n{bucket['pairs']:,} pairs" for bucket in buckets]
    heights = [bucket["bleu"] for bucket in buckets]
    axes.axhline(overall, color="#444444", linewidth=1, linestyle="--", label=f"all pairs: {overall:.1f}")
    bars = axes.bar(ranges, heights, width=0.6, color="#9ecae1")
    axes.bar_label(bars, [f"{height:.1f}" for height in heights], label_type="center")
    axes.set(xlabel="tokens of the source", ylabel="BLEU", ylim=(0, 1.35 * max(*heights, overall, 1.0)))
    axes.set(xlim=(-0.6, max(len(ranges), 3) - 0.4), yticks=[tick for tick in axes.get_yticks() if tick <= 100])
    axes.legend(loc="upper right")
    return _svg(figure)


def difference(comparison: Mapping[str, Any]) -> str:
    """The difference of two models' BLEU with its 95 % interval, beside the line where they are equal."""
    figure = Figure(figsize=(7, 1.4), layout="constrained")
    axes = figure.subplots()
    low, high = comparison["difference_interval"]
    axes.plot([low, high], [0, 0], color="#6baed6", linewidth=6, solid_capstyle="butt")
    axes.plot([comparison["difference"]], [0], "o", color="#08519c")
    axes.axvline(0, color="#444444", linewidth=1, linestyle="--")
    reach = 1.15 * max(abs(low), abs(high), 1.0)
    axes.set(xlim=(-reach, reach), yticks=[], xlabel="BLEU of the challenger minus BLEU of the champion")
    return _svg(figure)


def _draw(axes: Axes, entries: Iterable[Mapping[str, float]], name: str, label: str, marker: str | None = None) -> None:
    points = [(entry["step"], entry[name]) for entry in entries if name in entry]
    if points:
        axes.plot(*zip(*points, strict=True), label=label, marker=marker)


def _svg(figure: Figure) -> str:
    drawn = io.StringIO()
    with matplotlib.rc_context({"svg.fonttype": "none"}):  # text stays text: half the size
        figure.savefig(drawn, format="svg")
    return drawn.getvalue()

"""Curves of a training. Imports matplotlib: import this module only to draw."""

import io
from collections.abc import Iterable, Mapping

from matplotlib.axes import Axes
from matplotlib.figure import Figure


def training_curves(history: Iterable[Mapping[str, float]]) -> str:
    """Training and validation loss (nats per target token) and validation BLEU over steps, as SVG."""
    entries = list(history)
    figure = Figure(figsize=(9, 3.2), layout="constrained")
    losses, scores = figure.subplots(1, 2)
    _draw(losses, entries, "loss", "training")
    _draw(losses, entries, "valid_nats_per_token", "validation", marker=".")
    losses.set(xlabel="step", ylabel="nats per target token")
    losses.legend()
    _draw(scores, entries, "valid_bleu", "validation", marker=".")
    scores.set(xlabel="step", ylabel="BLEU, validation", ylim=(0, None))
    drawn = io.StringIO()
    figure.savefig(drawn, format="svg")
    return drawn.getvalue()


def _draw(axes: Axes, entries: Iterable[Mapping[str, float]], name: str, label: str, marker: str | None = None) -> None:
    points = [(entry["step"], entry[name]) for entry in entries if name in entry]
    if points:
        axes.plot(*zip(*points, strict=True), label=label, marker=marker)

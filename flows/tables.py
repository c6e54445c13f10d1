"""Tables for people: as wide as the terminal; into a pipe or a file whole, as plain text."""

import sys
from collections.abc import Container, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from rich.console import Console, JustifyMethod
from rich.table import Table

Cell = str | None
EVERYTHING_FITS = 10_000


def show_table(
    rows: Iterable[Sequence[Cell]],
    header: Sequence[str] = (),
    numbers: Container[int] = (),
    whole: Container[int] = (0,),
) -> None:
    """Print rows below each other. None is shown as a dash.

    `numbers` are the columns that stand to the right; `whole` those that a narrow terminal does not break.
    """
    rows = list(rows)
    table = Table(box=None, show_header=bool(header), pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for place in range(max(map(len, [header, *rows]))):
        title = header[place] if header else ""
        justify: JustifyMethod = "right" if place in numbers else "left"
        table.add_column(title, justify=justify, overflow="fold", no_wrap=place in whole)
    for row in rows:
        table.add_row(*("–" if cell is None else cell for cell in row))
    forced = None if sys.stdout.isatty() else False  # whatever FORCE_COLOR says
    console = Console(markup=False, highlight=False, emoji=False, force_terminal=forced)
    if console.is_terminal:
        console.print(table)
        return
    console.width = EVERYTHING_FITS
    with console.capture() as captured:
        console.print(table)
    print("\n".join(line.rstrip() for line in captured.get().splitlines()))


def bleu_with_interval(scores: Mapping[str, Any]) -> str | None:
    """`31.2 [29.9, 32.4]`, as far as it is known."""
    bleu, ends = scores.get("bleu"), scores.get("bleu_interval")
    if bleu is None:
        return None
    return f"{bleu:.1f} [{ends[0]:.1f}, {ends[1]:.1f}]" if ends else f"{bleu:.1f}"


def test_set_with_pairs(scores: Mapping[str, Any]) -> str | None:
    """`test_2016_flickr (1,000)`, as far as it is known."""
    return f"{scores.get('test', 'unknown')} ({scores['test_pairs']:,})" if "test_pairs" in scores else None


def local_time(moment: datetime) -> str:
    """A moment with its time zone, to the minute, by the clock on the wall."""
    return f"{moment.astimezone():%Y-%m-%d %H:%M}"

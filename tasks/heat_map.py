"""Attention as a heat map in SVG, written by hand: its text stays text.

matplotlib measures text with a font of its own, which knows no Hangul; a browser has fonts for every script.
"""

import unicodedata
from collections.abc import Sequence
from html import escape

CELL = 24
FONT_SIZE = 13
FAINTEST = 0.02
"""Weights below it are left white."""


def heat_map(source_tokens: Sequence[str], target_tokens: Sequence[str], weights_TS: Sequence[Sequence[float]]) -> str:
    """One row for each target token, one column for each source token; the darker, the more attention."""
    left = max(map(_width, target_tokens)) + 8
    slanted = max(map(_width, source_tokens)) * 0.71
    top = slanted + 14
    width = left + CELL * len(source_tokens) + slanted + 8
    height = top + CELL * len(target_tokens) + 2
    columns = (
        f'<text transform="translate({CELL * (place + 0.6):.0f} -6) rotate(-45)">{escape(token)}</text>'
        for place, token in enumerate(source_tokens)
    )
    rows = (
        f'<text x="-6" y="{CELL * (place + 0.68):.0f}" text-anchor="end">{escape(token)}</text>'
        for place, token in enumerate(target_tokens)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
        f'font-family="sans-serif" font-size="{FONT_SIZE}"><rect width="100%" height="100%" fill="white"/>'
        f'<g transform="translate({left:.0f} {top:.0f})">{_cells(weights_TS)}{"".join([*columns, *rows])}</g></svg>'
    )


def _cells(weights_TS: Sequence[Sequence[float]]) -> str:
    height, width = CELL * len(weights_TS), CELL * len(weights_TS[0])
    lines = [f"M0 {CELL * row}H{width}" for row in range(len(weights_TS) + 1)]
    lines += [f"M{CELL * column} 0V{height}" for column in range(len(weights_TS[0]) + 1)]
    filled = (
        f'<rect x="{CELL * column}" y="{CELL * row}" width="{CELL}" height="{CELL}" fill-opacity="{weight:.2f}"/>'
        for row, weights_S in enumerate(weights_TS)
        for column, weight in enumerate(weights_S)
        if weight >= FAINTEST
    )
    return f'<g fill="#08519c">{"".join(filled)}</g><path stroke="#ddd" d="{"".join(lines)}"/>'


def _width(text: str) -> float:
    """About how many pixels wide a text is: those of East Asia are square, others a little over half of that."""
    return sum(FONT_SIZE * (1.0 if unicodedata.east_asian_width(letter) in "WF" else 0.62) for letter in text)

"""Lines of text files, plain or gzip, and where two files that should be aligned part."""

import gzip
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from seq2seq.errors import CorpusError

ENCODINGS = {b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16"}
"""By byte order mark."""
FEWEST_LINES = 20
CLEARLY_LESS = 0.6
"""With these two, unrelated texts of random lengths get no place, and 95 % of lost lines are found."""


def read_content(path: Path) -> bytes:
    """Bytes of a file, unpacked when its name ends in .gz. Raises CorpusError for a damaged gzip file."""
    content = path.read_bytes()
    if path.suffix != ".gz":
        return content
    try:
        return gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise CorpusError(f"{path} is not a complete gzip file: {error}. Fetch or pack it again.") from None


def read_lines(path: Path) -> list[str]:
    """Lines of a UTF-8 text without their ends and without a byte order mark.

    Only a line feed, with or without a carriage return before it, ends a line: the other separators of Unicode
    are text. Raises CorpusError, naming line and byte, when the file is not UTF-8, and when its lines end otherwise.
    """
    content = read_content(path)
    try:
        text = content.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        likely = ENCODINGS.get(content[:2]) or _utf16(content) or "WINDOWS-1252"
        raise CorpusError(
            f"{path} is not UTF-8: line {line:,} has byte 0x{content[error.start]:02x} at offset {error.start:,} "
            f"of the file. Convert it, for example: iconv -f {likely} -t UTF-8 OLD > NEW."
        ) from None
    if likely := _utf16(content):
        raise CorpusError(
            f"{path} is not UTF-8: {content.count(0):,} of its {len(content):,} bytes are zero. Convert it, for "
            f"example: iconv -f {likely} -t UTF-8 OLD > NEW."
        )
    if "\n" not in text and "\r" in text[:-1]:
        raise CorpusError(
            f"{path} has no line feed, and {text.count(chr(13)):,} lone carriage returns. Convert it, for example: "
            r"tr '\r' '\n' < OLD > NEW."
        )
    lines = text.split("\n")
    if not lines[-1]:
        lines.pop()
    return [line.removesuffix("\r") for line in lines]


def _utf16(content: bytes) -> str:
    """UTF-16LE or UTF-16BE where most line feeds have the zero beside them that they have there; else nothing."""
    if b"\0" not in content:
        return ""
    found = {name: content.decode(name, errors="replace").count("\n") for name in ("UTF-16LE", "UTF-16BE")}
    likely = max(found, key=found.__getitem__)
    return likely if 2 * found[likely] > content.count(b"\n") else ""


def where_lengths_part(source: Sequence[str], target: Sequence[str]) -> int | None:
    """Line (from 1) near which the longer text has a surplus block; None where the lengths do not tell.

    Translations of each other have similar lengths. With a surplus block, lines before it pair one to one and
    lines after it pair shifted by the difference of the two counts; the break is put where the log length
    ratios spread least under that assumption (one change point, found exactly in linear time).
    """
    if min(len(source), len(target)) < FEWEST_LINES:
        return None
    longer, shorter = (source, target) if len(source) > len(target) else (target, source)
    shift = len(longer) - len(shorter)
    lengths = np.log1p(np.array([len(line) for line in longer])), np.log1p(np.array([len(line) for line in shorter]))
    straight = lengths[0][: len(shorter)] - lengths[1]
    shifted = lengths[0][shift:] - lengths[1]
    before, after = (np.abs(ratios - np.median(ratios)) for ratios in (straight, shifted))
    cost = np.concatenate([[0.0], np.cumsum(before)]) + np.concatenate([np.cumsum(after[::-1])[::-1], [0.0]])
    place = int(np.argmin(cost))
    misaligned = after[:place].sum() + before[place:].sum()
    return place + 1 if cost[place] < CLEARLY_LESS * misaligned else None

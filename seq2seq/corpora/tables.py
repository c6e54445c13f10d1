"""Tables of sentence pairs: TSV, CSV, JSON lines, Parquet, and what the Hub's `datasets` gives.

A side's text is in a column of its own (`corpus.source_column`, or the language code), or in a column called
`translation` that holds both by language code. Columns are found by name; a TSV or CSV without a row of names has
them by number, from 1. A blank line is no pair; a missing cell is an empty sentence, which cleaning counts, and an
error in a CSV, where a quote may have swallowed it; text such as NA or null is text.
"""

import csv
import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import compute, parquet

from seq2seq.corpora.lines import read_content, read_lines
from seq2seq.errors import CorpusError
from seq2seq.settings.corpus import CorpusSettings

Sides = tuple[Sequence[str], Sequence[str]]
BOTH = "translation"
NO_NAMES = (
    " Cells of a .tsv end at tabs, of a .csv at commas. If what it has is a pair already, there is no row of names: "
    "set them to the columns' numbers, counted from 1."
)
SEPARATORS = {".tsv": "\t", ".csv": ","}


def read_table(path: Path, suffix: str, settings: CorpusSettings) -> Sides:
    """Source and target text of a table file; `suffix` (without .gz) says of which form.

    Raises CorpusError when it is malformed, lacks a column, or holds something else than text.
    """
    if suffix == ".parquet":
        return sides_of_arrow(_read_parquet(path), settings, str(path))
    if suffix == ".jsonl":
        return _sides_of_rows(_read_jsonl(path), settings, str(path))
    columns = _by_column(path, CELLS[suffix](path), settings.columns(), SEPARATORS[suffix])
    return _sides_of_rows(columns, settings, str(path), NO_NAMES)


def sides_of_arrow(table: pa.Table, settings: CorpusSettings, where: str) -> Sides:
    """Source and target text of an Arrow table; `where` names it in errors. Raises CorpusError."""
    wanted = settings.columns()
    if BOTH in table.column_names and not set(wanted) <= set(table.column_names):
        table, where = _unpacked(table, where), f"{where}, column {BOTH},"
    _require(wanted, table.column_names, where)
    source, target = (_arrow_text(table[name], f"{where}, column {name}") for name in wanted)
    return source, target


def _unpacked(table: pa.Table, where: str) -> pa.Table:
    """The fields of the `translation` column as columns; missing where the struct is missing."""
    both = table[BOTH].combine_chunks()
    if not pa.types.is_struct(both.type):
        raise CorpusError(f"{where}, column {BOTH}: it holds {both.type}, not one text for each language.")
    return pa.table({field.name: compute.struct_field(both, field.name) for field in both.type})


def _arrow_text(column: pa.ChunkedArray, where: str) -> list[str]:
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_null(kind)):
        raise CorpusError(f"{where} holds {kind}, not text.")
    try:
        return ["" if cell is None else cell for cell in column.to_pylist()]
    except UnicodeDecodeError as error:
        raise CorpusError(
            f"{where}, row {_first_not_utf_8(column):,} is not UTF-8: byte 0x{error.object[error.start]:02x} at "
            f"position {error.start + 1:,}."
        ) from None


def _first_not_utf_8(column: pa.ChunkedArray) -> int:
    row = 1
    with suppress(UnicodeDecodeError):
        for cell in column:
            cell.as_py()
            row += 1
    return row


def _sides_of_rows(
    columns: Mapping[str, Sequence[Any]], settings: CorpusSettings, where: str, advice: str = ""
) -> Sides:
    wanted = settings.columns()
    if BOTH in columns and not set(wanted) <= set(columns):
        columns, where = _unpacked_rows(columns[BOTH], where), f"{where}, column {BOTH},"
    _require(wanted, columns, where, advice)
    source, target = (
        [_text(cell, f"{where} row {row:,}, column {name}") for row, cell in enumerate(columns[name], 1)]
        for name in wanted
    )
    return source, target


def _unpacked_rows(cells: Iterable[Any], where: str) -> dict[str, list[Any]]:
    rows = [{} if cell is None else cell for cell in cells]
    for number, row in enumerate(rows, 1):
        if not isinstance(row, dict):
            raise CorpusError(f"{where}, row {number:,}: column {BOTH} holds {row!r}, not one text for each language.")
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: [row.get(name) for row in rows] for name in names}


def _require(wanted: Iterable[str], known: Iterable[str], where: str, advice: str = "") -> None:
    missing = [name for name in wanted if name not in known]
    if missing:
        raise CorpusError(
            f"{where} has no column {' and no column '.join(missing)}; it has: {', '.join(known) or 'none'}. "
            f"Set corpus.source_column and corpus.target_column to the names of the two texts.{advice}"
        )


def _text(cell: Any, where: str) -> str:
    if cell is None or (isinstance(cell, float) and math.isnan(cell)):
        return ""
    if not isinstance(cell, str):
        raise CorpusError(f"{where}: {cell!r} is not text.")
    try:
        cell.encode("utf-8")
    except UnicodeEncodeError as error:
        raise CorpusError(f"{where}: {cell[error.start : error.end]!r} is half of a character.") from None
    return cell


def _tab_separated(path: Path) -> Iterator[list[str]]:
    return (line.split("\t") for line in read_lines(path))


def _comma_separated(path: Path) -> Iterator[list[str]]:
    rows = csv.reader((f"{line}\n" for line in read_lines(path)), strict=True)
    try:
        yield from rows
    except csv.Error as error:
        raise CorpusError(f"{path}, line {rows.line_num:,}: {error}; quote cells as RFC 4180 says.") from None


def _by_column(
    path: Path, rows: Iterator[list[str]], wanted: Sequence[str], separator: str
) -> dict[str, list[str | None]]:
    """Columns by the names in the first row, or by number; the cells that a row of a TSV lacks are None."""
    numbered = ((number, row) for number, row in enumerate(rows, 1) if len(row) > 1 or "".join(row).strip())
    top = next(numbered, (1, []))
    names, above = top[1], []
    if all(name.isdecimal() for name in wanted) and not set(wanted) <= set(names):
        names, above = [str(number) for number in range(1, len(names) + 1)], [top]
    for name in wanted:
        if names.count(name) > 1:
            raise CorpusError(f"{path} has more than one column {name}: give each column that is read its own name.")
    cells: list[list[str | None]] = [[] for _ in names]
    for number, row in chain(above, numbered):
        if len(row) > len(names):
            raise CorpusError(
                f"{path}, row {number:,} has {len(row)} cells and the first row {len(names)}: a separator inside a "
                f"cell, or one in the first row that is not {separator!r}?"
            )
        if len(row) < len(names) and separator == SEPARATORS[".csv"]:
            raise CorpusError(
                f"{path}, row {number:,} has {len(row)} {'cell' if len(row) == 1 else 'cells'} and the first row "
                f"{len(names)}: a quote that is not closed, or a cell left out?"
            )
        padding = [None] * (len(names) - len(row))
        for column, cell in zip(cells, [*row, *padding], strict=True):
            column.append(cell)
    return dict(zip(names, cells, strict=True))


def _read_jsonl(path: Path) -> dict[str, list[Any]]:
    rows = [_json_object(line, f"{path}, line {n:,}") for n, line in enumerate(read_lines(path), 1) if line.strip()]
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: [row.get(name) for row in rows] for name in names}


def _json_object(line: str, where: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except json.JSONDecodeError as error:
        raise CorpusError(f"{where}, is not JSON: {error.msg} at column {error.colno}.") from None
    except (ValueError, RecursionError) as error:  # a number of thousands of digits; brackets in brackets
        raise CorpusError(f"{where}, is not JSON that can be read: {error}.") from None
    if not isinstance(row, dict):
        raise CorpusError(f"{where}, is not a JSON object: one {{…}} a line is needed.")
    return row


def _read_parquet(path: Path) -> pa.Table:
    content = pa.BufferReader(read_content(path))
    try:
        return parquet.read_table(content)
    except (pa.ArrowException, OSError) as error:
        raise CorpusError(f"{path} is not a readable Parquet file: {error}") from None


CELLS: Mapping[str, Callable[[Path], Iterator[list[str]]]] = {".tsv": _tab_separated, ".csv": _comma_separated}

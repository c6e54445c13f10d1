"""Corpora in a folder: two aligned text files for each split, or one table.

    STEM.LANGUAGE   one sentence a line, both files line by line (train.de and train.en)
    STEM.tsv        first line names the columns; no quoting: a cell holds neither tab nor line end
    STEM.csv        first line names the columns; quoted as in RFC 4180
    STEM.jsonl      one JSON object a line
    STEM.parquet

Each may end in .gz. A table has a column for each side (`corpus.source_column`, or the language code), or one
called `translation` that holds both by language code. Columns are found by name, never by position. Only line
feed ends a line (with or without a carriage return before it): other separators of Unicode are text. A missing
cell is an empty sentence, which cleaning counts.
"""

import csv
import gzip
import json
import math
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seq2seq.artifacts import file_sha256
from seq2seq.errors import ConfigError, CorpusError
from seq2seq.settings.corpus import CorpusSettings

if TYPE_CHECKING:
    from seq2seq.corpora.pairs import Pairs

TABLES = (".tsv", ".csv", ".jsonl", ".parquet")
VALIDATION_NAMES = ("valid", "validation", "val", "dev")


@dataclass(frozen=True)
class SplitFiles:
    """Where one split lies: one file of each side, or one table."""

    paths: tuple[Path, ...]
    table: str = ""
    """Suffix of the table, without .gz; empty for aligned text."""

    def identity(self) -> dict[str, str]:
        """SHA-256 of each file under the role that it plays."""
        roles = (self.table.removeprefix("."),) if self.table else ("source", "target")
        return {role: file_sha256(path) for role, path in zip(roles, self.paths, strict=True)}


def identity(settings: CorpusSettings) -> dict[str, Any]:
    """What the files are, by content. Raises as `locate` does."""
    found = locate(settings)
    content: dict[str, Any] = {"files": {split: files.identity() for split, files in found.items()}}
    if any(files.table for files in found.values()):
        content["columns"] = list(settings.columns())
    return content


def read(settings: CorpusSettings) -> dict[str, "Pairs"]:
    """All splits that were asked for. Raises CorpusError for whatever a person has to mend in the files."""
    import pandas as pd

    from seq2seq.corpora.pairs import Pairs

    splits = {}
    for split, files in locate(settings).items():
        sides = _read_table(files, settings) if files.table else _read_aligned(*files.paths)
        frame = pd.DataFrame(dict(zip(("source", "target"), sides, strict=True)), dtype="str")
        if frame.empty:
            raise CorpusError(f"{files.paths[0]} is empty: the {split} split needs at least one sentence pair.")
        splits[split] = Pairs(settings.source_language, settings.target_language, frame)
    return splits


def locate(settings: CorpusSettings) -> dict[str, SplitFiles]:
    """The files of each split that was asked for; opens none of them.

    Raises ConfigError without a folder, CorpusError when files are missing or more than one would do.
    """
    if not settings.directory:
        raise ConfigError("corpus.kind = files needs corpus.directory: the folder that holds the corpus.")
    folder = Path(settings.directory)
    if not folder.is_dir():
        raise CorpusError(f"{folder} is not a folder: set corpus.directory to the one that holds the corpus.")
    return {split: _find(folder, split, settings) for split in settings.split_names()}


def _find(folder: Path, split: str, settings: CorpusSettings) -> SplitFiles:
    wanted = settings.split_names()[split]
    for stem in with_aliases(wanted):
        candidates = list(_candidates(folder, stem, settings))
        if len(candidates) > 1:
            names = "; ".join(" and ".join(path.name for path in files.paths) for files in candidates)
            raise CorpusError(f"{folder} has more than one {stem} corpus: {names}. Leave one of them there.")
        if candidates:
            return candidates[0]
    raise CorpusError(_nothing_found(folder, split, wanted, settings))


def with_aliases(name: str) -> tuple[str, ...]:
    """The name, and after it the other usual names of the validation split when it is one of them."""
    return (name, *(n for n in VALIDATION_NAMES if n != name)) if name in VALIDATION_NAMES else (name,)


def _candidates(folder: Path, stem: str, settings: CorpusSettings) -> Iterator[SplitFiles]:
    languages = (settings.source_language, settings.target_language)
    for suffix in TABLES:
        yield from (SplitFiles((path,), suffix) for path in _variants(folder, stem + suffix))
    sources, targets = (_variants(folder, f"{stem}.{language}") for language in languages)
    yield from (SplitFiles((source, target)) for source in sources for target in targets)


def _variants(folder: Path, name: str) -> list[Path]:
    return [path for path in (folder / name, folder / f"{name}.gz") if path.is_file()]


def _nothing_found(folder: Path, split: str, stem: str, settings: CorpusSettings) -> str:
    languages = (settings.source_language, settings.target_language)
    for here, missing in (languages, languages[::-1]):
        if lone := _variants(folder, f"{stem}.{here}"):
            return f"{folder} has {lone[0].name} but no {stem}.{missing}: both sides are needed, line by line."
    endings = (*(f".{language}" for language in languages), *TABLES)
    names = {path.name.removesuffix(".gz") for path in folder.iterdir() if path.is_file()}
    stems = sorted({name.removesuffix(end) for name in names for end in endings if name.endswith(end)})
    there = f"Stems there: {', '.join(stems)}" if stems else f"Files there: {', '.join(sorted(names)[:10]) or 'none'}"
    return (
        f"{folder} has no {stem}.{languages[0]} and {stem}.{languages[1]}, nor a table {stem}.tsv, .csv, .jsonl or "
        f'.parquet (each may end in .gz). {there}. Set corpus.{split} to a stem that is there, or to "" for none.'
    )


def _bytes(path: Path) -> bytes:
    if path.suffix != ".gz":
        return path.read_bytes()
    try:
        return gzip.decompress(path.read_bytes())
    except (OSError, EOFError, zlib.error) as error:
        raise CorpusError(f"{path} is not a complete gzip file ({error}): fetch or pack it again.") from None


def read_lines(path: Path) -> list[str]:
    """Lines of a UTF-8 text, plain or gzip, without their ends and without a byte order mark.

    Raises CorpusError with line and byte when it is not UTF-8.
    """
    content = _bytes(path)
    try:
        text = content.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        guess = "UTF-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "WINDOWS-1252"
        raise CorpusError(
            f"{path} is not UTF-8: byte 0x{content[error.start]:02x} at offset {error.start:,}, in line {line:,}. "
            f"Convert it, for example with: iconv -f {guess} -t UTF-8."
        ) from None
    lines = text.split("\n")
    if not lines[-1]:
        lines.pop()
    return [line.removesuffix("\r") for line in lines]


def _read_aligned(source_path: Path, target_path: Path) -> tuple[list[str], list[str]]:
    source, target = read_lines(source_path), read_lines(target_path)
    for path, lines, other in ((source_path, source, target), (target_path, target, source)):
        if not lines and other:
            raise CorpusError(f"{path} is empty, and its other side has {len(other):,} lines.")
    if len(source) != len(target):
        raise CorpusError(
            f"{source_path.name} has {len(source):,} lines and {target_path.name} {len(target):,}: "
            f"pairs must be line by line."
        )
    return source, target


def _read_table(files: SplitFiles, settings: CorpusSettings) -> tuple[list[str], list[str]]:
    (path,) = files.paths
    read: Callable[[Path], Mapping[str, Iterable[Any]]] = READERS[files.table]
    return sides_of(read(path), settings, path.name)


def sides_of(columns: Mapping[str, Iterable[Any]], settings: CorpusSettings, where: str) -> tuple[list[str], list[str]]:
    """Source and target text from the columns of a table, by name.

    Raises CorpusError when a column is missing (`where` names the table) or holds something else than text.
    """
    wanted = settings.columns()
    if all(name in columns for name in wanted):
        chosen = [list(columns[name]) for name in wanted]
    elif "translation" in columns:
        rows = [row or {} for row in columns["translation"]]
        known = {language for row in rows for language in row}
        _require(wanted, known, f"{where}, column translation,")
        chosen = [[row.get(name) for row in rows] for name in wanted]
    else:
        _require(wanted, columns, where)
    source, target = (
        [_text(cell, where, name, row) for row, cell in enumerate(cells, 1)]
        for name, cells in zip(wanted, chosen, strict=True)
    )
    return source, target


def _require(wanted: Iterable[str], known: Iterable[str], where: str) -> None:
    missing = [name for name in wanted if name not in known]
    if missing:
        raise CorpusError(
            f"{where} has no {' and no '.join(missing)}, only: {', '.join(known)}. "
            "Set corpus.source_column and corpus.target_column to the names of the two texts."
        )


def _text(cell: Any, where: str, column: str, row: int) -> str:
    if cell is None or (isinstance(cell, float) and math.isnan(cell)):
        return ""
    if isinstance(cell, str):
        return cell
    raise CorpusError(f"{where}, row {row:,}, column {column}: {cell!r} is a {type(cell).__name__}, not text.")


def _read_tsv(path: Path) -> dict[str, list[str | None]]:
    return _by_column(path, (line.split("\t") for line in read_lines(path)))


def _read_csv(path: Path) -> dict[str, list[str | None]]:
    rows = csv.reader((f"{line}\n" for line in read_lines(path)), strict=True)
    try:
        return _by_column(path, rows)
    except csv.Error as error:
        raise CorpusError(f"{path}, line {rows.line_num:,}: {error}. Quote cells as RFC 4180 says.") from None


def _by_column(path: Path, rows: Iterator[list[str]]) -> dict[str, list[str | None]]:
    """Columns by the names in the first row; a short row's missing cells are None."""
    names = next(rows, [])
    cells: list[list[str | None]] = [[] for _ in names]
    for number, row in enumerate(rows, 2):
        if len(row) > len(names):
            raise CorpusError(
                f"{path}, row {number:,} has {len(row)} cells and the first row names {len(names)} columns."
            )
        for column, cell in zip(cells, [*row, *[None] * (len(names) - len(row))], strict=True):
            column.append(cell)
    return dict(zip(names, cells, strict=True))


def _read_jsonl(path: Path) -> dict[str, list[Any]]:
    rows = []
    for number, line in enumerate(read_lines(path), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise CorpusError(f"{path}, line {number:,} is not JSON: {error.msg} at column {error.colno}.") from None
        if not isinstance(row, dict):
            raise CorpusError(f"{path}, line {number:,} is not a JSON object: each line must be one.")
        rows.append(row)
    names = {name: None for row in rows for name in row}
    return {name: [row.get(name) for row in rows] for name in names}


def _read_parquet(path: Path) -> dict[str, list[Any]]:
    import pyarrow as pa
    from pyarrow import parquet

    try:
        table = parquet.read_table(pa.BufferReader(_bytes(path)))
    except pa.ArrowInvalid as error:
        raise CorpusError(f"{path} is not a Parquet file: {error}") from None
    return {name: table[name].to_pylist() for name in table.column_names}


READERS: Mapping[str, Callable[[Path], dict[str, list[Any]]]] = {
    ".tsv": _read_tsv,
    ".csv": _read_csv,
    ".jsonl": _read_jsonl,
    ".parquet": _read_parquet,
}

"""Corpora in a folder: two aligned text files for each split, or one table.

    STEM.LANGUAGE   one sentence a line, both files line by line (train.de and train.en)
    STEM.tsv        first line names the columns, or they have numbers; no quoting: no tab or line end within a cell
    STEM.csv        the same, with commas, quoted as in RFC 4180
    STEM.jsonl      one JSON object a line
    STEM.parquet

Each may end in .gz.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any

from seq2seq.errors import ConfigError, CorpusError
from seq2seq.settings.corpus import CorpusSettings, or_held_out, with_aliases
from seq2seq.storage.artifacts import file_sha256

if TYPE_CHECKING:
    from seq2seq.corpora.pairs import Pairs
    from seq2seq.corpora.tables import Sides

TABLES = (".tsv", ".csv", ".jsonl", ".parquet")
UNPACKED_BY = {".xz": "xz -dc", ".bz2": "bzip2 -dc", ".zst": "zstd -dc", ".zip": "unzip -p"}


@dataclass(frozen=True)
class SplitFiles:
    """Where one split lies: a file for each side, or one table."""

    paths: tuple[Path, ...]
    table: str = ""
    """Suffix of the table, without .gz; empty for aligned text."""

    def identity(self) -> dict[str, str]:
        """SHA-256 of each file under the role that it plays."""
        roles = (self.table.removeprefix("."),) if self.table else ("source", "target")
        return {role: file_sha256(path) for role, path in zip(roles, self.paths, strict=True)}


@contextmanager
def _refusals_explained() -> Iterator[None]:
    try:
        yield
    except PermissionError as error:
        raise CorpusError(f"{error.filename} may not be read by this user: give it the right to.") from None


@_refusals_explained()
def identity(settings: CorpusSettings) -> dict[str, Any]:
    """What the files are, by content. Raises as `locate` does, and CorpusError for what may not be read."""
    found = locate(settings)
    content: dict[str, Any] = {"files": {split: files.identity() for split, files in found.items()}}
    if any(files.table for files in found.values()):
        content["columns"] = list(settings.columns())
    return content


@_refusals_explained()
def read(settings: CorpusSettings, packed: Iterable[str] | None = None) -> dict[str, "Pairs"]:
    """All splits that were asked for; `packed` are the names in the archive that the files came from, if in one.

    Raises CorpusError for whatever a person has to mend in the files.
    """
    from seq2seq.corpora.pairs import pairs_of
    from seq2seq.corpora.tables import read_table

    splits = {}
    for split, files in locate(settings, packed).items():
        sides = read_table(files.paths[0], files.table, settings) if files.table else _read_aligned(*files.paths)
        if not sides[0]:
            names = " and ".join(str(path) for path in files.paths)
            raise CorpusError(f"no sentence pair in {names}: the {split} split needs at least one.")
        splits[split] = pairs_of(settings.source_language, settings.target_language, *sides)
    return splits


def locate(settings: CorpusSettings, packed: Iterable[str] | None = None) -> dict[str, SplitFiles]:
    """The files of each split that was asked for; opens none of them.

    Raises ConfigError without a folder, CorpusError when files are missing or more than one would do.
    """
    if not settings.directory:
        raise ConfigError(
            "corpus.kind = files needs corpus.directory: the folder that holds the corpus (a model folder does not say "
            "where its corpus lay), for example --set corpus.directory=texts."
        )
    folder = Path(settings.directory)
    if not folder.is_dir():
        raise CorpusError(f"{folder} is not a folder: set corpus.directory to the one that holds the corpus.")
    return {split: _find(folder, split, settings, packed) for split in settings.split_names()}


def _find(folder: Path, split: str, settings: CorpusSettings, packed: Iterable[str] | None) -> SplitFiles:
    where = folder if packed is None else settings.address
    wanted = settings.split_names()[split]
    for stem in with_aliases(wanted):
        candidates = list(_candidates(folder, stem, settings))
        if len(candidates) > 1:
            names = "; ".join(" and ".join(path.name for path in files.paths) for files in candidates)
            raise CorpusError(f"{where} has {len(candidates)} corpora called {stem}: {names}. Leave one of them there.")
        if candidates:
            return candidates[0]
    there = (path.name for path in folder.iterdir() if path.is_file()) if packed is None else packed
    raise CorpusError(f"{where} has {_what_is_missing(sorted(there), split, settings, packed is not None)}")


def _candidates(folder: Path, stem: str, settings: CorpusSettings) -> Iterator[SplitFiles]:
    languages = (settings.source_language, settings.target_language)
    for suffix in TABLES:
        yield from (SplitFiles((path,), suffix) for path in _variants(folder, stem + suffix))
    sources, targets = (_variants(folder, f"{stem}.{language}") for language in languages)
    yield from (SplitFiles((source, target)) for source in sources for target in targets)


def _variants(folder: Path, name: str) -> list[Path]:
    return [path for path in (folder / name, folder / f"{name}.gz") if path.is_file()]


def _what_is_missing(names: Sequence[str], split: str, settings: CorpusSettings, packed: bool) -> str:
    languages, wanted = (settings.source_language, settings.target_language), settings.split_names()[split]
    endings = (*(f".{language}" for language in languages), *TABLES)
    for stem in with_aliases(wanted):
        for here, missing in (languages, languages[::-1]):
            if lone := [name for name in names if name.removesuffix(".gz") == f"{stem}.{here}"]:
                near = _nearly_named(names, stem, missing)
                example = f"; for example {_links(near, stem, (missing,))}" if near else ""
                return f"{lone[0]} but no {stem}.{missing}: both sides are needed, line by line{example}."
    bare = [name.removesuffix(".gz") for name in names]
    stems = sorted({name.removesuffix(end) for name in bare for end in endings if name.endswith(end)})
    missing = (
        f"no {wanted}.{languages[0]} and {wanted}.{languages[1]}, nor a table {wanted}.tsv, .csv, "
        f".jsonl or .parquet (each may end in .gz)."
    )
    near = [name for code in languages for name in _nearly_named(names, wanted, code)]
    if stems and not near:
        there = ", ".join(stems)
        return f"{missing} Stems there: {there}. Set corpus.{split} to a stem that is there{or_held_out(split)}."
    missing = f"{missing} Files there: {', '.join(names[:10]) or 'none'}."
    if not names and not packed:
        return f"{missing} Set corpus.directory to the folder that holds them."
    commands = _links(near or names, wanted, languages)
    unpack = "rename, link or unpack" if ">" in commands else "rename or link"
    rename = f"{unpack} what is there, for example {commands}"
    if packed:
        rename = "unpack the archive, rename what is there, and read it with corpus.kind = files"
    return f"{missing} A text file is named STEM.LANGUAGE: {rename}."


def _nearly_named(names: Sequence[str], stem: str, language: str) -> list[str]:
    """Files that seem to be one side of a split, such as train.DE, train.de.txt or train.de.xz."""
    rests = {name: name.lower().removeprefix(f"{stem.lower()}.") for name in names}
    return [name for name, rest in rests.items() if rest != name.lower() and language.lower() in rest.split(".")]


def _links(names: Sequence[str], stem: str, languages: Sequence[str]) -> str:
    """Commands that give the files of a split their names; a file whose name does not tell its language is FILE."""
    told = {code: next(_of_language(names, code.lower()), "") for code in languages}
    rest = [name for name in names if name not in told.values()]
    other = rest[0] if len(names) == 2 and len(rest) == 1 else "FILE"
    pairs = [(name or other, f"{stem}.{code}") for code, name in told.items()]
    return " and ".join(_command(name, link) for name, link in pairs)


def _of_language(names: Sequence[str], code: str) -> Iterator[str]:
    yield from (name for name in names if code in name.lower().split(".")[1:])
    yield from (name for name in names if name.lower().startswith(code))


def _command(name: str, link: str) -> str:
    unpack = UNPACKED_BY.get(Path(name).suffix)
    return (
        f"{unpack} {quote(name)} > {quote(link)}"
        if unpack
        else f"ln -s {quote(name)} {quote(link + '.gz' * name.endswith('.gz'))}"
    )


def _read_aligned(source_path: Path, target_path: Path) -> "Sides":
    from seq2seq.corpora.lines import read_lines, where_lengths_part

    source, target = read_lines(source_path), read_lines(target_path)
    if len(source) == len(target):
        return source, target
    for path, lines, other in ((source_path, source, target_path), (target_path, target, source_path)):
        if not lines:
            raise CorpusError(f"{path} is empty, and {other.name} has {max(len(source), len(target)):,} lines.")
    place = where_lengths_part(source, target)
    raise CorpusError(
        f"{source_path.name} has {len(source):,} lines and {target_path.name} {len(target):,}: pairs must be line "
        f"by line{f'. The lengths part near line {place:,}' if place else ''} (in {source_path.parent})."
    )

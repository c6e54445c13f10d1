"""Corpora by address: files or an archive on a web server, kept here and fetched again only when they changed there.

    https://HOST/{split}.{language}.gz    a text for each split and language
    https://HOST/{split}.tsv              a table for each split
    https://HOST/corpus.tar.gz            an archive (also .zip, .tar, .tgz, .tar.bz2, .tar.xz) with such files in it

How they come here, and what their version is: `seq2seq.corpora.downloads`.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from seq2seq.corpora import files
from seq2seq.corpora.archives import ARCHIVES, unpacked
from seq2seq.corpora.downloads import Source, client_of, fetch, version_at
from seq2seq.errors import ConfigError, CorpusError
from seq2seq.settings.corpus import CorpusSettings
from seq2seq.storage.artifacts import digest_of, file_sha256
from seq2seq.storage.flock import locked

if TYPE_CHECKING:
    from seq2seq.corpora.pairs import Pairs

PINNED = re.compile("[0-9a-f]{32}")


def sources(settings: CorpusSettings) -> list[Source]:
    """The files to fetch. Raises ConfigError for an address that does not say where the splits are."""
    if not settings.address:
        raise ConfigError(
            "corpus.kind = url needs corpus.address, for example https://example.org/{split}.{language}.gz or "
            "https://example.org/corpus.tar.gz."
        )
    if urlsplit(settings.address).username is not None:
        raise ConfigError(
            "corpus.address holds a name and a password, which would stand in records and model cards: fetch the files "
            "by other means and read them with corpus.kind = files."
        )
    named = dict(_addresses(settings))
    unknown = settings.sha256.keys() - named.keys()
    if unknown and settings.train:  # an evaluation leaves splits out, and not their sums
        raise ConfigError(f"corpus.sha256 names {', '.join(sorted(unknown))}, but the files are {', '.join(named)}.")
    return [Source(name, address, settings.sha256.get(name, "").lower()) for name, address in named.items()]


def can_change(settings: CorpusSettings) -> bool:
    """Whether other content may lie there tomorrow: unless each file's SHA-256 is set."""
    return not all(source.sha256 for source in sources(settings))


def identity(settings: CorpusSettings) -> dict[str, Any]:
    """What the corpus is: its SHA-256s, or else its address and the version that `settings.revision` names."""
    chosen: dict[str, Any] = {"splits": settings.split_names()}
    if "{language}" not in settings.address:
        chosen["columns"] = list(settings.columns())
    sums = {source.name: source.sha256 for source in sources(settings) if source.sha256}
    if can_change(settings):
        return chosen | {"address": settings.address, "revision": settings.revision, "sha256": sums}
    return chosen | {"sha256": sums}


def current_revision(settings: CorpusSettings) -> str:
    """The version of all files together, asked of the server unless it is known already or cannot change.

    Raises CorpusError, SourceUnavailable.
    """
    if PINNED.fullmatch(settings.revision) or not can_change(settings):
        return settings.revision
    with client_of(settings.address) as client:
        return digest_of({source.name: version_at(client, source) for source in sources(settings) if not source.sha256})


def read(settings: CorpusSettings, downloads: Path) -> tuple[dict[str, "Pairs"], dict[str, str]]:
    """All splits that were asked for, and the SHA-256 of each file that they came from.

    The files stay in a folder of their own below `downloads`. Raises CorpusError for what a person can mend,
    SourceUnavailable for what the network or the server did.
    """
    place = digest_of(settings.address)
    folder = downloads / place
    with locked(downloads.parent / "locks" / downloads.name / f"{place}.lock"):
        folder.mkdir(parents=True, exist_ok=True)
        os.utime(folder)
        wanted = sources(settings)
        with client_of(settings.address) as client:
            versions = {source.name: fetch(client, source, folder) for source in wanted}
        unsure = {source.name: versions[source.name] for source in wanted if not source.sha256}
        if unsure and digest_of(unsure) != settings.revision:
            raise CorpusError(  # which is not retried: a retry would ask for the same version
                f"{settings.address} changed while it was fetched. Start again; if it says so each time, the server "
                "does not describe its files reliably: set corpus.sha256."
            )
        sums = {source.name: file_sha256(folder / source.name) for source in wanted}
        if "{split}" in settings.address:
            return _read_files(settings, folder), sums
        with unpacked(folder / wanted[0].name, settings) as (content, names):
            return _read_files(settings, content, names), sums


def _read_files(settings: CorpusSettings, folder: Path, names: list[str] | None = None) -> dict[str, "Pairs"]:
    return files.read(settings.model_copy(update={"directory": str(folder)}), names)


def _addresses(settings: CorpusSettings) -> Iterator[tuple[str, str]]:
    path = urlsplit(settings.address).path
    packed = ".gz" if path.endswith(".gz") else ""
    suffix = PurePosixPath(path.removesuffix(packed)).suffix
    stems = settings.split_names().values()
    if "{split}" not in settings.address:
        if not path.endswith(ARCHIVES):
            raise ConfigError(
                f"corpus.address = {settings.address} has no {{split}} in it and is no archive "
                f"({', '.join(ARCHIVES)}): which file is train, which is valid?"
            )
        yield PurePosixPath(path).name, settings.address
    elif "{language}" in settings.address:
        for stem in stems:
            for language in (settings.source_language, settings.target_language):
                filled = settings.address.replace("{split}", stem).replace("{language}", language)
                yield f"{stem}.{language}{packed}", filled
    elif suffix in files.TABLES:
        yield from ((f"{stem}{suffix}{packed}", settings.address.replace("{split}", stem)) for stem in stems)
    else:
        raise ConfigError(
            f"corpus.address = {settings.address} has no {{language}} in it and is no table "
            f"({', '.join(files.TABLES)}): which file is which language?"
        )

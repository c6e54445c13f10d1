"""Corpora by address: files or an archive on a web server, kept here and fetched again only when they changed there.

    https://HOST/{split}.{language}.gz    a text for each split and language
    https://HOST/{split}.tsv              a table for each split
    https://HOST/corpus.tar.gz            an archive (also .zip, .tar, .tgz, .tar.bz2, .tar.xz) with such files in it

A download that broke off goes on where it stopped (RFC 9110, sections 13.1.5 and 14.2), and one that is here is not
sent again (section 13.1). What the server says of a file (its ETag, or else its time, and its size) is its version;
files whose SHA-256 is in the settings are what they are, whatever the server says.
"""

import json
import lzma
import os
import re
import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import urlsplit

from seq2seq.corpora import files
from seq2seq.errors import ConfigError, CorpusError, SourceUnavailable
from seq2seq.settings.corpus import CorpusSettings, with_aliases
from seq2seq.workspace.artifacts import digest_of, file_sha256, write_text_atomically
from seq2seq.workspace.flock import locked

if TYPE_CHECKING:
    import httpx

    from seq2seq.corpora.pairs import Pairs

ANSWER_SECONDS = 30.0
ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
UNREADABLE = (tarfile.TarError, zipfile.BadZipFile, lzma.LZMAError, zlib.error, EOFError, OSError, RuntimeError)
"""What unpacking raises for damage, a password (RuntimeError), or a way of packing that it does not know."""
PINNED = re.compile("[0-9a-f]{32}")
PASSING = (408, 425, 429)
"""Refusals that pass, as all of 5xx do."""

Version = dict[str, str]


@dataclass(frozen=True)
class Source:
    """One file of the corpus."""

    name: str
    """What it is called here: `train.de.gz`, `corpus.zip`."""
    address: str
    sha256: str
    """Empty: whatever the server sends."""


@dataclass(frozen=True)
class Note:
    """What is known of a file, beside it: its version, and its SHA-256 once it is complete."""

    path: Path
    version: Version
    sha256: str

    @classmethod
    def read(cls, path: Path) -> "Note":
        """The note at `path`; an empty one where there is none."""
        if not path.is_file():
            return cls(path, {}, "")
        return cls(path, **json.loads(path.read_text(encoding="utf-8")))

    def write(self, version: Version, sha256: str = "") -> None:
        """Replace the note."""
        write_text_atomically(self.path, json.dumps({"version": version, "sha256": sha256}))


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
    with _client(settings.address) as client:
        return digest_of({source.name: _ask(client, source) for source in sources(settings) if not source.sha256})


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
        with _client(settings.address) as client:
            versions = {source.name: _fetch(client, source, folder) for source in wanted}
        unsure = {source.name: versions[source.name] for source in wanted if not source.sha256}
        if unsure and digest_of(unsure) != settings.revision:
            raise CorpusError(  # which is not retried: a retry would ask for the same version
                f"{settings.address} changed while it was fetched. Start again; if it says so each time, the server "
                "does not describe its files reliably: set corpus.sha256."
            )
        sums = {source.name: file_sha256(folder / source.name) for source in wanted}
        with _unpacked(folder / wanted[0].name, settings) as (directory, packed):
            return files.read(settings.model_copy(update={"directory": str(directory)}), packed), sums


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


@contextmanager
def _client(address: str) -> Iterator["httpx.Client"]:
    """A client of web servers; what the network did becomes SourceUnavailable."""
    import httpx

    plain = {"Accept-Encoding": "identity"}  # sizes and ranges are those of the files
    try:
        with httpx.Client(follow_redirects=True, timeout=ANSWER_SECONDS, headers=plain) as client:
            yield client
    except (httpx.InvalidURL, httpx.UnsupportedProtocol, httpx.TooManyRedirects) as error:
        raise CorpusError(f"corpus.address = {address} leads nowhere: {error}.") from error
    except httpx.TransportError as error:
        said = str(error) or type(error).__name__
        raise SourceUnavailable(f"the server of {address} did not answer in full: {said}.") from error


def _ask(client: "httpx.Client", source: Source) -> Version:
    """The version of a file, without fetching it. Servers that refuse HEAD are asked for the file, and cut short."""
    response = client.head(source.address)
    if response.status_code in (403, 405, 501):
        with client.stream("GET", source.address) as response:
            return _told_apart(_version(_accepted(response), source))
    return _told_apart(_version(_accepted(response), source))


def _fetch(client: "httpx.Client", source: Source, folder: Path) -> Version:
    """Make the file here what lies at the address now; gives its version."""
    place, partial = folder / source.name, folder / f"{source.name}.partial"
    note = Note.read(folder / f"{source.name}.note.json")
    if place.is_file() and file_sha256(place) != (source.sha256 or note.sha256):
        place.unlink()  # damaged here, or no longer what the settings ask for
    if source.sha256 and place.is_file():
        return {}
    with client.stream("GET", source.address, headers=_conditions(note.version, place, partial)) as response:
        if response.status_code == 416:
            partial.unlink(missing_ok=True)
            raise SourceUnavailable(f"{source.address} is shorter than what was fetched of it: it is fetched anew.")
        version = note.version if response.status_code == 304 else _version(_accepted(response), source)
        if _told_apart(version) != _told_apart(note.version):
            place.unlink(missing_ok=True)  # before the note: what is here is always of the version in the note
            partial.unlink(missing_ok=True)
            note.write(version)
        if not (place.is_file() or _is_whole(partial, version)):
            _receive(response, partial)
    if partial.is_file():
        _accept_content(source, partial)
        note.write(version, file_sha256(partial))
        partial.replace(place)
    return _told_apart(version)


def _accept_content(source: Source, partial: Path) -> None:
    found = file_sha256(partial)
    if source.sha256 and found != source.sha256:
        partial.unlink()
        raise CorpusError(
            f"{source.address} has the SHA-256 {found}, and corpus.sha256 says {source.sha256} of {source.name}: it is "
            "another file, or was damaged on its way. Fetch again, or put the new one in if the change is meant."
        )


def _conditions(known: Version, place: Path, partial: Path) -> dict[str, str]:
    """Headers that ask for no more than what is missing. Weak ETags (W/…) do not vouch for single bytes."""
    etag, modified = known.get("etag", ""), known.get("modified", "")
    if place.is_file() or _is_whole(partial, known):
        return {"If-None-Match": etag} if etag else {"If-Modified-Since": modified} if modified else {}
    vouched = modified if etag.startswith("W/") else etag or modified
    if vouched and partial.is_file() and partial.stat().st_size:
        return {"Range": f"bytes={partial.stat().st_size}-", "If-Range": vouched}
    return {}


def _is_whole(partial: Path, version: Version) -> bool:
    """Whether all bytes of the file are here: it may have got its name no more when its process ended."""
    return partial.is_file() and str(partial.stat().st_size) == version.get("bytes")


def _receive(response: "httpx.Response", partial: Path) -> None:
    """Write the body, behind what is there already if the server goes on from it."""
    goes_on = response.status_code == 206
    here = partial.stat().st_size if partial.is_file() else 0
    if goes_on and not response.headers.get("Content-Range", "").startswith(f"bytes {here}-"):
        partial.unlink(missing_ok=True)
        raise SourceUnavailable(f"{response.url} did not go on where it had stopped: it is fetched anew.")
    with partial.open("ab" if goes_on else "wb") as stream:
        for chunk in response.iter_raw():
            stream.write(chunk)


def _version(response: "httpx.Response", source: Source) -> Version:
    """What the server says of the file as a whole. Raises CorpusError when nothing could tell a change."""
    headers = response.headers
    size = headers.get("Content-Range", "").rpartition("/")[2] or headers.get("Content-Length", "")
    said = {"etag": headers.get("ETag", ""), "modified": headers.get("Last-Modified", ""), "bytes": size}
    if not (said["etag"] or said["modified"] or source.sha256):
        raise CorpusError(
            f"{source.address} comes with neither ETag nor Last-Modified, so a change would not be noticed: set "
            f"corpus.sha256 for {source.name}."
        )
    return {name: value for name, value in said.items() if value}


def _told_apart(version: Version) -> Version:
    """What tells one version from another: the same file that is uploaded again keeps its ETag, and not its time."""
    return {name: value for name, value in version.items() if name != "modified" or "etag" not in version}


def _accepted(response: "httpx.Response") -> "httpx.Response":
    """The response if it is a good one. Raises SourceUnavailable for what may pass, CorpusError for what will not."""
    code = response.status_code
    if response.is_success:
        return response
    what = f"{response.url} answers {code} {response.reason_phrase}".rstrip()
    if code >= 500 or code in PASSING:
        raise SourceUnavailable(f"{what}.")
    raise CorpusError(f"{what}: check corpus.address, and the names in corpus.train, corpus.valid and corpus.test.")


@contextmanager
def _unpacked(file: Path, settings: CorpusSettings) -> Iterator[tuple[Path, list[str] | None]]:
    """The folder that holds the splits' files: that of `file`, or one for a while when it is an archive.

    With it the names of all that the archive holds, None where it is none.
    """
    if "{split}" in settings.address:
        yield file.parent, None
        return
    content = file.parent / "content"
    shutil.rmtree(content, ignore_errors=True)
    content.mkdir()
    try:
        yield content, _unpack(file, content, settings)
    finally:
        shutil.rmtree(content, ignore_errors=True)


def _unpack(file: Path, content: Path, settings: CorpusSettings) -> list[str]:
    """Put the files that are wanted into the folder; gives the names of all files in the archive."""
    names = []
    try:
        for name, stream in _members(file):
            names.append(name)
            if _is_wanted(name, settings):
                if (content / name).exists():
                    raise CorpusError(f"{settings.address} holds more than one {name}: one is needed.")
                with stream, (content / name).open("wb") as target:
                    shutil.copyfileobj(stream, target)
    except UNREADABLE as error:
        if isinstance(error, OSError) and error.errno:
            raise
        raise CorpusError(f"{settings.address} is not a readable archive: {error}.") from error
    return names


def _members(archive: Path) -> Iterator[tuple[str, IO[bytes]]]:
    """Names (without folders) and content of the files in an archive."""
    if archive.suffix == ".zip":
        with zipfile.ZipFile(archive) as packed:
            infos = (info for info in packed.infolist() if not info.is_dir())
            yield from ((PurePosixPath(info.filename).name, packed.open(info)) for info in infos)
    else:
        with tarfile.open(archive) as tar:
            for member in tar:
                stream = tar.extractfile(member) if member.isfile() else None
                if stream is not None:
                    yield PurePosixPath(member.name).name, stream


def _is_wanted(name: str, settings: CorpusSettings) -> bool:
    endings = (*(f".{language}" for language in (settings.source_language, settings.target_language)), *files.TABLES)
    stems = {alias for stem in settings.split_names().values() for alias in with_aliases(stem)}
    return name.removesuffix(".gz") in {stem + ending for stem in stems for ending in endings}

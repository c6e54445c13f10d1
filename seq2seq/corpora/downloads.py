"""Files of a web server, kept in a folder and fetched again only when they changed there.

A download that broke off goes on where it stopped (RFC 9110, sections 13.1.5 and 14.2), and one that is here is not
sent again (section 13.1). What the server says of a file (its ETag, or else its time, and its size) is its version; a
file whose SHA-256 is known is what it is, whatever the server says.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from seq2seq.errors import CorpusError, SourceUnavailable
from seq2seq.storage.artifacts import file_sha256, write_text_atomically

if TYPE_CHECKING:
    import httpx

ANSWER_SECONDS = 30.0
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


@contextmanager
def client_of(address: str) -> Iterator["httpx.Client"]:
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


def version_at(client: "httpx.Client", source: Source) -> Version:
    """The version of a file, without fetching it. Servers that refuse HEAD are asked for the file, and cut short."""
    response = client.head(source.address)
    if response.status_code in (403, 405, 501):
        with client.stream("GET", source.address) as response:
            return _told_apart(_version(_accepted(response), source))
    return _told_apart(_version(_accepted(response), source))


def fetch(client: "httpx.Client", source: Source, folder: Path) -> Version:
    """Make the file here what lies at the address now; gives its version, an empty one where the SHA-256 is known.

    Raises CorpusError and SourceUnavailable.
    """
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

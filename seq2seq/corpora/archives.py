"""Archives of texts: what of them a corpus wants, unpacked for a while."""

import lzma
import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO

from seq2seq.corpora import files
from seq2seq.errors import CorpusError
from seq2seq.settings.corpus import CorpusSettings, with_aliases

ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")
UNREADABLE = (tarfile.TarError, zipfile.BadZipFile, lzma.LZMAError, zlib.error, EOFError, OSError, RuntimeError)
"""What unpacking raises for damage, a password (RuntimeError), or a way of packing that it does not know."""


@contextmanager
def unpacked(archive: Path, settings: CorpusSettings) -> Iterator[tuple[Path, list[str]]]:
    """A folder beside the archive that holds the splits' files for a while, and the names of all files in the archive.

    Raises CorpusError for an archive that cannot be read or holds one of the files twice.
    """
    content = archive.parent / "content"
    shutil.rmtree(content, ignore_errors=True)
    content.mkdir()
    try:
        yield content, _unpack(archive, content, settings)
    finally:
        shutil.rmtree(content, ignore_errors=True)


def _unpack(archive: Path, content: Path, settings: CorpusSettings) -> list[str]:
    """Put the files that are wanted into the folder; gives the names of all files in the archive."""
    names = []
    try:
        for name, stream in _members(archive):
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

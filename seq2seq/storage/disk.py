"""What a disk refuses, in words: it is full, the quota is used up, it is read-only, or it is not ours to write."""

import errno
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from seq2seq.errors import DiskError, Seq2SeqError

FULL = {errno.ENOSPC: "the disk is full", errno.EDQUOT: "the disk quota is used up"}
SHUT = {errno.EROFS: "the file system is read-only", errno.EACCES: "writing there is not permitted"}
TOLD_CODE = re.compile(rf"\(os error (\d+)\)|\[[Ee]rrno ({errno.ENOSPC}|{errno.EDQUOT})\]")
"""How libraries put the number into their text: those written in Rust, and those that wrap an error of the system."""
TOLD_FULL = "Not enough disk space"
"""Of `datasets`, which looks before it writes."""


@contextmanager
def writing(what: str, folder: Path, option: str = "--workspace") -> Iterator[None]:
    """In this block `what` is written below `folder`: what the disk refuses there raises DiskError.

    `option` is what names another place.

    An access that is denied elsewhere (a source file that may not be read) passes through as it is.
    """
    try:
        yield
    except Seq2SeqError:
        raise
    except Exception as error:
        code, name = _refusal(error)
        place = Path(name or folder)
        if code not in FULL | SHUT or (code == errno.EACCES and not _lies_in(place, folder)):
            raise
        raise DiskError(_explanation(what, place, code, option)) from error


def in_units(count: int) -> str:
    """Bytes for people: `512 bytes`, `1.5 KiB`, `2.0 GiB`."""
    if count < 1024:
        return f"{count} bytes"
    size, units = count / 1024, ["KiB", "MiB", "GiB", "TiB"]
    while size >= 1024 and len(units) > 1:
        size /= 1024
        units.pop(0)
    return f"{size:,.1f} {units[0]}"


def _refusal(error: BaseException | None) -> tuple[int, str | None]:
    """The system's number, and the file if it is known, of the first error in the chain that has a number."""
    while error is not None:
        if isinstance(error, OSError) and error.errno:
            return error.errno, error.filename
        if found := TOLD_CODE.search(str(error)):
            return int(found[1] or found[2]), None
        if TOLD_FULL in str(error):
            return errno.ENOSPC, None
        error = error.__cause__ or error.__context__
    return 0, None


def _lies_in(place: Path, folder: Path) -> bool:
    return place.resolve().is_relative_to(folder.resolve())


def _explanation(what: str, place: Path, code: int, option: str) -> str:
    refused = f"{what} could not be written to {place}"
    stays = "What is recorded stays valid, and the same command goes on from there"
    if code in SHUT:
        return f"{refused}: {SHUT[code]}. {stays}: make it writable, or name another place with {option}."
    existing = next(folder for folder in (place.absolute(), *place.absolute().parents) if folder.exists())
    usage = shutil.disk_usage(existing)
    return (
        f"{refused}: {FULL[code]} ({in_units(usage.free)} of {in_units(usage.total)} free). {stays} once there is "
        "space: `python -m flows workspace size` says what takes it, `workspace prune` removes what is not needed; "
        f"{option} names another place."
    )

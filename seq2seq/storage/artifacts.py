"""The workspace: artifacts named by their content, and the records that describe them.

    workspace/
      index/STEP/KEY.json        key -> record, written last: a step without it has not happened
      artifacts/STEP/DIGEST/     what the step made; files under log/ lie beside the content, outside the digest
      checkpoints/KEY/           a training that is not finished
      downloads/                 files of corpora on web servers, kept while they do not change there
      locks/  models/  runs/

A record holds no absolute path: a workspace can be moved. A file's *part* is its name up to the first dot
(`train.arrow` is part `train`); a step depends on the parts that it declares, not on whole artifacts.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from seq2seq.errors import ArtifactDamaged
from seq2seq.storage.disk import writing

RECORD_FORMAT = 1  # raise it when infrastructure changes what an artifact means: it enters every key


class FileEntry(BaseModel):
    """One published file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    bytes: int
    sha256: str


class Acceptance(BaseModel):
    """Someone's word that a change of code or libraries left a result as it was."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    by: str
    at: str
    """ISO 8601, UTC, seconds."""
    why: str
    from_key: str
    """Key of the record whose result was accepted."""
    changes: tuple[str, ...]


class Record(BaseModel):
    """What a step made: passed from task to task, and stored as the step's cached result."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    step: str
    key: str
    """Digest of `provenance`."""
    digest: str
    """Of the content: of all files but those of `log/`."""
    address: str
    """Where the artifact lies, relative to the workspace."""
    files: dict[str, FileEntry]
    statistics: dict[str, Any]
    provenance: dict[str, Any]
    """All that shaped the result."""
    seconds: float
    """That the work took."""
    accepted: Acceptance | None = None

    def parts(self, wanted: Iterable[str] = ()) -> dict[str, str]:
        """Digest of each part in `wanted` that the artifact holds (of every part when `wanted` is empty)."""
        members: dict[str, dict[str, str]] = {}
        for name, entry in self.files.items():
            members.setdefault(part_of(name), {})[name] = entry.sha256
        chosen = set(wanted) or set(members)
        return {part: digest_of(files) for part, files in sorted(members.items()) if part in chosen}


def part_of(file_name: str) -> str:
    """`train.arrow` belongs to part `train`."""
    return file_name.split(".", 1)[0]


def canonical_json(value: Any) -> str:
    """One text for one value: sorted keys, no spaces."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def digest_of(value: Any) -> str:
    """First 32 hexadecimal digits of the SHA-256 of a JSON value."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()[:32]


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def write_text_atomically(path: Path, text: str) -> None:
    """Replace `path` as a whole: a reader sees the old text or the new one."""
    write_bytes_atomically(path, text.encode())


def write_bytes_atomically(path: Path, content: bytes) -> None:
    """Replace `path` as a whole, whenever the writer is killed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        partial.write_bytes(content)
        partial.replace(path)
    except OSError:
        with suppress(OSError):
            partial.unlink()  # a full disk has no room for half a file
        raise


@dataclass(frozen=True)
class Artifact:
    """An input as a step sees it: only the parts that it declared can be opened."""

    folder: Path
    parts: tuple[str, ...] = ()

    def file(self, name: str) -> Path:
        """Path of a file; KeyError when the step did not declare the file's part as an input."""
        if self.parts and part_of(name) not in self.parts:
            raise KeyError(f"{name} is not among the declared parts {self.parts} of {self.folder.name}")
        return self.folder / name

    def has(self, name: str) -> bool:
        """Whether the artifact holds that file."""
        return self.file(name).is_file()


@dataclass(frozen=True)
class Workspace:
    """The folder that holds everything a pipeline makes."""

    root: Path

    @property
    def index(self) -> Path:
        return self.root / "index"

    @property
    def locks(self) -> Path:
        return self.root / "locks"

    @property
    def downloads(self) -> Path:
        """What came from the network, kept so that it is not fetched again."""
        return self.root / "downloads"

    def revision_file(self, source: Mapping[str, Any]) -> Path:
        """Which revision a source that can change on the network had when it was last fetched from.

        `source` is its identity with what was asked for in the place of a revision: a branch, a tag.
        """
        return self.root / "revisions" / digest_of(source)

    @property
    def running(self) -> Path:
        """Each running flow holds the lock of a file of its own in here."""
        return self.locks / "running"

    def checkpoints(self, key: str) -> Path:
        """Folder of the unfinished training with this key."""
        return self.root / "checkpoints" / key

    def models(self, source_language: str, target_language: str) -> Path:
        """Folder of the shareable models of a language pair."""
        return self.root / "models" / f"{source_language}-{target_language}"

    def index_file(self, step: str, key: str) -> Path:
        """Where the record of a step with this key is stored (by Prefect, as the task's result)."""
        return self.index / step / f"{key}.json"

    def find(self, step: str, key: str) -> Record | None:
        """The record under this key, or None; reads Prefect's result file without Prefect."""
        return _read_record(self.index_file(step, key))

    def records(self, step: str, newest: int | None = None) -> list[Record]:
        """The `newest` records of a step (all without a number), the last one written or used first."""
        files = sorted((self.index / step).glob("*.json"), key=_changed, reverse=True)
        return [record for record in map(_read_record, files[:newest]) if record is not None]

    def restate(self, old: Record, new: Record) -> None:
        """Store `new` in the form that Prefect gave the file of `old`. The caller holds the lock of `new`."""
        stored = json.loads(self.index_file(old.step, old.key).read_text(encoding="utf-8"))
        stored["metadata"] = json.loads(json.dumps(stored["metadata"]).replace(old.key, new.key))
        stored["result"] = new.model_dump_json()
        write_text_atomically(self.index_file(new.step, new.key), json.dumps(stored, separators=(",", ":")))

    def touch(self, record: Record) -> None:
        """Note that a record is used now: the time of its index file says when it was used last."""
        with suppress(FileNotFoundError):
            os.utime(self.index_file(record.step, record.key))

    def claim(self, record: Record) -> None:
        """Verify an artifact, and keep it from being pruned while the caller's flow runs: for a new record of it.

        Raises ArtifactDamaged.
        """
        self.touch(record)
        with self.shelf_lock(record.step):
            self._claim(record)

    def shelf_lock(self, step: str) -> AbstractContextManager[bool]:
        """Held for a moment while artifacts of a step get their name or lose it."""
        from seq2seq.storage.flock import locked  # not there on Windows, where models are read all the same

        return locked(self.locks / "artifacts" / f"{step}.lock")

    def open(self, record: Record, parts: Iterable[str] = ()) -> Artifact:
        """The artifact of a record, limited to `parts`."""
        return Artifact(self.root / record.address, tuple(parts))

    def verify(self, record: Record) -> None:
        """Raise ArtifactDamaged unless every file has the bytes that were published."""
        folder = self.root / record.address
        for name, entry in record.files.items():
            path = folder / name
            if not path.is_file():
                raise ArtifactDamaged(f"{record.step}: {path} is gone")
            if path.stat().st_size != entry.bytes or file_sha256(path) != entry.sha256:
                raise ArtifactDamaged(f"{record.step}: {path} does not hold the {entry.bytes} bytes published")

    def publish(
        self,
        step: str,
        key: str,
        write: Callable[[Path], tuple[Mapping[str, Any], float]],
        provenance: Mapping[str, Any],
    ) -> Record:
        """Let `write` fill an empty folder and give it its final name. The caller holds the step's lock.

        `write` returns the step's statistics and how many seconds the work took. Raises DiskError when the disk
        refuses it; what is there already stays as it is.
        """
        shelf = self.root / "artifacts" / step
        partial = shelf / f"{key}.partial"
        shutil.rmtree(partial, ignore_errors=True)
        try:
            with writing(f"the result of {step}", shelf):
                partial.mkdir(parents=True)
                statistics, seconds = write(partial)
                record = _describe(partial, step, key, statistics, provenance, seconds)
                self._settle(partial, record)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
        return record

    def _settle(self, partial: Path, record: Record) -> None:
        """Rename a finished folder to its address, unless the same content is already there in good order."""
        final = self.root / record.address
        with self.shelf_lock(record.step):
            try:
                self._claim(record)
            except ArtifactDamaged:
                aside = final.with_name(f"{final.name}.damaged")
                shutil.rmtree(aside, ignore_errors=True)
                if final.exists():
                    final.rename(aside)
                partial.rename(final)
                shutil.rmtree(aside, ignore_errors=True)

    def _claim(self, record: Record) -> None:
        self.verify(record)
        os.utime(self.root / record.address)


def _describe(
    folder: Path,
    step: str,
    key: str,
    statistics: Mapping[str, Any],
    provenance: Mapping[str, Any],
    seconds: float,
) -> Record:
    """The record of what lies in a finished folder."""
    files = {
        path.name: FileEntry(bytes=path.stat().st_size, sha256=file_sha256(path))
        for path in sorted(folder.iterdir())
        if path.is_file()
    }
    digest = digest_of({name: entry.sha256 for name, entry in files.items()})
    return Record(
        step=step,
        key=key,
        digest=digest,
        address=f"artifacts/{step}/{digest}",
        files=files,
        statistics=dict(statistics),
        provenance=dict(provenance),
        seconds=seconds,
    )


def _changed(path: Path) -> int:
    """Time of a file in nanoseconds since 1970; 0 when it was pruned meanwhile."""
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return 0


def _read_record(path: Path) -> Record | None:
    """The record in a result file of Prefect's: {"metadata": {...}, "result": "the record as JSON text"}."""
    try:
        return Record.model_validate_json(json.loads(path.read_text(encoding="utf-8"))["result"])
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None

"""What a workspace holds, what of it nobody needs any more, and how that is removed beside running flows.

A record's last use is the time of its index file: made, or touched by a hit. `prune` removes what was not used for
some days and, if that is not enough, the longest unused until the workspace is small enough. It keeps

* what a champion needs, or a model that was champion before: its version folder, and the records that led to it, so
  that a run that changes nothing does nothing;
* what was used since the oldest flow began that is still running, or since the pruning itself began.

It is exact beside running flows, because

* a record goes under its step's lock, after another look at its last use: a run that hits it holds that lock;
* the record goes first, the artifact after it, once no record names it: a run killed in between leaves an artifact
  without a record, which the next pruning removes;
* an artifact gets its name and loses it under one lock, and a step that comes to an artifact that is there touches it
  under that lock: its record may not be written yet, and the touch keeps the artifact.

Times are compared as the file system gives them, so that its clock is the only one. Lock files are never removed: a
process that waits for a lock has the file open, and a new file of that name would be another lock.
"""

import os
import shutil
import time
import uuid
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from seq2seq.errors import ArtifactDamaged
from seq2seq.registry.champions import POINTER, VERSIONS, Shelf, ever_champion
from seq2seq.storage.artifacts import Record, Workspace
from seq2seq.storage.disk import writing
from seq2seq.storage.flock import is_held, locked
from seq2seq.workspace.lineage import needed_by_champions

DAY = 24 * 3600.0
LONG_DEAD = 3600.0
"""Seconds after which the mark of a flow that holds no lock is surely not about to be locked."""
ASIDE = ".pruned"
"""Ends the name of an artifact that is being deleted: under its own name it is there as a whole or not at all."""


class Locks(Protocol):
    """The locks of the workspace's steps, as far as pruning needs them."""

    def acquire_lock(self, key: str, holder: str, acquire_timeout: float | None = None) -> bool:
        """Take a lock; False when it stayed taken for `acquire_timeout` seconds."""

    def release_lock(self, key: str, holder: str) -> None:
        """Give it back."""


@dataclass(frozen=True)
class Thing:
    """Something in a workspace that can go."""

    kind: str
    """What it is: a record by its step, `checkpoint`, `download`, `version`, `leftover`."""
    path: Path
    """The file or folder that goes; of a record, its index file, and the artifact after it."""
    used: float
    """When it was used last, in seconds since 1970."""
    bytes: int
    """Of a record: of the artifact that it names, which others may name too."""
    lock: str = ""
    """Key of the lock that its users hold; empty for what the shelf's lock guards."""
    record: Record | None = None
    obsolete: bool = False
    """Of no use to anyone: it goes whatever its age."""


@dataclass
class PruneReport:
    """What a pruning did, or would do."""

    removed: list[Thing] = field(default_factory=list)
    kept: dict[str, list[Thing]] = field(default_factory=lambda: defaultdict(list))
    """What stays, by what it is needed for."""
    bytes_before: int = 0
    bytes_removed: int = 0
    max_bytes: float | None = None

    @property
    def bytes_after(self) -> int:
        """Bytes that are left."""
        return self.bytes_before - self.bytes_removed

    @property
    def too_big(self) -> bool:
        """Whether more is left than there should be."""
        return self.max_bytes is not None and self.bytes_after > self.max_bytes


def prune(
    workspace: Workspace, keep_days: float, max_gib: float | None, locks: Locks, dry_run: bool = False
) -> PruneReport:
    """Remove what has not been used for `keep_days`, then the longest unused until at most `max_gib` GiB are left.

    `dry_run` writes nothing: it says what would go. Raises ModelError when a pointer cannot be read (what it needs
    is then unknown), DiskError when the disk refuses.
    """
    if dry_run or not workspace.root.is_dir():
        return _plan(workspace, keep_days, max_gib, time.time())[0]
    with writing("what pruning changes", workspace.root), locked(workspace.locks / "prune.lock"):
        report, began = _plan(workspace, keep_days, max_gib, _now(workspace))
        freed = sum(_remove(thing, workspace, locks) for thing in report.removed)
        freed += sum(_sweep(workspace, shelf.name, began) for shelf in _entries(workspace.root / "artifacts"))
        _clear_marks(workspace, began)
    report.kept["use at this moment"] = [thing for thing in report.removed if thing.path.exists()]
    report.removed = [thing for thing in report.removed if not thing.path.exists()]
    report.bytes_removed = freed
    return report


def sizes(workspace: Workspace) -> dict[str, tuple[int, int]]:
    """Number of entries and bytes of everything in a workspace, by kind: `artifacts/train`, `runs`, …"""
    pairs = [folder for folder in _entries(workspace.root / "models") if folder.is_dir()]
    entries = {f"artifacts/{shelf.name}": _entries(shelf) for shelf in _entries(workspace.root / "artifacts")}
    entries |= {name: _entries(workspace.root / name) for name in ("checkpoints", "downloads", "revisions", "runs")}
    entries["models"] = [entry for pair in pairs for entry in _entries(pair) if entry.name != VERSIONS]
    entries["versions"] = [entry for pair in pairs for entry in _entries(pair / VERSIONS)]
    entries["index"] = [entry for step in _entries(workspace.index) for entry in _entries(step)]
    entries["locks"] = [entry for entry in workspace.locks.rglob("*") if entry.is_file()]
    return {name: (len(found), sum(map(bytes_below, found))) for name, found in entries.items()}


def bytes_below(path: Path) -> int:
    """Bytes of a file, or of all files below a folder; what vanishes meanwhile counts nothing."""
    if not path.is_dir():
        return _size(path)
    return sum(_size(Path(folder, name)) for folder, _, names in os.walk(path) for name in names)


def _plan(workspace: Workspace, keep_days: float, max_gib: float | None, now: float) -> tuple[PruneReport, float]:
    """What would go, and since when everything is in use.

    The running flows are looked at before the records: a flow that ends in between has left its records by then.
    """
    began = min([now, *_running_since(workspace)])
    found = (thing for thing in _things(workspace) if thing.used)  # without what vanished meanwhile
    things = sorted(found, key=lambda thing: (not thing.obsolete, thing.used))
    champions = needed_by_champions(workspace, (thing.record for thing in things if thing.record))
    naming = Counter(thing.record.address for thing in things if thing.record)
    max_bytes = None if max_gib is None else max_gib * 2**30
    report = PruneReport(bytes_before=sum(count for _, count in sizes(workspace).values()), max_bytes=max_bytes)
    for thing in things:
        if reason := champions.get((thing.record.step, thing.record.key)) if thing.record else None:
            report.kept[reason].append(thing)
        elif thing.used >= began:
            report.kept["a flow that is running"].append(thing)
        elif thing.obsolete or thing.used < now - keep_days * DAY or report.too_big:
            report.removed.append(thing)
            report.bytes_removed += _freed(thing, naming)
        else:
            report.kept[f"use in the last {keep_days:g} days"].append(thing)
    return report, began


def _freed(thing: Thing, naming: Counter[str]) -> int:
    """Bytes that become free when a thing goes; an artifact goes with the last record that names it."""
    if thing.record is None:
        return thing.bytes
    naming[thing.record.address] -= 1
    return _size(thing.path) + (0 if naming[thing.record.address] else thing.bytes)


def _running_since(workspace: Workspace) -> list[float]:
    """When each of the running flows began, in seconds since 1970."""
    marks = (mark for mark in _entries(workspace.running) if is_held(mark))
    return [began for mark in marks if (began := _used(mark))]


def _now(workspace: Workspace) -> float:
    """The time, as the workspace's file system gives it."""
    clock = workspace.locks / "prune.lock"
    os.utime(clock)
    return _used(clock)


def _things(workspace: Workspace) -> Iterator[Thing]:
    named = set()
    for path in workspace.index.glob("*/*.json"):
        record = workspace.find(path.parent.name, path.stem)
        bytes_ = bytes_below(workspace.root / record.address) if record else _size(path)
        named.add(record.address if record else "")
        yield Thing(path.parent.name, path, _used(path), bytes_, f"{path.parent.name}/{path.name}", record)
    for path in _entries(workspace.root / "checkpoints"):
        finished = _is_finished(workspace, path.name)
        yield Thing(
            "checkpoint", path, _last_use(path), bytes_below(path), f"train/{path.name}.json", obsolete=finished
        )
    for path in _entries(workspace.downloads):
        yield Thing("download", path, _last_use(path), bytes_below(path), f"downloads/{path.name}")
    for path, lock in (*_left_in_steps(workspace, named), *_left_in_models(workspace)):
        yield Thing("leftover", path, _last_use(path), bytes_below(path), lock, obsolete=True)
    for path in workspace.root.glob(f"models/*/{VERSIONS}/[!.]*"):
        if path not in _versions(path.parents[1]):
            yield Thing("version", path, _used(path), bytes_below(path), f"models/{path.parents[1].name}/champion")


def _is_finished(workspace: Workspace, key: str) -> bool:
    """Whether the result of the training with this key is there, so that nobody goes on from its checkpoint."""
    record = workspace.find("train", key)
    with suppress(ArtifactDamaged):
        if record is not None:
            workspace.verify(record)
            return True
    return False


def _left_in_steps(workspace: Workspace, named: set[str]) -> Iterator[tuple[Path, str]]:
    """What killed runs left among artifacts and records, and the lock under which it is removed."""
    for path in workspace.root.glob("artifacts/*/*"):
        if path.suffix == ".partial":
            yield path, f"{path.parent.name}/{path.stem}.json"
        elif path.relative_to(workspace.root).as_posix() not in named:
            yield path, ""
    for path in workspace.index.glob("*/.*.partial"):
        yield path, f"{path.parent.name}/{path.name.split('.')[1]}.json"


def _left_in_models(workspace: Workspace) -> Iterator[tuple[Path, str]]:
    """What killed runs left among the model folders. The old folder stays where its new one never came."""
    for path in workspace.root.glob("models/*/.*"):
        name, _, ending = path.name[1:].rpartition(".")
        if ending == "partial" or (ending == "old" and (path.parent / name).exists()):
            lock = "champion" if name.startswith(POINTER) else name
            yield path, f"models/{path.parent.name}/{lock}"
    for path in workspace.root.glob(f"models/*/{VERSIONS}/.*.partial"):
        yield path, f"models/{path.parents[1].name}/champion"


def _versions(pair: Path) -> list[Path]:
    """Version folders that the pair's history names."""
    shelf = Shelf(pair)
    return [shelf.folder_of(decision.model) for decision in ever_champion(shelf.history())]


def _remove(thing: Thing, workspace: Workspace, locks: Locks) -> int:
    """Remove something unless it is used now or was meanwhile; gives the bytes freed. Artifacts are swept later."""
    if not thing.lock:
        return 0
    kernel = thing.kind == "download"  # its users know the kernel's locks only
    with locked(workspace.locks / f"{thing.lock}.lock", wait=False) if kernel else _held(locks, thing.lock) as free:
        if not free or not thing.path.exists() or _is_used(thing):
            return 0
        if thing.record is None:
            return _delete(thing.path)
        size = _size(thing.path)
        thing.path.unlink()
        return size


def _is_used(thing: Thing) -> bool:
    """Whether something was used after the plan was made; the caller holds its lock."""
    if thing.kind == "version":
        return thing.path in _versions(thing.path.parents[1])
    return _last_use(thing.path) > thing.used


def _sweep(workspace: Workspace, step: str, began: float) -> int:
    """Remove the artifacts of a step that no record names and that no running step has come to; bytes freed."""
    shelf = workspace.root / "artifacts" / step
    freed = sum(map(_delete, shelf.glob(f"*{ASIDE}")))  # a pruning was killed there
    gone = []
    with workspace.shelf_lock(step):
        named = {record.address for record in workspace.records(step)}
        for path in _entries(shelf):
            if path.suffix != ".partial" and f"artifacts/{step}/{path.name}" not in named and _used(path) < began:
                gone.append(path.rename(path.with_name(f"{path.name}{ASIDE}")))
    return freed + sum(map(_delete, gone))


def _clear_marks(workspace: Workspace, began: float) -> None:
    """Remove the marks of flows that were killed."""
    for mark in _entries(workspace.running):
        if _used(mark) < began - LONG_DEAD:
            mark.unlink(missing_ok=True)


@contextmanager
def _held(locks: Locks, key: str) -> Iterator[bool]:
    """Hold a lock if nobody else does: False when someone does."""
    holder = str(uuid.uuid4())
    taken = locks.acquire_lock(key, holder, 0)
    try:
        yield taken
    finally:
        if taken:
            locks.release_lock(key, holder)


def _delete(path: Path) -> int:
    """Remove a file or folder; gives the bytes that it held."""
    size = bytes_below(path)
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
    return size


def _entries(folder: Path) -> list[Path]:
    """What is in a folder; nothing when it is gone, or is none."""
    try:
        return sorted(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []


def _last_use(path: Path) -> float:
    """Time of a file, or the latest of a folder and its entries."""
    return max(map(_used, (path, *_entries(path))))


def _used(path: Path) -> float:
    """Time of a file or folder; 0 when it is gone."""
    try:
        return path.stat().st_mtime
    except FileNotFoundError:
        return 0.0


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0

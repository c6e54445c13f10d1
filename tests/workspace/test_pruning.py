"""What pruning removes, what it keeps, and that runs beside it lose nothing."""

import hashlib
import os
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from seq2seq.errors import ModelError
from seq2seq.registry.champions import Decision, Shelf
from seq2seq.storage.artifacts import Record, Workspace, canonical_json, write_text_atomically
from seq2seq.storage.flock import is_held, locked
from seq2seq.workspace.pruning import PruneReport, bytes_below, prune, sizes
from tasks.locks import FileLocks
from tasks.presence import present

DAY = 24 * 3600


class Shop:
    """A workspace with records that were used some days ago."""

    def __init__(self, root: Path) -> None:
        self.workspace = Workspace(root)

    def make(self, step: str, content: str | Mapping[str, str], days: float, key: str = "", **inputs: Record) -> Record:
        """A record of `step` with these parts, used `days` ago; `inputs` are read whole."""
        record = self.publish(step, content, key, **inputs)
        self.enter(record, days)
        return record

    def publish(self, step: str, content: str | Mapping[str, str], key: str = "", **inputs: Record) -> Record:
        """An artifact of `step`, without its index file."""
        files = {"data": content} if isinstance(content, str) else content

        def write(folder: Path) -> tuple[dict[str, Any], float]:
            for part, text in files.items():
                (folder / f"{part}.txt").write_text(text, encoding="utf-8")
            return {}, 0.0

        key = key or f"{step}-{hashlib.sha256(canonical_json(files).encode()).hexdigest()[:8]}"
        read = {role: record.parts() for role, record in inputs.items()}
        return self.workspace.publish(step, key, write, {"inputs": read})

    def enter(self, record: Record, days: float) -> None:
        """Write a record's index file as Prefect does, used `days` ago; the artifact is as old."""
        path = self.workspace.index_file(record.step, record.key)
        write_text_atomically(path, canonical_json({"metadata": {}, "result": record.model_dump_json()}))
        age(path, days)
        age(self.workspace.root / record.address, days)

    def prune(self, keep_days: float = 30, max_gib: float | None = None, dry_run: bool = False) -> PruneReport:
        return prune(self.workspace, keep_days, max_gib, FileLocks(self.workspace.locks), dry_run)

    def has(self, *records: Record) -> list[bool]:
        """Whether each record is there and its artifact holds what was published."""
        found = [self.workspace.find(record.step, record.key) for record in records]
        for record in found:
            if record:
                self.workspace.verify(record)
        return [record is not None for record in found]

    def artifacts(self) -> list[str]:
        return sorted(path.name for path in self.workspace.root.glob("artifacts/*/*"))


def age(path: Path, days: float) -> None:
    """Make a file or folder as old as that."""
    moment = time.time() - days * DAY
    os.utime(path, (moment, moment))


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path / "workspace")


def tree(root: Path) -> dict[str, tuple[int, bytes]]:
    """Every file below a folder with its time and content."""
    return {
        str(path.relative_to(root)): (path.stat().st_mtime_ns, path.read_bytes() if path.is_file() else b"")
        for path in root.rglob("*")
    }


def test_what_was_not_used_for_so_long_goes_and_what_was_used_since_stays(shop: Shop) -> None:
    old, new = shop.make("clean", "old", 31), shop.make("clean", "new", 29)

    report = shop.prune(keep_days=30)

    assert shop.has(old, new) == [False, True]
    assert shop.artifacts() == [new.digest]
    assert [thing.record for thing in report.removed] == [old]
    assert [thing.record for thing in report.kept["use in the last 30 days"]] == [new]


def test_a_record_that_was_used_again_is_not_old(shop: Shop) -> None:
    record = shop.make("clean", "old", 400)
    shop.workspace.touch(record)

    shop.prune(keep_days=30)

    assert shop.has(record) == [True]


def test_an_artifact_that_another_record_names_stays(shop: Shop) -> None:
    old, new = shop.make("clean", "same", 40, key="one"), shop.make("clean", "same", 1, key="two")

    shop.prune(keep_days=30)

    assert shop.has(old, new) == [False, True]
    assert shop.artifacts() == [new.digest]


def test_a_dry_run_changes_nothing_and_says_what_pruning_then_does(shop: Shop) -> None:
    shop.make("clean", "old", 40)
    shop.make("clean", "old", 41, key="shared")
    shop.make("clean", "new", 1)
    before = tree(shop.workspace.root)

    promised = shop.prune(dry_run=True)

    assert tree(shop.workspace.root) == before
    done = shop.prune()
    assert [thing.path for thing in done.removed] == [thing.path for thing in promised.removed]
    assert done.bytes_removed == promised.bytes_removed
    assert bytes_below(shop.workspace.root) == promised.bytes_after


def test_the_longest_unused_goes_first_until_the_workspace_is_small_enough(shop: Shop) -> None:
    records = [shop.make("clean", str(days) * 100_000, days) for days in (3, 9, 6)]
    total = bytes_below(shop.workspace.root)

    report = shop.prune(keep_days=30, max_gib=(total - 100_000) / 2**30)

    assert shop.has(*records) == [True, False, True]
    assert not report.too_big
    assert bytes_below(shop.workspace.root) <= total - 100_000


def test_what_nobody_needs_goes_before_what_is_only_old(shop: Shop) -> None:
    record = shop.make("clean", "x" * 100_000, 9)
    leftover = shop.workspace.root / "artifacts" / "clean" / "0af3"
    leftover.mkdir()
    (leftover / "data").write_text("x" * 100_000, encoding="utf-8")
    age(leftover / "data", 1)
    age(leftover, 1)

    shop.prune(keep_days=30, max_gib=150_000 / 2**30)

    assert shop.has(record) == [True]
    assert not leftover.exists()


def test_what_is_needed_stays_though_there_is_too_much_of_it(shop: Shop) -> None:
    with present(shop.workspace):
        record = shop.make("clean", "x" * 1000, 0)

        report = shop.prune(keep_days=0, max_gib=0)

    assert shop.has(record) == [True]
    assert report.too_big


def promote(shop: Shop, model: Record, action: str = "promoted") -> Path:
    """Enter a decision about a model into the pointer of ko-en, with its version folder."""
    shelf = Shelf(shop.workspace.root / "models" / "ko-en")
    if action != "refused":
        shelf.folder_of(model.digest).mkdir(parents=True, exist_ok=True)
        (shelf.folder_of(model.digest) / "config.json").write_text("{}", encoding="utf-8")
    shelf.record(Decision(action=action, model=model.digest, name="demo", by="retrain"))  # type: ignore[arg-type]
    return shelf.folder_of(model.digest)


def night(shop: Shop, number: int, days: float) -> dict[str, Record]:
    """The records of one night: other training data each time, the same validation and test data."""
    splits = {"train": f"train {number}", "valid": "valid", "test": "test"}
    made = {"fetch": shop.make("fetch", splits, days)}
    made["clean"] = shop.make("clean", splits, days, fetch=made["fetch"])
    made["encode"] = shop.make("encode", f"ids {number}", days, clean=made["clean"])
    made["train"] = shop.make("train", f"model {number}", days, encode=made["encode"])
    made["evaluate"] = shop.make("evaluate", f"translations {number}", days, train=made["train"], clean=made["clean"])
    return made


def narrowed(shop: Shop, record: Record, days: float, **parts: Mapping[str, str]) -> Record:
    """The record with other inputs: a step that reads only some parts."""
    changed = record.model_copy(update={"provenance": {"inputs": {**record.provenance["inputs"], **parts}}})
    shop.enter(changed, days)
    return changed


def test_the_whole_chain_of_a_champion_stays_and_nothing_of_a_refused_model(shop: Shop) -> None:
    champion, refused = night(shop, 1, 100), night(shop, 2, 90)
    version = promote(shop, champion["train"])
    promote(shop, refused["train"], "refused")
    valid = champion["clean"].parts(["valid"])
    champion["train"] = narrowed(shop, champion["train"], 100, clean=valid)  # all nights have this validation data

    report = shop.prune(keep_days=30)

    assert shop.has(*champion.values()) == [True] * 5
    assert shop.has(*refused.values()) == [False] * 5
    assert version.is_dir()
    assert len(report.kept["the champion of ko-en"]) == 5


def test_earlier_champions_stay_as_a_rollback_may_need_them(shop: Shop) -> None:
    first, second = night(shop, 1, 100), night(shop, 2, 90)
    folders = [promote(shop, made["train"]) for made in (first, second)]

    report = shop.prune(keep_days=30)

    assert shop.has(*first.values(), *second.values()) == [True] * 10
    assert all(folder.is_dir() for folder in folders)
    assert {reason: len(things) for reason, things in report.kept.items() if things} == {
        "the champion of ko-en": 5,
        "an earlier champion of ko-en": 5,
    }


def test_the_model_that_a_champion_was_trained_from_stays_and_so_does_the_comparison_that_it_won(shop: Shop) -> None:
    parent, champion = night(shop, 1, 100), night(shop, 2, 90)
    champion["train"] = narrowed(shop, champion["train"], 90, parent=parent["train"].parts())
    won = shop.make("compare", "won", 90, champion=parent["evaluate"], challenger=champion["evaluate"])
    lost = shop.make("compare", "lost", 80, champion=champion["evaluate"], challenger=night(shop, 3, 80)["evaluate"])
    promote(shop, champion["train"])

    shop.prune(keep_days=30)

    assert shop.has(won, lost) == [True, False]
    assert shop.has(*(parent[step] for step in ("fetch", "clean", "encode", "train"))) == [True] * 4


def test_the_model_folder_that_a_champion_was_continued_from_stays_as_it_was_taken_in(shop: Shop) -> None:
    champion, adopted = night(shop, 1, 90), shop.make("adopt", "from elsewhere", 90)
    champion["train"] = narrowed(shop, champion["train"], 90, parent=adopted.parts())
    promote(shop, champion["train"])

    shop.prune(keep_days=30)

    assert shop.has(adopted) == [True]


def test_a_pointer_that_cannot_be_read_stops_pruning(shop: Shop) -> None:
    old = shop.make("clean", "old", 40)
    write_text_atomically(shop.workspace.root / "models" / "ko-en" / "champion.json", "{")

    with pytest.raises(ModelError, match=r"champion\.json is damaged"):
        shop.prune()

    assert shop.has(old) == [True]


def test_a_version_that_no_history_names_goes_with_time(shop: Shop) -> None:
    promoted = promote(shop, night(shop, 1, 0)["train"])
    versions = promoted.parent
    for name, days in (("0123456789ab", 40), ("ba9876543210", 2)):
        (versions / name).mkdir()
        age(versions / name, days)

    shop.prune(keep_days=30)

    assert sorted(path.name for path in versions.iterdir()) == sorted([promoted.name, "ba9876543210"])


def test_a_version_that_is_promoted_between_plan_and_removal_stays(shop: Shop) -> None:
    model = shop.make("train", "model", 0)
    version = Shelf(shop.workspace.root / "models" / "ko-en").folder_of(model.digest)
    version.mkdir(parents=True)
    age(version, 40)

    class BusyLocks(FileLocks):
        def acquire_lock(self, key: str, holder: str, *limits: Any, **named: Any) -> bool:
            if key == "models/ko-en/champion":
                promote(shop, model)
            return super().acquire_lock(key, holder, *limits, **named)

    report = prune(shop.workspace, 30, None, BusyLocks(shop.workspace.locks))

    assert [thing.path for thing in report.kept["use at this moment"]] == [version]
    assert version.is_dir()


def test_what_a_running_flow_used_stays_whatever_the_limits(shop: Shop) -> None:
    record = shop.make("clean", "used", 400)
    with present(shop.workspace):
        shop.workspace.touch(record)
        new = shop.make("fetch", "made", 0)

        report = shop.prune(keep_days=0, max_gib=0)

        assert shop.has(record, new) == [True, True]
        assert len(report.kept["a flow that is running"]) == 2
    for made in (record, new):
        shop.enter(made, 0.01)
    shop.prune(keep_days=0)
    assert shop.has(record, new) == [False, False]


def test_a_killed_flow_keeps_nothing(shop: Shop) -> None:
    mark = shop.workspace.running / "killed.lock"
    with locked(mark):
        pass
    age(mark, 300)
    record = shop.make("clean", "old", 200)

    shop.prune(keep_days=30)

    assert shop.has(record) == [False]
    assert not mark.exists()


def test_the_mark_of_a_flow_that_may_be_about_to_lock_it_stays(shop: Shop) -> None:
    mark = shop.workspace.running / "beginning.lock"
    with locked(mark):
        pass
    age(mark, 0.01)

    shop.prune(keep_days=30)

    assert mark.exists()


def test_a_flow_leaves_no_mark(shop: Shop) -> None:
    with present(shop.workspace):
        (mark,) = shop.workspace.running.iterdir()
        assert is_held(mark)
    assert list(shop.workspace.running.iterdir()) == []


def test_a_record_whose_step_is_at_work_stays(shop: Shop) -> None:
    record = shop.make("clean", "old", 40)

    with FileLocks(shop.workspace.locks).held(f"clean/{record.key}.json"):
        report = shop.prune()

    assert shop.has(record) == [True]
    assert [thing.record for thing in report.kept["use at this moment"]] == [record]


def test_a_record_that_is_hit_between_plan_and_removal_stays(shop: Shop) -> None:
    record, other = shop.make("clean", "old", 40), shop.make("clean", "older", 50)

    class BusyLocks(FileLocks):
        def acquire_lock(self, key: str, holder: str, *limits: Any, **named: Any) -> bool:
            if record.key in key:
                shop.workspace.touch(record)
            return super().acquire_lock(key, holder, *limits, **named)

    prune(shop.workspace, 30, None, BusyLocks(shop.workspace.locks))

    assert shop.has(record, other) == [True, False]


def test_a_publish_of_the_same_content_beside_pruning_never_loses_its_artifact(shop: Shop) -> None:
    """The new record is written after its artifact settled: in between, nothing names the artifact."""
    failures: list[Exception] = []
    stop = threading.Event()

    def publish_again_and_again() -> None:
        try:
            for number in range(40):
                with present(shop.workspace):
                    record = shop.publish("clean", "same", key=f"key-{number}")
                    time.sleep(0.005 * (number % 3))  # Prefect writes the record a moment later
                    shop.enter(record, 0)
                    assert shop.has(record) == [True]
        except Exception as error:
            failures.append(error)
        finally:
            stop.set()

    publisher = threading.Thread(target=publish_again_and_again)
    publisher.start()
    while not stop.is_set():
        shop.prune(keep_days=0)
    publisher.join()

    assert failures == []


def test_an_artifact_without_a_record_yet_stays_while_its_flow_runs(shop: Shop) -> None:
    old = shop.make("clean", "same", 40)
    with present(shop.workspace):
        shop.publish("clean", "same", key="new")  # its record is yet to be written

        shop.prune(keep_days=30)

        assert shop.has(old) == [False]
        shop.workspace.verify(old)
    age(shop.workspace.root / old.address, 0.01)
    shop.prune(keep_days=30)
    assert shop.artifacts() == []


LEFTOVERS: Mapping[str, Callable[[Path], Path]] = {
    "a folder that was being filled": lambda root: root / "artifacts" / "clean" / "key.partial",
    "a damaged artifact, moved aside": lambda root: root / "artifacts" / "clean" / "0af3.damaged",
    "an artifact without a record": lambda root: root / "artifacts" / "clean" / "0af3",
    "a record that was being written": lambda root: root / "index" / "clean" / ".key.json.17.partial",
    "a model folder that was being filled": lambda root: root / "models" / "ko-en" / ".demo.partial",
    "a version that was being filled": lambda root: root / "models" / "ko-en" / "versions" / ".0af3.partial",
}


@pytest.mark.parametrize("place", LEFTOVERS.values(), ids=LEFTOVERS)
def test_what_a_killed_run_left_goes_at_once_unless_a_flow_runs(place: Callable[[Path], Path], shop: Shop) -> None:
    path = place(shop.workspace.root)
    with present(shop.workspace):
        path.mkdir(parents=True)
        (path / "half").write_text("half", encoding="utf-8")
        shop.prune(keep_days=30)
        assert path.exists()

    age(path / "half", 0.01)
    age(path, 0.01)
    report = shop.prune(keep_days=30)

    assert not path.exists()
    assert [thing.kind for thing in report.removed] == ["leftover"]


def test_a_deletion_that_was_interrupted_is_finished(shop: Shop) -> None:
    record = shop.make("clean", "old", 40)
    aside = shop.workspace.root / f"{record.address}.pruned"
    aside.mkdir()
    (aside / "half").write_text("half", encoding="utf-8")

    shop.prune(keep_days=30)

    assert shop.artifacts() == []


def test_an_old_model_folder_stays_until_the_new_one_is_in_its_place(shop: Shop) -> None:
    old = shop.workspace.root / "models" / "ko-en" / ".demo.old"
    old.mkdir(parents=True)
    age(old, 1)
    shop.prune()
    assert old.exists()

    (old.parent / "demo").mkdir()
    shop.prune()

    assert not old.exists()
    assert (old.parent / "demo").exists()


def checkpoint(shop: Shop, key: str, days: float) -> Path:
    folder = shop.workspace.checkpoints(key)
    folder.mkdir(parents=True)
    (folder / "checkpoint.pt").write_text("state", encoding="utf-8")
    age(folder / "checkpoint.pt", days)
    age(folder, days)
    return folder


def test_checkpoints_of_finished_and_forgotten_trainings_go(shop: Shop) -> None:
    done = shop.make("train", "model", 1)
    finished, forgotten, recent = (checkpoint(shop, key, days) for key, days in ((done.key, 1), ("b", 40), ("c", 20)))

    shop.prune(keep_days=30)

    assert [folder.exists() for folder in (finished, forgotten, recent)] == [False, False, True]


def test_a_checkpoint_is_as_old_as_what_was_written_into_it_last(shop: Shop) -> None:
    folder = checkpoint(shop, "key", 40)
    age(folder / "checkpoint.pt", 2)

    shop.prune(keep_days=30)

    assert folder.exists()


def test_the_checkpoint_of_a_training_whose_result_was_damaged_stays(shop: Shop) -> None:
    done = shop.make("train", "model", 1)
    folder = checkpoint(shop, done.key, 1)
    (shop.workspace.root / done.address / "data.txt").write_text("other", encoding="utf-8")

    shop.prune(keep_days=30)

    assert folder.exists()


def test_artifacts_on_another_disk_count_too(shop: Shop, tmp_path: Path) -> None:
    old, new = shop.make("train", "m" * 2000, 2), shop.make("train", "n" * 2000, 1)
    (shop.workspace.root / "artifacts").rename(tmp_path / "disk")
    (shop.workspace.root / "artifacts").symlink_to(tmp_path / "disk")

    report = shop.prune(keep_days=30, max_gib=3000 / 2**30)

    assert report.bytes_before > 4000
    assert shop.has(old, new) == [False, True]


def test_the_checkpoint_of_a_training_that_runs_stays(shop: Shop) -> None:
    folder = checkpoint(shop, "key", 40)

    with FileLocks(shop.workspace.locks).held("train/key.json"):
        shop.prune(keep_days=30)

    assert folder.exists()


def test_lock_files_are_never_removed(shop: Shop) -> None:
    with FileLocks(shop.workspace.locks).held("clean/key.json"):
        pass
    (lock,) = shop.workspace.locks.rglob("key*")
    age(lock, 400)

    shop.prune(keep_days=0, max_gib=0)

    assert lock.exists()


def test_an_index_file_that_is_no_record_goes_with_time(shop: Shop) -> None:
    path = shop.workspace.index_file("clean", "key")
    write_text_atomically(path, "{")
    shop.prune()
    assert path.exists()

    age(path, 40)
    shop.prune()

    assert not path.exists()


def test_sizes_count_everything(shop: Shop) -> None:
    night(shop, 1, 1)
    checkpoint(shop, "key", 1)
    write_text_atomically(shop.workspace.root / "runs" / "a" / "report.json", "{}")

    found = sizes(shop.workspace)

    assert sum(count for _, count in found.values()) == bytes_below(shop.workspace.root)
    assert (found["artifacts/train"][0], found["index"][0], found["runs"]) == (1, 5, (1, 2))


def test_a_file_among_the_models_is_none_of_them(shop: Shop) -> None:
    night(shop, 1, 1)
    write_text_atomically(shop.workspace.root / "models" / ".DS_Store", "of a file manager")

    assert "artifacts/train" in sizes(shop.workspace)
    shop.prune()

    assert (shop.workspace.root / "models" / ".DS_Store").exists()


def test_a_workspace_that_is_not_there_has_nothing_to_prune(shop: Shop) -> None:
    assert shop.prune().bytes_removed == 0
    assert not shop.workspace.root.exists()


def test_a_record_that_was_claimed_for_a_new_one_stays(shop: Shop) -> None:
    old = shop.make("clean", "old", 40)
    with present(shop.workspace):
        shop.workspace.claim(old)

        shop.prune(keep_days=30)

        assert shop.has(old) == [True]


def test_a_download_goes_with_time_unless_it_is_read(shop: Shop) -> None:
    old = shop.workspace.downloads / "0af3"
    old.mkdir(parents=True)
    (old / "train.de").write_text("text", encoding="utf-8")
    age(old / "train.de", 40)
    age(old, 40)

    with locked(shop.workspace.locks / "downloads" / "0af3.lock"):
        shop.prune(keep_days=30)
        assert old.exists()
    shop.prune(keep_days=30)

    assert not old.exists()

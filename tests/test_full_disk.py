"""A disk that is full or read-only: said clearly, nothing lost, and the same command goes on when there is space."""

import errno
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from flows.__main__ import main
from seq2seq.errors import ConfigError, DiskError
from seq2seq.pipeline import STEPS
from seq2seq.storage.artifacts import Record, Workspace, write_text_atomically
from seq2seq.storage.disk import in_units, writing

DISK_KIB = 2048


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 2 MiB in memory."""
    place = tmp_path / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={DISK_KIB}k", "tmpfs", str(place)]
    try:
        mounted = os.geteuid() == 0 and subprocess.run(command, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        mounted = False
    if not mounted:
        pytest.skip("mounting a file system in memory needs root")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


def fill(disk: Path, leave_kib: int = 0) -> Path:
    """Fill the disk but for so much with one file, whose removal makes room again."""
    usage = os.statvfs(disk)
    ballast = disk / "ballast"
    ballast.write_bytes(bytes(max(usage.f_bavail * usage.f_frsize - leave_kib * 1024, 0)))
    return ballast


def make_read_only(disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)


def publish(workspace: Workspace, kib: int, key: str = "key") -> Record:
    def write(folder: Path) -> tuple[dict[str, Any], float]:
        (folder / "train.arrow").write_bytes(bytes(kib * 1024))
        return {}, 0.0

    return workspace.publish("clean", key, write, {})


def test_a_result_that_does_not_fit_is_said_so_and_takes_no_space(disk: Path) -> None:
    workspace = Workspace(disk / "workspace")
    first = publish(workspace, 100)
    ballast = fill(disk, leave_kib=300)

    with pytest.raises(DiskError) as caught:
        publish(workspace, 900)

    message = str(caught.value)
    assert message.startswith(f"the result of clean could not be written to {workspace.root}/artifacts/clean: ")
    assert "the disk is full (0 bytes of 2.0 MiB free)" in message
    assert "workspace prune" in message
    workspace.verify(first)
    assert [path.name for path in (workspace.root / "artifacts" / "clean").iterdir()] == [first.digest]
    ballast.unlink()
    workspace.verify(publish(workspace, 900))


def test_a_checkpoint_that_does_not_fit_leaves_the_one_before(disk: Path) -> None:
    import torch

    from seq2seq.training.checkpoint import load_checkpoint, save_checkpoint

    save_checkpoint(disk / "key", {"step": 1, "weights": torch.zeros(50_000)})
    fill(disk, leave_kib=100)

    with pytest.raises(DiskError, match=r"the checkpoint could not be written to .*the disk is full"):
        save_checkpoint(disk / "key", {"step": 2, "weights": torch.zeros(50_000)})

    state = load_checkpoint(disk / "key")
    assert state is not None
    assert state["step"] == 1
    assert [path.name for path in (disk / "key").iterdir()] == ["checkpoint.pt"]


def test_weights_that_do_not_fit_are_said_so_though_their_library_has_errors_of_its_own(disk: Path) -> None:
    import torch
    from safetensors.torch import save_file

    fill(disk, leave_kib=50)

    with pytest.raises(DiskError, match="the disk is full"), writing("weights", disk):
        save_file({"weights": torch.zeros(50_000)}, disk / "model.safetensors")


def test_a_text_that_does_not_fit_leaves_the_one_before(disk: Path) -> None:
    path = disk / "report.json"
    write_text_atomically(path, "old")
    fill(disk)

    with pytest.raises(OSError, match="No space left"):
        write_text_atomically(path, "new" * 10_000)

    assert path.read_text(encoding="utf-8") == "old"
    assert sorted(entry.name for entry in disk.iterdir()) == ["ballast", "report.json"]


def answers(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """Exit code, and the text of standard output and standard error, of `python -m flows …`."""
    capsys.readouterr()
    code = main(arguments)
    said = capsys.readouterr()
    return code, said.out, said.err


@pytest.mark.parametrize("leave_kib", [0, 140])
def test_a_run_on_a_full_disk_says_so_and_goes_on_when_there_is_space(
    leave_kib: int, disk: Path, prefect_server: str, tiny_project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ("train", str(tiny_project / "tiny.toml"), "--workspace", str(disk / "workspace"))
    ballast = fill(disk, leave_kib)

    code, _, errors = answers(capsys, *command)

    assert code == 2, errors
    assert "the disk is full" in errors
    assert "Traceback" not in errors
    workspace = Workspace(disk / "workspace")
    done = [record for step in STEPS for record in workspace.records(step)]
    assert bool(done) == bool(leave_kib)
    for record in done:
        workspace.verify(record)
    assert [path for path in workspace.root.glob("runs/*") if not (path / "report.json").is_file()] == []
    ballast.unlink()

    code, _, errors = answers(capsys, *command)

    assert code == 0, errors
    cached = dict.fromkeys(line.split()[0] for line in errors.splitlines() if line.split()[1] == "cached")
    assert list(cached) == [record.step for record in done]


def test_a_report_that_does_not_fit_leaves_no_run_behind(
    disk: Path, prefect_server: str, tiny_project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ("train", str(tiny_project / "tiny.toml"), "--workspace", str(disk / "workspace"))
    code, _, errors = answers(capsys, *command)
    assert code == 0, errors
    reports = list(disk.glob("workspace/runs/*"))
    fill(disk)

    code, _, errors = answers(capsys, *command)

    assert code == 2, errors
    assert "the report could not be written to" in errors
    assert list(disk.glob("workspace/runs/*")) == reports


def generation_failed() -> Exception:
    from datasets.exceptions import DatasetGenerationError

    error = DatasetGenerationError("An error occurred while generating the dataset")
    error.__cause__ = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    return error


@pytest.mark.parametrize(
    "fail",
    [
        lambda: OSError("Not enough disk space. Needed: 3.10 GiB (download: 1.00 GiB, generated: 2.10 GiB)"),
        lambda: OSError("Background writer channel closed: [Errno 28] No space left on device"),
        generation_failed,
    ],
)
def test_a_full_disk_below_the_cache_of_the_hub_is_not_taken_for_the_network(
    fail: Callable[[], Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    import datasets

    from seq2seq.corpora import hub
    from seq2seq.settings.corpus import CorpusSettings

    def prepare(*arguments: Any, **named: Any) -> None:
        raise fail()

    monkeypatch.setattr(datasets, "load_dataset_builder", prepare)

    with pytest.raises(DiskError) as caught:
        hub.read(CorpusSettings(kind="hub", dataset="owner/name"))

    message = str(caught.value)
    assert message.startswith(f"the dataset owner/name could not be written to {datasets.config.HF_DATASETS_CACHE}: ")
    assert " free)" in message
    assert "HF_HOME" in message


def test_on_a_read_only_disk_plan_works_and_a_run_says_what_is_wrong(
    disk: Path, prefect_server: str, tiny_project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = (str(tiny_project / "tiny.toml"), "--workspace", str(disk / "workspace"))
    code, _, errors = answers(capsys, "train", *arguments)
    assert code == 0, errors
    make_read_only(disk)

    code, output, errors = answers(capsys, "plan", *arguments)
    assert (code, {line.split()[1] for line in output.splitlines()}, errors) == (0, {"fresh"}, "")

    for command in (("train", *arguments), ("workspace", "prune", *arguments[1:])):
        code, _, errors = answers(capsys, *command)
        assert code == 2
        assert "the file system is read-only" in errors
        assert f"{disk}/workspace" in errors

    code, output, errors = answers(capsys, "workspace", "prune", "--dry-run", "--keep-days", "0", *arguments[1:])
    assert (code, errors) == (0, "")
    assert "would free" in output


def refuse(number: int, path: str | None = None) -> Callable[[], None]:
    def fail() -> None:
        raise OSError(number, os.strerror(number), path)

    return fail


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (errno.ENOSPC, "the disk is full"),
        (errno.EDQUOT, "the disk quota is used up"),
        (errno.EROFS, "the file system is read-only"),
        (errno.EACCES, "writing there is not permitted"),
    ],
)
def test_each_refusal_of_the_disk_says_what_could_not_be_written_and_where(
    number: int, said: str, tmp_path: Path
) -> None:
    with pytest.raises(DiskError) as caught, writing("the report", tmp_path):
        refuse(number, str(tmp_path / "new" / "report.json"))()

    assert str(caught.value).startswith(f"the report could not be written to {tmp_path}/new/report.json: {said}")


@pytest.mark.parametrize(
    "error",
    [
        PermissionError(errno.EACCES, "Permission denied", "/elsewhere/train.de"),
        FileNotFoundError(errno.ENOENT, "No such file"),
        ConfigError("a setting (os error 28)"),
        ValueError("no number at all"),
    ],
)
def test_what_is_no_refusal_to_write_there_passes_as_it_is(error: Exception, tmp_path: Path) -> None:
    with pytest.raises(type(error)) as caught, writing("the report", tmp_path):
        raise error

    assert caught.value is error


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 bytes"), (1023, "1023 bytes"), (1536, "1.5 KiB"), (3 * 2**30, "3.0 GiB"), (2**51, "2,048.0 TiB")],
)
def test_bytes_for_people(count: int, text: str) -> None:
    assert in_units(count) == text

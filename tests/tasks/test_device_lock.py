"""One training at a time on a device."""

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from seq2seq.device import KERNEL_CACHES
from seq2seq.errors import ConfigError, TrainingInterrupted, UserError
from seq2seq.settings.runtime import RuntimeSettings
from tasks import device_lock as module
from tasks.device_lock import cores_lock, cores_needed, device_lock, device_names

CHECKOUT = Path(__file__).parents[2]
HOLDER = """
import sys, time
from tasks.device_lock import device_lock
with device_lock("cpu", "process 7, run other in /there", print):
    print("held", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The machine's folder for temporary files, for this test."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return tmp_path


@pytest.fixture
def holder(folder: Path) -> "Iterator[subprocess.Popen[str]]":
    """A process that trains on the CPU."""
    with subprocess.Popen([sys.executable, "-c", HOLDER], stdout=subprocess.PIPE, text=True, cwd=CHECKOUT) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def take(device: str = "cpu", tries: int = 1) -> list[str]:
    """Hold the device if it comes free within some tries; gives what was said meanwhile."""
    said: list[str] = []
    left = iter(range(tries))
    with device_lock(device, "me", said.append, should_stop=lambda: next(left, None) is None):
        return said


def test_whoever_comes_second_is_told_who_trains_and_goes_on_when_that_process_is_killed(
    holder: "subprocess.Popen[str]",
) -> None:
    said: list[str] = []

    def kill_the_holder() -> bool:
        if said and holder.poll() is None:
            os.kill(holder.pid, signal.SIGKILL)
        return False

    with device_lock("cpu", "me", said.append, kill_the_holder):
        assert said == ["train: cpu is taken already (process 7, run other in /there); waiting until it is free"]


def test_who_waits_can_be_stopped(holder: "subprocess.Popen[str]") -> None:
    with pytest.raises(TrainingInterrupted, match="Stopped while another training held the device"):
        take(tries=2)


def test_another_device_is_another_lock(holder: "subprocess.Popen[str]") -> None:
    assert take("cuda-1234") == []


def test_a_device_is_free_again_after_a_training_that_failed(folder: Path) -> None:
    with pytest.raises(ZeroDivisionError), device_lock("cpu", "me", print):
        raise ZeroDivisionError

    assert take() == []


def test_a_lock_file_removed_while_someone_waited_for_it_does_not_count(
    holder: "subprocess.Popen[str]", folder: Path
) -> None:
    path = folder / "seq2seq-flows-cpu.lock"
    old = path.stat().st_ino
    removed: list[str] = []

    def clean_up() -> bool:
        if removed and path.exists() and path.stat().st_ino == old:
            path.rename(folder / "removed")
            holder.kill()
        return False

    with device_lock("cpu", "me", removed.append, clean_up):
        assert path.stat().st_ino != old


def test_every_user_may_lock_the_file_and_it_tells_who_holds_it(folder: Path) -> None:
    path = folder / "seq2seq-flows-cpu.lock"
    before = os.umask(0o077)
    try:
        with device_lock("cpu", "process 7", print):
            assert path.read_text() == "process 7"
    finally:
        os.umask(before)

    assert path.stat().st_mode & 0o777 == 0o666
    assert path.read_text() == ""


def test_a_link_in_the_folder_is_not_followed(folder: Path) -> None:
    victim = folder / "victim"
    victim.write_text("precious")
    link = folder / "seq2seq-flows-cpu.lock"
    for lay in (link.symlink_to, link.hardlink_to):
        lay(victim)
        with pytest.raises(UserError, match=r"seq2seq-flows-cpu\.lock cannot serve as the lock .* TMPDIR"):
            take()
        link.unlink()

    os.mkfifo(link)
    with pytest.raises(UserError, match="it is not a plain file"):
        take()
    assert victim.read_text() == "precious"


def test_what_others_wrote_is_shown_without_control_characters(folder: Path) -> None:
    with device_lock("cpu", "\x1b[31mred\n", print):
        said: list[str] = []
        with pytest.raises(TrainingInterrupted), device_lock("cpu", "me", said.append, lambda: bool(said)):
            pass

    assert said == ["train: cpu is taken already ([31mred); waiting until it is free"]


def test_the_device_is_the_one_that_the_settings_choose() -> None:
    assert device_names(RuntimeSettings(device="cpu", threads=1, processes=2)) == ["cpu"]


def test_asking_for_the_device_leaves_it_to_the_training_to_set_the_process_up() -> None:
    program = (
        "import os, torch; from seq2seq.settings.runtime import RuntimeSettings; "
        "from seq2seq.device import KERNEL_CACHES, configure; from tasks.device_lock import device_names; "
        "before = dict(os.environ), torch.get_num_threads(); "
        "runtime = RuntimeSettings(device='cpu', threads=torch.get_num_threads() + 1); device_names(runtime); "
        "assert before == (dict(os.environ), torch.get_num_threads()); "
        "configure(runtime, kernels=23); print(os.environ[KERNEL_CACHES[0]])"
    )
    environment = {name: value for name, value in os.environ.items() if name not in KERNEL_CACHES}
    told = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "23"


@pytest.fixture
def four_cores(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "usable_core_numbers", lambda: [0, 1, 2, 5])


def take_cores(count: int) -> list[str]:
    """Hold so many cores; gives what was said where they are not free, and gives up."""
    said: list[str] = []
    with suppress(TrainingInterrupted), cores_lock(count, "me", said.append, lambda: bool(said)):
        pass
    return said


@pytest.mark.usefixtures("four_cores")
def test_trainings_share_the_cpu_as_long_as_their_threads_fit_into_its_cores() -> None:
    with cores_lock(1, "process 7, run one in /here", print), cores_lock(2, "process 8", print):
        assert take_cores(1) == []
        assert take_cores(2) == [
            "train: cpu is taken already (process 7, run one in /here); waiting until 2 of its 4 cores are free"
        ]
        assert take_cores(4) == ["train: cpu is taken already (process 7, run one in /here); waiting until it is free"]
    assert take_cores(4) == []


@pytest.mark.usefixtures("four_cores")
def test_a_training_that_wants_all_cores_is_not_passed_by_later_ones_that_want_few() -> None:
    began, said = threading.Event(), list[str]()

    def train_on_all() -> None:
        with cores_lock(4, "process 8", said.append):
            began.set()

    with cores_lock(1, "process 7", print):
        waiting = threading.Thread(target=train_on_all)
        waiting.start()
        wait_for(lambda: bool(said))
        assert take_cores(1) == [
            "train: cpu is taken already (process 8, which waits for cores); waiting until it is free"
        ]
        assert not began.is_set()
    waiting.join(60)
    assert not waiting.is_alive()
    assert began.is_set()


@pytest.mark.usefixtures("four_cores")
def test_a_training_that_may_use_other_cores_does_not_wait_behind_one_that_waits_for_these(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said = list[str]()

    def train_on_all() -> None:
        with cores_lock(4, "process 8", said.append):
            pass

    with cores_lock(1, "process 7", print):
        waiting = threading.Thread(target=train_on_all)
        waiting.start()
        wait_for(lambda: bool(said))
        monkeypatch.setattr(module, "usable_core_numbers", lambda: [6, 7])
        assert take_cores(2) == []
        monkeypatch.setattr(module, "usable_core_numbers", lambda: [5, 6])
        assert take_cores(1) == [
            "train: cpu is taken already (process 8, which waits for cores); waiting until it is free"
        ]
    waiting.join(60)
    assert not waiting.is_alive()


@pytest.mark.usefixtures("four_cores")
@pytest.mark.parametrize(
    ("threads", "processes", "cores"), [(0, 1, 4), (0, 2, 4), (1, 1, 1), (2, 1, 2), (1, 2, 2), (3, 2, 3), (9, 1, 4)]
)
def test_a_training_needs_a_core_a_thread_and_by_default_all(threads: int, processes: int, cores: int) -> None:
    assert cores_needed(RuntimeSettings(threads=threads, processes=processes)) == cores


def test_cuda_devices_are_named_by_what_does_not_change_with_their_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    """And in one order, as two trainings that need the same two would otherwise wait for each other."""
    uuids = ["6ba7b810-9dad", "0f3e2c11-77aa", "e5d1"]
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: len(uuids))
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: SimpleNamespace(uuid=uuids[device.index]))

    assert device_names(RuntimeSettings()) == ["cuda-6ba7b810-9dad"]
    assert device_names(RuntimeSettings(processes=2)) == ["cuda-0f3e2c11-77aa", "cuda-6ba7b810-9dad"]
    with pytest.raises(ConfigError, match=r"processes = 4 asks .* sees 3 here: set runtime\.processes to 3 or"):
        device_names(RuntimeSettings(processes=4))


class Training:
    """`python -m flows train` in a workspace of its own, and when it said that it trains."""

    def __init__(self, config: Path, workspace: Path, server: str, epochs: int) -> None:
        settings = ("training.max_steps=0", f"training.max_epochs={epochs}", f"training.patience={epochs}")
        often = ("runtime.log_every_seconds=0.01", "runtime.threads=0", f"name={workspace.name}")
        options = [part for setting in (*settings, *often) for part in ("--set", setting)]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "flows", "train", str(config), *options, "--workspace", str(workspace)],
            cwd=CHECKOUT,
            env=os.environ | {"PREFECT_API_URL": server},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.lines: list[str] = []
        self.trained: list[float] = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        with self.process.stderr as lines:
            for line in lines:
                self.lines.append(line)
                if line.startswith("train      step"):
                    self.trained.append(time.monotonic())

    def said(self, text: str) -> bool:
        return any(text in line for line in self.lines)

    def end(self) -> int:
        self._reader.join(600)
        return self.process.wait(60)


@pytest.fixture
def train(folder: Path, prefect_server: str, tiny_project: Path, tmp_path: Path) -> Iterator[Callable[..., Training]]:
    """Starts a training, by default of a second or more, in the workspace of that name."""
    started: list[Training] = []

    def start(name: str, epochs: int = 30) -> Training:
        started.append(Training(tiny_project / "tiny.toml", tmp_path / name, prefect_server, epochs))
        return started[-1]

    yield start
    for training in started:
        training.process.kill()
        training.end()


def test_a_training_in_another_workspace_waits_and_begins_when_the_one_before_it_is_killed(
    train: Callable[..., Training],
) -> None:
    one = train("one", epochs=1_000_000)
    wait_for(lambda: bool(one.trained))
    two = train("two")
    wait_for(lambda: two.said(f"train: cpu is taken already (process {one.process.pid}, run one in "))

    one.process.kill()

    assert one.end() == -signal.SIGKILL
    assert two.end() == 0, two.lines
    assert len(two.trained) > 2
    assert max(one.trained) < min(two.trained)


def wait_for(condition: Callable[[], bool], seconds: float = 300) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)

"""The same edits of the same five-step pipeline, tried on DVC, on Snakemake and on this project.

    python -m benchmarks.orchestrators WORK

Installs both tools from PyPI below WORK, each in an environment of its own, and prints two Markdown tables: which steps
each tool executed after each edit, and how long each takes when there is nothing to do (median of 5, in turn).
`benchmarks/five_steps.py` has the pipeline and what it declares.
"""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from cyclopts import run

from benchmarks.five_steps import Dvc, Ours, Project, Snakemake, install
from benchmarks.prefect_server import prefect_server
from benchmarks.timing import in_turn, markdown_table

PATIENCE_SECONDS = 600.0
LONG = 600
"""Steps of the training that is killed."""


def compare(work: Path) -> None:
    """Print both tables.

    Parameters
    ----------
    work
        Folder for environments, projects and the server's database; its `projects` folder is made anew.
    """
    work = work.resolve()
    binaries = {tool: install(tool, work / "environments" / tool) for tool in ("dvc", "snakemake")}
    shutil.rmtree(work / "projects", ignore_errors=True)
    with prefect_server(work / "prefect") as environment:
        ours = Ours(work / "projects" / "ours", environment)
        columns: list[list[str]] = [[edit(ours) for edit in EDITS.values()]]
        dvc = Dvc(work / "projects" / "dvc", os.environ, binaries["dvc"], ours.files())
        snakemake = Snakemake(work / "projects" / "snakemake", os.environ, binaries["snakemake"], ours.files())
        columns += [[edit(project) for edit in EDITS.values()] for project in (dvc, snakemake)]
        projects = (ours, dvc, snakemake)
        print(markdown_table(["edit", *(project.name for project in projects)], zip(EDITS, *columns, strict=True)))
        print("\nWith the whole package declared as a dependency of each step, after an edit of a helper module:")
        for kind, tool in ((Dvc, "dvc"), (Snakemake, "snakemake")):
            folder = work / "projects" / f"{tool}-package"
            project = kind(folder, os.environ, binaries[tool], ours.files(), whole_package=True)
            first_run(project)
            print(f"* {project.name}: {helper_module(project)}")
        print(f"\n{nothing_to_do(ours, dvc, snakemake)}")


def first_run(project: Project) -> str:
    """Everything is new."""
    return _after(project)


def nothing_changed(project: Project) -> str:
    """A second run."""
    return _after(project)


def one_setting(project: Project) -> str:
    """Another learning rate."""
    project.set("training", "learning_rate", 0.003)
    return _after(project)


def helper_module(project: Project) -> str:
    """A module that the training imports has one more line of code."""
    with (project.package / "training" / "schedule.py").open("a", encoding="utf-8") as module:
        module.write("\nREVISION = 2\n")
    return _after(project)


def deleted_file(project: Project) -> str:
    """A file that cleaning made, and others read, is gone."""
    path = project.result("clean", "train.arrow")
    with _put_right(path) as (content, _):
        path.unlink()
        steps = _after(project)
        back = path.exists() and path.read_bytes() == content
    return f"{steps}; the file {'is back' if back else 'stays gone'}"


def corrupted_file(project: Project) -> str:
    """One bit of that file is flipped in place; its size and time stay."""
    path = project.result("clean", "train.arrow")
    with _put_right(path) as (content, times):
        middle = len(content) // 2
        with path.open("r+b") as stream:
            stream.seek(middle)
            stream.write(bytes([content[middle] ^ 1]))
        os.utime(path, ns=times)
        steps = _after(project)
        whole = path.read_bytes() == content
    return f"{steps}; the file {'is whole again' if whole else 'stays damaged'}"


def killed(project: Project) -> str:
    """kill -9 of the tool while it trains; then the same command again."""
    project.set("training", "max_steps", LONG)
    process = project.start()
    _wait_for_checkpoint(project, process)
    process.kill()
    process.wait()
    survivors = _end_survivors(process.pid)
    project.executed()
    steps = _after(project)
    return ("its trainer lived on; " if survivors else "") + f"again: {steps}"


def two_at_once(project: Project) -> str:
    """Two runs started together, when training and evaluation are to be done."""
    project.set("training", "seed", 2)
    codes = [process.wait(PATIENCE_SECONDS) for process in (project.start(), project.start())]
    return f"{_listed(project)} in total; exit codes {codes[0]} and {codes[1]}"


EDITS: dict[str, Callable[[Project], str]] = {
    "first run": first_run,
    "nothing changed": nothing_changed,
    "one setting of the training": one_setting,
    "code of a helper module of the training": helper_module,
    "a file of `clean` deleted": deleted_file,
    "a file of `clean` corrupted, size and time kept": corrupted_file,
    "`kill -9` while training, then again": killed,
    "two at once": two_at_once,
}


def nothing_to_do(ours: Ours, dvc: Dvc, snakemake: Snakemake) -> str:
    """Table of how long each takes when there is nothing to do."""
    for project in (ours, dvc, snakemake):
        _after(project)
    commands = {
        "this project, `plan`": ours.timed(*ours.command[:3], "plan", "five.toml"),
        "this project, `train`": ours.timed(*ours.command),
        "`dvc status`": dvc.timed(dvc.command[0], "status"),
        "`dvc repro`": dvc.timed(*dvc.command),
        "`snakemake --dry-run`": snakemake.timed(*snakemake.command, "--dry-run"),
        "`snakemake`": snakemake.timed(*snakemake.command),
    }
    rows = [(name, f"{seconds:.2f}") for name, seconds in in_turn(commands, 5).items()]
    return markdown_table(("nothing to do", "seconds, median of 5"), rows)


@contextmanager
def _put_right(path: Path) -> Iterator[tuple[bytes, tuple[int, int]]]:
    """Give a file its content and its times back where the tool did not, so that the next edit starts from order."""
    content, status = path.read_bytes(), path.stat()
    times = (status.st_atime_ns, status.st_mtime_ns)
    yield content, times
    if not path.exists() or path.read_bytes() != content:
        with path.open("r+b" if path.exists() else "wb") as stream:
            stream.write(content)
        os.utime(path, ns=times)


def _after(project: Project) -> str:
    """Run the tool; which steps it executed, and what a person had to do beside."""
    code = project.start().wait(PATIENCE_SECONDS)
    given = 0
    for cure in project.cures:
        if code:
            project.timed(*cure).run()
            given += 1
            code = project.start().wait(PATIENCE_SECONDS)
    by_hand = f" (commands given by hand before: {given})" if given else ""
    return _listed(project) + by_hand + (f" (exit code {code})" if code else "")


def _listed(project: Project) -> str:
    return ", ".join(project.executed()) or "none"


def _wait_for_checkpoint(project: Project, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not list(project.checkpoints.glob("*/checkpoint.pt")):
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"{project.name} made no checkpoint: {project.outputs()}")
        time.sleep(0.02)


def _end_survivors(group: int) -> bool:
    """Whether processes of a killed one's group still ran two seconds later; they are ended."""
    time.sleep(2)
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


if __name__ == "__main__":
    run(compare)

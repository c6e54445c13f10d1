"""`python -m flows workspace size` and `prune`: import neither Prefect nor PyTorch."""

import time
from collections import Counter
from collections.abc import Iterator
from typing import Annotated

from cyclopts import App, Parameter
from cyclopts.validators import Number

from flows.commands.options import DEFAULT_WORKSPACE, LockServer, WorkspacePath, with_locks
from seq2seq.errors import UserError
from seq2seq.storage.artifacts import Workspace
from seq2seq.storage.disk import in_units
from seq2seq.workspace.pruning import PruneReport, prune, sizes
from tasks.locking import locks_for
from tasks.locks import FileLocks

app = App(name="workspace", help="Say what the workspace holds, and remove what is not needed.", version_flags=[])

KeepDays = Annotated[
    float,
    Parameter(name="--keep-days", negative="", validator=Number(gte=0), help="Keep what was used in the last N days."),
]
MaxGib = Annotated[
    float | None,
    Parameter(
        name="--max-gib",
        negative="",
        validator=Number(gte=0),
        help="Then remove the longest unused until at most N GiB are left.",
    ),
]
DryRun = Annotated[bool, Parameter(name="--dry-run", negative="", help="Say what would go, and change nothing.")]


@app.command(name="size")
def size(*, workspace: WorkspacePath = DEFAULT_WORKSPACE, keep_days: KeepDays = 30.0) -> None:
    """Say how many bytes each kind of thing takes, and what pruning would remove. Writes nothing."""
    if not workspace.exists():
        raise UserError(f"There is no workspace {workspace}.")
    place = Workspace(workspace)
    found = sizes(place)
    for kind, (entries, count) in found.items():
        print(f"{kind:<22} {entries:>7,} {in_units(count):>12}")
    print(f"{'total':<22} {'':>7} {in_units(sum(count for _, count in found.values())):>12}")
    report = prune(place, keep_days, None, FileLocks(place.locks), dry_run=True)
    print(f"`workspace prune --keep-days {keep_days:g}` would free {in_units(report.bytes_removed)}.")


@app.command(name="prune")
def remove_unused(
    *,
    workspace: WorkspacePath = DEFAULT_WORKSPACE,
    keep_days: KeepDays = 30.0,
    max_gib: MaxGib = None,
    dry_run: DryRun = False,
    locks: LockServer = "",
) -> None:
    """Remove what was not used for some days; never what a champion, an earlier one or a running flow needs.

    What goes is made again when it is asked for. Model folders, reports and lock files stay.
    """
    place = Workspace(workspace)
    runtime = with_locks(locks)
    unused = FileLocks(place.locks)  # a dry run takes none, and makes no name for those of a Redis server
    report = prune(place, keep_days, max_gib, unused if dry_run else locks_for(place, runtime), dry_run)
    for line in describe(report, place, dry_run):
        print(line)


def describe(report: PruneReport, workspace: Workspace, dry_run: bool) -> Iterator[str]:
    """What goes, what stays because of what, and how much that makes."""
    for thing in report.removed:
        day = time.strftime("%Y-%m-%d", time.localtime(thing.used))
        what = f"{thing.record.digest[:12]}" if thing.record else thing.path.relative_to(workspace.root)
        verb = "would remove" if dry_run else "removed"
        yield f"{verb}  {thing.kind:<10} {what}  {in_units(thing.bytes)}  last used {day}"
    for reason, things in report.kept.items():
        counts = Counter(thing.kind for thing in things)
        if things:
            yield f"kept for {reason}: {', '.join(f'{count} {kind}' for kind, count in counts.items())}"
    verb = "would free" if dry_run else "freed"
    yield f"{verb} {in_units(report.bytes_removed)} of {in_units(report.bytes_before)}"
    if report.too_big:
        yield (
            f"{in_units(report.bytes_after)} are more than {in_units(int(report.max_bytes or 0))}: the rest is needed, "
            "or is no artifact (`workspace size` says what it is)."
        )

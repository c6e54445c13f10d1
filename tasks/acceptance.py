"""Accepting: a change of code or of a library does not matter, so the present result counts under the new key."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from seq2seq.config import Config
from seq2seq.errors import ArtifactDamaged, UserError, did_you_mean
from seq2seq.storage.artifacts import Acceptance, Record, Workspace, digest_of
from seq2seq.storage.disk import writing
from seq2seq.workspace.planning import COMPARED_RECORDS, Change, PlannedStep, changes, plan
from tasks import presence
from tasks.locking import locks_for


def accept(
    step: str,
    config: Config,
    workspace: Workspace,
    by: str,
    why: str,
    continue_from: Path | None = None,
    on_wait: Callable[[str], None] = lambda key: None,
) -> Record | None:
    """Let the present result of a step count for this configuration and the code as it is; None when it does already.

    The present result is the one last used among those that differ from what is wanted in code and libraries only, and
    in settings that they knew nothing of and that have their default now.
    Waits while a run does the step, after calling `on_wait` with the lock's key. Raises UserError when there is no
    such result, when its artifact is damaged, and when a step before this one has to be done first.
    """
    wanted = _planned(step, config, workspace, continue_from)
    key = digest_of(wanted.ingredients)
    lock = locks_for(workspace, config.runtime, on_wait).held(f"{step}/{key}.json")
    with writing("the acceptance", workspace.root), presence.present(workspace), lock:
        if _planned(step, config, workspace, continue_from).answer == "fresh":  # perhaps since the lock was free
            return None
        present, differences = _present(wanted, workspace)
        try:
            workspace.claim(present)
        except ArtifactDamaged as damage:
            raise UserError(f"{damage}. A damaged result cannot be accepted: a run makes it anew.") from None
        acceptance = Acceptance(
            by=by,
            at=datetime.now(UTC).isoformat(timespec="seconds"),
            why=why,
            from_key=present.key,
            changes=tuple(map(str, differences)),
        )
        provenance = dict(wanted.ingredients)
        accepted = present.model_copy(update={"key": key, "provenance": provenance, "accepted": acceptance})
        workspace.restate(present, accepted)
    return accepted


def _planned(name: str, config: Config, workspace: Workspace, continue_from: Path | None) -> PlannedStep:
    """What a run would do with that step; UserError when that is not known yet."""
    planned = {step.name: step for step in plan(config, workspace, continue_from)}
    if name not in planned:
        raise UserError(f"{name} is no step of this run.{did_you_mean(name, planned)} Steps: {', '.join(planned)}.")
    if planned[name].answer == "depends":
        first = next(step for step in planned.values() if step.answer == "stale")
        raise UserError(f"{planned[name]}. Accept or redo {first.name} first ({first}).")
    return planned[name]


def _present(wanted: PlannedStep, workspace: Workspace) -> tuple[Record, list[Change]]:
    """The record that can stand for what is wanted, and in what it differs."""
    records = workspace.records(wanted.name, COMPARED_RECORDS)
    if not records:
        raise UserError(f"There is nothing to accept: {wanted.name} was never done in {workspace.root}.")
    compared = [(record, changes(record.provenance, wanted.ingredients)) for record in records]
    for record, differences in compared:
        if not any(change.shapes_result for change in differences):
            return record, differences
    nearest = min((differences for _, differences in compared), key=len)
    what = ", ".join(str(change) for change in nearest if change.shapes_result)
    raise UserError(
        f"{wanted.name} cannot be accepted: {what}. Settings and inputs shape the result, so a run has to make it; "
        "what can be accepted is a change of code or of a library's version, and a new setting that has its default."
    )

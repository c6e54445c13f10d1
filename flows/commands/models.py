"""`python -m flows models list`, `promote` and `rollback`: import neither Prefect nor PyTorch.

Prefect is imported only to tell its server of a change of champion, where one may be configured.
"""

import sys
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, suppress
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import App, Parameter

from flows.commands.options import DEFAULT_WORKSPACE, LockServer, WorkspacePath, with_locks
from flows.connection import configured_address
from flows.login import login
from flows.tables import Cell, bleu_with_interval, local_time, show_table, test_set_with_pairs
from seq2seq.config import Config, validate_config
from seq2seq.errors import ConfigError, ModelError, UserError, did_you_mean
from seq2seq.registry.adoption import made_with
from seq2seq.registry.champions import WAY_OUT, Decision, Shelf, champion_of, model_digest, resolve
from seq2seq.registry.model_folder import check_model
from seq2seq.registry.sharing import CARD, PIPELINE, SCORES, pipeline_json
from seq2seq.storage.artifacts import Workspace
from seq2seq.storage.disk import writing
from seq2seq.workspace.inventory import Entry, Evaluation, entries, evaluations, files_and_problem
from seq2seq.workspace.runs import all_runs
from tasks.locking import locks_for

app = App(name="models", help="The models of each language pair, and which of them is in use.", version_flags=[])

Why = Annotated[str, Parameter(help="The reason, for the history.")]


@app.command(name="list")
def list_models(*, workspace: WorkspacePath = DEFAULT_WORKSPACE) -> None:
    """Show the models of each language pair: the champion (*), those before it, and what was trained last."""
    shelves = [Shelf(folder) for folder in _pairs(workspace)]
    if not shelves:
        print(f"There is no model in {workspace / 'models'} yet: `python -m flows train` makes one.")
    found = evaluations(Workspace(workspace))
    problems = [problem for shelf in shelves if (problem := _show(shelf, found))]
    if problems:
        raise ModelError("\n".join(problems))


@app.command
def promote(
    pair: str,
    model: str,
    /,
    *,
    why: Why = "",
    workspace: WorkspacePath = DEFAULT_WORKSPACE,
    locks: LockServer = "",
) -> None:
    """Make a model the champion of its language pair, by hand.

    Parameters
    ----------
    pair
        Source and target language, as in models/ko-en.
    model
        Name or version of a model of that pair (see `models list`), or a model folder.
    """
    shelf = Shelf(workspace / "models" / pair) if Path(model).is_dir() else _shelf(workspace, pair)
    folder = _model(shelf, model)
    with writing("the decision", workspace), _changing(Workspace(workspace), locks, shelf):
        digest = model_digest(folder)
        config = None if (folder / PIPELINE).is_file() else _config_of_run(workspace, digest)
        name = config.name if config else str(made_with(folder).get("name", folder.name))
        texts = _texts(folder) | ({PIPELINE: pipeline_json(config)} if config else {})
        decision = _decision(shelf, "promoted", digest, name, why)
        changed = shelf.promote(folder, texts, decision)
    if changed:
        _tell(shelf, decision)
    else:
        print(f"{name} ({decision.model[:12]}) is the champion of {pair} already.")


@app.command
def rollback(
    pair: str,
    /,
    *,
    why: Why = "",
    workspace: WorkspacePath = DEFAULT_WORKSPACE,
    locks: LockServer = "",
) -> None:
    """Go back to the champion before. The history keeps both.

    Parameters
    ----------
    pair
        Source and target language, as in models/ko-en.
    """
    shelf = _shelf(workspace, pair)
    with writing("the decision", workspace), _changing(Workspace(workspace), locks, shelf):
        earlier = _last_in_order(shelf)
        decision = _decision(shelf, "rolled_back", earlier.model, earlier.name, why)
        shelf.record(decision)
    _tell(shelf, decision)


def _pairs(workspace: Path) -> list[Path]:
    return sorted(folder for folder in (workspace / "models").glob("[!.]*") if folder.is_dir())


def _shelf(workspace: Path, pair: str) -> Shelf:
    known = {folder.name: folder for folder in _pairs(workspace)}
    if pair not in known:
        raise UserError(
            f"There is no language pair {pair} in {workspace / 'models'}: "
            + (
                f"there {'is' if len(known) == 1 else 'are'} {', '.join(known)}."
                if known
                else "nothing is trained yet."
            )
        )
    return Shelf(known[pair])


def _changing(workspace: Workspace, locks: str, shelf: Shelf) -> AbstractContextManager[None]:
    """The lock under which a pair's champion changes."""

    def say_so(key: str) -> None:
        print("another promotion is going on; waiting for its end", file=sys.stderr)

    return locks_for(workspace, with_locks(locks), say_so).held(f"models/{shelf.folder.name}/champion")


def _model(shelf: Shelf, wanted: str) -> Path:
    """The folder that a person means. Raises ModelError when there is none, and for one of another pair."""
    places = (shelf.folder / wanted, shelf.folder_of(wanted), Path(wanted))
    found = next((place for place in places if place.is_dir()), None)
    if found is None:
        names = [folder.name for folder in shelf.delivered()]
        raise ModelError(
            f"{wanted} is neither a model of {shelf.folder.name} nor a model folder.{did_you_mean(wanted, names)} "
            f"Models of {shelf.folder.name}: {', '.join(names) or 'none'}; `models list` shows its versions too."
        )
    folder = resolve(found)
    config = check_model(folder)
    pair = f"{config.source_language}-{config.target_language}"
    if pair != shelf.folder.name:
        raise ModelError(
            f"{folder} translates {config.source_language} to {config.target_language}, so it cannot be the champion "
            f"of {shelf.folder.name}: promote it for {pair}, or name a model of {shelf.folder.name}."
        )
    return folder


def _texts(folder: Path) -> dict[str, str]:
    """What lies beside a model and goes with it."""
    present = (name for name in (CARD, PIPELINE, SCORES) if (folder / name).is_file())
    return {name: (folder / name).read_text(encoding="utf-8") for name in present}


def _config_of_run(workspace: Path, model: str) -> Config | None:
    """The configuration of the last run that trained a model: an artifact of the workspace does not hold it."""
    for run in all_runs(workspace):
        if run.config and any(step["name"] == "train" and step["digest"] == model for step in run.steps):
            with suppress(ConfigError):  # of a version with other settings
                return validate_config(run.config)
    return None


def _decision(shelf: Shelf, action: Literal["promoted", "rolled_back"], model: str, name: str, why: str) -> Decision:
    champion = shelf.champion()
    against = champion.model if champion else ""
    return Decision(action=action, model=model, name=name, by=login(), why=why, against=against)


def _last_in_order(shelf: Shelf) -> Decision:
    """The last champion before the present one that is another model, and whose folder is in order."""
    champion = shelf.champion()
    for decision in shelf.champions_before():
        if champion and decision.model == champion.model:
            continue
        _, problem = files_and_problem(shelf.folder_of(decision.model))
        if not problem:
            return decision
        print(f"skipped: {decision.name} ({decision.model[:12]}), its folder is {problem}", file=sys.stderr)
    raise ModelError(
        f"{shelf.folder.name} has no champion to go back to. `models list` shows what there is, and "
        f"`models promote {shelf.folder.name} MODEL` names a champion."
    )


def _tell(shelf: Shelf, decision: Decision) -> None:
    """Say what changed: to the person, and as an event to whoever waits for one."""
    pair, again = shelf.folder.name, "again" if decision.action == "rolled_back" else "now"
    instead = f", instead of {decision.against[:12]}" if decision.against else ""
    print(f"{decision.name} ({decision.model[:12]}) is the champion of {pair} {again}{instead}.")
    server = "Prefect's server"
    try:
        server = configured_address()
        if not server:
            print("No event was sent: neither PREFECT_API_URL nor a profile names a Prefect server.")
            return
        from prefect.client.orchestration import get_client
        from prefect.events import Event

        event = Event(
            event=f"seq2seq.model.{decision.action}",
            resource={"prefect.resource.id": f"seq2seq.model.{pair}"},
            payload=decision.model_dump(mode="json"),
        )
        with get_client(sync_client=True) as client:
            client.request("POST", "/events", json=[event.model_dump(mode="json")])
    except Exception as error:  # the champion is changed, whatever the server or Prefect's settings say
        print(f"The event could not be sent to {server}: {error}", file=sys.stderr)
    else:
        print(f"Event {event.event} sent to {server}.")


HEADER = ("", "model", "version", "state", "BLEU", "test set (pairs)", "when", "by")


def _show(shelf: Shelf, found: Sequence[Evaluation]) -> str:
    """Print a pair's models; gives what is wrong with its history."""
    print(shelf.folder.name)
    problem, history = "", list[Decision]()
    try:
        history = shelf.history()
    except ModelError as error:
        problem = str(error)
    listed = entries(shelf, history, found)
    show_table(map(_row, listed), HEADER, whole=(0, 1, 2))
    if any(entry.state == "champion" and entry.problem for entry in listed):
        print(f"   The champion cannot be loaded. {WAY_OUT}")
    print("".join(f"   {_told(decision)}\n" for decision in _present(history)))
    return problem


def _row(entry: Entry) -> tuple[Cell, ...]:
    return (
        "*" if entry.state == "champion" else "",
        entry.name,
        entry.digest[:12],
        ", ".join(filter(None, (entry.state, entry.problem))),
        bleu_with_interval(entry.scores),
        test_set_with_pairs(entry.scores),
        local_time(entry.at),
        entry.by,
    )


def _present(history: Sequence[Decision]) -> Iterator[Decision]:
    """The decision that the champion is in use by, and the last refusal of another since."""
    champion = champion_of(history)
    if history and history[-1] is not champion:
        yield history[-1]
    if champion:
        yield champion


def _told(decision: Decision) -> str:
    when = local_time(datetime.fromisoformat(decision.at))
    done = decision.action.replace("_", " ")
    return f"{done} {when}: {decision.name} {decision.model[:12]}" + (f": {decision.why}" if decision.why else "")

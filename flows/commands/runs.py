"""`python -m flows runs list`, `show` and `compare`: import neither Prefect nor PyTorch."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Annotated, Any

from cyclopts import App, Parameter
from cyclopts.validators import Number

from flows import console
from flows.commands.options import DEFAULT_WORKSPACE, WorkspacePath
from flows.tables import Cell, bleu_with_interval, local_time, show_table, test_set_with_pairs
from seq2seq.errors import UserError
from seq2seq.storage.differences import as_setting, differences
from seq2seq.workspace import runs
from seq2seq.workspace.runs import Run, all_runs, find_run

app = App(name="runs", help="What runs did, and how two of them differ.", version_flags=[])

Limit = Annotated[int, Parameter(validator=Number(gte=0), help="Show the newest N runs; 0: all.")]

SCORES: dict[str, Callable[[Run], Cell]] = {
    "BLEU": lambda run: bleu_with_interval(run.scores),
    "lower-cased BLEU": lambda run: _number(run.scores.get("bleu_lowercased"), ".1f"),
    "chrF": lambda run: _number(run.scores.get("chrf"), ".1f"),
    "TER (lower is better)": lambda run: _number(run.scores.get("ter"), ".1f"),
    "length ratio": lambda run: _number(run.scores.get("length_ratio"), ".3f"),
    "test set": lambda run: run.scores.get("test"),
    "test pairs": lambda run: _number(run.scores.get("test_pairs"), ",d"),
}
TRAINING: dict[str, Callable[[Run], Cell]] = {
    "parameters": lambda run: _number(run.training.get("parameters"), ",d"),
    "steps": lambda run: _number(run.training.get("steps"), ",d"),
    "best step": lambda run: _number(run.training.get("best_step"), ",d"),
    "epochs": lambda run: _number(run.training.get("epochs"), ".1f"),
    "ended by": lambda run: run.training.get("stopped_by"),
    "minutes": lambda run: _number(run.training_minutes, ".1f"),
    "device": lambda run: run.training.get("device"),
    "precision": lambda run: run.training.get("precision"),
    "threads": lambda run: _number(run.training.get("threads"), ",d"),
    "processes": lambda run: _number(run.training.get("processes"), ",d"),
    "target tokens/s": lambda run: _number(run.training.get("target_tokens_per_second"), ",.0f"),
    "validation BLEU, greedy": lambda run: _number(run.training.get("valid_bleu"), ".1f"),
    "validation nats/token": lambda run: _number(run.training.get("valid_nats_per_token"), ".3f"),
}
WHOLE: dict[str, Callable[[Run], Cell]] = {
    "flow": lambda run: run.report.get("flow"),
    "started": lambda run: local_time(run.started),
    "seconds": lambda run: _number(run.report.get("seconds"), ",.1f"),
    "peak memory, MiB": lambda run: _number(run.report.get("peak_memory_mib"), ",.0f"),
}
FIGURES = {"scores": SCORES, "training": TRAINING, "run": WHOLE}


@app.command(name="list")
def list_runs(*, limit: Limit = 20, workspace: WorkspacePath = DEFAULT_WORKSPACE) -> None:
    """Show the runs of a workspace, the newest first: how long each took, what it did, how good its model is."""
    found = all_runs(workspace)
    if not found:
        print(f"There is no run in {workspace / 'runs'} yet: `python -m flows train` makes one.")
        return
    shown = found[:limit] if limit else found
    header = ("run", "flow", "seconds", "done", "cached", "valid", "BLEU", "test set (pairs)")
    show_table(map(_row, shown), header, numbers=(2, 3, 4, 5))
    if len(shown) < len(found):
        print(f"and {len(found) - len(shown):,} older; --limit 0 shows all")


@app.command
def show(run: str, /, *, workspace: WorkspacePath = DEFAULT_WORKSPACE) -> None:
    """Show everything about one run.

    Parameters
    ----------
    run
        Name of a run (see `runs list`) or the beginning of it, name of its configuration (the newest run), path of its
        folder, or `last`.
    """
    found = find_run(workspace, run)
    print(found.name)
    show_table(_figures((found,), WHOLE))
    print("\nsteps")
    show_table(map(_step, found.steps), ("step", "", "seconds", "key", "result"), numbers=(2,))
    print("\nscores")
    show_table(_figures((found,), SCORES))
    print(f"signature {found.scores.get('signature')}")
    training = list(_figures((found,), TRAINING))
    if any(cell is not None for _, cell in training):
        print("\ntraining")
        show_table(training)
    _show_settings(found)
    _show_decision(found)
    _show_examples(found)
    print(f"model: {found.report.get('model_dir')}")
    with suppress(UserError):  # they are gone, as was said
        print(f"translations: {found.translations().resolve()}")


@app.command
def compare(a: str, b: str, /, *, workspace: WorkspacePath = DEFAULT_WORKSPACE) -> None:
    """Show how two runs differ: settings, scores with significance, figures of the training.

    Parameters
    ----------
    a
        Name of a run (see `runs list`) or the beginning of it, name of its configuration (the newest run), path of its
        folder, or `last`.
    b
        The other run, told against `a`.
    """
    old, new = (find_run(workspace, wanted) for wanted in (a, b))
    sections = (
        ("settings that differ", _different_settings(old, new)),
        *((title, _figures((old, new), figures)) for title, figures in FIGURES.items()),
    )
    rows = [row for title, content in sections for row in ((), (title,), *content)]
    show_table([("", "A", "B"), ("", old.name, new.name), *rows])
    print(f"\n{_steps_in_common(old, new)}\n{_significance(old, new)}")


def _row(run: Run) -> tuple[Cell, ...]:
    if not run.report:
        return (run.name, "unreadable report.json", *[None] * 6)
    cached = sum(step["cached"] for step in run.steps)
    return (
        run.name,
        _flow(run),
        _number(run.report.get("seconds"), ",.1f"),
        str(len(run.steps) - cached),
        str(cached),
        _number(run.training.get("valid_bleu"), ".1f"),
        bleu_with_interval(run.scores),
        test_set_with_pairs(run.scores),
    )


def _flow(run: Run) -> str | None:
    """`train`, `evaluate`; of a retraining also what was decided."""
    flow, decision = run.report.get("flow"), run.report.get("decision")
    short = flow.removesuffix("-translator") if flow else None
    return f"{short}: {decision['action']}" if decision else short


def _step(step: Mapping[str, Any]) -> tuple[Cell, ...]:
    done = "cached" if step["cached"] else "done"
    return step["name"], done, f"{step['seconds']:,.1f}", step["key"][:12], step["digest"][:12]


def _figures(found: tuple[Run, ...], figures: Mapping[str, Callable[[Run], Cell]]) -> Iterator[tuple[Cell, ...]]:
    return ((title, *(figure(run) for run in found)) for title, figure in figures.items())


def _number(value: float | None, form: str) -> Cell:
    return None if value is None else format(value, form)


def _setting(value: Any) -> Cell:
    return None if value is None else as_setting(value)


def _show_settings(run: Run) -> None:
    if run.config is None:
        print("\nsettings: unknown, the run has no config.json")
        return
    words, start = runs.starting_point(run.config)
    changed = differences(start, run.config, levels=2)
    print(f"\nsettings that differ from {words}" if changed else f"\nsettings: those of {words}")
    show_table([(".".join(place), f"{_setting(old)} -> {_setting(new)}") for place, old, new in changed])


def _show_decision(run: Run) -> None:
    if decision := run.report.get("decision"):
        print(f"\n{decision['action']}: {decision['why']}")


def _show_examples(run: Run) -> None:
    print("\ntranslations")
    if run.evaluation is None:
        print("  gone from the workspace; the same command as then makes them again\n")
        return
    print("\n".join(console.translations(run.evaluation.statistics.get("examples", ()))))


def _different_settings(old: Run, new: Run) -> list[tuple[Cell, ...]]:
    if old.config is None or new.config is None:
        return [("unknown", *("no config.json" if run.config is None else "" for run in (old, new)))]
    changed = differences(old.config, new.config, levels=2)
    return [(".".join(place), _setting(a), _setting(b)) for place, a, b in changed] or [("none",)]


def _steps_in_common(old: Run, new: Run) -> str:
    """Steps with one result in both, and steps with another."""
    before, after = ({step["name"]: step["digest"] for step in run.steps} for run in (old, new))
    both = [name for name in before if name in after]
    same = [name for name in both if before[name] == after[name]]
    different = [name for name in both if name not in same]
    return f"same results: {', '.join(same) or 'none'}; different: {', '.join(different) or 'none'}"


def _significance(old: Run, new: Run) -> str:
    try:
        found = runs.significance(old, new)
    except UserError as reason:
        return f"significance: not computed. {reason}"
    low, high = found["difference_interval"]
    return (
        f"B against A: BLEU {found['difference']:+.1f}, 95 % interval {low:+.1f} to {high:+.1f}, "
        f"p = {found['p_value']:.3g} (paired bootstrap, {found['samples']:,} samples)\n"
        f"sentences: {found['better']:,} better, {found['worse']:,} worse, {found['equal']:,} equal\n"
        f"signature: {found['signature']}"
    )

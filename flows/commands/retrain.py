"""`python -m flows retrain`: what the schedule does, by hand."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter
from cyclopts.validators import Number

from flows import console
from flows.commands.options import DEFAULT_WORKSPACE, ConfigName, Settings, WorkspacePath
from seq2seq.config import load_config

KeepDays = Annotated[
    float,
    Parameter(
        validator=Number(gte=0),
        help="At the end, remove what was unused for this many days and no past or present champion needs.",
    ),
]
NoPrune = Annotated[bool, Parameter(name="--no-prune", negative="", help="Remove nothing.")]


def retrain(
    config: ConfigName,
    /,
    *,
    settings: Settings | None = None,
    workspace: WorkspacePath = DEFAULT_WORKSPACE,
    keep_days: KeepDays = 30,
    no_prune: NoPrune = False,
) -> None:
    """Train on the data as it is now, compare with the model in use, and promote the better one."""
    checked = load_config(config, settings or [])
    with console.prefect_in_the_background():
        from flows.retrain_translator import retrain_translator

        report = retrain_translator(checked, str(workspace), keep_days, not no_prune)
    show(Path(report))


def show(path: Path) -> None:
    """Print the comparison and the decision; the last line names the report, for people and for scripts."""
    report = json.loads(path.read_text(encoding="utf-8"))
    decision = report["decision"]
    if decision.get("comparison"):
        print(comparison(decision["comparison"]))
    print(f"\n{decision['action']}: {decision['why']}\nin use: {report['model_dir']}\nreport: {path}")


def comparison(found: Mapping[str, Any]) -> str:
    """Both scores, their difference with its interval, and how many sentences got better."""
    low, high = found["difference_interval"]
    return (
        f"\nchallenger  BLEU {found['challenger']['bleu']:5.1f}\n"
        f"champion    BLEU {found['champion']['bleu']:5.1f}   on the same {found['test_pairs']:,} test pairs\n"
        f"difference       {found['difference']:+5.1f}   95 % interval {low:+.1f} to {high:+.1f}, "
        f"p = {found['p_value']:.3f} (paired bootstrap, {found['samples']:,} samples)\n"
        f"sentences   {found['better']:,} better, {found['worse']:,} worse, {found['equal']:,} equal\n"
        f"signature   {found['signature']}"
    )

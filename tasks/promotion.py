"""From data to a decision: the challenger's training, task `compare`, and the promotion itself."""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prefect.events import emit_event
from prefect.logging import get_run_logger

from seq2seq.config import Config
from seq2seq.errors import ArtifactDamaged, ModelError
from seq2seq.pipeline import CONTINUED, STEPS, ingredients
from seq2seq.registry.champions import Decision, Shelf, taken_back
from seq2seq.registry.comparison import COMPARE, judge
from seq2seq.registry.inheritance import check_held_out, obstacles
from seq2seq.registry.model_card import card
from seq2seq.registry.model_folder import check_model
from seq2seq.registry.retraining import rules, scored_on, settled, siblings
from seq2seq.registry.sharing import CARD, PIPELINE, SCORES, pipeline_json, scores_json
from seq2seq.settings.evaluation import EvaluationSettings
from seq2seq.storage.artifacts import Record, Workspace
from seq2seq.workspace.inventory import files_and_problem
from tasks.adoption import adopt
from tasks.evaluation import evaluate
from tasks.locking import locks_for
from tasks.reporting import say
from tasks.step import PipelineRun, Work, cached_step, current_run
from tasks.training import train
from tasks.ui import show_comparison

UNCHANGED = "unchanged"
BY = "retrain"


@dataclass(frozen=True)
class Outcome:
    """What a retraining came to."""

    scores: Record
    """Those of the challenger."""
    decision: dict[str, Any]
    """A `Decision` as JSON values; the action `unchanged`, which no history holds, says that there was none to take."""
    champion: Path
    """Folder of the model that is in use now."""


@cached_step(COMPARE)
def compare(work: Work, evaluation: EvaluationSettings, champion: Record, challenger: Record) -> Record:
    """Compare two scored models on their common test set."""
    return work()


def shelf_of(workspace: Workspace, config: Config) -> Shelf:
    """The champion and its predecessors for the configuration's language pair."""
    return Shelf(workspace.models(config.corpus.source_language, config.corpus.target_language))


def champion_to_start_from() -> Record | None:
    """The champion, if `promotion.warm_start` asks for its weights and the configuration fits them.

    Raises ConfigError where it could not be compared: it has learned from what is held out now.
    """
    run = current_run()
    shelf = shelf_of(run.workspace, run.config)
    if shelf.champion() is None:
        return None
    if run.config.corpus.held_out():
        check_held_out(shelf.champion_folder(), run.config.corpus)
    if not run.config.promotion.warm_start:
        return None
    folder = shelf.champion_folder()
    differences = list(obstacles(folder, run.config))
    if differences:
        say(f"warm start: not from the champion {folder.name}: {'; '.join(differences)}. Training from scratch")
        return None
    return adopt(folder)


def train_challenger(encoded: Record, vocabulary: Record, cleaned: Record, parent: Record | None) -> Record:
    """Train on the data as it is now, from the weights of `parent` where one is given; see `champion_to_start_from`."""
    run = current_run()
    given = (run.config.model, run.config.training, encoded, vocabulary, cleaned)
    if parent is None:
        return train(*given)
    inputs = {"encode": encoded, "vocabulary": vocabulary, "clean": cleaned, "parent": parent}
    known = _known(run, shelf_of(run.workspace, run.config), inputs)
    if known is not None:
        return known
    say(f"warm start: from the weights of the champion {parent.digest[:12]}")
    return train(*given, parent)


def _known(run: PipelineRun, shelf: Shelf, inputs: dict[str, Record]) -> Record | None:
    """The training behind a champion (the present one, or one that was rolled back) if it had these very inputs."""
    decided = {decision.model for decision in [shelf.champion()] if decision} | taken_back(shelf.history())
    sections = {name: run.config.section(name) for name in CONTINUED.sections}
    variants = [ingredients(step, sections, inputs) for step in (CONTINUED, STEPS["train"])]
    for record in siblings(run.workspace, variants):
        if record.digest in decided and _intact(run, record):
            run.note(record, cached=True, seconds=0.0, why="")
            return record
    return None


def _intact(run: PipelineRun, record: Record) -> bool:
    try:
        run.verify(record)
    except ArtifactDamaged:
        return False
    return True


def decide(challenger: Record, cleaned: Record) -> Outcome:
    """Score the challenger, compare it with the champion, and promote or refuse it: at most once, whoever else tries.

    Everything up to the decision is cached; the decision is one atomic write, under the pair's lock and only if
    nobody decided since the comparison. So a run killed before that write is finished by the next one, and after it
    there is nothing left to decide. Raises ModelError when the champion's folder is not in order.
    """
    run = current_run()
    shelf, test = shelf_of(run.workspace, run.config), scored_on(cleaned, run.config.evaluation)
    while True:
        history = shelf.history()
        why = settled(history, challenger.digest, test, run.config.promotion)
        if why:
            get_run_logger().info(why)  # the command line shows it as the decision
            scores = evaluate(run.config.evaluation, challenger, cleaned)
            told = {"action": UNCHANGED, "model": challenger.digest, "name": run.config.name, "why": why}
            return Outcome(scores, told, _intact_champion(run, shelf, challenger, scores))
        scores, decision = _propose(run, shelf, challenger, cleaned, test)
        if _carry_out(run, shelf, challenger, scores, decision, history):
            _announce(shelf, decision)
            return Outcome(scores, decision.model_dump(mode="json"), shelf.champion_folder())


def _propose(run: PipelineRun, shelf: Shelf, challenger: Record, cleaned: Record, test: str) -> tuple[Record, Decision]:
    """The challenger's scores, and the decision that they call for."""
    evaluation, promotion, champion = run.config.evaluation, run.config.promotion, shelf.champion()
    if champion is None:
        scores = evaluate(evaluation, challenger, cleaned)
        why = f"the first model of {shelf.folder.name}"
        return scores, _decision(run, challenger, action="promoted", why=why, test=test)
    in_use = _champion(shelf, challenger)
    with run.of_the("champion"):
        before = evaluate(evaluation, in_use, cleaned)
    with run.of_the("challenger"):
        scores = evaluate(evaluation, challenger, cleaned)
    comparison = compare(evaluation, before, scores).statistics
    better, why = judge(comparison, promotion)
    return scores, _decision(
        run,
        challenger,
        action="promoted" if better else "refused",
        why=why,
        against=champion.model,
        test=test,
        comparison={**comparison, **rules(promotion)},
    )


def _decision(run: PipelineRun, challenger: Record, **values: Any) -> Decision:
    return Decision(model=challenger.digest, name=run.config.name, by=BY, **values)


def _champion(shelf: Shelf, challenger: Record) -> Record:
    try:
        return adopt(shelf.champion_folder())
    except ModelError as error:
        raise ModelError(
            f"{error} The challenger {challenger.digest[:12]} is trained and kept: the next run compares it."
        ) from None


def _champion_lock(run: PipelineRun, shelf: Shelf) -> AbstractContextManager[None]:
    return locks_for(run.workspace, run.config.runtime).held(f"models/{shelf.folder.name}/champion")


def _carry_out(
    run: PipelineRun, shelf: Shelf, challenger: Record, scores: Record, decision: Decision, history: list[Decision]
) -> bool:
    """Write the decision down, the promoted model's folder first; False if the history is another one meanwhile."""
    with _champion_lock(run, shelf):
        if shelf.history() != history:
            return False
        if decision.action == "refused":
            shelf.record(decision)
            return True
        shelf.promote(run.workspace.root / challenger.address, _texts(run, scores), decision)
        return True


def _texts(run: PipelineRun, scores: Record) -> dict[str, str]:
    """What lies beside a promoted model."""
    statistics = {name: record.statistics for name, record in (run.records | {"evaluate": scores}).items()}
    return {
        CARD: card(run.config, statistics),
        PIPELINE: pipeline_json(run.config),
        SCORES: scores_json(run.config, scores.statistics),
    }


def _intact_champion(run: PipelineRun, shelf: Shelf, challenger: Record, scores: Record) -> Path:
    """The champion's folder, every byte of it read; copied again where it is not in order and the challenger is it."""
    champion = shelf.champion()
    if champion is None or champion.model != challenger.digest:
        folder = shelf.champion_folder()
        check_model(folder)
        return folder
    folder = shelf.folder_of(champion.model)
    _, problem = files_and_problem(folder)
    if problem:
        say(f"the champion's folder {folder} is {problem}: it is copied again from what its training made")
        with _champion_lock(run, shelf):
            shelf.keep(run.workspace.root / challenger.address, _texts(run, scores), challenger.digest)
    return folder


def _announce(shelf: Shelf, decision: Decision) -> None:
    """Tell the person, the UI, and whoever waits for the event."""
    payload = decision.model_dump(mode="json")
    emit_event(
        f"seq2seq.model.{decision.action}",
        resource={"prefect.resource.id": f"seq2seq.model.{shelf.folder.name}"},
        payload=payload,
    )
    say(f"{decision.action}: {decision.name} {decision.model[:12]}, {decision.why}")
    if decision.comparison:
        show_comparison(decision.comparison, payload)

"""The flow that scores a finished model on a test set."""

from pathlib import Path
from typing import Literal

from seq2seq.config import Config
from seq2seq.registry.champions import resolve
from seq2seq.registry.inheritance import check_held_out
from seq2seq.storage.artifacts import Workspace
from tasks.adoption import adopt
from tasks.corpus import clean, fetch
from tasks.delivery import report
from tasks.evaluation import evaluate
from tasks.flow import translation_flow
from tasks.step import pipeline_run
from tasks.ui import tag_run


@translation_flow("evaluate-translator", "evaluate {config.name}")
def evaluate_translator(
    model_dir: str, config: Config, workspace: str = "workspace", split: Literal["test", "valid"] = "test"
) -> str:
    """Score a model folder on a test set, or on the validation set.

    Args:
        model_dir: A model folder, from this workspace or from elsewhere; or a language pair's, for its champion.
        config: Where the test set comes from (`corpus.test`), and how it is translated and scored.
        workspace: Folder that holds everything made so far. What is there already is not made again.
        split: Which of the two the scores are of.

    Returns:
        Path of the run's report.json.
    """
    corpus, folder = config.corpus.only(split), resolve(Path(model_dir))
    if corpus.held_out():
        check_held_out(folder, corpus)
    with pipeline_run(Workspace(Path(workspace)), config) as run:
        tag_run(config)
        model = adopt(folder)
        pairs = clean(config.cleaning, fetch(corpus))
        scores = evaluate(config.evaluation, model, pairs, split)
        return str(report(run, model, scores, folder))

"""The flow for a schedule: train on the data as it is now, and promote the model only if it has earned it."""

from pathlib import Path
from typing import Annotated

from pydantic import Field

from seq2seq.config import Config
from seq2seq.storage.artifacts import Workspace
from tasks.corpus import clean, fetch
from tasks.delivery import report
from tasks.flow import translation_flow
from tasks.promotion import champion_to_start_from, decide, train_challenger
from tasks.step import pipeline_run
from tasks.tidying import tidy
from tasks.tokenization import tokenize
from tasks.ui import tag_run
from tasks.vocabulary import build_vocabulary, encode


@translation_flow("retrain-translator", "retrain {config.name}")
def retrain_translator(
    config: Config, workspace: str = "workspace", keep_days: Annotated[float, Field(ge=0)] = 30, prune: bool = True
) -> str:
    """Train a challenger where the data, a setting or the code changed, and promote it if it beats the champion.

    Args:
        config: What to train on and how; `promotion` says when a challenger takes the champion's place.
        workspace: Folder that holds everything made so far. What is there already is not made again.
        keep_days: At the end, what was unused for this many days and no past or present champion needs is removed.
        prune: Whether anything is.

    Returns:
        Path of the run's report.json.
    """
    with pipeline_run(Workspace(Path(workspace)), config) as run:
        tag_run(config)
        parent = champion_to_start_from()
        corpus = fetch(config.corpus)
        pairs = clean(config.cleaning, corpus)
        text = tokenize(config.tokenization, pairs)
        vocabulary = build_vocabulary(config.vocabulary, text, parent)
        ids = encode(text, vocabulary)
        challenger = train_challenger(ids, vocabulary, pairs, parent)
        outcome = decide(challenger, pairs)
        path = report(run, challenger, outcome.scores, outcome.champion, decision=outcome.decision)
        if prune:
            tidy(run, keep_days)
        return str(path)

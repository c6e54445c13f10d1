"""The flow that makes a translator: from a corpus to a scored model in a folder that can be shared."""

from pathlib import Path

from seq2seq.config import Config
from seq2seq.registry.champions import resolve
from seq2seq.storage.artifacts import Workspace
from tasks.adoption import adopt_parent
from tasks.corpus import clean, fetch
from tasks.delivery import deliver
from tasks.evaluation import evaluate
from tasks.flow import translation_flow
from tasks.step import pipeline_run
from tasks.tokenization import tokenize
from tasks.training import train
from tasks.ui import tag_run
from tasks.vocabulary import build_vocabulary, encode


@translation_flow("train-translator", "train {config.name}")
def train_translator(config: Config, workspace: str = "workspace", continue_from: str = "") -> str:
    """Train a translation model on a parallel corpus and score it.

    Args:
        config: What to train on and how; every field has a default.
        workspace: Folder that holds everything made so far. What is there already is not made again.
        continue_from: A model folder, or a language pair's with a champion, whose weights and vocabulary to start from;
            empty: from scratch. Languages, network (but for its dropout) and the sections vocabulary and tokenization
            must be equal. Optimizer, schedule and warm-up begin anew.

    Returns:
        Path of the run's report.json.
    """
    with pipeline_run(Workspace(Path(workspace)), config) as run:
        tag_run(config)
        parent = adopt_parent(resolve(Path(continue_from)), config) if continue_from else None
        corpus = fetch(config.corpus)
        pairs = clean(config.cleaning, corpus)
        text = tokenize(config.tokenization, pairs)
        vocabulary = build_vocabulary(config.vocabulary, text, parent)
        ids = encode(text, vocabulary)
        model = train(config.model, config.training, ids, vocabulary, pairs, parent)
        scores = evaluate(config.evaluation, model, pairs)
        return deliver(run, model, scores)

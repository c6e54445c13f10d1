"""What a run leaves for the person who started it: the shareable model folder and the report."""

import time
from datetime import datetime
from pathlib import Path

from seq2seq.artifacts import Record
from seq2seq.model_card import card
from seq2seq.report import build_report, config_digest, write_report
from seq2seq.sharing import assemble
from tasks.locking import locks_for
from tasks.step import PipelineRun


def deliver(run: PipelineRun, model: Record, scores: Record) -> str:
    """Assemble the model folder and write report.json; gives the report's path."""
    config = run.config
    shelf = run.workspace.models(config.corpus.source_language, config.corpus.target_language)
    model_dir = shelf / config.name
    statistics = {name: record.statistics for name, record in run.records.items()}
    with locks_for(run.workspace, config.runtime).held(f"models/{shelf.name}/{config.name}"):
        assemble(run.workspace.root / model.address, model_dir, card(config, statistics), config)
    return str(report(run, model, scores, model_dir))


def report(run: PipelineRun, model: Record, scores: Record, model_dir: Path) -> Path:
    """Write the run's report.json."""
    seconds = time.perf_counter() - run.started
    content = build_report(config_digest(run.config), run.outcomes, model, scores, model_dir, seconds)
    started = datetime.fromtimestamp(time.time() - seconds)
    return write_report(content, run.workspace.root / "runs", run.config.name, started)

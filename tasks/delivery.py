"""What a run leaves for the person who started it: the shareable model folder and the report."""

import time
from pathlib import Path
from typing import Any

from prefect.context import FlowRunContext

from seq2seq.registry.model_card import card
from seq2seq.registry.sharing import assemble
from seq2seq.storage.artifacts import Record
from seq2seq.workspace.report import build_report, write_report
from tasks.locking import locks_for
from tasks.step import PipelineRun
from tasks.ui import show_summary


def deliver(run: PipelineRun, model: Record, scores: Record) -> str:
    """Assemble the model folder and write the report; gives its path."""
    config = run.config
    shelf = run.workspace.models(config.corpus.source_language, config.corpus.target_language)
    model_dir = shelf / config.name
    statistics = {name: record.statistics for name, record in run.records.items()}
    with locks_for(run.workspace, config.runtime).held(f"models/{shelf.name}/{config.name}"):
        assemble(run.workspace.root / model.address, model_dir, card(config, statistics), config, scores.statistics)
    return str(report(run, model, scores, model_dir))


def report(run: PipelineRun, model: Record, scores: Record, model_dir: Path, **more: Any) -> Path:
    """Write the run's report.json, with `more` keys of its flow, and config.json."""
    seconds = time.perf_counter() - run.counter
    context = FlowRunContext.get()
    flow = context.flow.name if context and context.flow else ""
    content = build_report(run.config, flow, run.started, run.outcomes, model, scores, model_dir, seconds)
    content |= more
    show_summary(run, content)
    return write_report(content, run.config, run.workspace.root / "runs", run.started)

"""What a run shows in Prefect's UI beside its log: artifacts, under keys that stay from run to run, and tags.

A key holds the configuration's name (`demo-evaluation`), since the history of one model is what people look for.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

from prefect.artifacts import create_markdown_artifact
from prefect.client.orchestration import get_client
from prefect.context import FlowRunContext

from seq2seq.config import Config
from seq2seq.storage.artifacts import Artifact, Record
from tasks import pages
from tasks.heat_map import heat_map
from tasks.reporting import said_only, told
from tasks.step import PipelineRun, current_run

TAG = "seq2seq-flows"
"""Every run of these flows has it."""
PAGES = ("corpus", "cleaning", "vocabulary", "training", "evaluation")
"""Those of any model; a comparison comes with retraining only."""


def artifact_key(page: str) -> str:
    """Key of a page of the current run's model: small letters, digits and dashes, as Prefect wants it."""
    name = re.sub("[^a-z0-9]+", "-", current_run().config.name.lower()).strip("-")
    return f"{name}-{page}"


def show_page(page: str, text: str, description: str) -> None:
    """Publish a page of Markdown, with the languages in its title: models of one name share their keys."""
    with said_only(page):
        title, newline, rest = text.partition("\n")
        titled = f"{title} ({_languages(current_run().config)}){newline}{rest}"
        create_markdown_artifact(titled, key=artifact_key(page), description=description)


def tag_run(config: Config) -> None:
    """Tag the flow run with the languages and the model, so that the UI's list of runs can be narrowed to them."""
    context = FlowRunContext.get()
    if context is None or context.flow_run is None:
        return
    wanted = {TAG, _languages(config), config.name}
    if not wanted <= set(context.flow_run.tags):
        with said_only("tags"):
            tags = sorted(wanted | set(context.flow_run.tags))
            get_client(sync_client=True).update_flow_run(context.flow_run.id, tags=tags)


def show_training(record: Record, artifact: Artifact) -> None:
    """Publish the figures and curves of a training."""
    with said_only("training"):
        from tasks.plots import training_curves  # matplotlib takes half a second: only where it draws

        curves = training_curves(_read(artifact, "log/history.json"))
        show_page("training", pages.training_page(record.statistics, curves), told(record))


def show_evaluation(record: Record, model: Record, artifact: Artifact) -> None:
    """Publish scores, translations and attention maps."""
    with said_only("evaluation"):
        from tasks.plots import bleu_by_length  # as above

        statistics = record.statistics
        bars = bleu_by_length(statistics["by_source_length"], statistics["bleu"])
        maps = [heat_map(**drawn) for drawn in _read(artifact, "log/attention.json")]
        test_set = current_run().config.corpus.test_set(statistics["split"])
        page = pages.evaluation_page(statistics, model.digest, test_set, bars, maps)
        show_page("evaluation", page, told(record))


def show_comparison(statistics: Mapping[str, Any], decision: Mapping[str, Any]) -> None:
    """Publish the comparison of a challenger with its champion, and what was decided."""
    with said_only("comparison"):
        from tasks.plots import difference  # as above

        show_page(
            "comparison",
            pages.comparison_page(statistics, decision, difference(statistics)),
            f"{decision['action']}: {decision['why']}",
        )


def show_summary(run: PipelineRun, report: Mapping[str, Any]) -> None:
    """Publish what the run came to. It takes one request, so that a run of cached steps shows a page, too."""
    came_to = {record.key: told(record) for record in run.records.values()}
    compared = report.get("decision", {}).get("comparison")
    links = {page: artifact_key(page) for page in (*PAGES, *(["comparison"] if compared else []))}
    text = pages.summary_page(run.config.name, report, came_to, links)
    show_page("summary", text, told(run.records["evaluate"]))


def _languages(config: Config) -> str:
    return f"{config.corpus.source_language}-{config.corpus.target_language}"


def _read(artifact: Artifact, name: str) -> Any:
    return json.loads(artifact.file(name).read_text(encoding="utf-8"))

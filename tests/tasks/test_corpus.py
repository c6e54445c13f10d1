"""Tasks `fetch` and `clean`: what they record, and what they show."""

from pathlib import Path

import pytest
from prefect import flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterFlowRunId
from prefect.context import FlowRunContext

from seq2seq.config import load_config
from seq2seq.corpora import hub
from seq2seq.corpora.pairs import Pairs, pairs_of
from seq2seq.settings.corpus import CorpusSettings
from seq2seq.workspace.artifacts import Record, Workspace
from seq2seq.workspace.planning import plan
from tasks.corpus import clean, fetch
from tasks.step import pipeline_run

pytestmark = pytest.mark.usefixtures("prefect_server")

COMMITS = {"main": "a" * 40, "v2.0": "b" * 40}
HUB = ("corpus.kind=hub", "corpus.dataset=owner/name", "corpus.source_language=de")


def test_a_fetch_from_the_hub_records_the_branch_that_was_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(settings: CorpusSettings) -> dict[str, Pairs]:
        return {split: pairs_of("de", "en", ["ein Hund"], ["a dog"]) for split in settings.split_names()}

    monkeypatch.setattr(hub, "resolve_revision", lambda settings: COMMITS.get(settings.revision, settings.revision))
    monkeypatch.setattr(hub, "read", read)
    configs = {name: load_config("demo", (*HUB, f"corpus.revision={name}")) for name in COMMITS}

    @flow
    def fetch_main() -> Record:
        with pipeline_run(Workspace(tmp_path), configs["main"]):
            return fetch(configs["main"].corpus)

    assert fetch_main().statistics["asked_revision"] == "main"
    planned = {name: str(plan(config, Workspace(tmp_path))[0]) for name, config in configs.items()}
    assert planned == {
        "main": "fetch: fresh, at commit aaaaaaaaaaaa, the last one fetched",
        "v2.0": f"fetch: stale, the source's revision {'a' * 40} -> v2.0; which commit v2.0 is, only the Hub can say",
    }


@pytest.mark.parametrize(("split", "shown"), [("", {"demo-corpus", "demo-cleaning"}), ("test", set())])
def test_pages_about_the_texts_of_a_training_are_shown_where_these_are_read(
    tmp_path: Path, split: str, shown: set[str]
) -> None:
    config = load_config("demo", ("corpus.train_pairs=20", "corpus.valid_pairs=5", "corpus.test_pairs=5"))

    @flow
    def clean_pairs() -> str:
        with pipeline_run(Workspace(tmp_path), config):
            clean(config.cleaning, fetch(config.corpus.only(split) if split else config.corpus))
        context = FlowRunContext.get()
        assert context is not None
        assert context.flow_run is not None
        return str(context.flow_run.id)

    mine = ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId.model_validate({"any_": [clean_pairs()]}))
    with get_client(sync_client=True) as client:
        assert {one.key for one in client.read_artifacts(artifact_filter=mine)} == shown

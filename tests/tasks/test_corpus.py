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
from seq2seq.storage.artifacts import Record, Workspace
from seq2seq.workspace.planning import plan
from tasks.corpus import clean, fetch
from tasks.step import pipeline_run

pytestmark = pytest.mark.usefixtures("prefect_server")

COMMITS = {"main": "a" * 40, "v2.0": "b" * 40}
HUB = ("corpus.kind=hub", "corpus.dataset=owner/name", "corpus.source_language=de")


def test_plan_knows_which_commit_a_branch_or_tag_was_when_it_was_last_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(settings: CorpusSettings) -> dict[str, Pairs]:
        return {split: pairs_of("de", "en", ["ein Hund"], ["a dog"]) for split in settings.split_names()}

    monkeypatch.setattr(hub, "resolve_revision", lambda settings: COMMITS.get(settings.revision, settings.revision))
    monkeypatch.setattr(hub, "read", read)
    names = (*COMMITS, "a" * 40)
    configs = {name: load_config("demo", (*HUB, f"corpus.revision={name}")) for name in names}

    @flow
    def fetch_from(name: str) -> Record:
        with pipeline_run(Workspace(tmp_path), configs[name]):
            return fetch(configs[name].corpus)

    def planned() -> dict[str, str]:
        return {
            name: str(plan(config, Workspace(tmp_path))[0]).removeprefix("fetch: ") for name, config in configs.items()
        }

    first = "fresh, at commit aaaaaaaaaaaa, the last one fetched"
    fetch_from("a" * 40)
    unknown = planned()
    assert unknown["a" * 40] == "fresh"
    assert unknown["main"].endswith("which commit main is, only the Hub can say")
    fetch_from("main")  # a hit
    assert planned()["main"] == first
    assert planned()["v2.0"].startswith("stale, the source's revision aaaa")
    monkeypatch.setitem(COMMITS, "v2.0", "a" * 40)
    fetch_from("v2.0")
    assert planned()["v2.0"] == planned()["main"] == first
    monkeypatch.setitem(COMMITS, "main", "c" * 40)
    fetch_from("main")
    assert planned()["main"] == "fresh, at commit cccccccccccc, the last one fetched"
    assert planned()["v2.0"] == first


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

"""Tasks `fetch` and `clean`: what they record."""

from pathlib import Path

import pytest
from prefect import flow

from seq2seq.artifacts import Record, Workspace
from seq2seq.config import load_config
from seq2seq.corpora import hub
from seq2seq.corpora.pairs import Pairs, pairs_of
from seq2seq.planning import plan
from seq2seq.settings.corpus import CorpusSettings
from tasks.corpus import fetch
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

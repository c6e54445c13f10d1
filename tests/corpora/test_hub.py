"""The Hub's client reads its address once, when it is imported: each test runs a process of its own against a Hub on
the loopback interface."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from seq2seq.settings.corpus import CorpusSettings

SERVER = Path(__file__).with_name("hub_server.py")
CLIENT = """
import json, sys
from pathlib import Path
from seq2seq.corpora.fetching import fetch, identity, pin
from seq2seq.corpora.pairs import read_pairs
from seq2seq.errors import Seq2SeqError
from seq2seq.pipeline import Job
from seq2seq.settings.corpus import CorpusSettings

for number, text in enumerate(sys.argv[1:]):
    into = Path(f"fetched-{number}")
    into.mkdir()
    try:
        corpus = pin(CorpusSettings.model_validate_json(text))
        statistics = fetch(corpus, Job(into, into / "checkpoints"))
        rows = {path.stem: read_pairs(path).frame.to_numpy().tolist() for path in sorted(into.iterdir())}
        print(json.dumps({"statistics": statistics, "rows": rows, "identity": identity(corpus)}))
    except Seq2SeqError as error:
        print(json.dumps({"error": type(error).__name__, "message": str(error)}))
"""
SPLITS = ("train", "validation", "test")
CONFIGURATIONS = """---
configs:
- config_name: first
  data_files: [{split: train, path: first.jsonl}]
- config_name: second
  data_files: [{split: train, path: second.jsonl}]
---
"""


def lay_out(hub: Path) -> None:
    """Write the datasets that the tests ask for."""
    for name in ("flat", "nested", "script", "configured", "broken", "unavailable", "gated", "forbidden", "torn"):
        (hub / "acme" / name).mkdir(parents=True)
    for split in SPLITS:
        columns = {"en": [f"{split} one", None], "id": [1, 2], "de": [f"{split} eins", "zwei"]}
        parquet.write_table(pa.table(columns), hub / f"acme/flat/{split}.parquet")
        row = {"id": 1, "translation": {"en": f"{split} one", "de": f"{split} eins"}}
        (hub / f"acme/nested/{split}.jsonl").write_text(json.dumps(row) + "\n", encoding="utf-8")
    (hub / "acme/script/script.py").write_text("raise SystemExit('must not run')\n", encoding="utf-8")
    (hub / "acme/configured/README.md").write_text(CONFIGURATIONS, encoding="utf-8")
    for name in ("first", "second"):
        (hub / f"acme/configured/{name}.jsonl").write_text(f'{{"de": "{name}", "en": "{name}"}}\n', encoding="utf-8")
    (hub / "acme/torn/train.jsonl").write_text('{"de": "eins", "en": "one"}\n', encoding="utf-8")
    (hub / "acme/broken/train.jsonl").write_text('{"de": "eins"\n', encoding="utf-8")


class Hub:
    """A Hub in a process of its own, and a folder for its clients."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.datasets = folder / "hub"
        lay_out(self.datasets)
        self.server = subprocess.Popen([sys.executable, SERVER, self.datasets], stdout=subprocess.PIPE, text=True)
        assert self.server.stdout is not None
        self.address = f"http://127.0.0.1:{int(self.server.stdout.readline())}"
        self.clients = 0

    def ask(self, *requests: dict[str, str], offline: bool = False) -> list[dict[str, Any]]:
        """What `pin` and `fetch` make of each request, all in one process; `offline` as HF_HUB_OFFLINE has it."""
        base = {"kind": "hub", "source_language": "de", "target_language": "en"}
        texts = [CorpusSettings.model_validate(base | request).model_dump_json() for request in requests]
        place = self.next_client()
        place.mkdir(exist_ok=True)
        self.clients += 1
        environment = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
        environment |= {"HF_ENDPOINT": self.address, "HF_HOME": str(self.folder / "home")}
        environment |= {"HF_HUB_OFFLINE": str(int(offline))}
        command = [sys.executable, "-c", CLIENT, *texts]
        done = subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert "%|" not in done.stderr, "a progress bar where there is no terminal"
        return [json.loads(line) for line in done.stdout.splitlines()]

    def next_client(self) -> Path:
        """Current directory of the next client."""
        return self.folder / f"client-{self.clients + 1}"

    def close(self) -> None:
        self.server.terminate()
        self.server.wait()
        if self.server.stdout is not None:
            self.server.stdout.close()


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    running = Hub(tmp_path_factory.mktemp("hub"))
    yield running
    running.close()


TRAIN_ONLY = {"valid": "train", "test": "train"}
ASKED: dict[str, dict[str, str]] = {
    "flat": {"dataset": "acme/flat"},
    "nested": {"dataset": "acme/nested"},
    "one configuration": {"dataset": "acme/configured", "subset": "second", **TRAIN_ONLY},
    "no such id": {"dataset": "acme/nothing"},
    "no id at all": {"dataset": "two words"},
    "no such revision": {"dataset": "acme/flat", "revision": "v9"},
    "script": {"dataset": "acme/script"},
    "unavailable": {"dataset": "acme/unavailable"},
    "torn": {"dataset": "acme/torn", **TRAIN_ONLY},
    "gated": {"dataset": "acme/gated"},
    "forbidden": {"dataset": "acme/forbidden"},
    "no such split": {"dataset": "acme/flat", "train": "trian"},
    "no such column": {"dataset": "acme/flat", "source_column": "deutsch"},
    "no such language": {"dataset": "acme/nested", "target_language": "fr"},
    "no such configuration": {"dataset": "acme/configured", "subset": "third"},
    "no configuration": {"dataset": "acme/configured"},
    "broken": {"dataset": "acme/broken", **TRAIN_ONLY},
}


@pytest.fixture(scope="module")
def answers(hub: Hub) -> dict[str, dict[str, Any]]:
    return dict(zip(ASKED, hub.ask(*ASKED.values()), strict=True))


def test_flat_columns_are_read_by_name(answers: dict[str, dict[str, Any]]) -> None:
    names = {"train": "train", "valid": "validation", "test": "test"}
    expected = {split: [[f"{name} eins", f"{name} one"], ["zwei", ""]] for split, name in names.items()}
    assert answers["flat"]["rows"] == expected


def test_a_translation_column_is_read_by_language(answers: dict[str, dict[str, Any]]) -> None:
    assert answers["nested"]["rows"]["valid"] == [["validation eins", "validation one"]]


def test_a_configuration_is_chosen_by_name(answers: dict[str, dict[str, Any]]) -> None:
    assert answers["one configuration"]["rows"] == {
        split: [["second", "second"]] for split in ("train", "valid", "test")
    }


def test_the_commit_is_pinned_and_recorded(answers: dict[str, dict[str, Any]]) -> None:
    commit = answers["flat"]["statistics"]["revision"]
    assert len(commit) == 40
    assert answers["flat"]["identity"]["revision"] == commit
    assert answers["nested"]["statistics"]["revision"] != commit


@pytest.mark.parametrize(
    ("request_name", "kind", "words"),
    [
        ("no such id", "CorpusError", ["no dataset acme/nothing", "corpus.dataset", "log in"]),
        ("no id at all", "CorpusError", ["no dataset two words", "owner/name"]),
        ("no such revision", "CorpusError", ["acme/flat has no revision v9", "corpus.revision"]),
        ("script", "CorpusError", ["acme/script is a dataset script", "refs/convert/parquet", "corpus.kind = files"]),
        ("unavailable", "SourceUnavailable", ["did not answer for acme/unavailable", "503"]),
        ("torn", "SourceUnavailable", ["did not answer for acme/torn", "503"]),
        ("forbidden", "CorpusError", ["does not hand out acme/forbidden", "403"]),
        ("gated", "CorpusError", ["acme/gated is gated", "ask for access", "log in"]),
        ("no such split", "CorpusError", ["no split trian", "train, validation, test", "corpus.train"]),
        ("no such column", "CorpusError", ["split train", "no column deutsch", "en, id, de", "corpus.source_column"]),
        ("no such language", "CorpusError", ["column translation", "no column fr", "en, de"]),
        ("no such configuration", "CorpusError", ["'first', 'second'", "corpus.subset"]),
        ("no configuration", "CorpusError", ["'first', 'second'", "corpus.subset"]),
        ("broken", "CorpusError", ["cannot read acme/broken", "JSON"]),
    ],
)
def test_what_goes_wrong_is_said(
    answers: dict[str, dict[str, Any]], request_name: str, kind: str, words: list[str]
) -> None:
    answer = answers[request_name]
    assert answer["error"] == kind, answer
    for word in words:
        assert word in answer["message"]


def test_a_failed_fetch_writes_no_split(hub: Hub, answers: dict[str, dict[str, Any]]) -> None:
    number = list(ASKED).index("no such column")
    assert not list((hub.folder / "client-1" / f"fetched-{number}").iterdir())


def test_a_folder_of_the_same_name_is_not_taken_for_the_dataset(hub: Hub) -> None:
    hub.next_client().joinpath("acme", "flat").mkdir(parents=True)
    hub.next_client().joinpath("acme", "flat", "train.jsonl").write_text('{"de": "falsch", "en": "wrong"}\n')
    (answer,) = hub.ask({"dataset": "acme/flat", **TRAIN_ONLY})
    assert answer["error"] == "CorpusError"
    assert "the folder acme/flat in the current directory hides the dataset" in answer["message"]


def test_without_the_hub_the_cache_serves_the_commit_it_has_and_no_other(hub: Hub) -> None:
    asked = {"dataset": "acme/nested", **TRAIN_ONLY}
    (online,) = hub.ask(asked)
    commit = online["statistics"]["revision"]
    offline, other, moving = hub.ask(asked | {"revision": commit}, asked | {"revision": "0" * 40}, asked, offline=True)
    assert offline == online
    assert other["error"] == "SourceUnavailable"
    assert f"the local cache only has {commit}" in other["message"]
    assert moving["error"] == "SourceUnavailable"

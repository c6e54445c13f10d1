"""Retraining: a model is trained where something changed, and promoted where it has earned it, once."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from flows.__main__ import main
from flows.retrain_translator import retrain_translator
from seq2seq.config import Config, load_config
from seq2seq.errors import ConfigError, ModelError
from seq2seq.registry.champions import Decision, Shelf

CHECKOUT = Path(__file__).parents[2]
First = tuple[Path, dict[str, Any]]
Report = dict[str, Any]

pytestmark = pytest.mark.usefixtures("prefect_server")


class Site:
    """A project and its workspace, for one test to spoil."""

    def __init__(self, root: Path) -> None:
        self.project, self.workspace = root / "project", root / "workspace"
        self.shelf = Shelf(self.workspace / "models" / "de-en")

    def copy(self, root: Path) -> "Site":
        shutil.copytree(self.project, root / "project")
        shutil.copytree(self.workspace, root / "workspace")
        return Site(root)

    def config(self, *settings: str) -> Config:
        return load_config(str(self.project / "tiny.toml"), settings)

    def retrain(self, *settings: str) -> Report:
        return read(retrain_translator(self.config(*settings), str(self.workspace), prune=False))

    def edit(self, split: str = "train", more: str = "") -> None:
        """Turn the sentences of a split around: another text of the same words, unless there are `more`."""
        for language in ("de", "en"):
            path = self.project / "corpus" / f"{split}.{language}"
            sentences = [line.rstrip(".").split()[::-1] for line in path.read_text(encoding="utf-8").splitlines()]
            text = "".join(" ".join([*words, *more.split()]) + ".\n" for words in sentences)
            path.write_text(text, encoding="utf-8")

    def actions(self) -> list[str]:
        return [decision.action for decision in self.shelf.history()]


def read(path: str) -> Report:
    content: Report = json.loads(Path(path).read_text(encoding="utf-8"))
    return content


def done(report: Report) -> list[str]:
    """Names of the steps that were not cached."""
    return [step["name"] for step in report["steps"] if not step["cached"]]


@pytest.fixture(scope="session")
def crowned(first: First, tiny_project: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Site, Report]:
    """After the first retraining, on a workspace where `train` had run; with its report. Not to be changed."""
    root = tmp_path_factory.mktemp("crowned")
    shutil.copytree(tiny_project, root / "project")
    shutil.copytree(first[0], root / "workspace")
    site = Site(root)
    return site, site.retrain()


@pytest.fixture
def site(crowned: tuple[Site, Report], tmp_path: Path) -> Site:
    return crowned[0].copy(tmp_path)


def test_the_first_model_of_a_pair_becomes_its_champion(crowned: tuple[Site, Report]) -> None:
    site, report = crowned

    champion = site.shelf.champion()
    assert champion is not None
    assert (champion.action, champion.name, champion.by) == ("promoted", "tiny", "retrain")
    assert report["decision"] == champion.model_dump(mode="json")
    assert report["model_dir"] == str(site.shelf.folder_of(champion.model).resolve())
    assert f"{report['scores']['bleu']:.1f}" in (Path(report["model_dir"]) / "README.md").read_text(encoding="utf-8")
    assert done(report) == []


def test_when_nothing_changed_nothing_is_trained_and_nothing_is_promoted(
    crowned: tuple[Site, Report], site: Site
) -> None:
    report = site.retrain()

    assert done(report) == []
    assert report["decision"]["action"] == "unchanged"
    assert report["decision"]["why"].startswith("nothing changed since 20")
    assert report["scores"] == crowned[1]["scores"]
    assert site.shelf.history() == crowned[0].shelf.history()


def test_a_challenger_that_is_not_better_is_refused_once(site: Site) -> None:
    champion = site.shelf.champion()
    site.edit()

    report, again = site.retrain(), site.retrain()

    assert {"train", "compare"} <= set(done(report))
    assert done(again) == []
    assert [report["decision"]["action"], again["decision"]["action"]] == ["refused", "unchanged"]
    assert f"was refused then ({report['decision']['why']})" in again["decision"]["why"]
    assert report["decision"]["comparison"]["test_pairs"] == 10
    assert site.actions() == ["promoted", "refused"]
    assert site.shelf.champion() == champion
    assert champion is not None
    assert report["model_dir"] == str(site.shelf.folder_of(champion.model).resolve())


@pytest.mark.parametrize("policy", ["not_worse", "always"])
def test_the_policy_decides_about_a_challenger_that_is_as_good(site: Site, policy: str) -> None:
    site.edit()

    report = site.retrain(f"promotion.policy={policy}")

    assert report["decision"]["action"] == "promoted"
    assert site.actions() == ["promoted", "promoted"]
    assert done(site.retrain(f"promotion.policy={policy}")) == []
    assert site.actions() == ["promoted", "promoted"]


def test_another_policy_or_another_test_set_is_another_question(site: Site) -> None:
    site.edit()
    assert site.retrain()["decision"]["action"] == "refused"

    site.edit("test")
    moved = site.retrain()
    assert moved["decision"]["action"] == "refused"
    assert "train" not in done(moved)
    assert site.retrain("promotion.policy=not_worse")["decision"]["action"] == "promoted"


def test_a_champion_that_has_learned_from_what_is_held_out_now_is_not_compared(site: Site) -> None:
    with pytest.raises(ConfigError, match="may have learned from the pairs that this corpus holds out"):
        site.retrain("corpus.test=", "corpus.test_pairs=7")
    assert site.actions() == ["promoted"]


def test_a_model_that_was_rolled_back_is_not_promoted_again_by_itself(site: Site) -> None:
    champion = site.shelf.champion()
    assert champion is not None
    site.edit()
    always = "promotion.policy=always"
    assert site.retrain(always)["decision"]["action"] == "promoted"
    site.shelf.record(Decision(action="rolled_back", model=champion.model, name=champion.name, by="me"))

    report = site.retrain(always)

    assert (report["decision"]["action"], done(report)) == ("unchanged", [])
    assert "was rolled back" in report["decision"]["why"]
    assert site.actions() == ["promoted", "promoted", "rolled_back"]


def test_a_warm_start_trains_from_the_champion_and_not_again_from_itself(site: Site) -> None:
    champion = site.shelf.champion()
    assert champion is not None
    settings = (
        "promotion.warm_start=true",
        "promotion.policy=always",
        "training.learning_rate=0.02",
        "training.max_steps=60",
    )
    site.edit()

    report, again = site.retrain(*settings), site.retrain(*settings)

    challenger = site.shelf.champion()
    assert challenger is not None
    assert challenger.model != champion.model
    card = (site.shelf.folder_of(challenger.model) / "README.md").read_text(encoding="utf-8")
    assert f"continued from model `{champion.model[:12]}`" in card
    assert report["decision"]["action"] == "promoted"
    assert (again["decision"]["action"], done(again)) == ("unchanged", ["adopt"])
    assert len(list((site.workspace / "index" / "train").iterdir())) == 2

    site.shelf.record(Decision(action="rolled_back", model=champion.model, name=champion.name, by="me"))
    rolled_back = site.retrain(*settings)
    assert (rolled_back["decision"]["action"], done(rolled_back)) == ("unchanged", [])
    assert len(list((site.workspace / "index" / "train").iterdir())) == 2


def test_a_warm_start_on_a_corpus_that_grew_keeps_the_vocabulary_of_the_champion(site: Site) -> None:
    settings = ("promotion.warm_start=true", "promotion.policy=always")
    tokenizer = site.shelf.champion_folder() / "source_tokenizer.json"
    site.edit(more="Maus")

    report, again = site.retrain(*settings), site.retrain(*settings)

    assert report["decision"]["action"] == "promoted"
    assert "continued from model" in (Path(report["model_dir"]) / "README.md").read_text(encoding="utf-8")
    assert (Path(report["model_dir"]) / tokenizer.name).read_bytes() == tokenizer.read_bytes()
    assert (again["decision"]["action"], done(again)) == ("unchanged", ["adopt"])


def test_a_warm_start_that_is_not_possible_says_why_and_trains_from_scratch(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    settings = ("promotion.warm_start=true", "promotion.policy=always", "model.embedding_size=12")

    report = site.retrain(*settings)

    assert "warm start: not from the champion" in caplog.text
    assert "its model.embedding_size is 8, not 12. Training from scratch" in caplog.text
    assert report["decision"]["action"] == "promoted"
    assert "continued" not in (Path(report["model_dir"]) / "README.md").read_text(encoding="utf-8")
    assert done(site.retrain(*settings)) == ["adopt", "vocabulary"]
    assert len(list((site.workspace / "index" / "train").iterdir())) == 2


def test_a_champion_that_was_deleted_is_a_clear_error_and_the_challenger_is_kept(site: Site) -> None:
    champion = site.shelf.champion()
    assert champion is not None
    aside = site.shelf.folder_of(champion.model).rename(site.workspace / "aside")
    site.edit()

    with pytest.raises(ModelError, match=r"is gone\. .*rollback.* is trained and kept: the next run compares it"):
        site.retrain()

    assert site.actions() == ["promoted"]
    aside.rename(site.shelf.folder_of(champion.model))
    assert "train" not in done(site.retrain())
    assert site.actions() == ["promoted", "refused"]


@pytest.mark.parametrize("what", ["altered", "gone"])
def test_a_champion_that_is_not_in_order_is_mended_where_nothing_changed(
    site: Site, what: str, caplog: pytest.LogCaptureFixture
) -> None:
    folder = site.shelf.champion_folder()
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    spoil(folder, what)

    report = site.retrain()

    assert (report["decision"]["action"], done(report), site.actions()) == ("unchanged", [], ["promoted"])
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert "it is copied again from what its training made" in caplog.text


def test_a_damaged_champion_is_an_error_where_a_refused_model_changed_nothing(site: Site) -> None:
    site.edit()
    assert site.retrain()["decision"]["action"] == "refused"
    spoil(site.shelf.champion_folder(), "altered")

    with pytest.raises(ModelError, match=r"model\.safetensors was altered"):
        site.retrain()


def spoil(folder: Path, what: str) -> None:
    if what == "gone":
        shutil.rmtree(folder)
        return
    weights = folder / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)


def test_a_run_killed_between_scoring_and_promotion_is_finished_by_the_next(site: Site, prefect_server: str) -> None:
    site.edit()
    program = """
import os, signal, sys
from seq2seq.registry.champions import Shelf
from flows.__main__ import main
Shelf.record = lambda shelf, decision: os.kill(os.getpid(), signal.SIGKILL)
main(sys.argv[1:])
"""
    killed = start(site, prefect_server, "-c", program)
    output = killed.communicate(timeout=600)
    assert killed.returncode == -signal.SIGKILL, output
    assert site.actions() == ["promoted"]

    report = site.retrain("promotion.policy=always")

    assert (done(report), report["decision"]["action"]) == ([], "promoted")
    assert site.actions() == ["promoted", "promoted"]


def test_a_run_that_ends_right_after_a_promotion_has_promoted(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.edit()
    with monkeypatch.context() as patch:
        patch.setattr("tasks.promotion._announce", lambda *arguments: sys.exit(1))
        with pytest.raises(SystemExit):
            site.retrain("promotion.policy=always")

    report = site.retrain("promotion.policy=always")

    assert (done(report), report["decision"]["action"]) == ([], "unchanged")
    assert site.actions() == ["promoted", "promoted"]


@pytest.mark.parametrize("keep_days", [0, 1])
def test_what_nobody_used_for_long_is_removed_and_what_is_in_use_stays(site: Site, keep_days: int) -> None:
    site.edit()
    refused = site.retrain()["decision"]["model"]
    site.edit()
    for index_file in site.workspace.glob("index/*/*.json"):
        os.utime(index_file, (1, 1))

    report = read(retrain_translator(site.config(), str(site.workspace), keep_days))

    champion = site.shelf.champion()
    assert champion is not None
    assert done(report) == []
    assert {path.name for path in (site.workspace / "artifacts" / "train").iterdir()} == {champion.model}
    assert refused != champion.model


def test_a_damaged_history_of_another_pair_keeps_a_retraining_from_pruning_only(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    other = Shelf(site.workspace / "models" / "fr-en")
    other.folder.mkdir()
    other.pointer.write_text("{", encoding="utf-8")

    report = read(retrain_translator(site.config(), str(site.workspace)))

    assert report["decision"]["action"] == "unchanged"
    assert f"pruning failed: {other.pointer} is damaged" in caplog.text


def test_nothing_is_removed_where_that_is_asked_for(site: Site) -> None:
    site.edit()
    site.retrain()
    for index_file in site.workspace.glob("index/*/*.json"):
        os.utime(index_file, (1, 1))
    site.edit()

    command = ["retrain", str(site.project / "tiny.toml"), "--workspace", str(site.workspace), "--no-prune"]
    assert main(command) == 0

    assert len(list((site.workspace / "artifacts" / "train").iterdir())) == 2


def start(site: Site, server: str, *program: str) -> "subprocess.Popen[str]":
    command = ["retrain", str(site.project / "tiny.toml"), "--set", "promotion.policy=always"]
    return subprocess.Popen(
        [sys.executable, *program, *command, "--workspace", str(site.workspace), "--no-prune"],
        cwd=CHECKOUT,
        env={**os.environ, "PREFECT_API_URL": server, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_two_retrainings_at_once_promote_once(site: Site, prefect_server: str) -> None:
    site.edit()

    processes = [start(site, prefect_server, "-m", "flows") for _ in range(2)]
    outcomes = [process.communicate(timeout=600) for process in processes]

    assert [process.returncode for process in processes] == [0, 0], outcomes
    reports = [read(output.splitlines()[-1].removeprefix("report: ")) for output, _ in outcomes]
    assert sorted(report["decision"]["action"] for report in reports) == ["promoted", "unchanged"]
    assert site.actions() == ["promoted", "promoted"]
    assert sorted(name for report in reports for name in done(report)).count("train") == 1


def test_a_decision_taken_meanwhile_is_seen_under_the_lock_and_the_comparison_is_made_again(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    from seq2seq.registry import comparison
    from tasks import promotion

    site.edit()
    other = Decision(action="refused", model="0" * 32, name="other", by="retrain", why="another run's")
    judged: list[Any] = []

    def judge(*arguments: Any) -> tuple[bool, str]:
        if not judged:
            site.shelf.record(other)
        judged.append(arguments)
        return comparison.judge(*arguments)

    monkeypatch.setattr(promotion, "judge", judge)
    site.retrain("promotion.policy=always")

    assert len(judged) == 2
    assert site.actions() == ["promoted", "refused", "promoted"]


def test_each_decision_is_told_by_one_event(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    from prefect.events.clients import AssertingEventsClient
    from prefect.events.worker import EventsWorker

    monkeypatch.setattr(EventsWorker, "_client_override", (AssertingEventsClient, ()))
    AssertingEventsClient.reset()
    site.edit()
    decisions = [site.retrain(*settings)["decision"] for settings in ((), (), ("promotion.policy=always",))]
    EventsWorker.instance().drain()

    ours = [
        event
        for client in AssertingEventsClient.all
        for event in client.events
        if event.event.startswith("seq2seq.model.")
    ]
    assert [event.event for event in ours] == ["seq2seq.model.refused", "seq2seq.model.promoted"]
    assert {event.resource.id for event in ours} == {"seq2seq.model.de-en"}
    assert [event.payload for event in ours] == [decisions[0], decisions[2]]


def test_the_command_prints_comparison_and_decision_and_names_the_report_last(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    site.edit()
    command = ["retrain", str(site.project / "tiny.toml"), "--workspace", str(site.workspace)]

    assert main(command) == 0

    output = capsys.readouterr().out
    assert "challenger  BLEU" in output
    assert "on the same 10 test pairs" in output
    assert "\nrefused: BLEU" in output
    assert Path(output.splitlines()[-1].removeprefix("report: ")).name == "report.json"

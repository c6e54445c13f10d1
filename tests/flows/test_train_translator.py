"""Real runs of the flow on a tiny corpus: what is done again, and what is not."""

import json
import os
import shutil
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from flows.evaluate_translator import evaluate_translator
from flows.train_translator import train_translator
from seq2seq.config import Config, load_config
from seq2seq.errors import ConfigError, CorpusError, StepTimedOut, UserError
from seq2seq.storage.artifacts import Record, Workspace
from tasks import delivery

STEPS = ["fetch", "clean", "tokenize", "vocabulary", "encode", "train", "evaluate"]

pytestmark = pytest.mark.usefixtures("prefect_server")

Read = Callable[..., Config]


First = tuple[Path, dict[str, Any]]


def run(config: Config, workspace: Path) -> dict[str, Any]:
    """Run the flow; gives its report."""
    return read_json(train_translator(config, str(workspace)))


def read_json(path: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(Path(path).read_text(encoding="utf-8"))
    return content


def executed(report: dict[str, Any]) -> list[str]:
    """Names of the steps that were not cached."""
    return [step["name"] for step in report["steps"] if not step["cached"]]


def record_of(workspace: Path, step: str, report: dict[str, Any]) -> Record:
    key = next(entry["key"] for entry in report["steps"] if entry["name"] == step)
    record = Workspace(workspace).find(step, key)
    assert record is not None
    return record


@pytest.fixture
def workspace(first: First, tmp_path: Path) -> Path:
    """A copy of that workspace, at another place: each test spoils its own."""
    return Path(shutil.copytree(first[0], tmp_path / "moved"))


def test_a_first_run_executes_the_seven_steps_in_order(first: First) -> None:
    assert executed(first[1]) == STEPS
    assert [step["name"] for step in first[1]["steps"]] == STEPS


def test_a_second_run_executes_nothing_and_comes_to_the_same(workspace: Path, first: First, tiny_config: Read) -> None:
    again = run(tiny_config(), workspace)

    assert executed(again) == []
    assert again["scores"] == first[1]["scores"]
    assert again["training"] == first[1]["training"]
    assert again["config_digest"] == first[1]["config_digest"]


def test_a_report_says_when_its_run_began_though_the_machine_slept_since(
    workspace: Path, tiny_config: Read, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sleep counts on the clock on the wall, and not in the counter that measures how long a run works."""
    counter, behind = time.perf_counter, 3600
    monkeypatch.setattr(delivery, "time", SimpleNamespace(perf_counter=lambda: counter() - behind))
    before = datetime.now(UTC).replace(microsecond=0)

    report = run(tiny_config(), workspace)

    assert before <= datetime.fromisoformat(report["started"]) <= datetime.now(UTC)


def test_a_moved_workspace_keeps_every_hit(workspace: Path, tiny_config: Read) -> None:
    assert executed(run(tiny_config(), workspace)) == []


def test_another_learning_rate_reruns_train_and_evaluate_only(workspace: Path, tiny_config: Read) -> None:
    assert executed(run(tiny_config("training.learning_rate=0.005"), workspace)) == ["train", "evaluate"]


def test_a_setting_changed_back_reruns_nothing(workspace: Path, tiny_config: Read) -> None:
    run(tiny_config("training.learning_rate=0.005"), workspace)

    assert executed(run(tiny_config(), workspace)) == []


def test_another_test_set_reruns_what_prepares_and_scores_it_and_never_train(
    workspace: Path, tiny_config: Read
) -> None:
    report = run(tiny_config("corpus.test=second_test"), workspace)

    assert executed(report) == ["fetch", "clean", "evaluate"]
    assert report["scores"]["test_pairs"] == 8


def test_settings_of_the_machine_make_nothing_stale(workspace: Path, tiny_config: Read) -> None:
    assert executed(run(tiny_config("runtime.threads=2", "runtime.log_every_seconds=1"), workspace)) == []


@pytest.mark.parametrize("step", STEPS)
def test_a_deleted_artifact_redoes_its_step_only(step: str, first: First, workspace: Path, tiny_config: Read) -> None:
    shutil.rmtree(workspace / record_of(workspace, step, first[1]).address)

    assert executed(run(tiny_config(), workspace)) == [step]


@pytest.mark.parametrize("step", ["clean", "train"])
def test_a_flipped_byte_redoes_its_step_only_though_size_and_time_are_kept(
    step: str, first: First, workspace: Path, tiny_config: Read
) -> None:
    record = record_of(workspace, step, first[1])
    path = workspace / record.address / max(record.files, key=lambda name: record.files[name].bytes)
    before, content = path.stat(), bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_size == before.st_size

    assert executed(run(tiny_config(), workspace)) == [step]
    Workspace(workspace).verify(record)


def test_an_edited_source_file_reruns_from_fetch(
    tiny_project: Path, workspace: Path, tmp_path: Path, tiny_config: Read
) -> None:
    project = Path(shutil.copytree(tiny_project, tmp_path / "project"))
    assert executed(run(load_config(str(project / "tiny.toml")), workspace)) == []
    for language, word in (("de", "Katze"), ("en", "cat")):
        path = project / "corpus" / f"train.{language}"
        lines = path.read_text(encoding="utf-8").splitlines()
        path.write_text("\n".join([*lines[:-1], f"{word} {word}."]) + "\n", encoding="utf-8")

    assert executed(run(load_config(str(project / "tiny.toml")), workspace))[:3] == ["fetch", "clean", "tokenize"]


def test_the_test_set_of_the_training_is_scored_from_the_cache_when_the_delivered_folder_is_evaluated(
    first: First, workspace: Path, tiny_config: Read
) -> None:
    report = read_json(evaluate_translator(first[1]["model_dir"], tiny_config(), str(workspace)))

    assert "evaluate" not in executed(report)
    assert report["scores"] == first[1]["scores"]
    assert report["training"]["steps"] is None


def test_a_model_folder_is_scored_on_another_test_set(first: First, workspace: Path, tiny_config: Read) -> None:
    config = tiny_config("corpus.test=second_test")

    report = read_json(evaluate_translator(first[1]["model_dir"], config, str(workspace)))

    assert report["scores"]["test_pairs"] == 8
    assert executed(read_json(evaluate_translator(first[1]["model_dir"], config, str(workspace)))) == []


def test_a_model_folder_is_scored_on_the_validation_split(first: First, workspace: Path, tiny_config: Read) -> None:
    report = read_json(evaluate_translator(first[1]["model_dir"], tiny_config(), str(workspace), "valid"))
    by_name = read_json(evaluate_translator(first[1]["model_dir"], tiny_config("corpus.test=valid"), str(workspace)))

    assert (report["scores"]["test"], report["scores"]["test_pairs"]) == ("valid", 12)
    assert report["scores"] == by_name["scores"] != first[1]["scores"]


def test_where_there_is_nothing_to_finish_no_training_is_waited_for(
    workspace: Path, tiny_config: Read, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tasks.training.only_training", lambda *_: pytest.fail("it waits for the device"))

    with pytest.raises(UserError, match="nothing of this training is done"):
        run(tiny_config("training.seed=7", "runtime.finish=true"), workspace)


def test_a_run_that_fails_leaves_nothing_half_written(tiny_project: Path, tmp_path: Path) -> None:
    project = Path(shutil.copytree(tiny_project, tmp_path / "project"))
    (project / "corpus" / "train.en").write_text("one line\n", encoding="utf-8")

    with pytest.raises(CorpusError, match="line"):
        run(load_config(str(project / "tiny.toml")), tmp_path / "workspace")

    left = [path for path in (tmp_path / "workspace").rglob("*") if path.is_file() and path.suffix != ".lock"]
    assert left == []


def test_the_model_folder_translates_and_holds_its_card(first: First) -> None:
    from seq2seq.translator import Translator

    folder = Path(first[1]["model_dir"])

    assert folder == (first[0] / "models" / "de-en" / "tiny").resolve()
    assert f"{first[1]['scores']['bleu']:.1f}" in (folder / "README.md").read_text(encoding="utf-8")
    assert len(Translator.load(folder).translate(["der Hund läuft."])) == 1


def test_the_report_keeps_its_contract(first: First) -> None:
    report = first[1]

    assert set(report) == {
        "name", "flow", "started", "config_digest", "steps", "scores", "training", "peak_memory_mib", "model",
        "model_dir", "evaluation", "seconds",
    }  # fmt: skip
    assert all(set(step) == {"name", "key", "cached", "seconds", "digest"} for step in report["steps"])
    assert set(report["scores"]) == {
        "test", "bleu", "bleu_interval", "bleu_lowercased", "chrf", "ter", "signature", "test_pairs", "length_ratio",
    }  # fmt: skip
    assert set(report["training"]) == {
        "target_tokens_per_second", "steps", "epochs", "best_step", "stopped_by", "valid_bleu", "valid_nats_per_token",
        "parameters", "device", "precision", "threads", "processes",
    }  # fmt: skip
    assert None not in [*report["scores"].values(), *report["training"].values(), report["peak_memory_mib"]]
    assert report["training"]["steps"] == 4
    assert report["scores"]["test_pairs"] == 10


def test_what_a_stopped_training_has_learned_can_be_its_result(tiny_config: Read, tmp_path: Path) -> None:
    long, workspace = ("training.max_steps=100000", "training.max_epochs=0", "training.patience=100000"), tmp_path / "w"
    with pytest.raises(StepTimedOut):
        run(tiny_config(*long, "runtime.max_step_minutes=0.1", "runtime.checkpoint_every_seconds=0"), workspace)

    report = run(tiny_config(*long, "runtime.finish=true"), workspace)

    assert report["training"]["stopped_by"] == "finish"
    assert 0 < report["training"]["steps"] < 100_000
    assert not list((workspace / "checkpoints").rglob("checkpoint.pt"))
    assert executed(run(tiny_config(*long), workspace)) == []


def test_a_corpus_in_one_piece_is_trained_and_scored_on_what_is_held_out(tiny_config: Read, tmp_path: Path) -> None:
    one_piece = tiny_config("corpus.valid=", "corpus.test=", "corpus.valid_pairs=5", "corpus.test_pairs=7")
    report = run(one_piece, tmp_path / "workspace")
    again = read_json(evaluate_translator(report["model_dir"], one_piece, str(tmp_path / "workspace")))

    assert report["scores"]["test_pairs"] >= 7
    assert again["scores"] == report["scores"]
    assert executed(again) == ["adopt"]
    on_valid = read_json(evaluate_translator(report["model_dir"], one_piece, str(tmp_path / "workspace"), "valid"))
    assert on_valid["scores"]["test"] == "validation pairs held out of train"
    assert on_valid["scores"]["test_pairs"] >= 5
    assert executed(on_valid) == ["evaluate"]
    with pytest.raises(ConfigError, match="may have learned from the pairs that this corpus holds out"):
        evaluate_translator(report["model_dir"], tiny_config("corpus.test="), str(tmp_path / "workspace"))
    assert "Pairs held out of `train`: " in (Path(report["model_dir"]) / "README.md").read_text(encoding="utf-8")

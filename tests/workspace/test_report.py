"""`report.json`, as far as it needs no run."""

import json
import subprocess
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path

from seq2seq.config import Config, load_config
from seq2seq.storage.artifacts import Record
from seq2seq.workspace.report import StepOutcome, build_report, write_report

STARTED = datetime(2026, 11, 22, 9, 41, 7, tzinfo=timezone(timedelta(hours=1)))
CONFIG = Config(name="demo")


def record(step: str, **statistics: object) -> Record:
    return Record(
        step=step, key="k", digest="d", address="a", files={}, statistics=statistics, provenance={}, seconds=1
    )


def test_figures_come_from_the_records_and_what_a_record_does_not_hold_is_null(tmp_path: Path) -> None:
    report = build_report(
        CONFIG,
        "train-translator",
        STARTED,
        [StepOutcome("train", "key", True, 0.25, "content")],
        record("train", steps=10, something_else=1, valid_bleu=30.123456789),
        record("evaluate", bleu=30.5, bleu_interval=[29.0, 32.0]),
        tmp_path / "model",
        12.3456,
    )

    assert report["steps"] == [{"name": "train", "key": "key", "cached": True, "seconds": 0.25, "digest": "content"}]
    assert (report["training"]["steps"], report["training"]["epochs"]) == (10, None)
    assert report["training"]["valid_bleu"] == 30.1235
    assert "something_else" not in report["training"]
    assert (report["scores"]["bleu"], report["scores"]["bleu_interval"]) == (30.5, [29.0, 32.0])
    assert report["model_dir"] == str(tmp_path / "model")
    assert report["seconds"] == 12.346


def test_a_report_says_which_flow_made_which_model_and_when_it_began() -> None:
    report = build_report(CONFIG, "train-translator", STARTED, [], record("train"), record("evaluate"), Path("m"), 1)

    assert (report["name"], report["flow"], report["model"], report["evaluation"]) == (
        "demo", "train-translator", "d", "k",
    )  # fmt: skip
    assert report["started"] == "2026-11-22T08:41:07+00:00"


def test_peak_memory_counts_all_processes_of_a_training_that_was_done_in_this_run() -> None:
    trained = record("train", peak_memory_mib=10.0**6)
    peaks = []
    for cached in (False, True):
        outcome = StepOutcome("train", "key", cached, 0.25, "content")
        report = build_report(CONFIG, "train-translator", STARTED, [outcome], trained, record("evaluate"), Path("m"), 1)
        peaks.append(report["peak_memory_mib"])
    assert peaks[0] == 10.0**6 > peaks[1] > 5


def test_a_report_is_filed_under_its_time_and_name_and_two_of_one_second_are_kept_apart(tmp_path: Path) -> None:
    first = write_report({"run": "erster"}, CONFIG, tmp_path / "runs", STARTED)
    second = write_report({"run": "zweiter"}, CONFIG, tmp_path / "runs", STARTED)

    assert first == tmp_path / "runs" / "2026-11-22T09-41-07-demo" / "report.json"
    assert second.parent.name == "2026-11-22T09-41-07-demo-2"
    assert json.loads(first.read_text(encoding="utf-8")) == {"run": "erster"}


def test_all_settings_of_the_run_lie_beside_its_report(tmp_path: Path) -> None:
    config = Config.model_validate({"name": "demo", "training": {"seed": 7}, "runtime": {"threads": 3}})

    path = write_report({}, config, tmp_path / "runs", STARTED)

    assert load_config("", base=json.loads((path.parent / "config.json").read_text(encoding="utf-8"))) == config


def test_peak_memory_grows_with_what_a_process_takes_and_never_falls() -> None:
    program = (
        "from seq2seq.peak_memory import peak_memory_mib as peak; before = peak(); block = b'x' * (200 * 2**20); "
        "during = peak(); del block; print(before, during, peak())"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    before, during, after = map(float, done.stdout.split())
    assert 5 < before < 200
    assert before + 190 < during < before + 220
    assert after > during - 1  # Linux counts pages for each processor, and adds up now and then

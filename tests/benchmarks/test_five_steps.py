"""The pipeline that DVC and Snakemake run is the one that the library declares."""

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import five_steps
from benchmarks.five_steps import SETTINGS, STAGES, Ours, Snakemake
from seq2seq.config import load_config, validate_config
from seq2seq.pipeline import STEPS

FILES = {step: [f"{part}.arrow" for part in ("train", "valid", "test")] for step in STEPS}


@pytest.fixture
def snakemake(tmp_path: Path) -> Snakemake:
    return Snakemake(tmp_path / "project", {}, tmp_path / "bin", FILES)


def test_the_five_steps_are_the_seven_of_the_pipeline_in_order() -> None:
    assert [step for steps in STAGES.values() for step in steps] == list(STEPS)


def test_a_step_declares_its_script_and_the_files_of_steps_before_it(snakemake: Snakemake) -> None:
    assert snakemake.reads("evaluate") == [
        "steps/evaluate.py",
        *(f"data/train/{file}" for file in FILES["train"]),
        "data/clean/test.arrow",
    ]
    assert snakemake.sections("prepare") == ["tokenization", "vocabulary"]
    assert [path.split("/")[1] for path in snakemake.makes("prepare")[::3]] == STAGES["prepare"]


def test_both_ways_to_write_the_settings_give_the_same_configuration(tmp_path: Path) -> None:
    ours = Ours(tmp_path / "five", {})
    ours.set("training", "learning_rate", 0.5)

    written = load_config(str(ours.folder / "five.toml"))

    training = SETTINGS["training"] | {"learning_rate": 0.5}
    assert written == validate_config({**SETTINGS, "training": training, "name": "five"})


def test_a_script_does_its_step_on_the_copied_library_and_notes_that_it_ran(tmp_path: Path) -> None:
    project = Snakemake(tmp_path / "project", {}, tmp_path / "bin", FILES)
    module = project.package / "corpora" / "fetching.py"
    module.write_text(module.read_text(encoding="utf-8") + "\nprint(__file__)\n", encoding="utf-8")

    done = subprocess.run(
        [sys.executable, "steps/fetch.py"],
        cwd=project.folder,
        env=project.environment,
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.strip() == str(module)
    assert (project.folder / "data" / "fetch" / "train.arrow").is_file()
    assert project.executed() == ["fetch"]
    assert project.executed() == []


def test_what_the_project_executed_is_read_from_what_it_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = "fetch      cached     0.0 s  400 train\nclean      done       0.2 s  kept 400\ntrain      step 1/2\n"
    project = Ours(tmp_path / "five", {})
    monkeypatch.setattr(five_steps.Ours, "command", (sys.executable, "-c", f"print({said!r})"))
    project.start().wait(120)

    assert project.executed() == ["clean"]
    assert project.executed() == []

"""Reading what runs left behind, and comparing two of them."""

import errno
import json
import os
import shutil
from pathlib import Path

import pytest

from seq2seq.config import load_config
from seq2seq.errors import CorpusError, UserError
from seq2seq.storage.artifacts import Workspace
from seq2seq.storage.differences import differences
from seq2seq.workspace.runs import all_runs, find_run, read_run, significance, starting_point
from tests.past_runs import REFERENCES, make_run, store


def test_runs_come_newest_first_whatever_their_names(tmp_path: Path) -> None:
    for name, hours in (("b", 1), ("a", 3), ("c", 2)):
        make_run(tmp_path, name, hours)

    assert [run.report["name"] for run in all_runs(tmp_path)] == ["a", "c", "b"]


def test_a_folder_without_a_report_is_no_run_and_a_damaged_report_is_one_without_content(tmp_path: Path) -> None:
    (tmp_path / "runs" / "killed-before-its-report").mkdir(parents=True)
    damaged = make_run(tmp_path)
    (damaged / "report.json").write_text('{"name": ', encoding="utf-8")

    assert [(run.name, run.report) for run in all_runs(tmp_path)] == [(damaged.name, {})]
    with pytest.raises(UserError, match=r"report\.json is damaged: Expecting value"):
        find_run(tmp_path, damaged.name)


def test_a_hidden_folder_is_no_run(tmp_path: Path) -> None:
    run = make_run(tmp_path)
    shutil.copytree(run, run.with_name(f".{run.name}"))

    assert [found.folder for found in all_runs(tmp_path)] == [run]


def test_a_report_that_may_not_be_read_is_a_run_without_content(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs, ours = make_run(tmp_path, "theirs"), make_run(tmp_path, "ours", hours=2)
    read_text = Path.read_text

    def refuse(path: Path, *arguments: str, **named: str) -> str:
        if theirs in path.parents:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return read_text(path, *arguments, **named)

    monkeypatch.setattr(Path, "read_text", refuse)

    assert {run.name: bool(run.report) for run in all_runs(tmp_path)} == {theirs.name: False, ours.name: True}
    with pytest.raises(UserError, match=r"report\.json cannot be read: Permission denied"):
        find_run(tmp_path, theirs.name)


def test_a_run_is_found_by_name_beginning_path_or_as_the_last(tmp_path: Path) -> None:
    early, late = make_run(tmp_path, "early"), make_run(tmp_path, "late", hours=2)

    found = [
        find_run(tmp_path, wanted).folder.resolve()
        for wanted in ("last", early.name, "2026-11-22T14", str(early), str(early / "report.json"))
    ]

    assert found == [late, early, late, early, early]


def test_the_name_of_a_configuration_stands_for_its_newest_run(tmp_path: Path) -> None:
    for name, hours in (("one", 0), ("one", 1), ("one-more", 2)):
        make_run(tmp_path, name, hours)

    assert find_run(tmp_path, "one").name == "2026-11-22T13-00-00-one"


def test_a_name_that_is_also_the_beginning_of_another_is_that_run(tmp_path: Path) -> None:
    first, second = make_run(tmp_path), make_run(tmp_path)

    assert second.name == f"{first.name}-2"
    assert find_run(tmp_path, first.name).name == first.name


@pytest.mark.parametrize(
    ("wanted", "told"),
    [
        ("2026-11-22", r"beginning of 2 runs: \S+-late, \S+-early\. Give more"),
        ("earl", r"There is no run earl in .*Did you mean \S+-early\?"),
        ("2026-11-22T12-00-00-eary", r"Did you mean 2026-11-22T12-00-00-early\?"),
        ("x", r"There is no run x in \S+runs\. `python"),
    ],
)
def test_a_run_that_is_not_there_is_told_with_those_that_are(tmp_path: Path, wanted: str, told: str) -> None:
    make_run(tmp_path, "early")
    make_run(tmp_path, "late", hours=2)

    with pytest.raises(UserError, match=told):
        find_run(tmp_path, wanted)


def test_without_runs_the_way_to_the_first_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no run in .* yet: `python -m flows train`"):
        find_run(tmp_path, "last")


def test_a_run_knows_how_long_its_model_was_trained_even_when_it_found_it_trained(tmp_path: Path) -> None:
    run = read_run(make_run(tmp_path))
    assert run.steps[0]["cached"]
    assert run.training_minutes == 1.5

    shutil.rmtree(tmp_path / "index" / "train")
    assert run.training_minutes is None


def test_the_scores_of_a_run_with_two_evaluations_are_those_that_its_report_names(tmp_path: Path) -> None:
    folder = make_run(tmp_path)
    report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    champion = store(Workspace(tmp_path), "evaluate", "c" * 32, {"translations.jsonl": ""})
    for other in (0, len(report["steps"])):
        report["steps"].insert(other, {"name": "evaluate", "key": champion.key, "cached": True})
    (folder / "report.json").write_text(json.dumps(report), encoding="utf-8")

    evaluation = read_run(folder).evaluation

    assert evaluation is not None
    assert evaluation.statistics["bleu"] == 31.25


def test_a_configuration_is_told_against_the_preset_of_its_name_or_the_defaults() -> None:
    preset = load_config("demo", ["training.seed=9"]).model_dump(mode="json")
    own = load_config("", ["training.seed=9"], base={"name": "mine"}).model_dump(mode="json")

    for config, words in ((preset, "the preset demo"), (own, "the defaults")):
        told, start = starting_point(config)
        assert told == words
        assert [place for place, _, _ in differences(start, config)] == [("training", "seed")]


def test_two_runs_on_equal_test_pairs_are_compared_by_paired_bootstrap(tmp_path: Path) -> None:
    worse = ["The dog."] * len(REFERENCES)
    old, new = read_run(make_run(tmp_path, "old", texts=worse)), read_run(make_run(tmp_path, "new"))

    found = significance(old, new)

    assert found["challenger"]["bleu"] == pytest.approx(100)
    assert found["difference"] > 50
    assert (found["samples"], found["test_pairs"]) == (100, len(REFERENCES))
    assert significance(new, old)["difference"] == -found["difference"]


def test_runs_of_two_workspaces_can_be_compared(tmp_path: Path) -> None:
    runs = [read_run(make_run(tmp_path / name)) for name in ("one", "two")]

    assert significance(*runs)["p_value"] == 1


def test_runs_on_different_test_pairs_are_not_compared(tmp_path: Path) -> None:
    other = [*REFERENCES[:2], *REFERENCES[:2]]
    old, new = make_run(tmp_path, "old"), make_run(tmp_path, "new", texts=other, references=other)

    with pytest.raises(CorpusError, match="in line 3 the source is"):
        significance(read_run(old), read_run(new))


def test_runs_scored_with_different_tokenizers_are_not_compared(tmp_path: Path) -> None:
    old, new = make_run(tmp_path, "old"), make_run(tmp_path, "new", tokenizer="char")

    with pytest.raises(UserError, match="tokenizer 13a in one run and with char in the other"):
        significance(read_run(old), read_run(new))


@pytest.mark.parametrize("what", ["index", "artifacts"])
def test_runs_whose_translations_were_pruned_are_not_compared_and_are_still_read(tmp_path: Path, what: str) -> None:
    old, new = make_run(tmp_path, "old"), make_run(tmp_path, "new", texts=["x"] * len(REFERENCES))
    shutil.rmtree(tmp_path / what / "evaluate")

    with pytest.raises(UserError, match=rf"translations of {old.name} are gone"):
        significance(read_run(old), read_run(new))
    assert read_run(old).scores["bleu"] == 31.25


def test_the_minutes_of_a_training_are_those_of_all_its_sessions(tmp_path: Path) -> None:
    run = read_run(make_run(tmp_path, train={"seconds": 7200.0}))

    assert run.training_minutes == 120

"""`python -m flows runs list | show | compare`."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flows.__main__ import main
from seq2seq.config import Config, load_config
from tests.past_runs import REFERENCES, make_run

CHECKOUT = Path(__file__).parents[2]
HEAVY = ("prefect", "torch", "datasets", "pandas", "matplotlib", "tokenizers", "pyarrow")

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """Two runs of the demo: one early with the preset's settings, one late that learns faster and translates worse."""
    root = tmp_path / "workspace"
    make_run(root, "early", config=load_config("demo", base={"name": "early"}))
    worse = [text.replace("The", "A") for text in REFERENCES]
    late = Config.model_validate({"name": "late", "training": {"learning_rate": 0.002}})
    make_run(root, "late", hours=2, texts=worse, config=late)
    return root


@pytest.fixture
def runs(workspace: Path, capsys: pytest.CaptureFixture[str]) -> Call:
    """Calls `python -m flows runs …` on the workspace; gives exit code, standard output and standard error."""

    def call(*arguments: str) -> tuple[int, str, str]:
        code = main(["runs", *arguments, "--workspace", str(workspace)])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return call


def test_an_empty_workspace_says_how_to_fill_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["runs", "list", "--workspace", str(tmp_path / "none")]) == 0

    assert "yet: `python -m flows train` makes one" in capsys.readouterr().out


def test_the_list_has_a_line_for_each_run_the_newest_first(runs: Call) -> None:
    code, listed, _ = runs("list")

    assert code == 0
    assert [re.split(r" {2,}", line) for line in listed.splitlines()] == [
        ["run", "flow", "seconds", "done", "cached", "valid", "BLEU", "test set (pairs)"],
        ["2026-11-22T14-00-00-late", "train", "2.5", "1", "1", "30.0", "31.2 [29.0, 33.5]", "test (12)"],
        ["2026-11-22T12-00-00-early", "train", "2.5", "1", "1", "30.0", "31.2 [29.0, 33.5]", "test (12)"],
    ]


def test_the_list_can_be_limited_and_says_what_it_leaves_out(runs: Call) -> None:
    limited = runs("list", "--limit", "1")[1].splitlines()

    assert limited[1].startswith("2026-11-22T14-00-00-late")
    assert limited[2:] == ["and 1 older; --limit 0 shows all"]
    assert len(runs("list", "--limit", "0")[1].splitlines()) == 3
    assert runs("list", "--limit", "-1")[0] == 2


def test_a_damaged_report_is_listed_as_such(runs: Call, workspace: Path) -> None:
    (workspace / "runs" / "2026-11-22T14-00-00-late" / "report.json").write_text("", encoding="utf-8")

    code, listed, _ = runs("list")

    assert code == 0
    assert re.search(r"-late +unreadable report\.json ", listed)
    assert re.search(r"-early +train ", listed)


def test_a_run_is_shown_with_its_figures_settings_and_translations(runs: Call, workspace: Path) -> None:
    code, shown, _ = runs("show", "last")

    assert code == 0
    for expected in (
        r"^2026-11-22T14-00-00-late$",
        r"^flow +train-translator$",
        r"^train +cached +1\.5 +[0-9a-f]{12} +[0-9a-f]{12}$",
        r"^BLEU +31\.2 \[29\.0, 33\.5\]$",
        r"^chrF +–$",
        r"^signature nrefs:1\|",
        r"^steps +600$",
        r"^minutes +1\.5$",
        r"^settings that differ from the defaults\ntraining\.learning_rate +0\.001 -> 0\.002$",
        r"^  source       QUELLE\n  translation  text\n  reference    reference$",
        rf"^model: {workspace / 'model'}$",
    ):
        assert re.search(expected, shown, re.MULTILINE), expected


def test_an_evaluation_is_shown_without_figures_of_a_training(runs: Call, workspace: Path) -> None:
    path = next(workspace.glob("runs/*-late/report.json"))
    report = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(report | {"training": {}, "steps": report["steps"][1:]}), encoding="utf-8")

    code, shown, _ = runs("show", "last")

    assert code == 0
    assert "\nscores\n" in shown
    assert "\ntraining\n" not in shown


def test_the_last_line_says_where_all_translations_are(runs: Call, workspace: Path) -> None:
    _, shown, _ = runs("show", "last")

    name, _, path = shown.splitlines()[-1].partition(": ")
    assert name == "translations"
    assert len(Path(path).read_text(encoding="utf-8").splitlines()) == len(REFERENCES)


def test_a_run_whose_records_were_pruned_is_shown_as_far_as_its_report_goes(runs: Call, workspace: Path) -> None:
    shutil.rmtree(workspace / "index")
    next(workspace.glob("runs/*-late/config.json")).unlink()

    code, shown, _ = runs("show", "last")

    assert code == 0
    assert re.search(r"^BLEU +31\.2 \[29\.0, 33\.5\]$", shown, re.MULTILINE)
    assert "settings: unknown, the run has no config.json" in shown
    assert "gone from the workspace; the same command as then makes them again" in shown
    assert shown.splitlines()[-1].startswith("model: ")


def test_two_runs_are_compared_in_settings_scores_and_significance(runs: Call) -> None:
    code, compared, _ = runs("compare", "2026-11-22T12", "last")

    assert code == 0
    for expected in (
        r"^ +2026-11-22T12-00-00-early +2026-11-22T14-00-00-late$",
        r"^settings that differ\nname +early +late\n(.*\n)*training\.learning_rate +\S+ +0\.002$",
        r"^BLEU +31\.2 \[29\.0, 33\.5\] +31\.2 \[29\.0, 33\.5\]$",
        r"^minutes +1\.5 +1\.5$",
        r"^same results: none; different: train, evaluate$",
        r"^B against A: BLEU -\d+\.\d, 95 % interval -\d+\.\d to -\d+\.\d, p = 0\.\d+ \(paired bootstrap, 100 ",
        r"^sentences: 0 better, 6 worse, 6 equal$",
    ):
        assert re.search(expected, compared, re.MULTILINE), expected


def test_runs_that_cannot_be_compared_for_significance_are_compared_in_the_rest_and_it_says_why(
    runs: Call, workspace: Path
) -> None:
    make_run(workspace, "other", hours=3, texts=REFERENCES[:3], references=REFERENCES[:3])
    next(workspace.glob("runs/*-early/config.json")).unlink()

    code, compared, _ = runs("compare", "2026-11-22T12", "last")

    assert code == 0
    assert re.search(r"^unknown +no config\.json$", compared, re.MULTILINE)
    assert re.search(r"^test pairs +12 +3$", compared, re.MULTILINE)
    assert "significance: not computed. The two models were scored on different test sets, of 12 and 3" in compared


def test_a_run_that_is_not_there_is_one_message_with_the_one_that_may_be_meant(runs: Call) -> None:
    code, output, error = runs("show", "lat")

    assert (code, output) == (2, "")
    assert "Did you mean 2026-11-22T14-00-00-late?" in error
    assert len(error.splitlines()) == 1


def test_the_commands_import_neither_prefect_nor_anything_heavy(workspace: Path) -> None:
    program = (
        "import sys; from flows.__main__ import main; "
        "codes = [main(['runs', *words, '--workspace', sys.argv[1]]) for words in "
        "(['list'], ['show', 'last'], ['compare', 'last', '2026-11-22T12'])]; "
        f"sys.exit(', '.join(name for name in {HEAVY} if name in sys.modules) or sum(codes))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(workspace)], cwd=CHECKOUT, capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stderr) == (0, "")


def test_a_real_run_is_listed_shown_and_compared_with_itself(
    first: tuple[Path, dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    workspace, report = first
    for arguments in (["list"], ["show", "last"], ["compare", "last", "last"]):
        assert main(["runs", *arguments, "--workspace", str(workspace)]) == 0
    printed = capsys.readouterr().out

    assert re.search(r"-tiny +train ", printed)
    assert "train-translator" in printed
    assert f"model: {report['model_dir']}" in printed
    assert "settings that differ\nnone\n" in printed
    assert "p = 1 " in printed


def test_on_a_narrow_terminal_the_names_of_runs_stay_whole(runs: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    for name in ("FORCE_COLOR", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "60")

    lines = [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in runs("list")[1].splitlines()]

    assert max(map(len, lines)) <= 60
    assert any(line.startswith("2026-11-22T12-00-00-early ") for line in lines)


def test_what_is_no_terminal_gets_plain_text_whatever_the_environment(
    runs: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = runs("list")
    assert "\x1b" not in plain[1]
    for name in ("FORCE_COLOR", "TTY_COMPATIBLE"):
        monkeypatch.setenv(name, "1")
    monkeypatch.setenv("COLUMNS", "60")

    assert runs("list") == plain


def test_no_line_is_wider_than_an_ordinary_terminal(runs: Call) -> None:
    lines = [
        line for words in (["list"], ["compare", "last", "2026-11-22T12"]) for line in runs(*words)[1].splitlines()
    ]

    assert max(map(len, lines)) <= 100

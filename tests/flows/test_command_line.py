"""`python -m flows`, as a person or a script meets it."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterName
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.states import Cancelling

from flows import console
from flows.__main__ import main
from seq2seq.subwords.language_tags import language_tag
from tests.tiny import write_tiny_model

CHECKOUT = Path(__file__).parents[2]
HEAVY = ("torch", "datasets", "pandas", "matplotlib", "tokenizers", "sacrebleu", "pyarrow")

Start = Callable[..., "subprocess.Popen[str]"]
Stop = Callable[["subprocess.Popen[str]", FlowRun], None]


@pytest.fixture
def start(prefect_server: str) -> Start:
    """Starts `python -m flows …` (or another program) in the checkout, against the session's server."""

    def begin(*arguments: str, program: tuple[str, ...] = ("-m", "flows")) -> "subprocess.Popen[str]":
        return subprocess.Popen(
            [sys.executable, *program, *arguments],
            cwd=CHECKOUT,
            env={**os.environ, "PREFECT_API_URL": prefect_server, "OMP_NUM_THREADS": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    return begin


def finish(process: "subprocess.Popen[str]") -> tuple[int, list[str], list[str]]:
    """Exit code, and the lines of standard output and of standard error."""
    output, errors = process.communicate(timeout=300)
    return process.returncode, output.splitlines(), errors.splitlines()


def report_of(output: list[str]) -> dict[str, object]:
    name, _, path = output[-1].partition(": ")
    assert name == "report"
    assert Path(path).is_absolute()
    content: dict[str, object] = json.loads(Path(path).read_text(encoding="utf-8"))
    return content


def executed(output: list[str]) -> list[str]:
    return [step["name"] for step in report_of(output)["steps"] if not step["cached"]]  # type: ignore[attr-defined]


def test_two_runs_at_once_do_each_step_once_and_a_third_imports_nothing_heavy(
    start: Start, tiny_project: Path, tmp_path: Path
) -> None:
    arguments = ("train", str(tiny_project / "tiny.toml"), "--workspace", str(tmp_path / "workspace"))

    outcomes = [finish(process) for process in (start(*arguments), start(*arguments))]

    assert [code for code, _, _ in outcomes] == [0, 0]
    done = [name for _, output, _ in outcomes for name in executed(output)]
    assert sorted(done) == sorted(["fetch", "clean", "tokenize", "vocabulary", "encode", "train", "evaluate"])

    program = (
        "import sys; from flows.__main__ import main; code = main(sys.argv[1:]); "
        f"sys.exit(code or ', '.join(name for name in {HEAVY} if name in sys.modules) or None)"
    )
    code, output, errors = finish(start(*arguments, program=("-c", program)))
    assert code == 0, errors
    assert executed(output) == []
    assert [line.split()[:2] for line in errors] == [[step["name"], "cached"] for step in report_of(output)["steps"]]  # type: ignore[attr-defined]


def test_ctrl_c_stops_a_training_with_a_checkpoint_and_the_same_command_goes_on(
    start: Start, tiny_project: Path, tmp_path: Path
) -> None:
    command = ("train", str(tiny_project / "tiny.toml"), "--workspace", str(tmp_path / "workspace"))
    settings = ("training.max_steps=0", "training.max_epochs=30", "training.patience=1000")
    arguments = (*command, *(part for setting in settings for part in ("--set", setting)))
    process = start(*arguments)
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("train      step"):
            break
    process.send_signal(signal.SIGINT)

    code, output, errors = finish(process)

    assert (code, output) == (130, [])
    stopped = re.match(r"Training stopped at step ([\d,]+); the checkpoint is saved", errors[-1])
    assert stopped

    code, output, errors = finish(start(*arguments))

    assert code == 0, errors
    steps = [
        int(re.findall(r"[\d,]+", line)[0].replace(",", "")) for line in errors if line.startswith("train      step")
    ]
    assert min(steps) > int(stopped[1].replace(",", ""))
    assert list((tmp_path / "workspace" / "checkpoints").iterdir()) == []


def by_signal(number: signal.Signals) -> Stop:
    return lambda process, run: process.send_signal(number)


def in_the_ui(process: "subprocess.Popen[str]", run: FlowRun) -> None:
    with get_client(sync_client=True) as client:
        client.set_flow_run_state(run.id, Cancelling())


def run_called(name: str) -> FlowRun:
    with get_client(sync_client=True) as client:
        (run,) = client.read_flow_runs(flow_run_filter=FlowRunFilter(name=FlowRunFilterName(like_=name)))
    return run


@pytest.mark.parametrize(
    ("stop", "exit_code"),
    [(by_signal(signal.SIGINT), 130), (by_signal(signal.SIGTERM), 143), (in_the_ui, 130)],
    ids=["ctrl-c", "sigterm", "cancelled-in-the-ui"],
)
def test_a_training_that_is_asked_to_stop_saves_a_checkpoint_and_ends_as_cancelled(
    stop: Stop, exit_code: int, start: Start, tiny_project: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    name = request.node.callspec.id
    settings = (f"name={name}", "training.max_steps=0", "training.max_epochs=0", "training.patience=1000000")
    options = (part for setting in settings for part in ("--set", setting))
    process = start("train", str(tiny_project / "tiny.toml"), "--workspace", str(tmp_path / "workspace"), *options)
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("train      step"):
            break
    stop(process, run_called(name))

    code, output, errors = finish(process)

    assert (code, output) == (exit_code, [])
    assert re.match(r"Training stopped at step [\d,]+; the checkpoint is saved", errors[-1])
    state = run_called(name).state
    assert state is not None
    assert (state.type, state.message) == (StateType.CANCELLED, errors[-1])
    assert list((tmp_path / "workspace" / "checkpoints").rglob("checkpoint.pt"))


def test_what_the_user_can_mend_is_one_message_without_a_traceback_and_exit_code_2(
    start: Start, tiny_project: Path, tmp_path: Path
) -> None:
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    for split, language, text in (("train", "de", "a\nb\n"), ("train", "en", "a\n")):
        (corpus / f"{split}.{language}").write_text(text, encoding="utf-8")
    config = tmp_path / "uneven.toml"
    config.write_text(
        '[corpus]\nkind = "files"\ndirectory = "corpus"\nsource_language = "de"\ntarget_language = "en"\n'
        'valid = ""\ntest = ""\n',
        encoding="utf-8",
    )

    code, output, errors = finish(start("train", str(config), "--workspace", str(tmp_path / "workspace")))

    assert (code, output) == (2, [])
    assert len(errors) == 1
    assert errors[0].startswith("error: ")
    assert "2 lines" in errors[0]


def test_a_delivered_folder_is_scored_with_the_configuration_that_it_holds(
    start: Start, first: tuple[Path, dict[str, object]], tiny_project: Path, tmp_path: Path
) -> None:
    workspace, report = shutil.copytree(first[0], tmp_path / "workspace"), first[1]
    place = f"corpus.directory={tiny_project / 'corpus'}"  # a folder that is given away names no places

    code, output, errors = finish(
        start("evaluate", str(report["model_dir"]), "--set", place, "--workspace", str(workspace))
    )

    assert code == 0, errors
    assert report_of(output)["scores"] == report["scores"]
    assert [line.split()[:2] for line in errors][-1] == ["evaluate", "cached"]


def test_the_validation_split_is_scored_where_it_is_asked_for(
    start: Start, first: tuple[Path, dict[str, object]], tiny_project: Path, tmp_path: Path
) -> None:
    folder, place = str(first[1]["model_dir"]), f"corpus.directory={tiny_project / 'corpus'}"

    code, output, errors = finish(
        start("evaluate", folder, "--split", "valid", "--set", place, "--workspace", str(tmp_path / "workspace"))
    )

    assert code == 0, errors
    assert any(line.endswith("on 12 pairs (valid)") for line in output)


def test_after_a_score_of_the_way_back_the_next_command_translates_that_way(
    start: Start, tiny_project: Path, tmp_path: Path
) -> None:
    tagged = [language_tag("de"), language_tag("en"), "▁the"]
    folder = write_tiny_model(tmp_path / "both", pieces={"source": tagged, "target": tagged})
    corpus = {"kind": "files", "directory": tiny_project / "corpus", "source_language": "en", "target_language": "de"}
    settings = [word for name, value in corpus.items() for word in ("--set", f"corpus.{name}={value}")]

    code, output, errors = finish(start("evaluate", str(folder), *settings, "--workspace", str(tmp_path / "workspace")))

    assert code == 0, errors
    assert output[-2].endswith(f"-m seq2seq translate {folder} --to de < in.txt > out.txt")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["train", "dem"], "dem is neither a preset nor a file here. Did you mean demo?"),
        (["train", "demo", "--set", "training.learning_rat=1"], "no such setting; did you mean learning_rate?"),
        (["train", "demo", "--set", "training.learning_rate=-1"], "greater than 0, not -1"),
        (["train", "demo", "--set", "seed"], "write section.field=value"),
        (["train", "demo", "--set", "training.max_minutes", "3"], "with an equals sign: --set training.max_minutes=3"),
        (["evaluate", "nowhere", "--set", "model.dropout=0"], "model.dropout shapes a training, and evaluate scores"),
        (["evaluate", "nowhere"], "There is no model folder nowhere"),
        (["plan", "demo", "--set", "corpus.kind=files"], "corpus.directory"),
        (["train"], "requires an argument"),
        (["train", "demo", "--worksapce", "x"], "Unknown option"),
        (["frobnicate"], "Unknown command"),
    ],
)
def test_a_wrong_command_line_ends_with_code_2_and_says_what_is_wrong(
    arguments: list[str],
    told: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)

    assert main(arguments) == 2

    captured = capsys.readouterr()
    assert told in " ".join(captured.err.split())
    assert "Traceback" not in captured.err
    assert captured.out == ""
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "command", ["train demo", "retrain demo", "plan demo", "runs list", "models list", "workspace size"]
)
def test_a_workspace_that_is_a_file_is_refused_before_anything_is_started(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("taken").touch()

    assert main([*command.split(), "--workspace", "taken"]) == 2

    assert '"taken" is a file' in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]


@pytest.mark.parametrize("arguments", ["train dem --traceback", "--traceback train dem"])
def test_a_traceback_is_shown_when_it_is_asked_for(arguments: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments.split()) == 2

    assert "Traceback (most recent call last)" in capsys.readouterr().err
    assert main(["train", "dem"]) == 2
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize("command", ["", "train", "runs", "runs list"])
def test_the_help_of_each_command_names_the_option_that_all_have(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*command.split(), "--help"]) == 0

    assert "--traceback" in capsys.readouterr().out


@pytest.mark.parametrize("command", ["train", "settings", "accept", "models promote", "workspace prune"])
def test_the_help_of_a_command_shows_no_default_that_says_nothing(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*command.split(), "--help"]) == 0

    assert not re.search(r'default: (""|False|)\]', capsys.readouterr().out)


def test_a_missing_configuration_is_called_as_the_usage_calls_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan"]) == 2

    assert "parameter CONFIG requires an argument" in capsys.readouterr().err


def test_ctrl_c_says_that_the_same_command_goes_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("seq2seq.workspace.planning.plan", interrupt)

    assert main(["plan", "demo"]) == 130
    assert capsys.readouterr().err.startswith("Interrupted. What is done stays done")


def test_plan_tells_what_a_run_would_do_and_imports_neither_prefect_nor_torch(
    tiny_project: Path, tmp_path: Path
) -> None:
    program = (
        "import sys; from flows.__main__ import main; main(sys.argv[1:]); "
        f"sys.exit(', '.join(name for name in ('prefect', *{HEAVY}) if name in sys.modules) or None)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, "plan", str(tiny_project / "tiny.toml"), "--workspace", str(tmp_path / "none")],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[0] == "fetch: stale, not done yet"
    assert done.stdout.splitlines()[-1] == "evaluate: depends on what train and clean will give"
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    ("found", "here", "called"),
    [("bin", "elsewhere", "python"), ("other", ".", "env/bin/python"), ("other", "elsewhere", "{}/env/bin/python")],
)
def test_the_next_command_names_a_python_that_is_there(
    found: str, here: str, called: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / here)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "env" / "bin" / "python"))
    monkeypatch.setattr("flows.console.shutil.which", lambda name: str(tmp_path / "env" / found / name))

    assert console.python() == called.format(tmp_path)


@pytest.mark.parametrize(("pairs", "told"), [(1, "on 1 pair (news)"), (1000, "on 1,000 pairs (news)")])
def test_the_summary_counts_test_pairs(pairs: int, told: str) -> None:
    figures = dict.fromkeys(("bleu", "chrf", "ter", "bleu_lowercased", "length_ratio"), 1.0)
    scores = {**figures, "bleu_interval": [0, 2], "signature": "", "test": "news", "test_pairs": pairs}

    assert told in console.summary({"scores": scores, "model_dir": "model"}, [])

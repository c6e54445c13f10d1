"""`python -m flows models list | promote | rollback`."""

import errno
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from flows.__main__ import main
from seq2seq.config import Config
from seq2seq.registry.champions import Shelf, model_digest
from seq2seq.registry.sharing import assemble
from seq2seq.settings.corpus import CorpusSettings
from tests.past_runs import make_run
from tests.tiny import write_tiny_model

CHECKOUT = Path(__file__).parents[2]
HEAVY = ("prefect", "torch", "datasets", "pandas", "matplotlib", "tokenizers", "sacrebleu", "pyarrow")

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def two_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with two delivered models from German to English, `one` and `two`."""
    workspace = tmp_path_factory.mktemp("models") / "workspace"
    for seed, name in enumerate(("one", "two")):
        trained = write_tiny_model(workspace.parent / f"trained-{name}", seed)
        (workspace / "models" / "de-en").mkdir(parents=True, exist_ok=True)
        assemble(trained, workspace / "models" / "de-en" / name, f"# {name}\n", Config(name=name))
    return workspace


@pytest.fixture
def workspace(two_models: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(two_models, tmp_path / "workspace"))


@pytest.fixture
def shelf(workspace: Path) -> Shelf:
    return Shelf(workspace / "models" / "de-en")


@pytest.fixture
def models(workspace: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Call:
    """Calls `python -m flows models …` on the workspace; gives exit code, standard output and standard error."""
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    monkeypatch.setenv("LOGNAME", "ada")
    monkeypatch.chdir(workspace.parent)

    def call(*arguments: str) -> tuple[int, str, str]:
        code = main(["models", *arguments, "--workspace", str(workspace)])
        printed = capsys.readouterr()
        return code, printed.out, printed.err

    return call


def row_of(listed: str, name: str) -> str:
    return next(line for line in listed.splitlines() if re.search(rf"^\*? +{name} ", line))


def test_an_empty_workspace_says_how_to_fill_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "list", "--workspace", str(tmp_path / "none")]) == 0

    assert "yet: `python -m flows train` makes one" in capsys.readouterr().out
    assert not (tmp_path / "none").exists()


def test_before_a_promotion_models_are_listed_as_trained(models: Call, shelf: Shelf) -> None:
    code, listed, _ = models("list")

    assert (code, listed.splitlines()[0]) == (0, "de-en")
    for name in ("one", "two"):
        assert model_digest(shelf.folder / name)[:12] in row_of(listed, name)
        assert " trained " in row_of(listed, name)
    assert "*" not in listed


def test_a_promoted_model_is_marked_with_who_promoted_it_and_why(models: Call, shelf: Shelf) -> None:
    code, told, _ = models("promote", "de-en", "one", "--why", "it reads better")

    assert code == 0
    assert re.match(r"one \([0-9a-f]{12}\) is the champion of de-en now\.", told)
    champion = shelf.champion()
    assert champion is not None
    assert (champion.action, champion.name, champion.by, champion.why) == ("promoted", "one", "ada", "it reads better")
    assert champion.model == model_digest(shelf.folder / "one")
    assert (shelf.champion_folder() / "README.md").read_text(encoding="utf-8") == "# one\n"
    _, listed, _ = models("list")
    assert re.search(r"^\* +one +[0-9a-f]{12} +champion .* ada$", listed, re.MULTILINE)
    assert "it reads better" in listed


def test_the_champion_is_not_promoted_again(models: Call, shelf: Shelf) -> None:
    models("promote", "de-en", "one")

    code, told, _ = models("promote", "de-en", "one")

    assert code == 0
    assert "is the champion of de-en already" in told
    assert len(shelf.history()) == 1


def test_a_rollback_goes_back_to_the_champion_before_and_the_history_grows(models: Call, shelf: Shelf) -> None:
    models("promote", "de-en", "one")
    models("promote", "de-en", "two")
    digests = [model_digest(shelf.folder / name) for name in ("one", "two")]

    code, told, _ = models("rollback", "de-en", "--why", "complaints")

    assert code == 0
    assert told.startswith(f"one ({digests[0][:12]}) is the champion of de-en again, instead of {digests[1][:12]}.")
    assert [(entry.action, entry.model) for entry in shelf.history()] == [
        ("promoted", digests[0]),
        ("promoted", digests[1]),
        ("rolled_back", digests[0]),
    ]
    _, listed, _ = models("list")
    assert row_of(listed, "one").startswith("*")
    assert " earlier " in row_of(listed, "two")


def test_a_read_only_disk_is_one_message_and_exit_code_2(
    models: Call, shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*arguments: Any) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(shelf.folder / "champion.json"))

    models("promote", "de-en", "one")
    models("promote", "de-en", "two")
    monkeypatch.setattr(Shelf, "record", refused)

    code, _, error = models("rollback", "de-en")

    assert code == 2
    assert error.startswith("error: the decision could not be written to ")
    assert "the file system is read-only" in error
    assert len(shelf.history()) == 2


def test_without_a_champion_before_there_is_no_rollback(models: Call, shelf: Shelf) -> None:
    assert models("rollback", "de-en")[0] == 2
    models("promote", "de-en", "one")

    code, _, error = models("rollback", "de-en")

    assert code == 2
    assert "de-en has no champion to go back to" in error
    assert len(shelf.history()) == 1


def test_a_deleted_champion_is_marked_and_a_rollback_mends_it(models: Call, shelf: Shelf) -> None:
    models("promote", "de-en", "one")
    models("promote", "de-en", "two")
    shutil.rmtree(shelf.champion_folder())

    code, listed, _ = models("list")

    assert code == 0
    assert " champion, gone " in row_of(listed, "two")
    assert "The champion cannot be loaded" in listed
    assert models("rollback", "de-en")[0] == 0
    assert (shelf.champion_folder() / "README.md").read_text(encoding="utf-8") == "# one\n"


def test_a_rollback_passes_over_a_model_that_is_not_there_any_more(models: Call, shelf: Shelf, tmp_path: Path) -> None:
    for model in ("one", "two", str(write_tiny_model(tmp_path / "three", seed=9))):
        models("promote", "de-en", model)
    shutil.rmtree(shelf.folder_of(model_digest(shelf.folder / "two")))

    code, told, errors = models("rollback", "de-en")

    assert code == 0
    assert re.match(r"skipped: two \([0-9a-f]{12}\), its folder is gone", errors)
    assert told.startswith("one ")


def test_a_rollback_does_not_go_back_to_the_model_that_is_in_use(models: Call, shelf: Shelf) -> None:
    for name in ("one", "two", "one"):
        models("promote", "de-en", name)
    shutil.rmtree(shelf.folder_of(model_digest(shelf.folder / "two")))

    code, _, errors = models("rollback", "de-en")

    assert code == 2
    assert "de-en has no champion to go back to" in errors
    assert len(shelf.history()) == 3


def test_a_deleted_champion_comes_back_when_the_delivered_model_is_promoted_again(models: Call, shelf: Shelf) -> None:
    models("promote", "de-en", "one")
    shutil.rmtree(shelf.champion_folder())

    assert models("promote", "de-en", "one")[0] == 0

    assert " champion, gone " not in models("list")[1]
    assert len(shelf.history()) == 1


def test_a_version_is_promoted_by_the_name_that_the_list_shows(models: Call, shelf: Shelf) -> None:
    models("promote", "de-en", "one")
    models("promote", "de-en", "two")
    version = model_digest(shelf.folder / "one")[:12]
    shutil.rmtree(shelf.folder / "one")

    assert models("promote", "de-en", version)[0] == 0

    champion = shelf.champion()
    assert champion is not None
    assert (champion.model[:12], champion.name) == (version, "one")


def test_a_refused_model_is_promoted_with_the_configuration_of_its_run(
    models: Call, shelf: Shelf, workspace: Path, tmp_path: Path
) -> None:
    artifact = write_tiny_model(workspace / "artifacts" / "train" / ("d" * 32), seed=9)
    folder = make_run(workspace, "nightly", config=Config(name="nightly", corpus=CorpusSettings(train="all", test="")))
    evaluation = make_run(workspace, "scored", hours=2, config=Config(name="scored"))
    for run, steps in ((folder, [{"name": "train", "digest": model_digest(artifact)}]), (evaluation, [])):
        report = json.loads((run / "report.json").read_text(encoding="utf-8"))
        report |= {"model": model_digest(artifact), "steps": steps}
        (run / "report.json").write_text(json.dumps(report), encoding="utf-8")

    assert models("promote", "de-en", str(artifact))[0] == 0

    champion = shelf.champion()
    assert champion is not None
    assert champion.name == "nightly"
    kept = json.loads((shelf.champion_folder() / "pipeline.json").read_text(encoding="utf-8"))
    assert (kept["name"], kept["corpus"]["train"], kept["corpus"]["test"]) == ("nightly", "all", "")


def test_a_model_folder_from_elsewhere_can_be_promoted(models: Call, shelf: Shelf, tmp_path: Path) -> None:
    foreign = write_tiny_model(tmp_path / "foreign", seed=9)

    assert models("promote", "de-en", str(foreign))[0] == 0

    assert model_digest(shelf.champion_folder()) == model_digest(foreign)


def test_a_workspace_can_begin_with_a_model_from_elsewhere(models: Call, workspace: Path, tmp_path: Path) -> None:
    shutil.rmtree(workspace)

    assert models("promote", "de-en", str(write_tiny_model(tmp_path / "foreign")))[0] == 0

    assert " champion " in row_of(models("list")[1], "foreign")


def test_a_model_of_another_pair_is_refused_with_its_languages(models: Call, workspace: Path) -> None:
    code, _, error = models("promote", "ko-en", str(workspace / "models" / "de-en" / "one"))

    assert code == 2
    assert "translates de to en, so it cannot be the champion of ko-en: promote it for de-en" in error
    assert sorted(path.name for path in workspace.iterdir()) == ["models"]
    assert not (workspace / "models" / "ko-en").exists()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("promote", "de-fr", "one"), "There is no language pair de-fr in .*: there is de-en"),
        (("rollback", "../models/de-en"), "There is no language pair"),
        (("promote", "de-en", "one", "--locks", "file:x"), r"runtime\.locks: should be empty or begin with redis"),
        (("promote", "de-en", "onr"), r"onr is neither a model of de-en nor a model folder\. Did you mean one\?"),
    ],
)
def test_what_is_not_there_is_named_with_what_is(models: Call, arguments: tuple[str, ...], told: str) -> None:
    code, output, error = models(*arguments)

    assert (code, output) == (2, "")
    assert re.search(told, error)


def test_two_people_who_promote_at_once_are_both_in_the_history(workspace: Path, shelf: Shelf) -> None:
    command = [sys.executable, "-m", "flows", "models", "promote", "--workspace", str(workspace), "de-en"]
    environment = {name: value for name, value in os.environ.items() if name != "PREFECT_API_URL"}
    people = [subprocess.Popen([*command, name], cwd=CHECKOUT, env=environment) for name in ("one", "two")]
    assert [person.wait(timeout=120) for person in people] == [0, 0]

    first, second = shelf.history()

    assert {first.name, second.name} == {"one", "two"}
    assert (first.against, second.against) == ("", first.model)


def test_a_damaged_model_is_listed_as_such_and_is_not_promoted(models: Call, shelf: Shelf) -> None:
    (shelf.folder / "two" / "model.safetensors").write_bytes(b"short")

    assert " trained, damaged " in row_of(models("list")[1], "two")
    code, _, error = models("promote", "de-en", "two")
    assert code == 2
    assert "is truncated" in error
    assert shelf.history() == []


def test_an_export_beside_the_models_is_none_of_them(models: Call, shelf: Shelf) -> None:
    export = shelf.folder / "one-onnx"
    export.mkdir()
    (export / "config.json").write_text('{"format": 1, "kind": "seq2seq-onnx"}', encoding="utf-8")

    assert "one-onnx" not in models("list")[1]
    code, _, error = models("promote", "de-en", "one-onnx")
    assert code == 2
    assert "is an export, which can be translated with and nothing else" in error


def test_settings_of_prefect_that_cannot_be_read_do_not_undo_a_promotion(
    workspace: Path, shelf: Shelf, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "profiles.toml").write_text("active = [", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "flows", "models", "promote", "de-en", "one", "--workspace", str(workspace)],
        cwd=CHECKOUT,
        env={name: value for name, value in os.environ.items() if name != "PREFECT_API_URL"}
        | {"PREFECT_HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines()[-1].startswith("The event could not be sent to Prefect's server: ")
    assert len(shelf.history()) == 1


def test_a_damaged_history_is_told_beside_the_models(models: Call, shelf: Shelf) -> None:
    shelf.pointer.write_text("{", encoding="utf-8")

    code, listed, errors = models("list")

    assert code == 2
    assert errors.startswith(f"error: {shelf.pointer} is damaged")
    assert row_of(listed, "one")


def test_the_commands_import_neither_prefect_nor_anything_heavy(workspace: Path, tmp_path: Path) -> None:
    program = (
        "import sys; from flows.__main__ import main; "
        "codes = [main(['models', *words, '--workspace', sys.argv[1]]) for words in "
        "(['promote', 'de-en', 'one'], ['promote', 'de-en', 'two'], ['rollback', 'de-en'], ['list'])]; "
        f"sys.exit(', '.join(name for name in {HEAVY} if name in sys.modules) or sum(codes))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(workspace)],
        cwd=CHECKOUT,
        env={name: value for name, value in os.environ.items() if name != "PREFECT_API_URL"}
        | {"PREFECT_HOME": str(tmp_path / "home")},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert "No event was sent: neither PREFECT_API_URL nor a profile names a Prefect server." in done.stdout


def test_a_promotion_and_a_rollback_by_hand_are_events_on_the_server(
    models: Call, shelf: Shelf, prefect_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from prefect.client.orchestration import get_client
    from prefect.events.filters import EventFilter, EventNameFilter, EventOccurredFilter

    monkeypatch.setenv("PREFECT_API_URL", prefect_server)
    since = datetime.now(UTC) - timedelta(seconds=1)
    for arguments in (("promote", "de-en", "one"), ("promote", "de-en", "two"), ("rollback", "de-en")):
        assert models(*arguments)[2] == ""

    wanted = EventFilter(
        event=EventNameFilter(prefix=["seq2seq.model."]),
        occurred=EventOccurredFilter(since=since, until=datetime.now(UTC) + timedelta(minutes=5)),
    )
    with get_client(sync_client=True) as client:
        deadline = time.monotonic() + 120
        while True:
            answer = client.request("POST", "/events/filter", json={"filter": wanted.model_dump(mode="json")})
            events = sorted(answer.json()["events"], key=lambda event: event["occurred"])
            if len(events) == 3 or time.monotonic() > deadline:
                break
            time.sleep(0.5)

    assert [event["event"] for event in events] == [
        "seq2seq.model.promoted",
        "seq2seq.model.promoted",
        "seq2seq.model.rolled_back",
    ]
    assert {event["resource"]["prefect.resource.id"] for event in events} == {"seq2seq.model.de-en"}
    assert [event["payload"] for event in events] == [entry.model_dump(mode="json") for entry in shelf.history()]


@pytest.mark.parametrize("named_by", ["variable", "profile"])
def test_a_server_that_is_not_there_does_not_undo_a_promotion(
    named_by: str, workspace: Path, shelf: Shelf, tmp_path: Path
) -> None:
    address, home = "http://127.0.0.1:9/api", tmp_path / "home"
    environment = {name: value for name, value in os.environ.items() if name != "PREFECT_API_URL"}
    environment["PREFECT_HOME"] = str(home)
    if named_by == "variable":
        environment["PREFECT_API_URL"] = address
    else:
        home.mkdir()
        profile = f'active = "team"\n[profiles.team]\nPREFECT_API_URL = "{address}"\n'
        (home / "profiles.toml").write_text(profile, encoding="utf-8")

    done = subprocess.run(
        [sys.executable, "-m", "flows", "models", "promote", "de-en", "one", "--workspace", str(workspace)],
        cwd=CHECKOUT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0
    assert done.stdout.startswith("one (")
    assert done.stderr.startswith(f"The event could not be sent to {address}: ")
    assert len(done.stderr.splitlines()) == 1
    assert len(shelf.history()) == 1


def test_a_model_is_listed_with_its_score_and_the_size_of_its_test_set(
    first: tuple[Path, dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    workspace, report = first
    low, high = report["scores"]["bleu_interval"]

    assert main(["models", "list", "--workspace", str(workspace)]) == 0

    assert f" {report['scores']['bleu']:.1f} [{low:.1f}, {high:.1f}]  " in (
        row := row_of(capsys.readouterr().out, "tiny")
    )
    assert report["model"][:12] in row
    assert re.search(r" test \(10\) +\d{4}-", row)


@pytest.fixture
def scored_again(
    first: tuple[Path, dict[str, Any]], tiny_config: Callable[..., Config], tmp_path: Path
) -> Callable[..., Path]:
    """Scores the first model once more, in a copy of its workspace, and gives that."""
    from flows.evaluate_translator import evaluate_translator

    workspace = Path(shutil.copytree(first[0], tmp_path / "workspace"))

    def score(*settings: str, split: str = "test") -> Path:
        evaluate_translator(first[1]["model_dir"], tiny_config(*settings), str(workspace), split)
        return workspace

    return score


def test_a_score_on_the_validation_split_is_no_score_of_the_list(
    first: tuple[Path, dict[str, Any]], scored_again: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    main(["models", "list", "--workspace", str(first[0])])
    before = capsys.readouterr().out

    main(["models", "list", "--workspace", str(scored_again(split="valid"))])

    assert capsys.readouterr().out == before


def test_the_list_names_the_test_set_that_was_scored_last(
    scored_again: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    main(["models", "list", "--workspace", str(scored_again("corpus.test=second_test"))])

    assert " second_test (8) " in row_of(capsys.readouterr().out, "tiny")


def test_the_folder_of_a_pair_is_scored_as_its_champion(
    first: tuple[Path, dict[str, Any]], tiny_config: Callable[..., Config], tmp_path: Path
) -> None:
    from flows.evaluate_translator import evaluate_translator

    workspace = Path(shutil.copytree(first[0], tmp_path / "workspace"))
    assert main(["models", "promote", "de-en", "tiny", "--workspace", str(workspace)]) == 0
    pair = workspace / "models" / "de-en"

    report = json.loads(Path(evaluate_translator(str(pair), tiny_config(), str(workspace))).read_text(encoding="utf-8"))

    assert Path(report["model_dir"]) == Shelf(pair).champion_folder()
    assert (report["model"], report["scores"]) == (first[1]["model"], first[1]["scores"])
    assert report["flow"] == "evaluate-translator"

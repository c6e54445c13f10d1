"""Steps as data: what a key is made of, and what changes it."""

import shutil
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from seq2seq.config import Config, load_config
from seq2seq.errors import CorpusError
from seq2seq.pipeline import STEPS, Job, Step, ingredients, perform
from seq2seq.settings.section import Section
from seq2seq.storage.artifacts import Artifact, FileEntry, Record, Workspace, digest_of
from seq2seq.storage.code_digests import SOURCE_ROOT, code_digests

MODULES = {step.name: step.work.partition(":")[0] for step in STEPS.values()}


def record(step: str, **files: str) -> Record:
    """A record of a step whose files have the given digests."""
    entries = {name.replace("_", "."): FileEntry(bytes=1, sha256=digest) for name, digest in files.items()}
    return Record(step=step, key="k", digest="d", address="a", files=entries, statistics={}, provenance={}, seconds=0)


def key(step: str, config: Config, inputs: dict[str, Record]) -> str:
    chosen = STEPS[step]
    return digest_of(ingredients(chosen, {name: config.section(name) for name in chosen.sections}, inputs))


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A copy of the library's source, to be changed."""
    shutil.copytree(SOURCE_ROOT / "seq2seq", tmp_path / "seq2seq", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def stale_after(source: Path, edited: str, old: str, new: str) -> set[str]:
    """Steps whose code digest changes when `old` becomes `new` in a file of the library."""
    before = {name: code_digests(module, root=source) for name, module in MODULES.items()}
    path = source / "seq2seq" / edited
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    return {name for name, module in MODULES.items() if code_digests(module, root=source) != before[name]}


def test_a_code_change_in_a_module_makes_the_steps_that_use_it_stale_and_no_other(source: Path) -> None:
    assert stale_after(source, "metrics.py", "\nimport ", "\nADDED = 1\nimport ") == {"evaluate"}
    assert stale_after(source, "training/loss.py", "\nimport ", "\nADDED = 1\nimport ") == {"train"}
    assert stale_after(source, "models/recurrent.py", "\nimport ", "\nADDED = 1\nimport ") == {"train", "evaluate"}


def test_a_comment_a_blank_line_or_a_docstring_makes_nothing_stale(source: Path) -> None:
    assert stale_after(source, "metrics.py", "\nimport ", "\n\n# A remark.\nimport ") == set()
    assert stale_after(source, "metrics.py", '"""', '"""Told in other words. ') == set()


@pytest.mark.parametrize(
    ("before", "after", "same"),
    [
        ("x = 1\n", "x = 1  # why\n\n\n", True),
        ("x = 1\n", "x = 2\n", False),
        ('x = "#1"\n', 'x = "#2"\n', False),
        ('def f(a):\n    """One."""\n    return a\n', 'def f(a):\n    """Two\n\n    lines."""\n    return a\n', True),
        ('class A(B): """One."""\n', 'class A(B): """Zwei: größer."""  # why\n', True),
        ('class A(B): """One."""\n', 'class A(C): """One."""\n', False),
        ('x = """a\n\nb"""\n', 'x = """a\nb"""\n', False),
        ('x = """a \nb"""\n', 'x = """a\nb"""\n', False),
        ("x = ('a'  # why\n\n     'b')\n", "x = ('a'\n     'b')\n", True),
        ("x = f'{1}#1'  # why\n", "x = f'{1}#1'\n", True),
        ("x = '\\''  # '\n", "x = '\\''\n", True),
        ("def f():\n  return 1\nx = 2\n", "def f():\n  return 1\n  x = 2\n", False),
    ],
)
def test_the_code_digest_sees_what_runs_and_nothing_else(before: str, after: str, same: bool, tmp_path: Path) -> None:
    digests = []
    for number, text in enumerate((before, after)):
        package = tmp_path / str(number) / "seq2seq"
        package.mkdir(parents=True)
        (package / "module.py").write_text(text, encoding="utf-8")
        digests.append(code_digests("seq2seq.module", root=package.parent))

    assert (digests[0] == digests[1]) is same


@pytest.mark.parametrize(
    "place",
    [
        "def f():\n    if f:\n        {}\n",
        "try:\n    pass\nexcept OSError:\n    {}\n",
        "match 1:\n    case 1:\n        {}\n",
        "for one in ():\n    pass\nelse:\n    {}\n",
    ],
)
def test_the_code_digest_follows_imports_wherever_they_stand(place: str, tmp_path: Path) -> None:
    (tmp_path / "seq2seq").mkdir()
    (tmp_path / "seq2seq" / "one.py").write_text(place.format("from seq2seq import other"), encoding="utf-8")
    (tmp_path / "seq2seq" / "other.py").write_text("", encoding="utf-8")

    assert "seq2seq.other" in code_digests("seq2seq.one", root=tmp_path)


def test_infrastructure_makes_nothing_stale(source: Path) -> None:
    for name in ("storage/artifacts.py", "errors.py", "pipeline.py", "config.py", "settings/runtime.py"):
        assert stale_after(source, name, '"""', 'ADDED = 1\n"""') == set(), name


def test_a_field_added_to_a_section_makes_its_own_steps_stale_only(source: Path) -> None:
    stale = stale_after(source, "settings/evaluation.py", "    beam_size", "    added: int = 1\n    beam_size")

    assert "evaluate" in stale
    assert stale.isdisjoint({"fetch", "clean", "tokenize", "vocabulary", "encode", "train"})


@pytest.mark.parametrize("step", STEPS)
def test_every_step_names_work_that_exists_and_digests_its_own_module(step: str) -> None:
    assert callable(STEPS[step].load())
    assert MODULES[step] in code_digests(MODULES[step])


def test_a_step_reads_only_what_steps_before_it_made() -> None:
    before: set[str] = set()
    for step in STEPS.values():
        assert step.inputs.keys() <= before
        before.add(step.name)


def test_only_the_parts_that_a_step_reads_enter_its_key() -> None:
    config, model = Config(), record("train", model_safetensors="m")
    first = key("evaluate", config, {"train": model, "clean": record("clean", train_arrow="1", test_arrow="t")})

    other_training_split = record("clean", train_arrow="2", test_arrow="t")
    other_test_split = record("clean", train_arrow="1", test_arrow="u")
    assert key("evaluate", config, {"train": model, "clean": other_training_split}) == first
    assert key("evaluate", config, {"train": model, "clean": other_test_split}) != first


def test_only_the_settings_of_a_step_enter_its_key() -> None:
    inputs = {"fetch": record("fetch", train_arrow="1")}
    first = key("clean", load_config("demo"), inputs)

    assert key("clean", load_config("demo", ["training.learning_rate=0.5", "corpus.seed=9"]), inputs) == first
    assert key("clean", load_config("demo", ["cleaning.max_words=50"]), inputs) != first


def test_the_device_that_a_library_was_built_for_does_not_enter_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    inputs = {"fetch": record("fetch", train_arrow="1")}
    monkeypatch.setattr("seq2seq.pipeline.version", lambda name: "2.13.0")
    first = key("clean", Config(), inputs)
    monkeypatch.setattr("seq2seq.pipeline.version", lambda name: "2.13.0+cu130")

    assert key("clean", Config(), inputs) == first


def test_the_version_of_a_library_enters_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    inputs = {"fetch": record("fetch", train_arrow="1")}
    first = key("clean", Config(), inputs)
    monkeypatch.setattr("seq2seq.pipeline.version", lambda name: "999")

    assert key("clean", Config(), inputs) != first


def test_the_identity_of_an_outside_source_stands_for_its_settings() -> None:
    sections: dict[str, Section] = {"corpus": load_config("demo").corpus}

    made = ingredients(STEPS["fetch"], sections, {}, source={"sha256": "abc"})

    assert made["settings"] == {"source": {"sha256": "abc"}}


@pytest.fixture
def echo(monkeypatch: pytest.MonkeyPatch) -> Step:
    """A step that writes what it reads, and fails when it reads `bad`."""

    def work(clean: Artifact, job: Job) -> dict[str, Any]:
        text = clean.file("train.arrow").read_text(encoding="utf-8")
        (job.into / "echo.txt").write_text(text, encoding="utf-8")
        if text == "bad":
            raise CorpusError("the text is bad")
        return {"characters": len(text)}

    module = ModuleType("echo_step")
    vars(module)["work"] = work
    monkeypatch.setitem(sys.modules, "echo_step", module)
    return Step("echo", "echo_step:work", (), {"clean": ("train",)}, ())


def input_record(workspace: Workspace, text: str) -> Record:
    def write(folder: Path) -> tuple[dict[str, Any], float]:
        (folder / "train.arrow").write_text(text, encoding="utf-8")
        return {}, 0.0

    return workspace.publish("clean", f"key-{text}", write, {})


def test_a_step_is_performed_on_its_inputs_and_published(tmp_path: Path, echo: Step) -> None:
    workspace = Workspace(tmp_path)
    inputs = {"clean": input_record(workspace, "good")}

    made = perform(echo, {}, inputs, workspace, ingredients(echo, {}, inputs))

    assert workspace.open(made).file("echo.txt").read_text(encoding="utf-8") == "good"
    assert made.statistics == {"characters": 4}
    assert made.key == digest_of(made.provenance)


def test_a_step_that_fails_publishes_nothing(tmp_path: Path, echo: Step) -> None:
    workspace = Workspace(tmp_path)
    inputs = {"clean": input_record(workspace, "bad")}

    with pytest.raises(CorpusError, match="the text is bad"):
        perform(echo, {}, inputs, workspace, ingredients(echo, {}, inputs))

    assert list((tmp_path / "artifacts").glob("echo/*")) == []

"""The README's commands, run as they stand there."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from flows.__main__ import app, main
from seq2seq.config import load_config, preset_names

CHECKOUT = Path(__file__).parents[1]
README = (CHECKOUT / "README.md").read_text(encoding="utf-8")
CORPORA = (CHECKOUT / "docs" / "corpora.md").read_text(encoding="utf-8")
QUICK = [
    *(
        "--set",
        "model.embedding_size=8",
        "--set",
        "model.encoder_hidden_size=8",
        "--set",
        "model.decoder_hidden_size=8",
    ),
    *("--set", "training.max_minutes=0.02", "--set", "vocabulary.size=64", "--set", "runtime.threads=1"),
]


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def commands() -> list[str]:
    lines = (line.split("#")[0].strip() for block in blocks("bash") for line in block.splitlines())
    return [line for line in lines if line]


@pytest.fixture
def folder(tmp_path: Path, tiny_project: Path) -> Path:
    """What the README's example starts from: my.toml beside the texts, and something to translate."""
    (tmp_path / "my.toml").write_text(blocks("toml")[0], encoding="utf-8")
    texts = tmp_path / "texts"
    texts.mkdir()
    for language in ("de", "en"):
        for stem in ("train", "valid", "test"):
            shutil.copy(tiny_project / "corpus" / f"{stem}.{language}", texts)
        shutil.copy(tiny_project / "corpus" / f"second_test.{language}", texts / f"news.{language}")
    shutil.copy(texts / "test.de", tmp_path / "in.txt")
    sides = ((texts / f"test.{language}").read_text(encoding="utf-8").splitlines() for language in ("de", "en"))
    pairs = "".join(f"{source}\t{target}\n" for source, target in zip(*sides, strict=True))
    (tmp_path / "pairs.tsv").write_text(pairs, encoding="utf-8")
    return tmp_path


def as_a_test(command: str, folder: Path) -> list[str]:
    """A command of the README with settings that make it quick, and with a run that there is.

    `corpus changed` needs deployments: tests/flows/test_worker.py.
    """
    words = shlex.split(command)
    if words[3] in ("plan", "train", "accept", "retrain"):
        words += QUICK
    runs = sorted(path.name for path in (folder / "workspace" / "runs").glob("*"))
    return [runs[0] if re.fullmatch(r"\d{4}-\S+", word) else word for word in words]


def test_the_examples_run_as_they_are_written_one_after_the_other(
    folder: Path, prefect_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.setenv("PREFECT_API_URL", prefect_server)
    examples = [command for command in commands() if re.match(r"python -m (flows|seq2seq) (?!corpus)", command)]
    assert {command.split()[3] for command in examples} >= {"plan", "train", "evaluate", "translate", "retrain", "runs"}

    for command in examples:
        if "seq2seq" in command.split():
            line = command.replace("python", shlex.quote(sys.executable), 1)
            subprocess.run(line, shell=True, env={**os.environ, "PYTHONPATH": str(CHECKOUT)}, check=True, timeout=300)
            sources, translations = ((folder / name).read_text(encoding="utf-8") for name in ("in.txt", "out.txt"))
            assert translations.count("\n") == sources.count("\n") > 0
        else:
            assert main(as_a_test(command, folder)[3:]) == 0, command


def test_data_diversification_runs_as_it_is_written(
    folder: Path, tiny_project: Path, prefect_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (CHECKOUT / "docs" / "data-diversification.md").read_text(encoding="utf-8")
    tiny = (tiny_project / "tiny.toml").read_text(encoding="utf-8")
    (folder / "my.toml").write_text(tiny.replace('"corpus"', '"texts"'), encoding="utf-8")
    monkeypatch.setenv("PREFECT_API_URL", prefect_server)
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")

    script = "\n".join(re.findall(r"```bash\n(.*?)```", text, re.DOTALL))
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT)}
    done = subprocess.run(["bash", "-ec", script], cwd=folder, env=environment, capture_output=True, text=True)

    assert done.returncode == 0, done.stderr
    first, second = (
        folder / "workspace/models/de-en" / name / "source_tokenizer.json" for name in ("diverse", "again")
    )
    assert first.read_bytes() == second.read_bytes()
    real = (folder / "texts" / "train.de").read_text(encoding="utf-8").count("\n")
    for copies, kept in zip(
        (6, 8), [line for line in done.stderr.splitlines() if line.startswith("clean")][-2:], strict=True
    ):
        assert f"of {copies * real} training pairs" in kept
        assert not re.search(r"\d duplicate", kept)


@pytest.mark.parametrize("document", ["README.md", *(f"docs/{path.name}" for path in (CHECKOUT / "docs").glob("*.md"))])
def test_every_command_in_the_documents_is_one_that_there_is(document: str) -> None:
    text = (CHECKOUT / document).read_text(encoding="utf-8")
    named = re.findall(r"python -m flows ((?:[a-z]+ ?)+)", text)
    unknown = [command for command in named if not known(command.split())]
    assert unknown == []


def known(words: list[str]) -> bool:
    """Whether the first words are a command, and a command of that command where it has some."""
    if words[0] not in app:
        return False
    inner = [name for name in app[words[0]] if not name.startswith("-")]
    return not inner or (len(words) > 1 and words[1] in inner)


def test_the_demo_prints_the_precision_that_its_preset_has() -> None:
    (printed,) = re.findall(r"^train +on cpu, (\w+), \d threads$", README, re.MULTILINE)
    assert printed == load_config("demo").training.precision


@pytest.mark.parametrize("example", re.findall(r"```toml\n(.*?)```", CORPORA, re.DOTALL))
def test_every_example_of_a_corpus_is_a_configuration(example: str, tmp_path: Path) -> None:
    (tmp_path / "my.toml").write_text(example, encoding="utf-8")
    assert load_config(str(tmp_path / "my.toml")).corpus.kind != "demo"


def test_every_make_target_that_the_readme_names_exists() -> None:
    makefile = (CHECKOUT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))
    named = {command.split()[1] for command in commands() if command.startswith("make ")}
    assert {"demo", "test"} <= named <= targets


def test_the_plain_commands_are_those_that_make_runs() -> None:
    """CI runs `make test`, and with it the set-up that the README spells out."""
    makefile = (CHECKOUT / "Makefile").read_text(encoding="utf-8")
    plain = [command for command in commands() if "venv" in command and not command.startswith("source")]
    assert len(plain) == 4
    for command in plain:
        essence = (
            command.replace(".venv/bin/python", "$(RUN)").replace("python3", "$(PYTHON)").replace(".venv", "$(VENV)")
        )
        for word in shlex.split(essence):
            assert word in makefile, f"{command}: {word} is not in the Makefile"


def test_every_preset_is_in_the_readmes_table() -> None:
    assert set(re.findall(r"^\| `([a-z0-9-]+)` \|", README, re.MULTILINE)) == set(preset_names())


def test_every_file_that_the_documents_link_to_exists() -> None:
    documents = [*CHECKOUT.glob("*.md"), *(CHECKOUT / "docs").glob("*.md")]
    for document in documents:
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", document.read_text(encoding="utf-8")):
            assert (document.parent / target).exists(), f"{document.name} links to {target}"

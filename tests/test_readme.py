"""The README's commands, run as they stand there."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from seq2seq.config import preset_names

CHECKOUT = Path(__file__).parents[1]
README = (CHECKOUT / "README.md").read_text(encoding="utf-8")
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
    return tmp_path


def test_the_example_with_an_own_corpus_runs_as_it_is_written(folder: Path, prefect_server: str) -> None:
    environment = {**os.environ, "PREFECT_API_URL": prefect_server, "PYTHONPATH": str(CHECKOUT), "OMP_NUM_THREADS": "1"}
    example = [command for command in commands() if re.match(r"python -m (flows|seq2seq) ", command)]
    assert [command.split()[2:4] for command in example] == [
        ["flows", "plan"],
        ["flows", "train"],
        ["flows", "evaluate"],
        ["seq2seq", "translate"],
    ]
    for command in example:
        line = command.replace("python", shlex.quote(sys.executable), 1)
        if " train " in line or " plan " in line:
            line = shlex.join([*shlex.split(line), *QUICK])
        subprocess.run(line, shell=True, cwd=folder, env=environment, check=True, timeout=300)
    sources, translations = ((folder / name).read_text(encoding="utf-8") for name in ("in.txt", "out.txt"))
    assert translations.count("\n") == sources.count("\n") > 0


def test_every_make_target_that_the_readme_names_exists() -> None:
    makefile = (CHECKOUT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))
    named = {command.split()[1] for command in commands() if command.startswith("make ")}
    assert {"demo", "test"} <= named <= targets


def test_the_plain_commands_are_those_that_make_runs() -> None:
    """CI runs `make test`, and with it the set-up that the README spells out."""
    makefile = (CHECKOUT / "Makefile").read_text(encoding="utf-8")
    plain = [command for command in commands() if "venv" in command]
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
    for document in ("README.md", "CONTRIBUTING.md", "LAB.md", "CHANGELOG.md"):
        text = (CHECKOUT / document).read_text(encoding="utf-8")
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", text):
            assert (CHECKOUT / target).exists(), f"{document} links to {target}"

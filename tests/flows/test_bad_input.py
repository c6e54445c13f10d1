"""Each thing that a person can get wrong: one message that helps, exit code 2, and a workspace as it was before."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flows.__main__ import main

Spoil = Callable[[Path], None]


def rewritten(name: str, change: Callable[[bytes], bytes]) -> Spoil:
    def spoil(corpus: Path) -> None:
        path = corpus / name
        path.write_bytes(change(path.read_bytes()))

    return spoil


def tabled(corpus: Path) -> None:
    for split in ("train", "valid", "test"):
        sides = [(corpus / f"{split}.{side}").read_text(encoding="utf-8").splitlines() for side in ("de", "en")]
        rows = ["de\tenglish", *("\t".join(pair) for pair in zip(*sides, strict=True))]
        (corpus / f"{split}.tsv").write_text("\n".join(rows) + "\n", encoding="utf-8")
        for side in ("de", "en"):
            (corpus / f"{split}.{side}").unlink()


CORPORA: dict[str, tuple[Spoil, list[str], list[str]]] = {
    "unequal line counts": (
        rewritten("train.en", lambda text: text.split(b"\n", 1)[1]),
        [],
        ["train.de has 120 lines and train.en 119", "line by line"],
    ),
    "an empty file": (rewritten("valid.de", lambda text: b""), [], ["valid.de", "empty"]),
    "not UTF-8": (
        rewritten("train.de", lambda text: text.replace(b"\n", b"\nK\xe4se ", 1)),
        [],
        ["train.de", "UTF-8", "line 2"],
    ),
    "a missing column": (tabled, [], ["train.tsv", "en", "english", "corpus.target_column"]),
    "a missing split": (lambda corpus: None, ["corpus.test=news"], ["news", "corpus.test", "second_test"]),
    "no pair left": (lambda corpus: None, ["cleaning.max_words=1"], ["120 training pairs", "too_long 120"]),
    "too small a vocabulary": (
        rewritten("train.de", lambda text: text.replace(b"Hund", b"Hund bcdfgjkmopqvwxyz BCEFGIJLNOPQR")),
        ["vocabulary.kind=bpe", "vocabulary.size=32"],
        ["vocabulary.size = 32 is too small"],
    ),
}


@pytest.mark.parametrize(("spoil", "settings", "told"), CORPORA.values(), ids=CORPORA.keys())
def test_a_corpus_that_cannot_be_used_is_one_clear_error_and_leaves_nothing_half_made(
    spoil: Spoil,
    settings: list[str],
    told: list[str],
    prefect_server: str,
    tiny_project: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    project = Path(shutil.copytree(tiny_project, tmp_path / "project"))
    spoil(project / "corpus")
    workspace = tmp_path / "workspace"
    options = [word for setting in settings for word in ("--set", setting)]

    code = main(["train", str(project / "tiny.toml"), *options, "--workspace", str(workspace)])

    captured = capsys.readouterr()
    errors = [line for line in captured.err.splitlines() if line.startswith("error: ")]
    assert (code, captured.out, len(errors)) == (2, "", 1)
    assert [part for part in told if part not in captured.err] == []
    assert "Traceback" not in captured.err
    finished = {path.parent.parent.name for path in workspace.glob("artifacts/*/*/*")}
    recorded = {path.parent.name for path in workspace.glob("index/*/*.json")}
    assert finished == recorded
    assert not list(workspace.rglob("*.partial"))
    assert not (workspace / "models").exists()


def without(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


def truncated(folder: Path) -> None:
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (without("model.safetensors"), ["model.safetensors", "missing"]),
        (without("target_tokenizer.json"), ["target_tokenizer.json", "missing"]),
        (without("config.json"), ["config.json"]),
        (truncated, ["model.safetensors", "bytes"]),
    ],
    ids=["no weights", "no tokenizer", "no config", "truncated weights"],
)
def test_a_model_folder_that_is_not_in_order_is_one_clear_error(
    spoil: Callable[[Path], None],
    told: list[str],
    first: tuple[Path, dict[str, Any]],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = Path(shutil.copytree(first[1]["model_dir"], tmp_path / "model"))
    spoil(folder)

    code = main(["evaluate", str(folder), "--workspace", str(tmp_path / "workspace")])

    captured = capsys.readouterr()
    assert (code, captured.out) == (2, "")
    assert captured.err.startswith("error: ")
    assert [part for part in told if part not in captured.err] == []
    assert not (tmp_path / "workspace").exists()

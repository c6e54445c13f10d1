"""The folder that is given away: a trained model with its card and the configuration that made it.

    models/ko-en/NAME/    the files of the `train` artifact, README.md (the card), pipeline.json, scores.json

It is complete at any moment, or not there: it is built beside its place and moved in as a whole. Needs no PyTorch.
"""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from seq2seq.config import Config
from seq2seq.errors import ModelError
from seq2seq.registry.model_folder import CONFIG, DESCRIBED, EXPORT_KIND, SOURCE_TOKENIZER, WEIGHTS, check_model

CARD = "README.md"
PIPELINE = "pipeline.json"
SCORES = "scores.json"


def assemble(
    train_folder: Path, destination: Path, card: str, config: Config, scores: Mapping[str, Any] | None = None
) -> bool:
    """Make `destination` the shareable folder of the model in `train_folder`; says whether it changed anything.

    The folder is the pipeline's own: what else lies in it goes when the model changes. One call at a time for a
    destination: the caller sees to it. Raises ModelError when the model is not in order, and when something that
    is no model of ours lies at the destination.
    """
    check_model(train_folder)
    texts = {CARD: card, PIPELINE: pipeline_json(config)}
    if scores is not None:
        texts[SCORES] = scores_json(config, scores)
    aside = destination.with_name(f".{destination.name}.old")
    if aside.exists() and not destination.exists():
        aside.rename(destination)  # an earlier run ended between its two renames
    if destination.exists() and not _is_model_folder(destination):
        raise ModelError(f"{destination} is there already and is no model folder: move it away, or change `name`.")
    partial = destination.with_name(f".{destination.name}.partial")
    for left in (aside, partial):  # what an earlier run left that ended in between
        _remove(left)
    if _holds(destination, train_folder, texts):
        return False
    copy_model(partial, train_folder, texts)
    if destination.exists():
        destination.rename(aside)
    partial.rename(destination)
    _remove(aside)
    return True


def _is_model_folder(folder: Path) -> bool:
    """Whether it is a model folder of ours, damaged or not; another program's and an export are none."""
    try:
        values = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    except OSError:
        return False
    except ValueError:
        values = {}
    if values == {}:
        return (folder / SOURCE_TOKENIZER).is_file() and (folder / WEIGHTS).is_file()
    return isinstance(values, dict) and values.keys() >= {"format", "files"} and values.get("kind") != EXPORT_KIND


def _remove(folder: Path) -> None:
    if folder.is_symlink():
        folder.unlink()
    shutil.rmtree(folder, ignore_errors=True)


def copy_model(folder: Path, train_folder: Path, texts: Mapping[str, str]) -> None:
    """Copy a model into a new folder and write `texts`, by file name, beside it."""
    folder.mkdir(parents=True)
    for name in (*DESCRIBED, CONFIG):
        shutil.copyfile(train_folder / name, folder / name)
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")


def pipeline_json(config: Config) -> str:
    """The configuration as JSON, without what did not shape the model: places, `promotion` and `runtime`."""
    return json.dumps({"name": config.name} | config.key_content(), indent=2, ensure_ascii=False) + "\n"


def scores_json(config: Config, scores: Mapping[str, Any]) -> str:
    """What a program wants to know of an evaluation: the test set, BLEU with its signature, and what int8 costs."""
    told = {name: scores.get(name) for name in ("bleu", "signature", "int8")}
    return json.dumps({"test": config.corpus.test_set()} | told, indent=2, ensure_ascii=False) + "\n"


def scored_with(folder: Path) -> dict[str, Any]:
    """The `evaluation` settings that the scores of a model folder, or of an export's model, were made with.

    Empty where it does not say.
    """
    try:
        return dict(json.loads((folder / PIPELINE).read_text(encoding="utf-8"))["evaluation"])
    except (OSError, ValueError, TypeError, KeyError):
        return {}


def int8_cost(folder: Path) -> str:
    """What a model folder says about its BLEU in int8, in a line."""
    try:
        found = json.loads((folder / SCORES).read_text(encoding="utf-8"))
        before, int8, test = float(found["bleu"]), found["int8"], found["test"]
        return f"int8: BLEU {int8['bleu']:.1f} instead of {before:.1f} ({int8['difference']:+.1f}) on {test}"
    except (OSError, ValueError, TypeError, KeyError):
        return (
            "int8: what it costs in BLEU was not measured for this model; "
            "`python -m flows train` measures it (evaluation.int8 = true) and writes it into the model folder"
        )


def _holds(folder: Path, train_folder: Path, texts: Mapping[str, str]) -> bool:
    try:
        same = check_model(folder) == check_model(train_folder)
        return same and all((folder / name).read_text(encoding="utf-8") == text for name, text in texts.items())
    except (ModelError, OSError, UnicodeDecodeError):
        return False

"""A training that starts from the weights of a finished one.

Weights alone are taken over. Optimizer, learning rate schedule and warm-up begin anew with the settings of this
training: a finished cosine has nothing left to go on with. The parent's weights are validated before the first
update and stay a candidate: on the validation split the result is never worse than its parent.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from seq2seq.artifacts import Artifact
from seq2seq.corpora.pairs import SIDES, read_pairs
from seq2seq.errors import ModelError
from seq2seq.model_folder import WEIGHTS, check_model
from seq2seq.pipeline import Job
from seq2seq.settings.model import ModelSettings
from seq2seq.settings.training import TrainingSettings

FREE = {"dropout"}
"""Settings of the network that may differ: no weight depends on them."""


def train(
    model: ModelSettings,
    training: TrainingSettings,
    encode: Artifact,
    vocabulary: Artifact,
    clean: Artifact,
    parent: Artifact,
    job: Job,
) -> Mapping[str, Any]:
    """Train as `seq2seq.training.loop.train` does, from the weights in the model folder `parent`.

    Raises ModelError when they mean nothing to this network, and what an ordinary training raises.
    """
    from seq2seq.training.loop import train_from  # PyTorch: `obstacles` does without

    valid = read_pairs(clean.file("valid.arrow"))
    languages = valid.source_language, valid.target_language
    differences = list(obstacles(parent.folder, model, vocabulary.folder, languages))
    if differences:
        raise ModelError(
            f"This training cannot go on from the model {parent.folder.name[:12]}: {'; '.join(differences)}. Continue "
            "with the corpus and the settings that the model was trained with (its pipeline.json holds them), or "
            "train from scratch."
        )
    statistics = train_from(parent.file(WEIGHTS), model, training, encode, vocabulary, clean, job)
    return statistics | {"parent": parent.folder.name}


def obstacles(parent: Path, model: ModelSettings, vocabulary: Path, languages: tuple[str, str]) -> Iterator[str]:
    """Why a network with these settings cannot start from the model folder `parent`; nothing when it can.

    `vocabulary` is the folder with the two tokenizers, `languages` are source and target. Raises ModelError when
    the parent is not in order. Imports no PyTorch.
    """
    config = check_model(parent)
    theirs = config.source_language, config.target_language
    if theirs != languages:
        yield f"it translates {theirs[0]} to {theirs[1]}, not {languages[0]} to {languages[1]}"
    before, now = config.model.model_dump(exclude=FREE), model.model_dump(exclude=FREE)
    yield from (f"its model.{name} is {before[name]}, not {now[name]}" for name in before if before[name] != now[name])
    for side in SIDES:
        name = f"{side}_tokenizer.json"
        if (parent / name).read_bytes() != (vocabulary / name).read_bytes():
            yield f"its {side} vocabulary {_difference(parent / name, vocabulary / name)}"


def _difference(before: Path, now: Path) -> str:
    """How two tokenizers differ, as the end of a sentence about the first."""
    old, new = (Tokenizer.from_file(str(path)).get_vocab() for path in (before, now))
    if old == new:
        return "has the same tokens, but cuts text by other rules (sections tokenization and vocabulary)"
    ours, theirs = ({number: token for token, number in tokens.items()} for tokens in (old, new))
    first = min(number for number in ours.keys() | theirs.keys() if ours.get(number) != theirs.get(number))
    there, here = (repr(tokens[first]) if first in tokens else "none" for tokens in (ours, theirs))
    return (
        f"has {len(old):,} tokens, and this one {len(new):,}; the first to differ is token {first:,}: {there}, "
        f"here {here}"
    )

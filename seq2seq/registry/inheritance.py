"""Whether a training can go on from a model, or a corpus tell how good it is.

A training takes over the weights, and with them the vocabulary. What the weights mean has to be the same in both,
whatever the texts are: languages, network, and what a token is. And what is held out of a training split has to be
what was held out when the model was trained: it has learned the rest.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from seq2seq.config import Config
from seq2seq.errors import ConfigError, ModelError
from seq2seq.registry.adoption import made_with
from seq2seq.registry.model_folder import REMEDY, SOURCE_TOKENIZER, TARGET_TOKENIZER, check_model
from seq2seq.registry.sharing import PIPELINE
from seq2seq.settings.corpus import CorpusSettings
from seq2seq.settings.tokenization import TokenizationSettings
from seq2seq.storage.differences import as_setting

FREE = {"dropout", "source_word_dropout", "target_word_dropout", "variational_dropout"}
"""Settings of the network that may differ: no weight depends on them."""


def check(parent: Path, config: Config) -> None:
    """Raise ModelError unless a training with this configuration can go on from the model folder `parent`."""
    differences = list(obstacles(parent, config))
    if differences:
        raise ModelError(
            f"This training cannot go on from the model {parent}: {'; '.join(differences)}. Continue with the settings "
            "that the model was trained with (its pipeline.json holds them), or train from scratch."
        )


def obstacles(parent: Path, config: Config) -> Iterator[str]:
    """Why a training with this configuration cannot go on from the model folder `parent`; nothing when it can.

    The settings of its vocabulary are those in its pipeline.json; without that file they are not compared. Raises
    ModelError when the folder is not in order. Imports no PyTorch.
    """
    folder = check_model(parent)
    theirs = folder.source_language, folder.target_language
    ours = config.corpus.source_language, config.corpus.target_language
    if theirs != ours:
        yield f"it translates {theirs[0]} to {theirs[1]}, not {ours[0]} to {ours[1]}"
    yield from _differences("model", folder.model.model_dump(exclude=FREE), config.model.model_dump(exclude=FREE))
    vocabulary = made_with(parent).get("vocabulary", {})
    if not isinstance(vocabulary, dict):
        raise ModelError(f"{parent / PIPELINE} has no table of settings under vocabulary. {REMEDY}")
    yield from _differences("vocabulary", vocabulary, config.vocabulary.key_content())
    if learned := learned_from_held_out(parent, config.corpus):
        yield learned
    yield from _other_rules(parent, config.tokenization)


def check_held_out(folder: Path, corpus: CorpusSettings) -> None:
    """Raise ConfigError where pairs of `corpus` are held out from which the model in `folder` may have learned."""
    if learned := learned_from_held_out(folder, corpus):
        raise ConfigError(
            f"{folder} may have learned from the pairs that this corpus holds out: {learned}. Name a test set and a "
            "validation set (corpus.test, corpus.valid), or set languages, corpus.test_pairs, corpus.valid_pairs back."
        )


def learned_from_held_out(folder: Path, corpus: CorpusSettings) -> str:
    """Why the model may have learned from pairs that `corpus` holds out of its training split; empty if it has not."""
    given = made_with(folder).get("corpus", {})
    try:
        before = CorpusSettings.model_validate(given)
    except ValidationError as error:
        raise ConfigError(f"{folder / PIPELINE} holds no corpus section that is in order: {error}") from None
    ours, theirs = ((each.source_language, each.target_language, each.held_out()) for each in (corpus, before))
    if not corpus.held_out() or ours == theirs:
        return ""
    return f"when it was trained {_held_out(before)} held out, and now {_held_out(corpus)} held out"


def _held_out(corpus: CorpusSettings) -> str:
    counts = " and ".join(f"{count:,} {split} pairs" for split, count in corpus.held_out().items())
    return f"{counts} ({corpus.source_language} to {corpus.target_language}) were" if counts else "nothing was"


def _differences(section: str, before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    for name, value in now.items():
        if before.get(name, value) != value:
            yield f"its {section}.{name} is {as_setting(before[name])}, not {as_setting(value)}"


def _other_rules(parent: Path, tokenization: TokenizationSettings) -> Iterator[str]:
    """The rules by which text is cut are part of a model's tokenizers; they change with settings, and with our code."""
    from seq2seq.subwords.tokenization import build_rules  # pandas: only for who needs it

    rules = json.loads(build_rules(tokenization).to_str())
    for name in (SOURCE_TOKENIZER, TARGET_TOKENIZER):
        theirs = json.loads((parent / name).read_text(encoding="utf-8"))
        if any(theirs[part] != rules[part] for part in ("normalizer", "pre_tokenizer")):
            settings = (
                f"tokenization.{key} = {as_setting(value)}" for key, value in tokenization.key_content().items()
            )
            yield f"its {name} cuts text by other rules than {' and '.join(settings)} give"

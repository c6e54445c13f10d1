"""Model folders small enough to make in a test: untrained networks over vocabularies of a few words."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer, models

from seq2seq.device import supports_bf16
from seq2seq.models.build import build_model
from seq2seq.models.seq2seq import Seq2Seq
from seq2seq.registry.model_folder import write_model
from seq2seq.settings.model import ModelSettings
from seq2seq.settings.tokenization import TokenizationSettings
from seq2seq.subwords.special_tokens import SPECIAL_TOKENS, UNK
from seq2seq.subwords.tokenization import build_rules
from seq2seq.subwords.vocabulary import build_decoder

WITH_BF16 = pytest.mark.skipif(not supports_bf16(torch.device("cpu")), reason="this processor has no bf16")
PIECES: dict[str, Sequence[str]] = {
    "source": ["▁eins", "▁zwei", "▁drei", "▁vier", "▁fünf", "▁sechs", "▁sieben", "▁acht", "▁und", ",", ".", "!"],
    "target": ["▁One", "▁two", "▁three", "▁four", "▁five", "▁six", "▁seven", "▁eight", "▁and", ",", ".", "!"],
}
SETTINGS: dict[str, Any] = {
    "embedding_size": 8,
    "encoder_hidden_size": 12,
    "decoder_hidden_size": 12,
    "bidirectional": True,
    "attention": "general",
    "tie_embeddings": True,
}


def write_vocabulary(folder: Path, pieces_by_side: Mapping[str, Sequence[str]] | None = None) -> Path:
    """Two word-level tokenizers in the form that the `vocabulary` step gives them."""
    folder.mkdir(parents=True, exist_ok=True)
    for side, pieces in (PIECES | dict(pieces_by_side or {})).items():
        words = {piece: number for number, piece in enumerate([*SPECIAL_TOKENS, *pieces])}
        tokenizer = build_rules(TokenizationSettings())
        tokenizer.model = models.WordLevel(words, unk_token=SPECIAL_TOKENS[UNK])
        tokenizer.decoder = build_decoder("word")
        tokenizer.save(str(folder / f"{side}_tokenizer.json"))
    return folder


def make_model(
    vocabulary: Path, seed: int = 19, scale: float = 5, **settings: Any
) -> tuple[Seq2Seq[Any, Any], ModelSettings]:
    """A network with random weights, large enough that different sources have different translations."""
    sizes = [
        Tokenizer.from_file(str(vocabulary / f"{side}_tokenizer.json")).get_vocab_size()
        for side in ("source", "target")
    ]
    chosen = ModelSettings(**(SETTINGS | settings))
    with torch.random.fork_rng([]):
        torch.manual_seed(seed)
        model = build_model(chosen, *sizes)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter *= scale
    return model.eval(), chosen


def write_tiny_model(
    folder: Path, seed: int = 19, pieces: Mapping[str, Sequence[str]] | None = None, **settings: Any
) -> Path:
    """A complete model folder, German to English. `pieces` replaces a side's words; `settings` are the network's."""
    vocabulary = write_vocabulary(folder.with_name(f"{folder.name}-vocabulary"), pieces)
    model, chosen = make_model(vocabulary, seed, **settings)
    write_model(folder, model, chosen, "de", "en", vocabulary)
    return folder

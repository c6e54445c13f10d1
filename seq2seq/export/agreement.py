"""Whether an exported folder says what its model says, token by token.

Shapes in names: B batch, T target positions, V target vocabulary size.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from seq2seq.batching import pad_sources
from seq2seq.decoding import greedy, longest_translation
from seq2seq.errors import ExportDiffers
from seq2seq.export.translate import Translator
from seq2seq.model_folder import LoadedModel
from seq2seq.special_tokens import BOS, EOS, SPECIAL_TOKENS

LENGTHS = (1, 2, 3, 5, 8, 13, 21, 34)
"""Tokens of the sources that are compared: random ones, since a model has no text of its own."""
TOLERANCE = 1e-3
"""Share of the largest logit: hundreds of times what float32 sums in another order make."""


@dataclass(frozen=True)
class Agreement:
    """How far an export agrees with its model."""

    sentences: int
    tokens: int
    """How many were compared; all of them are equal."""
    largest_difference: float
    """Between two logits."""
    largest_logit: float


def compare(folder: Path, loaded: LoadedModel) -> Agreement:
    """Decode random sources of several lengths in one batch, here and there. Raises ExportDiffers."""
    sources = _sources(loaded.config.source_vocabulary_size)
    translator = Translator(folder, threads=torch.get_num_threads())
    source_BS, lengths_B = pad_sources([np.asarray(source, np.int32) for source in sources])
    limits_B = torch.tensor([longest_translation(length) for length in lengths_B.tolist()])
    ours, theirs = greedy(loaded.model, source_BS, lengths_B, limits_B), translator.greedy(sources)
    logits = _our_logits(loaded, source_BS, lengths_B, ours)
    differences, largest = [0.0], float(logits.abs().max())
    tensors, _ = translator.encode(sources)
    for time, tokens_B in enumerate(_inputs(ours).T):
        logits_BV, tensors = translator.step(tokens_B.numpy(), tensors)
        differences.append(float(np.abs(logits_BV - logits[:, time].numpy()).max()))
    if ours != theirs or not max(differences) <= TOLERANCE * max(largest, 1.0):
        raise ExportDiffers(
            f"The exported graphs do not say what the model says: {_first_difference(ours, theirs)}, and logits differ "
            f"by up to {max(differences):.1e} (the largest is {largest:.1f}). Nothing was written. Install the "
            "versions of torch, onnxscript and onnxruntime that constraints.txt names."
        )
    return Agreement(len(ours), sum(map(len, ours)), max(differences), largest)


def _sources(vocabulary_size: int) -> list[list[int]]:
    draw = np.random.default_rng(0)
    first = min(len(SPECIAL_TOKENS), vocabulary_size - 1)
    return [draw.integers(first, vocabulary_size, length).tolist() for length in LENGTHS]


def _inputs(targets: Sequence[Sequence[int]]) -> Tensor:
    """inputs_BT: BOS and the target, filled up with EOS."""
    rows = [torch.tensor([BOS, *target]) for target in targets]
    return torch.nn.utils.rnn.pad_sequence(rows, True, EOS)


@torch.inference_mode()
def _our_logits(loaded: LoadedModel, source_BS: Tensor, lengths_B: Tensor, targets: Sequence[Sequence[int]]) -> Tensor:
    memory = loaded.model.encode(source_BS, lengths_B)
    features_BTF, _ = loaded.model.decode(_inputs(targets), memory, loaded.model.start(memory))
    return loaded.model.logits(features_BTF)


def _first_difference(ours: Sequence[Sequence[int]], theirs: Sequence[Sequence[int]]) -> str:
    for sentence, (mine, other) in enumerate(zip(ours, theirs, strict=True), 1):
        if mine != other:
            equal = sum(pair[0] == pair[1] for pair in zip(mine, other, strict=False))
            return f"sentence {sentence} has {len(mine)} and {len(other)} tokens, {equal} of them equal"
    return "all tokens are equal"

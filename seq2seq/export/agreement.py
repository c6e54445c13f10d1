"""Whether an exported folder says what its model says, token by token.

Shapes in names: B batch, S source positions, T target positions, N real ones among B * T, V target vocabulary size.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from seq2seq.batching import pad_sources
from seq2seq.decoding.steps import NEVER_WRITTEN, greedy, longest_translation
from seq2seq.errors import ExportDiffers
from seq2seq.export.translate import Translator
from seq2seq.registry.model_folder import LoadedModel
from seq2seq.subwords.special_tokens import BOS, EOS, SPECIAL_TOKENS

LENGTHS = (1, 2, 3, 5, 8, 13, 21, 34)
"""Tokens of the sources that are compared: random ones, since a model has no text of its own."""
TOLERANCE = 1e-3
"""Share of the largest logit: hundreds of times what float32 sums in another order make."""


@dataclass(frozen=True)
class Agreement:
    """How far an export agrees with its model."""

    sentences: int
    tokens: int
    """What the model writes, with the ends of its translations."""
    equal_tokens: int
    """How many of them the export chooses, too, after the same tokens."""
    largest_difference: float
    """Between two logits."""
    largest_logit: float


def compare(folder: Path, loaded: LoadedModel) -> Agreement:
    """Decode random sources of several lengths, in one batch, with both."""
    return _compare(folder, loaded)[0]


def require_equal(folder: Path, loaded: LoadedModel) -> Agreement:
    """As `compare`. Raises ExportDiffers unless logits after the same tokens differ by rounding alone.

    That may decide between two tokens that are as likely, after which translations differ.
    """
    found, ours, theirs = _compare(folder, loaded)
    if not found.largest_difference <= TOLERANCE * max(found.largest_logit, 1.0):
        raise ExportDiffers(
            f"The exported graphs do not say what the model says: {_first_difference(ours, theirs)}, and logits differ "
            f"by up to {found.largest_difference:.1e} (the largest is {found.largest_logit:.1f}). Nothing was written. "
            "Install the versions of torch, onnxscript and onnxruntime that constraints.txt names."
        )
    return found


def _compare(folder: Path, loaded: LoadedModel) -> tuple[Agreement, list[list[int]], list[list[int]]]:
    """The agreement, and what the model and the export write."""
    sources = _sources(loaded.config.source_vocabulary_size)
    translator = Translator(folder, threads=torch.get_num_threads())
    source_BS, lengths_B = pad_sources([np.asarray(source, np.int32) for source in sources])
    limits_B = torch.tensor([longest_translation(length) for length in lengths_B.tolist()])
    ours, theirs = greedy(loaded.model, source_BS, lengths_B, limits_B), translator.greedy(sources)
    inputs_BT = _inputs(ours)
    logits_BTV = _our_logits(loaded, source_BS, lengths_B, inputs_BT)
    tensors, _ = translator.encode(sources)
    steps = []
    for tokens_B in inputs_BT.T:
        step_BV, tensors = translator.step(tokens_B.numpy(), tensors)
        steps.append(torch.from_numpy(step_BV))
    agreement = _agreement(logits_BTV, torch.stack(steps, 1), torch.tensor([len(target) + 1 for target in ours]))
    return agreement, ours, theirs


def _agreement(ours_BTV: Tensor, theirs_BTV: Tensor, lengths_B: Tensor) -> Agreement:
    """Of the logits at the first `lengths_B` positions of each row."""
    real_BT = torch.arange(ours_BTV.shape[1]) < lengths_B[:, None]
    ours_NV, theirs_NV = ours_BTV[real_BT], theirs_BTV[real_BT]
    chosen = [
        torch.index_fill(each, 1, torch.tensor(NEVER_WRITTEN), -torch.inf).argmax(1) for each in (ours_NV, theirs_NV)
    ]
    return Agreement(
        len(lengths_B),
        len(ours_NV),
        int((chosen[0] == chosen[1]).sum()),
        float((ours_NV - theirs_NV).abs().max()),
        float(ours_NV.abs().max()),
    )


def _sources(vocabulary_size: int) -> list[list[int]]:
    draw = np.random.default_rng(0)
    first = min(len(SPECIAL_TOKENS), vocabulary_size - 1)
    return [draw.integers(first, vocabulary_size, length).tolist() for length in LENGTHS]


def _inputs(targets: Sequence[Sequence[int]]) -> Tensor:
    """inputs_BT: BOS and the target, filled up with EOS."""
    rows = [torch.tensor([BOS, *target]) for target in targets]
    return torch.nn.utils.rnn.pad_sequence(rows, True, EOS)


@torch.inference_mode()
def _our_logits(loaded: LoadedModel, source_BS: Tensor, lengths_B: Tensor, inputs_BT: Tensor) -> Tensor:
    memory = loaded.model.encode(source_BS, lengths_B)
    features_BTF, _ = loaded.model.decode(inputs_BT, memory, loaded.model.start(memory))
    return loaded.model.logits(features_BTF)


def _first_difference(ours: Sequence[Sequence[int]], theirs: Sequence[Sequence[int]]) -> str:
    for sentence, (mine, other) in enumerate(zip(ours, theirs, strict=True), 1):
        if mine != other:
            equal = sum(pair[0] == pair[1] for pair in zip(mine, other, strict=False))
            return f"sentence {sentence} has {len(mine)} and {len(other)} tokens, {equal} of them equal"
    return "all tokens are equal"

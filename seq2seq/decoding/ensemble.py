"""Several models that decode as one (Sutskever et al. 2014, section 3.6, whose best results are those of five LSTMs).

Shapes in names: N hypotheses, S source positions, V target vocabulary size.
"""

import math
from collections.abc import Sequence
from functools import reduce
from typing import Any, NamedTuple, Self

import torch
from torch import Tensor

from seq2seq.models.memory import StepModel


class Each(NamedTuple):
    """What each of the models knows of a batch."""

    parts: Sequence[Any]

    def select(self, rows_N: Tensor) -> Self:
        """The given rows, in their order; a row may occur more than once."""
        return type(self)([part.select(rows_N) for part in self.parts])


class Ensemble:
    """A `StepModel` that gives the next token the mean of the probabilities that its models give it."""

    def __init__(self, models: Sequence[StepModel[Any, Any]]) -> None:
        """The models read the same tokens and write the same tokens; the networks may differ."""
        self._models = models

    def encode(self, source_BS: Tensor, source_lengths_B: Tensor) -> Each:
        """Read a padded batch of source sentences with each model."""
        return Each([model.encode(source_BS, source_lengths_B) for model in self._models])

    def start(self, memory: Each) -> Each:
        """The states before the first token."""
        return Each([model.start(part) for model, part in zip(self._models, memory.parts, strict=True)])

    def step(self, tokens_N: Tensor, memory: Each, state: Each) -> tuple[Tensor, Each]:
        """Logarithms of the mean probabilities (N, V) of the token after `tokens_N`, and the states to go on from."""
        parts = zip(self._models, memory.parts, state.parts, strict=True)
        logits, states = zip(*(model.step(tokens_N, *part) for model, *part in parts), strict=True)
        log_probs = (logits_NV.log_softmax(1, dtype=torch.float32) for logits_NV in logits)
        return reduce(torch.logaddexp, log_probs) - math.log(len(logits)), Each(states)

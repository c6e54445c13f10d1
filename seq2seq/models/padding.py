"""Whether a batch of sentences is padded.

Shapes in names: B batch.
"""

import torch
from torch import Tensor


def is_padded(lengths_B: Tensor, positions: int) -> bool:
    """Whether a row is shorter than the batch, known from lengths on the CPU.

    A graph that is being exported takes batches of any lengths, hence reads them in any case.
    """
    return torch.compiler.is_exporting() or bool((lengths_B != positions).any())

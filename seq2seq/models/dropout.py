"""Dropout (Srivastava et al. 2014) that costs little on a CPU.

Shapes in names: B batch, T positions (of a source or a target), E features.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

LEVELS = 2**16
"""Different numbers that the 16 random bits of an element can be."""


def dropout(vectors: Tensor, share: float) -> Tensor:
    """`torch.nn.functional.dropout` of a tensor of any shape: a share of its elements zero, the others scaled up.

    On a CPU the share is rounded to 1/65,536, and each element draws 16 bits instead of a whole number: PyTorch 2.13
    takes 10 ns for each number, which is 13 % of a small Transformer's training in bf16. Draws come from PyTorch's
    default generator.
    """
    if vectors.device.type != "cpu":
        return functional.dropout(vectors, share)
    dropped = min(LEVELS - 1, round(share * LEVELS))
    words = torch.empty(vectors.numel() // 4 + 1, dtype=torch.int64).random_(torch.iinfo(torch.int64).min, None)
    bits = words.view(torch.int16)[: vectors.numel()].view(vectors.shape)
    scale = torch.ge(bits, dropped - LEVELS // 2, out=torch.empty(vectors.shape, dtype=vectors.dtype))
    return vectors * scale.mul_(LEVELS / (LEVELS - dropped))


class Dropout(nn.Module):
    """Zeroes a share of the elements in training and scales the others by 1 / (1 - share).

    Each position draws for itself, or, if `variational`, all positions of a row share one draw (Gal & Ghahramani
    2016, section 4): a recurrent layer then misses the same features at each of its steps.
    """

    def __init__(self, share: float, variational: bool = False) -> None:
        super().__init__()
        self.share, self.variational = share, variational

    def forward(self, vectors_BTE: Tensor) -> Tensor:
        """The vectors with elements dropped; the vectors themselves outside of training."""
        if not (self.training and self.share):
            return vectors_BTE
        if not self.variational:
            return dropout(vectors_BTE, self.share)
        return vectors_BTE * functional.dropout(torch.ones_like(vectors_BTE[:, :1]), self.share)

"""Attention over the source: how well each source position fits each decoder state.

Shapes in names: B sentences, N rows of states (N = B, or in beam search several rows in turn for each sentence),
S source positions, T target positions, Q queries of a sentence, H sizes of states, K size of keys.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from seq2seq.models.linear import LinearLayer

Products = Callable[[Tensor, Tensor], Tensor]
"""As `torch.bmm`."""


class DotAttention(nn.Module):
    """score(h, s) = h · s (Luong et al. 2015, section 3.1). Both sides need the same size."""

    def keys(self, values_BSH: Tensor) -> Tensor:
        """What states are compared with; computed once per sentence."""
        return values_BSH

    def scores(self, states_BQH: Tensor, keys_BSK: Tensor, bmm: Products = torch.bmm) -> Tensor:
        """scores_BQS, not normalised."""
        return bmm(states_BQH, keys_BSK.transpose(1, 2))

    def forward(
        self,
        states_NTH: Tensor,
        keys_BSK: Tensor,
        values_BSH: Tensor,
        padding_BS: Tensor,
        bmm: Products = torch.bmm,
    ) -> tuple[Tensor, Tensor]:
        """contexts_NTH and weights_NTS; padding gets no weight.

        Rows that share a sentence are queries of one product: its keys and values are held and read once.
        """
        rows, times, _ = states_NTH.shape
        states_BQH = states_NTH.reshape(keys_BSK.shape[0], -1, states_NTH.shape[2])
        scores_BQS = self.scores(states_BQH, keys_BSK, bmm).masked_fill(padding_BS[:, None, :], -math.inf)
        weights_BQS = scores_BQS.softmax(-1, dtype=torch.float32).to(values_BSH.dtype)
        contexts_BQH = bmm(weights_BQS, values_BSH)
        return contexts_BQH.view(rows, times, -1), weights_BQS.view(rows, times, -1)


class GeneralAttention(DotAttention):
    """score(h, s) = hᵀ W s (Luong et al. 2015, section 3.1)."""

    def __init__(self, state_size: int, value_size: int) -> None:
        super().__init__()
        self.key = LinearLayer(value_size, state_size, bias=False)

    def keys(self, values_BSH: Tensor) -> Tensor:
        return self.key(values_BSH)  # type: ignore[no-any-return]  # nn.Module.__call__ is untyped


class AdditiveAttention(DotAttention):
    """score(h, s) = vᵀ tanh(W h + U s) (Bahdanau et al. 2015, appendix A.1.2). Holds B·Q·S·K numbers."""

    def __init__(self, state_size: int, value_size: int) -> None:
        super().__init__()
        self.key = LinearLayer(value_size, state_size, bias=False)
        self.query = LinearLayer(state_size, state_size)
        self.energy = LinearLayer(state_size, 1, bias=False)

    def keys(self, values_BSH: Tensor) -> Tensor:
        return self.key(values_BSH)  # type: ignore[no-any-return]  # nn.Module.__call__ is untyped

    def scores(self, states_BQH: Tensor, keys_BSK: Tensor, bmm: Products = torch.bmm) -> Tensor:
        summed_BQSK = self.query(states_BQH)[:, :, None] + keys_BSK[:, None]
        energies_BQS: Tensor = self.energy(torch.tanh(summed_BQSK)).squeeze(-1)
        return energies_BQS


def make_attention(kind: str, state_size: int, value_size: int) -> DotAttention | None:
    """The attention of that name; None for `none`."""
    match kind:
        case "dot":
            return DotAttention()
        case "general":
            return GeneralAttention(state_size, value_size)
        case "additive":
            return AdditiveAttention(state_size, value_size)
    return None

"""Attention over the source: how well each source position fits each decoder state.

Shapes in names: B batch, S source positions, T target positions, H sizes of states, K size of keys.
"""

import math

import torch
from torch import Tensor, nn


class DotAttention(nn.Module):
    """score(h, s) = h · s (Luong et al. 2015, section 3.1). Both sides need the same size."""

    def keys(self, values_BSH: Tensor) -> Tensor:
        """What states are compared with; computed once per sentence."""
        return values_BSH

    def scores(self, states_BTH: Tensor, keys_BSK: Tensor) -> Tensor:
        """scores_BTS, not normalised."""
        return torch.bmm(states_BTH, keys_BSK.transpose(1, 2))

    def forward(
        self, states_BTH: Tensor, keys_BSK: Tensor, values_BSH: Tensor, padding_BS: Tensor
    ) -> tuple[Tensor, Tensor]:
        """contexts_BTH and weights_BTS; padding gets no weight."""
        scores_BTS = self.scores(states_BTH, keys_BSK).masked_fill(padding_BS[:, None, :], -math.inf)
        weights_BTS = scores_BTS.softmax(-1, dtype=torch.float32).to(values_BSH.dtype)
        return torch.bmm(weights_BTS, values_BSH), weights_BTS


class GeneralAttention(DotAttention):
    """score(h, s) = hᵀ W s (Luong et al. 2015, section 3.1)."""

    def __init__(self, state_size: int, value_size: int) -> None:
        super().__init__()
        self.key = nn.Linear(value_size, state_size, bias=False)

    def keys(self, values_BSH: Tensor) -> Tensor:
        return self.key(values_BSH)  # type: ignore[no-any-return]  # nn.Module.__call__ is untyped


class AdditiveAttention(DotAttention):
    """score(h, s) = vᵀ tanh(W h + U s) (Bahdanau et al. 2015, appendix A.1.2). Holds B·T·S·K numbers."""

    def __init__(self, state_size: int, value_size: int) -> None:
        super().__init__()
        self.key = nn.Linear(value_size, state_size, bias=False)
        self.query = nn.Linear(state_size, state_size)
        self.energy = nn.Linear(state_size, 1, bias=False)

    def keys(self, values_BSH: Tensor) -> Tensor:
        return self.key(values_BSH)  # type: ignore[no-any-return]  # nn.Module.__call__ is untyped

    def scores(self, states_BTH: Tensor, keys_BSK: Tensor) -> Tensor:
        summed_BTSK = self.query(states_BTH)[:, :, None] + keys_BSK[:, None]
        energies_BTS: Tensor = self.energy(torch.tanh(summed_BTSK)).squeeze(-1)
        return energies_BTS


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

"""How likely a model finds translations that are given.

Shapes in names: B pairs, S source positions, T target positions, V target vocabulary size.
"""

import torch
from torch import Tensor

from seq2seq.decoding.steps import log_partition
from seq2seq.models.memory import MemoryT, StateT, StepModel
from seq2seq.subwords.special_tokens import BOS


@torch.inference_mode()
def forced_scores(
    model: StepModel[MemoryT, StateT],
    source_BS: Tensor,
    source_lengths_B: Tensor,
    targets_BT: Tensor,
    target_lengths_B: Tensor,
    length_penalty: float,
) -> Tensor:
    """scores_B: log p(target | source) / (target tokens) ** `length_penalty`, as of `beam_search.Hypothesis`.

    Targets end with EOS, which `target_lengths_B` counts, and are padded after it. The lengths are on the CPU. The
    caller sees to `model.eval()`.
    """
    memory = model.encode(source_BS, source_lengths_B)
    state = model.start(memory)
    tokens_B = torch.full_like(targets_BT[:, 0], BOS)
    lengths_B = target_lengths_B.to(targets_BT.device)
    totals_B = torch.zeros(len(targets_BT), device=targets_BT.device)
    for time, written_B in enumerate(targets_BT.unbind(1)):
        logits_BV, state = model.step(tokens_B, memory, state)
        logits_BV = logits_BV.float()
        log_probs_B = logits_BV.gather(1, written_B[:, None])[:, 0] - log_partition(logits_BV)
        totals_B += log_probs_B.masked_fill(time >= lengths_B, 0)
        tokens_B = written_B
    return totals_B / lengths_B**length_penalty

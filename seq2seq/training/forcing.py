"""What the decoder reads in training: the ground truth, or now and then its own prediction.

Shapes in names: B batch, T target positions, F feature size.
"""

from typing import Any

import torch
from torch import Tensor

from seq2seq.batching import Batch
from seq2seq.models.seq2seq import Seq2Seq


def decoder_features(model: Seq2Seq[Any, Any], batch: Batch, teacher_forcing_ratio: float) -> Tensor:
    """features_BTF from which the output layer predicts each target token.

    At ratio 1 the whole target is one call of the decoder. Below, each input is drawn for itself: the ground truth
    with that probability, else the token that the model rates highest (Bengio et al. 2015, scheduled sampling),
    which costs a Python loop over time. Draws come from PyTorch's default generator.
    """
    memory = model.encode(batch.source_BS, batch.source_lengths_B)
    state = model.start(memory)
    if teacher_forcing_ratio == 1:
        return model.decode(batch.inputs_BT, memory, state)[0]
    tokens_B = batch.inputs_BT[:, 0]
    features = []
    for time in range(batch.inputs_BT.shape[1]):
        features_B1F, state = model.decode(tokens_B[:, None], memory, state)
        features.append(features_B1F)
        if time + 1 < batch.inputs_BT.shape[1]:
            with torch.no_grad():
                predicted_B = model.logits(features_B1F[:, 0]).argmax(-1)
            forced_B = torch.rand(len(tokens_B), device=tokens_B.device) < teacher_forcing_ratio
            tokens_B = torch.where(forced_B, batch.inputs_BT[:, time + 1], predicted_B)
    return torch.cat(features, 1)

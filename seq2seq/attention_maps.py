"""Where the decoder looked: the attention weights behind a translation.

Shapes in names: S source positions, T target positions.
"""

from dataclasses import dataclass

import numpy as np
import torch

from seq2seq.batching import pad_sources
from seq2seq.registry.model_folder import LoadedModel
from seq2seq.subwords.special_tokens import BOS, EOS, SPECIAL_TOKENS


@dataclass(frozen=True)
class AttentionMap:
    """How much of each source token went into each target token; both sides end with the end mark."""

    source_tokens: list[str]
    target_tokens: list[str]
    weights_TS: list[list[float]]
    """A row for each target token, which adds up to 1 but for rounding (three decimals)."""


def attention_map(loaded: LoadedModel, source: str, translation: str) -> AttentionMap | None:
    """The weights of one teacher-forced pass over a translation (Luong et al. 2015, equation 7).

    None for a model without attention. Subwords are those of the tokenizer, which beam search may have cut otherwise.
    """
    model = loaded.model
    source_text, target_text = loaded.source_tokenizer.encode(source), loaded.target_tokenizer.encode(translation)
    device = next(model.parameters()).device
    source_1S, lengths_1 = pad_sources([np.asarray(source_text.ids, dtype=np.int32)])
    inputs_1T = torch.tensor([[BOS, *target_text.ids]], device=device)
    with torch.inference_mode():
        found_1TS = model.alignment(source_1S.to(device), lengths_1, inputs_1T)
    if found_1TS is None:
        return None
    weights_TS = found_1TS[0].float().cpu()
    return AttentionMap(
        [*source_text.tokens, SPECIAL_TOKENS[EOS]],
        [*target_text.tokens, SPECIAL_TOKENS[EOS]],
        [[round(weight, 3) for weight in row] for row in weights_TS.tolist()],
    )

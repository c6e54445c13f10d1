"""The whole model: the one interface that training and decoding know.

Shapes in names: B batch, S source positions, T target positions, F feature size, V target vocabulary size.
"""

import torch
from torch import Tensor, nn

from seq2seq.models.lstm import Bridge, DecoderLSTM, EncoderLSTM
from seq2seq.models.memory import Memory, State
from seq2seq.settings.model import ModelSettings


class Seq2Seq(nn.Module):
    """Encoder and decoder, trained together by one loss.

    The source ends with EOS; the decoder's first input is BOS. Source and target are of any length and order.
    """

    def __init__(self, settings: ModelSettings, source_size: int, target_size: int) -> None:
        super().__init__()
        self.encoder = EncoderLSTM(settings, source_size)
        self.bridge = Bridge(settings)
        self.decoder = DecoderLSTM(settings, target_size)
        self.apply(_initialise)

    def encode(self, source_BS: Tensor, source_lengths_B: Tensor) -> Memory:
        """Read a padded batch of source sentences. The lengths are int64 on the CPU, EOS included."""
        outputs_BSH, hidden_BLH, cell_BLH = self.encoder(source_BS, source_lengths_B)
        initial = self.bridge(hidden_BLH, cell_BLH)
        if self.decoder.attention is None:
            return Memory(initial)
        positions_S = torch.arange(source_BS.shape[1], device=source_BS.device)
        padding_BS = positions_S[None, :] >= source_lengths_B.to(source_BS.device)[:, None]
        values_BSH = self.encoder.dropout(outputs_BSH)
        return Memory(initial, values_BSH, self.decoder.attention.keys(values_BSH), padding_BS)

    def start(self, memory: Memory) -> State:
        """The decoder's state before its first token."""
        return memory.initial

    def decode(self, inputs_BT: Tensor, memory: Memory, state: State) -> tuple[Tensor, State]:
        """Teacher forcing: features_BTF of all target positions, with the ground truth as the inputs."""
        features_BTF, state = self.decoder(inputs_BT, memory, state)
        return features_BTF, state

    def step(self, tokens_B: Tensor, memory: Memory, state: State) -> tuple[Tensor, State]:
        """Auto-regression: logits_BV of the token after `tokens_B`, and the state to go on from."""
        features_B1F, state = self.decoder(tokens_B[:, None], memory, state)
        return self.logits(features_B1F[:, 0]), state

    def logits(self, features: Tensor) -> Tensor:
        """The output layer, on features of any leading shape."""
        return self.decoder.output(features)  # type: ignore[no-any-return]  # nn.Module.__call__ is untyped


def _initialise(module: nn.Module) -> None:
    """Embeddings from N(0, 1/size); LSTM forget gates open at the start (Jozefowicz et al. 2015, section 2.2)."""
    if isinstance(module, nn.Embedding):
        nn.init.normal_(module.weight, std=module.embedding_dim**-0.5)
        with torch.no_grad():
            module.weight[module.padding_idx].zero_()
    elif isinstance(module, nn.LSTM):
        with torch.no_grad():
            for name, parameter in module.named_parameters():
                if name.startswith("bias_ih"):
                    gate = module.hidden_size
                    parameter[gate : 2 * gate].fill_(1.0)

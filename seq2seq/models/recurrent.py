"""The two ends of the lecture's system (Sutskever et al. 2014): an encoder LSTM and a decoder LSTM.

Shapes in names: B batch, S source positions, T target positions, L layers, H hidden size, E embedding size,
F feature size, V vocabulary size, D directions.
"""

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from seq2seq.models.attention import make_attention
from seq2seq.models.memory import Memory, State
from seq2seq.models.seq2seq import Seq2Seq
from seq2seq.settings.model import ModelSettings
from seq2seq.special_tokens import PAD


class EncoderLSTM(nn.Module):
    """Reads the source; its last hidden and cell state hold the sentence."""

    def __init__(self, settings: ModelSettings, source_size: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(source_size, settings.embedding_size, padding_idx=PAD)
        self.dropout = nn.Dropout(settings.dropout)
        self.reverse_source = settings.reverse_source
        self.lstm = nn.LSTM(
            settings.embedding_size,
            settings.encoder_hidden_size,
            settings.encoder_layers,
            batch_first=True,
            bidirectional=settings.bidirectional,
            dropout=settings.dropout if settings.encoder_layers > 1 else 0.0,
        )

    def forward(self, source_BS: Tensor, lengths_B: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """outputs_BSH and the last hidden and cell state of each layer, both BLH with the directions side by side.

        `lengths_B` is on the CPU. Padding is never read: where lengths differ the batch is packed, and where
        they agree (as in length buckets) there is none, and the whole batch goes to the faster plain kernel.
        With `reverse_source` the outputs are in the reversed order, too.
        """
        if self.reverse_source:
            source_BS = reversed_rows(source_BS, lengths_B)
        embedded_BSE = self.dropout(self.embedding(source_BS))
        if bool((lengths_B == source_BS.shape[1]).all()):
            outputs_BSH, last = self.lstm(embedded_BSE)
        else:
            packed = pack_padded_sequence(embedded_BSE, lengths_B, batch_first=True, enforce_sorted=False)
            packed_outputs, last = self.lstm(packed)
            outputs_BSH, _ = pad_packed_sequence(packed_outputs, batch_first=True, total_length=source_BS.shape[1])
        hidden_BLH, cell_BLH = (self._by_layer(state) for state in last)
        return outputs_BSH, hidden_BLH, cell_BLH

    def _by_layer(self, state_LDBH: Tensor) -> Tensor:
        """PyTorch stacks layers and directions before the batch; we want [batch, layer, directions * hidden]."""
        stacked_LDBH = state_LDBH.view(self.lstm.num_layers, -1, *state_LDBH.shape[1:])
        return stacked_LDBH.permute(2, 0, 1, 3).flatten(2)


def reversed_rows(source_BS: Tensor, lengths_B: Tensor) -> Tensor:
    """Each row's tokens from last to first; the padding stays at the end."""
    positions_S = torch.arange(source_BS.shape[1])
    places_BS = lengths_B[:, None] - 1 - positions_S
    kept_BS = torch.where(places_BS >= 0, places_BS, positions_S)
    return source_BS.gather(1, kept_BS.to(source_BS.device))


class Bridge(nn.Module):
    """Hands the encoder's last state to the decoder.

    Equal shapes are handed over as they are, as in the lecture. Other sizes go through a linear map, and a
    decoder deeper than the encoder starts its further layers from the encoder's top layer.
    """

    def __init__(self, settings: ModelSettings) -> None:
        super().__init__()
        self.layers = settings.decoder_layers
        size = settings.encoder_output_size
        self.hidden: nn.Module = nn.Identity()
        self.cell: nn.Module = nn.Identity()
        if size != settings.decoder_hidden_size or settings.bidirectional:
            self.hidden = nn.Sequential(nn.Linear(size, settings.decoder_hidden_size), nn.Tanh())
            self.cell = nn.Linear(size, settings.decoder_hidden_size)

    def forward(self, hidden_BLH: Tensor, cell_BLH: Tensor) -> State:
        """The decoder's first state."""
        return State(self.hidden(self._fit(hidden_BLH)), self.cell(self._fit(cell_BLH)))

    def _fit(self, state_BLH: Tensor) -> Tensor:
        missing = self.layers - state_BLH.shape[1]
        if missing <= 0:
            return state_BLH[:, -self.layers :]
        return torch.cat([state_BLH, state_BLH[:, -1:].expand(-1, missing, -1)], 1)


class DecoderLSTM(nn.Module):
    """Predicts the target, one token after another, from the tokens before and what the encoder handed over."""

    def __init__(self, settings: ModelSettings, target_size: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(target_size, settings.embedding_size, padding_idx=PAD)
        self.dropout = nn.Dropout(settings.dropout)
        self.lstm = nn.LSTM(
            settings.embedding_size,
            settings.decoder_hidden_size,
            settings.decoder_layers,
            batch_first=True,
            dropout=settings.dropout if settings.decoder_layers > 1 else 0.0,
        )
        self.attention = make_attention(settings.attention, settings.decoder_hidden_size, settings.encoder_output_size)
        self.readout: nn.Module | None = None
        if self.attention is not None or settings.tie_embeddings:
            context_size = settings.encoder_output_size if self.attention is not None else 0
            self.readout = nn.Linear(settings.decoder_hidden_size + context_size, settings.feature_size)
        self.output = nn.Linear(settings.feature_size, target_size)
        if settings.tie_embeddings:
            self.output.weight = self.embedding.weight

    def forward(self, inputs_BT: Tensor, memory: Memory, state: State) -> tuple[Tensor, State]:
        """features_BTF for all the given tokens in one call of the LSTM, and the state after the last."""
        embedded_BTE = self.dropout(self.embedding(inputs_BT))
        layers_first = tuple(tensor.transpose(0, 1).contiguous() for tensor in state)
        states_BTH, last = self.lstm(embedded_BTE, layers_first)
        features_BTF = self._read(states_BTH, memory)
        return features_BTF, State(*(tensor.transpose(0, 1) for tensor in last))

    def _read(self, states_BTH: Tensor, memory: Memory) -> Tensor:
        """tanh(W [context; state]) (Luong et al. 2015, equation 5); the lecture's decoder reads its state alone."""
        if self.readout is None:
            return self.dropout(states_BTH)  # type: ignore[no-any-return]  # nn.Module.__call__ is untyped
        if self.attention is not None:
            contexts_BTH, _ = self.attention(states_BTH, memory.keys_BSK, memory.values_BSH, memory.padding_BS)
            states_BTH = torch.cat([contexts_BTH.to(states_BTH.dtype), states_BTH], -1)
        return self.dropout(torch.tanh(self.readout(states_BTH)))  # type: ignore[no-any-return]  # as above


class RecurrentSeq2Seq(Seq2Seq[Memory, State]):
    """The lecture's system and what grew around it: attention, two directions, tied embeddings."""

    def __init__(self, settings: ModelSettings, source_size: int, target_size: int) -> None:
        super().__init__()
        self.encoder = EncoderLSTM(settings, source_size)
        self.bridge = Bridge(settings)
        self.decoder = DecoderLSTM(settings, target_size)
        self.apply(_initialise)

    @property
    def output(self) -> nn.Linear:
        return self.decoder.output

    def encode(self, source_BS: Tensor, source_lengths_B: Tensor) -> Memory:
        outputs_BSH, hidden_BLH, cell_BLH = self.encoder(source_BS, source_lengths_B)
        initial = self.bridge(hidden_BLH, cell_BLH)
        if self.decoder.attention is None:
            return Memory(initial)
        positions_S = torch.arange(source_BS.shape[1], device=source_BS.device)
        padding_BS = positions_S[None, :] >= source_lengths_B.to(source_BS.device)[:, None]
        values_BSH = self.encoder.dropout(outputs_BSH)
        return Memory(initial, values_BSH, self.decoder.attention.keys(values_BSH), padding_BS)

    def start(self, memory: Memory) -> State:
        return memory.initial

    def decode(self, inputs_BT: Tensor, memory: Memory, state: State) -> tuple[Tensor, State]:
        features_BTF, state = self.decoder(inputs_BT, memory, state)
        return features_BTF, state

    def alignment(self, source_BS: Tensor, source_lengths_B: Tensor, inputs_BT: Tensor) -> Tensor | None:
        if self.decoder.attention is None:
            return None
        memory = self.encode(source_BS, source_lengths_B)
        with _Weights(self.decoder.attention) as seen:
            self.decode(inputs_BT, memory, memory.initial)
        if not self.encoder.reverse_source:
            return seen.weights_BTS
        return torch.stack([reversed_rows(row_BT, source_lengths_B) for row_BT in seen.weights_BTS.unbind(1)], 1)


class _Weights:
    """Keeps the weights that an attention gives while this is open: decoding itself has no use for them."""

    def __init__(self, attention: nn.Module) -> None:
        self._attention = attention

    def __enter__(self) -> "_Weights":
        self._hook = self._attention.register_forward_hook(self._keep)
        return self

    def __exit__(self, *error: object) -> None:
        self._hook.remove()

    def _keep(self, attention: nn.Module, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, Tensor]) -> None:
        self.weights_BTS = outputs[1]


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

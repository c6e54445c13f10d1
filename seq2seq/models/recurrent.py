"""The lecture's system (Sutskever et al. 2014), an encoder and a decoder of LSTM layers, and what grew around it.

Shapes in names: B batch, S source positions, T target positions, L layers, H hidden size, E embedding size,
F feature size, V vocabulary size.
"""

import torch
from torch import Tensor, nn

from seq2seq.models.attention import Products, make_attention
from seq2seq.models.dropout import Dropout
from seq2seq.models.embedding import Embedding
from seq2seq.models.linear import Linear, LinearLayer, LinearMaker, plain
from seq2seq.models.memory import Memory, State
from seq2seq.models.recurrent_layers import RecurrentLayers
from seq2seq.models.recurrent_step import DecoderStep, Stepper
from seq2seq.models.repeated import RepeatedProducts, repeated
from seq2seq.models.seq2seq import Seq2Seq
from seq2seq.settings.model import ModelSettings
from seq2seq.subwords.special_tokens import PAD

INITIAL_RANGE = 0.1
"""Of matrices, to both sides of zero, at least (see `_initialise`)."""


class RecurrentEncoder(nn.Module):
    """Reads the source; its last hidden and cell state hold the sentence."""

    def __init__(self, settings: ModelSettings, source_size: int) -> None:
        super().__init__()
        # What is read of the embedding is dropped out by the layers.
        self.embedding = Embedding(source_size, settings.embedding_size, word_dropout=settings.source_word_dropout)
        self.reverse_source = settings.reverse_source
        self.recurrent = RecurrentLayers(
            settings,
            settings.embedding_size,
            settings.encoder_hidden_size,
            settings.encoder_layers,
            settings.bidirectional,
        )

    def forward(self, source_BS: Tensor, lengths_B: Tensor) -> tuple[Tensor, Tensor, State]:
        """embedded_BSE, outputs_BSH and the last state of each layer, the latter two with the directions side by side.

        `lengths_B` is on the CPU. With `reverse_source` the first two are in the reversed order.
        """
        if self.reverse_source:
            source_BS = reversed_rows(source_BS, lengths_B)
        embedded_BSE = self.embedding(source_BS)
        outputs_BSH, last = self.recurrent(embedded_BSE, lengths_B=lengths_B)
        return embedded_BSE, outputs_BSH, last


def reversed_rows(source_BS: Tensor, lengths_B: Tensor) -> Tensor:
    """Each row's tokens from last to first; the padding stays at the end."""
    positions_S = torch.arange(source_BS.shape[1])
    places_BS = lengths_B[:, None] - 1 - positions_S
    kept_BS = torch.where(places_BS >= 0, places_BS, positions_S)
    return source_BS.gather(1, kept_BS.to(source_BS.device))


class Bridge(nn.Module):
    """Hands the encoder's last state to the decoder.

    Equal shapes are handed over as they are, as in the lecture. Other sizes go through a linear map, and a
    decoder deeper than the encoder starts its further layers from the encoder's top layer. With input feeding
    the first step reads zeros in the place of features.
    """

    def __init__(self, settings: ModelSettings) -> None:
        super().__init__()
        self.layers = settings.decoder_layers
        self.fed_size = settings.feature_size if settings.input_feeding else 0
        size = settings.encoder_output_size
        self.hidden: nn.Module = nn.Identity()
        self.cell: nn.Module = nn.Identity()
        if size != settings.decoder_hidden_size or settings.bidirectional:
            self.hidden = nn.Sequential(LinearLayer(size, settings.decoder_hidden_size), nn.Tanh())
            if settings.architecture == "lstm":
                self.cell = LinearLayer(size, settings.decoder_hidden_size)

    def forward(self, last: State) -> State:
        """The decoder's first state."""
        hidden_BLH = self.hidden(self._fit(last.hidden_BLH))
        cell_BLH = None if last.cell_BLH is None else self.cell(self._fit(last.cell_BLH))
        fed_BF = hidden_BLH.new_zeros(hidden_BLH.shape[0], self.fed_size) if self.fed_size else None
        return State(hidden_BLH, cell_BLH, fed_BF)

    def _fit(self, state_BLH: Tensor) -> Tensor:
        missing = self.layers - state_BLH.shape[1]
        if missing <= 0:
            return state_BLH[:, -self.layers :]
        return torch.cat([state_BLH, state_BLH[:, -1:].expand(-1, missing, -1)], 1)


class RecurrentDecoder(nn.Module):
    """Predicts the target, one token after another, from the tokens before and what the encoder handed over."""

    def __init__(self, settings: ModelSettings, target_size: int) -> None:
        super().__init__()
        self.embedding = Embedding(target_size, settings.embedding_size, word_dropout=settings.target_word_dropout)
        self.input_feeding = settings.input_feeding
        self.recurrent = RecurrentLayers(
            settings,
            settings.embedding_size,
            settings.decoder_hidden_size,
            settings.decoder_layers,
            fed_size=settings.feature_size if settings.input_feeding else 0,
        )
        self.attention = make_attention(settings.attention, settings.decoder_hidden_size, settings.encoder_output_size)
        self.readout: nn.Linear | None = None
        if self.attention is not None or settings.tie_embeddings:
            self.readout = LinearLayer(settings.decoder_hidden_size + settings.context_size, settings.feature_size)
        self.norm = nn.LayerNorm(settings.feature_size) if settings.layer_norm else nn.Identity()
        self.dropout = Dropout(settings.dropout, settings.variational_dropout)
        self.output = LinearLayer(settings.feature_size, target_size)
        if settings.tie_embeddings:
            self.output.weight = self.embedding.weight

    def forward(self, inputs_BT: Tensor, memory: Memory, state: State) -> tuple[Tensor, State]:
        """features_BTF for all the given tokens, and the state after the last.

        One call of each layer for all positions; with input feeding, one position after another.
        """
        if self.input_feeding:
            return self._step_by_step(inputs_BT, memory, state)
        states_BTH, last = self.recurrent(self.embedding(inputs_BT), state)
        return self.dropout(self.features(states_BTH, memory, self.readout)), last

    def _step_by_step(self, inputs_BT: Tensor, memory: Memory, state: State) -> tuple[Tensor, State]:
        step = DecoderStep(self, repeated, RepeatedProducts()) if self.training else DecoderStep(self, plain)
        noise, features = self._noise(inputs_BT), []
        for time, products_BG in enumerate(step.read(inputs_BT).unbind(1)):
            features_BF, state = step(products_BG, memory, state, [each[:, time] for each in noise])
            features.append(features_BF)
        return torch.stack(features, 1), state

    def _noise(self, inputs_BT: Tensor) -> list[Tensor]:
        """What dropout will multiply by at all positions (see `DecoderStep`), drawn at once; empty without dropout."""
        if not (self.training and self.dropout.share):
            return []
        sizes = [*self.recurrent.sizes[1:], self.output.in_features]
        ones = self.output.weight.new_ones(1, 1, 1)
        return [self.dropout(ones.expand(*inputs_BT.shape, size)) for size in sizes]

    @property
    def features_are_bounded(self) -> bool:
        """Whether no feature lies beyond -1 and 1: tanh has made them, or they are one layer's hidden states."""
        added_up = self.recurrent.residual and len(self.recurrent.layers) > 1
        return self.readout is not None or (isinstance(self.norm, nn.Identity) and not added_up)

    def features(self, states_NTH: Tensor, memory: Memory, readout: Linear | None, bmm: Products = torch.bmm) -> Tensor:
        """tanh(W [context; state]) (Luong et al. 2015, equation 5); the lecture's decoder reads its state alone.

        With `layer_norm` the sums are normalised before the tanh; without a readout, the states are.
        """
        if readout is None:
            return self.norm(states_NTH)  # type: ignore[no-any-return]  # nn.Module.__call__ is untyped
        if self.attention is not None:
            contexts_NTH, _ = self.attention(states_NTH, memory.keys_BSK, memory.values_BSH, memory.padding_BS, bmm)
            states_NTH = torch.cat([contexts_NTH.to(states_NTH.dtype), states_NTH], -1)
        return torch.tanh(self.norm(readout(states_NTH)))


class RecurrentSeq2Seq(Seq2Seq[Memory, State]):
    """The lecture's system and what grew around it: GRU, attention, two directions, tied embeddings, input feeding."""

    def __init__(self, settings: ModelSettings, source_size: int, target_size: int) -> None:
        super().__init__()
        self.encoder = RecurrentEncoder(settings, source_size)
        self.bridge = Bridge(settings)
        self.decoder = RecurrentDecoder(settings, target_size)
        if settings.share_embeddings:
            self.encoder.embedding.weight = self.decoder.embedding.weight
        self.attend_embeddings = settings.attend_embeddings
        self.value_dropout = Dropout(settings.dropout, settings.variational_dropout)
        _initialise(self)

    @property
    def output(self) -> nn.Linear:
        return self.decoder.output

    def encode(self, source_BS: Tensor, source_lengths_B: Tensor) -> Memory:
        embedded_BSE, outputs_BSH, last = self.encoder(source_BS, source_lengths_B)
        initial = self.bridge(last)
        if self.decoder.attention is None:
            return Memory(initial)
        positions_S = torch.arange(source_BS.shape[1], device=source_BS.device)
        padding_BS = positions_S[None, :] >= source_lengths_B.to(source_BS.device)[:, None]
        # The layers work position by position; a product of what they give as it lies copies its weight for each row.
        values_BSH = self.value_dropout(outputs_BSH.contiguous())
        keys_BSK = self.decoder.attention.keys(values_BSH)
        if self.attend_embeddings:
            values_BSH = torch.cat([values_BSH, self.value_dropout(embedded_BSE).to(values_BSH.dtype)], 2)
        return Memory(initial, values_BSH, keys_BSK, padding_BS)

    def start(self, memory: Memory) -> State:
        return memory.initial

    def decode(self, inputs_BT: Tensor, memory: Memory, state: State) -> tuple[Tensor, State]:
        features_BTF, state = self.decoder(inputs_BT, memory, state)
        return features_BTF, state

    def for_decoding(self, linear: LinearMaker, of_bounded: LinearMaker | None = None) -> Stepper:
        return Stepper(self, linear, of_bounded or linear)

    def alignment(self, source_BS: Tensor, source_lengths_B: Tensor, inputs_BT: Tensor) -> Tensor | None:
        if self.decoder.attention is None:
            return None
        memory = self.encode(source_BS, source_lengths_B)
        seen: list[Tensor] = []
        hook = self.decoder.attention.register_forward_hook(lambda module, inputs, given: seen.append(given[1]))
        try:
            self.decode(inputs_BT, memory, memory.initial)
        finally:
            hook.remove()
        weights_BTS = torch.cat(seen, 1)
        if not self.encoder.reverse_source:
            return weights_BTS
        return torch.stack([reversed_rows(row_BT, source_lengths_B) for row_BT in weights_BTS.unbind(1)], 1)


def _initialise(model: RecurrentSeq2Seq) -> None:
    """Matrices from U(-0.1, 0.1) (Luong et al. 2015, section 4.1) or from PyTorch's U(-1/sqrt(size), 1/sqrt(size)),
    whichever is wider, so that the way from the source to a prediction is found soon; embeddings from N(0, 1/size).

    The decoder's own recurrence starts as PyTorch has it: wider, it learns no sooner (LAB.md, "How weights begin").
    Without attention the state alone carries the source to the last word, and LSTMs start with open forget gates
    (Jozefowicz et al. 2015, section 2.2). With attention they learn sooner without.
    """
    recurrence = {id(weight) for weight in model.decoder.recurrent.parameters()}
    for weight in model.parameters():
        if weight.ndim > 1 and id(weight) not in recurrence:
            width = max(INITIAL_RANGE, weight.shape[1] ** -0.5)
            nn.init.uniform_(weight, -width, width)
    for module in model.modules():
        if isinstance(module, nn.Embedding):
            nn.init.normal_(module.weight, std=module.embedding_dim**-0.5)
            nn.init.zeros_(module.weight[PAD])
        elif isinstance(module, nn.LSTM) and model.decoder.attention is None:
            _open_forget_gates(module)


def _open_forget_gates(lstm: nn.LSTM) -> None:
    for name, bias_G in lstm.named_parameters():
        if name.startswith("bias_ih"):
            nn.init.ones_(bias_G[lstm.hidden_size : 2 * lstm.hidden_size])

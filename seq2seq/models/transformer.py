"""The Transformer (Vaswani et al. 2017) with layer normalisation before each sub-layer.

Pre-norm (Wang et al. 2019, section 2.1; Xiong et al. 2020) trains at any depth and needs no careful warm-up: a
sub-layer reads a normalised copy of a sum and adds to it; only what leaves an end is normalised once more.

Shapes in names: B sentences, N rows of the decoder (N = B, or in beam search several rows in turn for each
sentence), S source positions, T positions given now, P positions so far, Q queries of a sentence, E size of every
layer (the embedding's), H heads, D size of a head, L layers of the decoder.
"""

import math
from copy import copy
from typing import Any, NamedTuple, Self, TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from seq2seq.models.dropout import Dropout
from seq2seq.models.embedding import Embedding
from seq2seq.models.linear import LinearLayer, LinearMaker, Map
from seq2seq.models.padding import is_padded
from seq2seq.models.seq2seq import Seq2Seq
from seq2seq.settings.model import ModelSettings

WAVELENGTH = 10_000
"""What wavelengths approach, divided by 2 pi (Vaswani et al. 2017, section 3.5)."""


class TransformerMemory(NamedTuple):
    """A batch of source sentences: the keys and values that each of the decoder's layers attends to."""

    keys_BHSD: tuple[Tensor, ...]
    """One tensor for each layer of the decoder, and so `values_BHSD`."""
    values_BHSD: tuple[Tensor, ...]
    real_BS: Tensor | None
    """True where there is a source token; None where there is no padding."""

    def select(self, rows_N: Tensor) -> Self:
        """The memory of the given rows, in their order; a row may occur more than once."""
        real_NS = None if self.real_BS is None else self.real_BS.index_select(0, rows_N)
        return type(self)(_rows(self.keys_BHSD, rows_N), _rows(self.values_BHSD, rows_N), real_NS)


class TransformerState(NamedTuple):
    """Keys and values of the target so far, one tensor for each layer: what is there is never computed again."""

    keys_NHPD: tuple[Tensor, ...]
    values_NHPD: tuple[Tensor, ...]

    def select(self, rows_N: Tensor) -> Self:
        """The state of the given rows, in their order; a row may occur more than once."""
        return type(self)(_rows(self.keys_NHPD, rows_N), _rows(self.values_NHPD, rows_N))


def _rows(tensors: tuple[Tensor, ...], rows_N: Tensor) -> tuple[Tensor, ...]:
    return tuple(tensor.index_select(0, rows_N) for tensor in tensors)


def sinusoids(first: int, count: int, size: int, device: torch.device) -> Tensor:
    """encodings_TE of `count` positions from `first` on (Vaswani et al. 2017, section 3.5), however far that is.

    The sines come before the cosines, as in the authors' tensor2tensor; in the paper they take turns.
    """
    positions_T = torch.arange(first, first + count, device=device)
    rates = torch.exp(torch.arange(0, size, 2, device=device) * (-math.log(WAVELENGTH) / size))
    angles = positions_T[:, None] * rates
    return torch.cat([angles.sin(), angles.cos()], 1)[:, :size]


class PositionedEmbedding(nn.Module):
    """Tokens and where they stand: embeddings times sqrt(E) (Vaswani et al. 2017, section 3.4) plus sinusoids."""

    def __init__(self, settings: ModelSettings, vocabulary_size: int, word_dropout: float) -> None:
        super().__init__()
        self.tokens = Embedding(vocabulary_size, settings.embedding_size, word_dropout=word_dropout)
        self.dropout = Dropout(settings.dropout)

    def forward(self, tokens_NT: Tensor, first: int = 0) -> Tensor:
        """vectors_NTE of tokens that stand at the positions from `first` on."""
        size = self.tokens.embedding_dim
        encodings_TE = sinusoids(first, tokens_NT.shape[1], size, tokens_NT.device)
        vectors_NTE: Tensor = self.dropout(self.tokens(tokens_NT) * math.sqrt(size) + encodings_TE)
        return vectors_NTE


def attention_weights(queries_BHQD: Tensor, keys_BHSD: Tensor, seen: Tensor | None) -> Tensor:
    """weights_BHQS (Vaswani et al. 2017, section 3.2.1).

    `seen` broadcasts to their shape: False where nothing may be read. Each query sees one position or more.
    """
    scores_BHQS = (queries_BHQD / math.sqrt(queries_BHQD.shape[3])) @ keys_BHSD.transpose(2, 3)
    if seen is not None:
        scores_BHQS = scores_BHQS.masked_fill(~seen, -math.inf)
    return scores_BHQS.softmax(-1)


def attend(queries_BHQD: Tensor, keys_BHSD: Tensor, values_BHSD: Tensor, seen: Tensor | None) -> Tensor:
    """contexts_BQE: the values' averages by `attention_weights`, with the heads side by side."""
    if _products_are_faster(queries_BHQD):
        contexts_BHQD = attention_weights(queries_BHQD, keys_BHSD, seen) @ values_BHSD
    else:
        contexts_BHQD = functional.scaled_dot_product_attention(queries_BHQD, keys_BHSD, values_BHSD, seen)
    return contexts_BHQD.transpose(1, 2).flatten(2)


def _products_are_faster(queries_BHQD: Tensor) -> bool:
    """Whether plain products beat PyTorch's fused attention: on a CPU in bf16, and for one query (torch 2.13).

    There the fused kernel takes two to six times as long at up to 1,000 positions. Elsewhere it is faster and never
    holds the weights.
    """
    return queries_BHQD.device.type == "cpu" and (queries_BHQD.dtype == torch.bfloat16 or queries_BHQD.shape[2] == 1)


def causal(given: int, before: int, device: torch.device) -> Tensor | None:
    """seen_TP: each of the `given` positions reads itself and all before it; None where that is all there is."""
    if given == 1:
        return None
    return torch.ones(given, before + given, dtype=torch.bool, device=device).tril(before)


class SelfAttention(nn.Module):
    """Each position reads the others of its sentence (Vaswani et al. 2017, section 3.2.2), by one fused projection."""

    def __init__(self, size: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.projection = LinearLayer(size, 3 * size)
        self.output = LinearLayer(size, size)

    def forward(
        self, vectors_NTE: Tensor, seen: Tensor | None, before: tuple[Tensor, Tensor] | None = None
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """What was read, NTE, and the keys and values of all positions; `before` holds those of earlier ones."""
        rows, times, _ = vectors_NTE.shape
        projected_NT3HD = self.projection(vectors_NTE).view(rows, times, 3, self.heads, -1)
        queries_NHTD, keys_NHPD, values_NHPD = (part.transpose(1, 2) for part in projected_NT3HD.unbind(2))
        if before is not None and before[0].shape[2]:
            keys_NHPD = torch.cat([before[0], keys_NHPD], 2)
            values_NHPD = torch.cat([before[1], values_NHPD], 2)
        return self.output(attend(queries_NHTD, keys_NHPD, values_NHPD, seen)), (keys_NHPD, values_NHPD)


class CrossAttention(nn.Module):
    """Each target position reads the source. Keys and values are the memory's, made once for all layers."""

    def __init__(self, size: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.projection = LinearLayer(size, size)
        self.output = LinearLayer(size, size)

    def queries(self, vectors_NTE: Tensor, sentences: int) -> Tensor:
        """queries_BHQD: rows that share a sentence are queries of one product."""
        head_size = vectors_NTE.shape[2] // self.heads
        queries_BQHD: Tensor = self.projection(vectors_NTE).view(sentences, -1, self.heads, head_size)
        return queries_BQHD.transpose(1, 2)

    def forward(self, vectors_NTE: Tensor, keys_BHSD: Tensor, values_BHSD: Tensor, seen: Tensor | None) -> Tensor:
        """What was read, NTE."""
        queries_BHQD = self.queries(vectors_NTE, keys_BHSD.shape[0])
        contexts_BQE = attend(queries_BHQD, keys_BHSD, values_BHSD, seen)
        return self.output(contexts_BQE).view(vectors_NTE.shape)  # type: ignore[no-any-return]  # as above


def _feedforward(settings: ModelSettings) -> nn.Sequential:
    """Two linear maps with a ReLU between them (Vaswani et al. 2017, section 3.3)."""
    size, inner = settings.embedding_size, settings.feedforward_size
    return nn.Sequential(LinearLayer(size, inner), nn.ReLU(), LinearLayer(inner, size))


class EncoderLayer(nn.Module):
    """Self-attention and feed-forward, each added to what it reads a normalised copy of."""

    def __init__(self, settings: ModelSettings) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(settings.embedding_size)
        self.attention = SelfAttention(settings.embedding_size, settings.attention_heads)
        self.feedforward_norm = nn.LayerNorm(settings.embedding_size)
        self.feedforward = _feedforward(settings)
        self.dropout = Dropout(settings.dropout)

    def forward(self, vectors_BSE: Tensor, seen: Tensor | None) -> Tensor:
        """The layer's sum, BSE."""
        attended_BSE, _ = self.attention(self.attention_norm(vectors_BSE), seen)
        vectors_BSE = vectors_BSE + self.dropout(attended_BSE)
        summed_BSE: Tensor = vectors_BSE + self.dropout(self.feedforward(self.feedforward_norm(vectors_BSE)))
        return summed_BSE


class DecoderLayer(nn.Module):
    """An encoder's layer with attention to the source between its two parts."""

    def __init__(self, settings: ModelSettings) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(settings.embedding_size)
        self.attention = SelfAttention(settings.embedding_size, settings.attention_heads)
        self.cross_attention_norm = nn.LayerNorm(settings.embedding_size)
        self.cross_attention = CrossAttention(settings.embedding_size, settings.attention_heads)
        self.feedforward_norm = nn.LayerNorm(settings.embedding_size)
        self.feedforward = _feedforward(settings)
        self.dropout = Dropout(settings.dropout)

    def forward(
        self,
        vectors_NTE: Tensor,
        source: tuple[Tensor, Tensor],
        source_seen: Tensor | None,
        before: tuple[Tensor, Tensor],
        seen: Tensor | None,
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """The layer's sum, NTE, and keys and values of the target so far; `source` and `before` are such pairs."""
        attended_NTE, after = self.attention(self.attention_norm(vectors_NTE), seen, before)
        vectors_NTE = vectors_NTE + self.dropout(attended_NTE)
        attended_NTE = self.cross_attention(self.cross_attention_norm(vectors_NTE), *source, source_seen)
        vectors_NTE = vectors_NTE + self.dropout(attended_NTE)
        return vectors_NTE + self.dropout(self.feedforward(self.feedforward_norm(vectors_NTE))), after


class TransformerEncoder(nn.Module):
    """Reads all of the source at once."""

    def __init__(self, settings: ModelSettings, source_size: int) -> None:
        super().__init__()
        self.embedding = PositionedEmbedding(settings, source_size, settings.source_word_dropout)
        self.layers = nn.ModuleList(EncoderLayer(settings) for _ in range(settings.encoder_layers))
        self.norm = nn.LayerNorm(settings.embedding_size)

    def forward(self, source_BS: Tensor, seen: Tensor | None) -> Tensor:
        """outputs_BSE; `seen` says what is not padding, and is None where all is."""
        vectors_BSE = self.embedding(source_BS)
        for layer in self.layers:
            vectors_BSE = layer(vectors_BSE, seen)
        return self.norm(vectors_BSE)  # type: ignore[no-any-return]  # nn.Module.__call__ is untyped


class TransformerDecoder(nn.Module):
    """Predicts the target from the tokens before and from the source."""

    def __init__(self, settings: ModelSettings, target_size: int) -> None:
        super().__init__()
        size = settings.embedding_size
        self.heads = settings.attention_heads
        self.embedding = PositionedEmbedding(settings, target_size, settings.target_word_dropout)
        self.layers = nn.ModuleList(DecoderLayer(settings) for _ in range(settings.decoder_layers))
        self.norm = nn.LayerNorm(size)
        self.source_projection = LinearLayer(size, 2 * size * settings.decoder_layers)
        self.output = LinearLayer(size, target_size)

    def read_source(self, outputs_BSE: Tensor, real_BS: Tensor | None) -> TransformerMemory:
        """Keys and values of all layers by one product."""
        sentences, positions, size = outputs_BSE.shape
        projected = self.source_projection(outputs_BSE)
        split_BSLHD = projected.view(sentences, positions, -1, self.heads, size // self.heads)
        parts = split_BSLHD.permute(2, 0, 3, 1, 4).contiguous().unbind(0)
        return TransformerMemory(parts[0::2], parts[1::2], real_BS)

    def forward(
        self, inputs_NT: Tensor, memory: TransformerMemory, state: TransformerState
    ) -> tuple[Tensor, TransformerState]:
        """features_NTE of the given positions, which follow those of the state, and the state after them."""
        before = state.keys_NHPD[0].shape[2]
        vectors_NTE = self.embedding(inputs_NT, before)
        seen = causal(inputs_NT.shape[1], before, inputs_NT.device)
        source_seen = None if memory.real_BS is None else memory.real_BS[:, None, None]
        sources = zip(memory.keys_BHSD, memory.values_BHSD, strict=True)
        keys, values = [], []
        for layer, source, earlier in zip(self.layers, sources, zip(*state, strict=True), strict=True):
            vectors_NTE, (keys_NHPD, values_NHPD) = layer(vectors_NTE, source, source_seen, earlier, seen)
            keys.append(keys_NHPD)
            values.append(values_NHPD)
        return self.norm(vectors_NTE), TransformerState(tuple(keys), tuple(values))


class Transformer(Seq2Seq[TransformerMemory, TransformerState]):
    """Encoder and decoder of equal size and any depths.

    Dropout acts on the embedded tokens and on what each sub-layer adds (Vaswani et al. 2017, section 5.4), and
    nowhere else: fairseq's recipe for small corpora (IWSLT14) does the same.
    """

    def __init__(self, settings: ModelSettings, source_size: int, target_size: int) -> None:
        super().__init__()
        self.encoder = TransformerEncoder(settings, source_size)
        self.decoder = TransformerDecoder(settings, target_size)
        self.apply(_initialise)
        nn.init.normal_(self.output.weight, std=settings.embedding_size**-0.5)
        if settings.share_embeddings:
            self.decoder.embedding.tokens.weight = self.encoder.embedding.tokens.weight
        if settings.tie_embeddings:
            self.output.weight = self.decoder.embedding.tokens.weight

    @property
    def output(self) -> nn.Linear:
        return self.decoder.output

    def encode(self, source_BS: Tensor, source_lengths_B: Tensor) -> TransformerMemory:
        real_BS = _real(source_BS, source_lengths_B)
        outputs_BSE = self.encoder(source_BS, None if real_BS is None else real_BS[:, None, None])
        return self.decoder.read_source(outputs_BSE, real_BS)

    def start(self, memory: TransformerMemory) -> TransformerState:
        keys, values = (tuple(tensor[:, :, :0] for tensor in tensors) for tensors in memory[:2])
        return TransformerState(keys, values)

    def decode(
        self, inputs_BT: Tensor, memory: TransformerMemory, state: TransformerState
    ) -> tuple[Tensor, TransformerState]:
        features_BTE, state = self.decoder(inputs_BT, memory, state)
        return features_BTE, state

    def for_decoding(self, linear: LinearMaker, of_bounded: LinearMaker | None = None) -> Self:
        return _with_maps(self, linear)

    def alignment(self, source_BS: Tensor, source_lengths_B: Tensor, inputs_BT: Tensor) -> Tensor | None:
        """weights_BTS of the decoder's last layer but one, averaged over its heads (of the only layer, if it is one).

        That layer's average is the closest to word alignments (Garg et al. 2019, who average it for supervision).
        """
        memory = self.encode(source_BS, source_lengths_B)
        number = max(0, len(self.decoder.layers) - 2)
        layer: Any = self.decoder.layers[number]
        calls: list[tuple[Any, ...]] = []
        hook = layer.cross_attention.register_forward_pre_hook(lambda module, arguments: calls.append(arguments))
        try:
            self.decode(inputs_BT, memory, self.start(memory))
        finally:
            hook.remove()
        vectors_BTE, keys_BHSD, _, seen = calls[0]
        queries_BHTD = layer.cross_attention.queries(vectors_BTE, len(keys_BHSD))
        return attention_weights(queries_BHTD, keys_BHSD, seen).mean(1)


ModuleT = TypeVar("ModuleT", bound=nn.Module)


def _with_maps(module: ModuleT, linear: LinearMaker) -> ModuleT:
    """A module like this one, in which what `linear` makes of them has taken the place of all linear layers."""
    twin = copy(module)
    twin._modules = {
        name: Map(linear(child.weight, child.bias)) if isinstance(child, nn.Linear) else _with_maps(child, linear)
        for name, child in module.named_children()
    }
    return twin


def _real(source_BS: Tensor, source_lengths_B: Tensor) -> Tensor | None:
    """True where there is a source token; None where all lengths agree, which the CPU knows without asking a device."""
    if not is_padded(source_lengths_B, source_BS.shape[1]):
        return None
    real_BS = torch.arange(source_BS.shape[1]) < source_lengths_B[:, None]
    return real_BS.to(source_BS.device, non_blocking=True)


def _initialise(module: nn.Module) -> None:
    """Embeddings from N(0, 1/E), so that times sqrt(E) they weigh as much as the sinusoids, and tied to the output
    layer give logits of variance 1; linear maps as Glorot & Bengio 2010.

    Both are fairseq's choices for this model, and so is a gain of 1/sqrt(2) for the maps that are fused here, which are
    drawn one by one; the queries of attention to the source are not fused, and have a gain of 1.
    """
    if isinstance(module, nn.Embedding):
        nn.init.normal_(module.weight, std=module.embedding_dim**-0.5)
        with torch.no_grad():
            module.weight[module.padding_idx].zero_()
    elif isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        nn.init.zeros_(module.bias)
    if isinstance(module, SelfAttention):
        _draw_blocks(module.projection)
    elif isinstance(module, TransformerDecoder):
        _draw_blocks(module.source_projection)


def _draw_blocks(fused: nn.Linear) -> None:
    for block in fused.weight.detach().view(-1, fused.in_features, fused.in_features):
        nn.init.xavier_uniform_(block, gain=2**-0.5)

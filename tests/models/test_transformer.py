"""What is a Transformer's own: positions, cached keys and values, tying, and where it attends."""

import math
from typing import Any

import pytest
import torch
from pydantic import ValidationError

from seq2seq.models.build import build_model
from seq2seq.models.linear import Linear, plain
from seq2seq.models.transformer import Transformer, attend, attention_weights, sinusoids
from seq2seq.settings.model import ModelSettings
from seq2seq.subwords.special_tokens import PAD

CPU = torch.device("cpu")
SIZE = 23


def transformer(**settings: Any) -> Transformer:
    torch.manual_seed(3)
    small = {"embedding_size": 16, "encoder_layers": 2, "decoder_layers": 3, "feedforward_size": 24}
    model = build_model(ModelSettings(architecture="transformer", **(small | settings)), SIZE, SIZE)
    assert isinstance(model, Transformer)
    return model.eval()


def tokens(*shape: int) -> torch.Tensor:
    return torch.randint(4, SIZE, shape, generator=torch.Generator().manual_seed(sum(shape)))


def test_positions_are_the_papers_sinusoids() -> None:
    encodings_TE = sinusoids(first=5, count=3, size=6, device=CPU)
    rates = [10_000 ** (-2 * i / 6) for i in range(3)]
    wanted = [[math.sin(p * rate) for rate in rates] + [math.cos(p * rate) for rate in rates] for p in (5, 6, 7)]
    torch.testing.assert_close(encodings_TE, torch.tensor(wanted))


def test_a_far_position_has_an_encoding_without_a_table_for_it() -> None:
    far_TE = sinusoids(first=100_000, count=1, size=16, device=CPU)
    assert far_TE.shape == (1, 16)
    assert far_TE.abs().max() <= 1


def test_an_odd_size_has_one_cosine_less() -> None:
    assert sinusoids(0, 2, 5, CPU).tolist()[0] == [0, 0, 0, 1, 1]


def test_the_order_of_source_tokens_matters() -> None:
    model = transformer()
    source_BS = tokens(1, 5)
    forth, back = (model.encode(each, torch.tensor([5])).keys_BHSD[0] for each in (source_BS, source_BS.flip(1)))
    assert not torch.allclose(forth, back.flip(2), atol=1e-3)


@pytest.mark.parametrize("pieces", [(6,), (1, 5), (2, 3, 1), (1, 1, 4)])
def test_a_target_in_pieces_gives_what_it_gives_as_a_whole(pieces: tuple[int, ...]) -> None:
    model, inputs_BT = transformer(), tokens(2, 6)
    memory = model.encode(tokens(2, 7), torch.tensor([7, 4]))
    whole_BTF, after_whole = model.decode(inputs_BT, memory, model.start(memory))
    state, features = model.start(memory), []
    for piece_BT in inputs_BT.split(pieces, 1):
        features_BTF, state = model.decode(piece_BT, memory, state)
        features.append(features_BTF)
    torch.testing.assert_close(torch.cat(features, 1), whole_BTF, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(state, after_whole, atol=1e-5, rtol=1e-5)


def test_steps_from_one_state_do_not_disturb_each_other() -> None:
    model = transformer()
    memory = model.encode(tokens(1, 4), torch.tensor([4]))
    _, state = model.decode(tokens(1, 3), memory, model.start(memory))
    first_BV, _ = model.step(torch.tensor([5]), memory, state)
    model.step(torch.tensor([9]), memory, state)
    again_BV, _ = model.step(torch.tensor([5]), memory, state)
    assert torch.equal(first_BV, again_BV)


def test_decoding_reads_the_source_through_the_memory_alone() -> None:
    model = transformer()
    memory = model.encode(tokens(1, 4), torch.tensor([4]))
    model.decoder.source_projection.weight.data.fill_(math.nan)
    features_BTF, _ = model.decode(tokens(1, 3), memory, model.start(memory))
    assert features_BTF.isfinite().all()


def test_a_batch_without_padding_has_no_mask() -> None:
    model = transformer()
    assert model.encode(tokens(2, 5), torch.tensor([5, 5])).real_BS is None
    padded = model.encode(tokens(2, 5), torch.tensor([5, 3])).real_BS
    assert padded is not None
    assert padded.tolist() == [[True] * 5, [True] * 3 + [False] * 2]


@pytest.mark.parametrize("masked", [False, True])
def test_plain_products_give_what_the_fused_attention_gives(masked: bool) -> None:
    queries, keys, values = torch.randn(3, 2, 4, 5, 8, generator=torch.Generator().manual_seed(1)).unbind(0)
    seen = torch.ones(5, 5, dtype=torch.bool).tril() if masked else None
    plain_BQE = (attention_weights(queries, keys, seen) @ values).transpose(1, 2).flatten(2)
    torch.testing.assert_close(attend(queries, keys, values, seen), plain_BQE)
    low = attend(*(part.bfloat16() for part in (queries, keys, values)), seen)
    torch.testing.assert_close(low.float(), plain_BQE, atol=0.05, rtol=0.05)


def test_in_bf16_padding_makes_no_difference() -> None:
    model = transformer()
    source_BS, inputs_BT = tokens(2, 9), tokens(2, 4)
    source_BS[1, 5:] = PAD
    with torch.autocast("cpu", torch.bfloat16):
        memory = model.encode(source_BS, torch.tensor([9, 5]))
        together_BTF, _ = model.decode(inputs_BT, memory, model.start(memory))
        memory = model.encode(source_BS[1:, :5], torch.tensor([5]))
        alone_BTF, _ = model.decode(inputs_BT[1:], memory, model.start(memory))
    torch.testing.assert_close(together_BTF[1:], alone_BTF, atol=0.05, rtol=0.05)


def test_three_way_tied_embeddings_are_one_tensor() -> None:
    model = transformer(tie_embeddings=True, share_embeddings=True)
    source, target = model.encoder.embedding.tokens, model.decoder.embedding.tokens
    assert source.weight is target.weight is model.output.weight


def test_embeddings_are_shared_or_tied_each_for_itself() -> None:
    shared, tied = transformer(share_embeddings=True), transformer(tie_embeddings=True)
    assert shared.encoder.embedding.tokens.weight is shared.decoder.embedding.tokens.weight
    assert shared.output.weight is not shared.decoder.embedding.tokens.weight
    assert tied.output.weight is tied.decoder.embedding.tokens.weight
    assert tied.encoder.embedding.tokens.weight is not tied.decoder.embedding.tokens.weight


@pytest.mark.parametrize("tied", [False, True])
def test_logits_of_a_new_network_are_about_one_at_any_depth(tied: bool) -> None:
    for layers in (1, 8):
        model = transformer(
            embedding_size=64, encoder_layers=layers, decoder_layers=layers, tie_embeddings=tied, feedforward_size=128
        )
        memory = model.encode(tokens(8, 9), torch.full((8,), 9))
        features_BTF, _ = model.decode(tokens(8, 9), memory, model.start(memory))
        torch.testing.assert_close(features_BTF.var(-1, correction=0), torch.ones(8, 9), atol=0.01, rtol=0)
        assert 0.5 < model.logits(features_BTF)[..., 4:].var() < 4


def test_padding_has_the_zero_vector_until_it_is_trained() -> None:
    model = transformer()
    assert not model.encoder.embedding.tokens.weight[PAD].any()


def test_all_linear_maps_of_a_network_made_for_decoding_are_the_makers_and_the_model_keeps_its_own() -> None:
    model = transformer()
    linear_layers = [module for module in model.modules() if isinstance(module, torch.nn.Linear)]
    made: list[torch.Tensor] = []

    def make(weight_OI: torch.Tensor, bias_O: torch.Tensor | None) -> Linear:
        made.append(weight_OI)
        return plain(weight_OI, bias_O)

    twin = model.for_decoding(make)
    assert not any(isinstance(module, torch.nn.Linear) for module in twin.modules())
    assert len(made) == len(linear_layers)
    assert linear_layers == [module for module in model.modules() if isinstance(module, torch.nn.Linear)]


def test_an_alignment_is_the_penultimate_layers_attention_averaged_over_heads() -> None:
    model = transformer(attention_heads=2)
    source_BS, lengths_B, inputs_BT = tokens(2, 6), torch.tensor([6, 4]), tokens(2, 5)
    weights_BTS = model.alignment(source_BS, lengths_B, inputs_BT)
    assert weights_BTS is not None
    torch.testing.assert_close(weights_BTS.sum(-1), torch.ones(2, 5))
    assert (weights_BTS[1, :, 4:] == 0).all()
    memory = model.encode(source_BS, lengths_B)
    basis_BHSD = torch.eye(6, 8).expand(2, 2, 6, 8)
    as_weights = memory._replace(values_BHSD=(memory.values_BHSD[0], basis_BHSD, memory.values_BHSD[2]))
    read: list[torch.Tensor] = []
    layer: Any = model.decoder.layers[1]
    layer.cross_attention.output.register_forward_pre_hook(lambda module, arguments: read.append(arguments[0]))
    model.decode(inputs_BT, as_weights, model.start(memory))
    torch.testing.assert_close(weights_BTS, read[0].view(2, 5, 2, 8).mean(2)[..., :6])


def test_nothing_stays_hooked_to_the_model() -> None:
    model = transformer()
    model.alignment(tokens(1, 4), torch.tensor([4]), tokens(1, 3))
    assert not any(module._forward_pre_hooks for module in model.modules())


def test_heads_that_do_not_divide_the_size_are_refused_with_both_numbers() -> None:
    with pytest.raises(ValidationError, match="attention_heads = 5 does not divide embedding_size = 16"):
        ModelSettings(architecture="transformer", embedding_size=16, attention_heads=5)

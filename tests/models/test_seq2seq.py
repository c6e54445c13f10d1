"""Properties that every architecture keeps."""

from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError

from seq2seq.config import validate_config
from seq2seq.decoding.beam_search import beam_search
from seq2seq.decoding.steps import greedy
from seq2seq.errors import ConfigError
from seq2seq.models.build import build_model
from seq2seq.models.linear import LinearMaker, packed, plain
from seq2seq.models.recurrent_layers import RecurrentLayers
from seq2seq.models.seq2seq import Seq2Seq
from seq2seq.registry.model_folder import load_model, write_model
from seq2seq.settings.model import ModelSettings
from seq2seq.subwords.special_tokens import PAD
from tests.models.architectures import ARCHITECTURES, SMALL
from tests.tiny import write_vocabulary

SOURCE_SIZE, TARGET_SIZE = 23, 29


@pytest.fixture(params=ARCHITECTURES.values(), ids=ARCHITECTURES.keys())
def settings(request: pytest.FixtureRequest) -> ModelSettings:
    return ModelSettings(**{**SMALL, **request.param})


@pytest.fixture
def model(settings: ModelSettings) -> Seq2Seq[Any, Any]:
    return fresh(settings)


@pytest.fixture(scope="module")
def vocabulary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two tokenizers of 16 tokens."""
    return write_vocabulary(tmp_path_factory.mktemp("vocabulary"))


def fresh(settings: ModelSettings, seed: int = 3, scale: float = 1) -> Seq2Seq[Any, Any]:
    """A network with random weights; large ones (`scale`) make different sources have different translations."""
    torch.manual_seed(seed)
    model = build_model(settings, TARGET_SIZE if settings.share_embeddings else SOURCE_SIZE, TARGET_SIZE).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter *= scale
    return model


def sentences(*lengths: int, size: int = SOURCE_SIZE) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(sum(lengths))
    return [torch.randint(4, size, (length,), generator=generator) for length in lengths]


def padded(rows: list[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.nn.utils.rnn.pad_sequence(rows, True, PAD), torch.tensor([len(row) for row in rows])


def logits(model: Seq2Seq[Any, Any], sources: list[torch.Tensor], targets: list[torch.Tensor]) -> torch.Tensor:
    memory = model.encode(*padded(sources))
    features, _ = model.decode(padded(targets)[0], memory, model.start(memory))
    return model.logits(features)


def test_a_sentence_is_read_the_same_alone_and_beside_longer_ones(model: Seq2Seq[Any, Any]) -> None:
    sources, targets = sentences(5, 9, 2), sentences(4, 7, 6, size=TARGET_SIZE)
    together = logits(model, sources, targets)
    for row, (source, target) in enumerate(zip(sources, targets, strict=True)):
        alone = logits(model, [source], [target])
        torch.testing.assert_close(together[row, : len(target)], alone[0], atol=1e-5, rtol=1e-5)


def test_what_stands_in_the_padding_of_a_source_makes_no_difference(model: Seq2Seq[Any, Any]) -> None:
    source_BS, lengths = padded(sentences(6, 3))
    target_BT, _ = padded(sentences(4, 4, size=TARGET_SIZE))
    results = []
    for filler in (PAD, 7):
        filled_BS = source_BS.clone()
        filled_BS[1, 3:] = filler
        memory = model.encode(filled_BS, lengths)
        results.append(model.decode(target_BT, memory, model.start(memory))[0])
    torch.testing.assert_close(results[0], results[1])


def test_one_call_over_the_target_equals_single_steps(model: Seq2Seq[Any, Any]) -> None:
    sources, targets = sentences(5, 8), sentences(6, 6, size=TARGET_SIZE)
    whole_BTV = logits(model, sources, targets)
    memory = model.encode(*padded(sources))
    state = model.start(memory)
    for time in range(6):
        step_BV, state = model.step(torch.stack(targets)[:, time], memory, state)
        torch.testing.assert_close(step_BV, whole_BTV[:, time], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("linear", [plain, packed(torch.float32)], ids=["plain", "packed"])
def test_what_is_made_for_decoding_steps_like_the_model(model: Seq2Seq[Any, Any], linear: LinearMaker) -> None:
    sources, targets = sentences(5, 8), sentences(6, 6, size=TARGET_SIZE)
    whole_BTV = logits(model, sources, targets)
    rows = torch.tensor([0, 0, 1, 1])
    with torch.inference_mode():
        stepper = model.for_decoding(linear)
        memory = stepper.encode(*padded(sources))
        state = stepper.start(memory).select(rows)
        for time in range(6):
            step_NV, state = stepper.step(torch.stack(targets)[rows, time], memory, state)
            torch.testing.assert_close(step_NV, whole_BTV[rows, time], atol=1e-5, rtol=1e-5)


def test_a_beam_of_one_is_greedy(settings: ModelSettings) -> None:
    model = fresh(settings, scale=4)
    limits_B = torch.tensor([9, 12, 7])
    batch = (model, *padded(sentences(5, 8, 3)), limits_B)
    assert [best.tokens for best, *_ in beam_search(*batch, 1, 1.0)] == greedy(*batch)


def test_equal_seeds_give_equal_weights_and_another_seed_gives_others(settings: ModelSettings) -> None:
    first, again, other = (fresh(settings, seed).state_dict() for seed in (3, 3, 4))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert any(not torch.equal(first[name], other[name]) for name in first)


def test_a_model_written_and_loaded_gives_identical_logits(
    settings: ModelSettings, vocabulary: Path, tmp_path: Path
) -> None:
    size = 16
    torch.manual_seed(3)
    model = build_model(settings, size, size).eval()
    write_model(tmp_path / "model", model, settings, "de", "en", vocabulary)
    loaded = load_model(tmp_path / "model")
    assert loaded.config.model == settings
    pair = sentences(5, 8, size=size), sentences(6, 6, size=size)
    assert torch.equal(logits(model, *pair), logits(loaded.model, *pair))


def test_later_target_tokens_do_not_change_earlier_predictions(model: Seq2Seq[Any, Any]) -> None:
    source, (target,) = sentences(5), sentences(6, size=TARGET_SIZE)
    changed = target.clone()
    changed[4:] = 5
    torch.testing.assert_close(logits(model, source, [target])[0, :4], logits(model, source, [changed])[0, :4])


def test_selected_rows_of_memory_and_state_continue_like_the_rows_they_came_from(model: Seq2Seq[Any, Any]) -> None:
    sources = sentences(4, 6, 5)
    memory = model.encode(*padded(sources))
    tokens = torch.tensor([5, 6, 7])
    expected_BV, state = model.step(tokens, memory, model.start(memory))
    rows = torch.tensor([2, 0, 2])
    got_NV, _ = model.step(tokens[rows], memory.select(rows), model.start(memory).select(rows))
    torch.testing.assert_close(got_NV, expected_BV[rows])
    expected_BV, _ = model.step(tokens, memory, state)
    got_NV, _ = model.step(tokens[rows], memory.select(rows), state.select(rows))
    torch.testing.assert_close(got_NV, expected_BV[rows])


def test_many_rows_of_a_few_lengths_are_read_as_each_alone(model: Seq2Seq[Any, Any]) -> None:
    lengths = [7, 4] * 20
    sources = sentences(*lengths)
    together_BTV = logits(model, sources, [torch.tensor([5])] * len(lengths))
    for row in (0, 1, 39):
        torch.testing.assert_close(
            together_BTV[row], logits(model, [sources[row]], [torch.tensor([5])])[0], atol=1e-5, rtol=1e-5
        )


def test_several_rows_in_turn_share_the_memory_of_their_sentence(model: Seq2Seq[Any, Any]) -> None:
    memory = model.encode(*padded(sentences(4, 6)))
    rows = torch.tensor([0, 0, 0, 1, 1, 1])
    tokens = torch.tensor([5, 6, 7, 5, 6, 7])
    state = model.start(memory).select(rows)
    for _ in range(2):
        shared_NV, shared = model.step(tokens, memory, state)
        own_NV, state = model.step(tokens, memory.select(rows), state)
        torch.testing.assert_close(shared_NV, own_NV, atol=1e-5, rtol=1e-5)
        state = shared


def test_one_loss_reaches_every_weight_of_both_ends(model: Seq2Seq[Any, Any]) -> None:
    model.train()
    logits(model, sentences(5, 7), sentences(4, 6, size=TARGET_SIZE)).logsumexp(-1).sum().backward()
    unreached = [name for name, weight in model.named_parameters() if weight.grad is None or not weight.grad.any()]
    assert unreached == []


def test_dropout_acts_on_both_ends_in_training_only(model: Seq2Seq[Any, Any]) -> None:
    source, target = sentences(5), sentences(6, size=TARGET_SIZE)
    torch.testing.assert_close(logits(model, source, target), logits(model, source, target))
    for end in (model.encoder, model.decoder):
        end.train()
        assert not torch.equal(logits(model, source, target), logits(model, source, target))
        end.eval()


def test_the_lecture_hands_the_last_hidden_and_cell_state_over_unchanged() -> None:
    model = build_model(ModelSettings(**SMALL, encoder_layers=2, decoder_layers=2), SOURCE_SIZE, TARGET_SIZE).eval()
    source_BS, lengths = padded(sentences(5, 5))
    start = model.start(model.encode(source_BS, lengths))
    outputs_BSH = model.encoder.embedding(source_BS)
    for number, layer in enumerate(model.encoder.recurrent.layers):
        outputs_BSH, (hidden_1BH, cell_1BH) = layer(outputs_BSH)
        torch.testing.assert_close(start.hidden_BLH[:, number], hidden_1BH[0])
        torch.testing.assert_close(start.cell_BLH[:, number], cell_1BH[0])


@pytest.mark.parametrize("architecture", ["lstm", "gru"])
def test_with_residual_connections_layers_that_give_nothing_change_nothing(architecture: str) -> None:
    settings = ModelSettings(architecture=architecture, residual=True, dropout=0)
    layers = RecurrentLayers(settings, input_size=8, hidden_size=6, layers=3, bidirectional=True)
    with torch.no_grad():
        for parameter in layers.layers[1:].parameters():
            parameter.zero_()
    inputs, lengths = torch.randn(4, 7, 8), torch.tensor([7, 2, 5, 7])

    outputs, states = layers(inputs, lengths_B=lengths)

    alone = RecurrentLayers(settings, input_size=8, hidden_size=6, layers=1, bidirectional=True)
    alone.layers[0].load_state_dict(layers.layers[0].state_dict())
    assert torch.equal(outputs, alone(inputs, lengths_B=lengths)[0])
    assert not states.hidden_BLH[:, 1:].any()


def test_a_bidirectional_encoder_hands_over_both_directions_of_each_layer() -> None:
    settings = ModelSettings(**SMALL, bidirectional=True, encoder_layers=2)
    model = build_model(settings, SOURCE_SIZE, TARGET_SIZE).eval()
    source_BS, lengths = padded(sentences(5))
    _, outputs_BSH, last = model.encoder(source_BS, lengths)
    torch.testing.assert_close(last.hidden_BLH[0, 1, :16], outputs_BSH[0, -1, :16])
    torch.testing.assert_close(last.hidden_BLH[0, 1, 16:], outputs_BSH[0, 0, 16:])


def test_a_reversed_source_is_read_from_its_last_token_to_its_first() -> None:
    settings = (ModelSettings(**SMALL, reverse_source=way) for way in (False, True))
    plain, reverse = (build_model(each, SOURCE_SIZE, TARGET_SIZE) for each in settings)
    reverse.load_state_dict(plain.state_dict())
    source_BS, lengths = padded([torch.tensor([5, 6, 7, 8]), torch.tensor([9, 10])])
    turned_BS, _ = padded([torch.tensor([8, 7, 6, 5]), torch.tensor([10, 9])])
    expected, got = plain.eval().encode(turned_BS, lengths), reverse.eval().encode(source_BS, lengths)
    torch.testing.assert_close(got.initial.hidden_BLH, expected.initial.hidden_BLH)


@pytest.mark.parametrize("attention", ["dot", "general", "additive"])
def test_attention_weights_sum_to_one_over_the_tokens_and_are_zero_on_padding(attention: str) -> None:
    settings = ModelSettings(**SMALL, attention=attention)
    model = build_model(settings, SOURCE_SIZE, TARGET_SIZE).eval()
    memory = model.encode(*padded(sentences(6, 2)))
    states_BTH = torch.randn(2, 3, 16)
    _, weights_BTS = model.decoder.attention(states_BTH, memory.keys_BSK, memory.values_BSH, memory.padding_BS)
    torch.testing.assert_close(weights_BTS.sum(-1), torch.ones(2, 3))
    assert (weights_BTS[1, :, 2:] == 0).all()


def test_attended_embeddings_stand_beside_the_states_and_leave_the_scores_as_they_are() -> None:
    settings = (ModelSettings(**SMALL, attention="general", attend_embeddings=way) for way in (False, True))
    states_only, both = (build_model(each, SOURCE_SIZE, TARGET_SIZE).eval() for each in settings)
    both.encoder.load_state_dict(states_only.encoder.state_dict())
    both.decoder.attention.load_state_dict(states_only.decoder.attention.state_dict())
    source_BS, lengths = padded(sentences(6, 2))
    expected, memory = states_only.encode(source_BS, lengths), both.encode(source_BS, lengths)
    torch.testing.assert_close(memory.keys_BSK, expected.keys_BSK)
    torch.testing.assert_close(memory.values_BSH[:, :, :16], expected.values_BSH)
    torch.testing.assert_close(memory.values_BSH[:, :, 16:], both.encoder.embedding(source_BS))


def test_tied_embeddings_are_one_tensor() -> None:
    tied = build_model(ModelSettings(**SMALL, tie_embeddings=True), SOURCE_SIZE, TARGET_SIZE)
    assert tied.decoder.output.weight is tied.decoder.embedding.weight


def test_dot_attention_between_unlike_sizes_is_refused_with_the_sizes_and_the_way_out() -> None:
    with pytest.raises(ValidationError, match=r"encoder gives 1024 and the decoder 512.*use general"):
        ModelSettings(attention="dot", bidirectional=True)


def test_attended_embeddings_without_attention_are_refused_with_the_way_out() -> None:
    with pytest.raises(ValidationError, match=r"attention is none: set attention to general, dot or additive"):
        ModelSettings(attend_embeddings=True)
    ModelSettings(architecture="transformer", attend_embeddings=True)


def test_input_feeding_without_attention_is_refused_with_the_way_out() -> None:
    with pytest.raises(ValidationError, match=r"attention is none: set attention to general"):
        ModelSettings(input_feeding=True)


@pytest.mark.parametrize(
    ("architecture", "foreign"),
    [
        ("transformer", {"input_feeding": True, "attend_embeddings": True, "bidirectional": True}),
        ("gru", {"attention_heads": 3, "feedforward_size": 7}),
    ],
)
def test_settings_of_the_other_architecture_have_no_effect(architecture: str, foreign: dict[str, Any]) -> None:
    kept = {name: value for name, value in SMALL.items() if name not in foreign}
    without = fresh(ModelSettings(**kept, architecture=architecture)).state_dict()
    with_them = fresh(ModelSettings(**kept, architecture=architecture, **foreign)).state_dict()

    assert without.keys() == with_them.keys()
    assert all(torch.equal(without[name], with_them[name]) for name in without)


@pytest.mark.parametrize("architecture", ["lstm", "transformer"])
def test_shared_embeddings_of_unlike_vocabularies_are_refused_with_both_sizes(architecture: str) -> None:
    settings = ModelSettings(**SMALL, architecture=architecture, share_embeddings=True)
    with pytest.raises(ConfigError, match=r"source has 23 tokens and the target 29: set vocabulary\.joint = true"):
        build_model(settings, 23, 29)


def test_shared_embeddings_need_a_joint_vocabulary_in_the_configuration() -> None:
    with pytest.raises(ConfigError, match=r"model: .* vocabulary\.joint is false: set vocabulary\.joint = true"):
        validate_config({"model": {"share_embeddings": True}})
    validate_config({"model": {"share_embeddings": True}, "vocabulary": {"joint": True}})


@pytest.mark.parametrize(("size", "width"), [(16, 0.25), (400, 0.1)])
@pytest.mark.parametrize("name", ["lecture", "general", "additive", "GRU", "input feeding, all at once"])
def test_matrices_start_from_a_tenth_to_both_sides_of_zero_or_from_pytorchs_range_if_that_is_wider(
    name: str, size: int, width: float
) -> None:
    """But for those of the decoder's own recurrence, which have PyTorch's range."""
    sizes = dict.fromkeys(("embedding_size", "encoder_hidden_size", "decoder_hidden_size"), size)
    network = fresh(ModelSettings(**{**SMALL, **ARCHITECTURES[name], **sizes}))
    embeddings = {id(part.weight) for part in network.modules() if isinstance(part, torch.nn.Embedding)}
    matrices = {
        place: weight
        for place, weight in network.named_parameters()
        if weight.ndim > 1 and weight.numel() > 100 and id(weight) not in embeddings
    }

    assert len(matrices) >= 4
    for place, matrix in matrices.items():
        own_range = place.startswith("decoder.recurrent")
        expected = size**-0.5 if own_range else max(0.1, matrix.shape[1] ** -0.5)
        assert expected <= width, place
        assert 0.9 * expected < matrix.abs().max() <= expected, place


@pytest.mark.parametrize(("attention", "opened"), [("none", True), ("general", False)])
def test_forget_gates_start_open_where_the_state_alone_carries_the_source(attention: str, opened: bool) -> None:
    network = fresh(ModelSettings(**{**SMALL, "attention": attention, "encoder_layers": 2, "bidirectional": True}))
    layers = [part for part in network.modules() if isinstance(part, torch.nn.LSTM)]

    assert len(layers) == 3
    for layer in layers:
        biases = [bias for name, bias in layer.named_parameters() if name.startswith("bias_ih")]
        gates = torch.cat([bias.chunk(4)[1] for bias in biases])
        assert gates.eq(1).all() == opened
        assert not any(bias.chunk(4)[part].eq(1).any() for bias in biases for part in (0, 2, 3))

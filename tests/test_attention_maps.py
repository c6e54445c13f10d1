"""The weights behind a translation."""

from pathlib import Path

import pytest
import torch

from seq2seq.attention_maps import attention_map
from seq2seq.registry.model_folder import LoadedModel, load_model
from tests.tiny import write_tiny_model


def model(folder: Path, **settings: object) -> LoadedModel:
    return load_model(write_tiny_model(folder, **settings))  # type: ignore[arg-type]  # settings of the network


def test_each_target_token_spreads_its_weight_over_the_source_tokens(tmp_path: Path) -> None:
    found = attention_map(model(tmp_path / "m"), "eins zwei", "One two three")

    assert found is not None
    assert found.source_tokens == ["▁eins", "▁zwei", "</s>"]
    assert found.target_tokens == ["▁One", "▁two", "▁three", "</s>"]
    assert [len(row) for row in found.weights_TS] == [3, 3, 3, 3]
    assert [sum(row) for row in found.weights_TS] == pytest.approx([1] * 4, abs=0.002)


def test_the_weights_are_those_that_make_the_contexts(tmp_path: Path) -> None:
    loaded = model(tmp_path / "m", attention="additive")
    found = attention_map(loaded, "vier fünf sechs", "four five")

    network = loaded.model
    ids = [[*loaded.source_tokenizer.encode("vier fünf sechs").ids, 3]]
    target = [[2, *loaded.target_tokenizer.encode("four five").ids]]
    with torch.inference_mode():
        memory = network.encode(torch.tensor(ids), torch.tensor([4]))
        states, _ = network.decoder.recurrent(network.decoder.embedding(torch.tensor(target)), memory.initial)
        attention = network.decoder.attention
        assert attention is not None
        wanted = attention.scores(states, memory.keys_BSK).softmax(-1)[0]

    assert found is not None
    torch.testing.assert_close(torch.tensor(found.weights_TS), wanted, atol=5e-4, rtol=0)


def test_columns_follow_the_text_where_the_model_reads_backwards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = model(tmp_path / "m", reverse_source=True)
    attention = loaded.model.decoder.attention
    assert attention is not None
    first_read = torch.tensor([9.0, 0, 0, 0])
    monkeypatch.setattr(attention, "scores", lambda states, keys, bmm: first_read.expand(1, states.shape[1], -1))

    found = attention_map(loaded, "eins zwei drei", "One")

    assert found is not None
    assert found.source_tokens == ["▁eins", "▁zwei", "▁drei", "</s>"]
    assert [row.index(max(row)) for row in found.weights_TS] == [3, 3]


def test_a_transformer_has_a_map_too(tmp_path: Path) -> None:
    found = attention_map(model(tmp_path / "m", architecture="transformer"), "eins zwei", "One two three")

    assert found is not None
    assert [len(row) for row in found.weights_TS] == [3, 3, 3, 3]
    assert [sum(row) for row in found.weights_TS] == pytest.approx([1] * 4, abs=0.002)


def test_a_model_without_attention_has_no_map(tmp_path: Path) -> None:
    assert attention_map(model(tmp_path / "m", attention="none"), "eins", "One") is None


def test_nothing_stays_hooked_to_the_model(tmp_path: Path) -> None:
    loaded = model(tmp_path / "m")
    attention_map(loaded, "eins", "One")

    assert loaded.model.decoder.attention is not None
    assert not loaded.model.decoder.attention._forward_hooks

"""What speaks against a training from the weights of a finished model, and what does not."""

import json
from pathlib import Path
from typing import Any

import pytest

from seq2seq.config import Config, validate_config
from seq2seq.errors import ConfigError, ModelError
from seq2seq.registry.inheritance import check, check_held_out, obstacles
from tests.tiny import SETTINGS, write_tiny_model

VOCABULARY = {"kind": "word", "size": 100, "min_frequency": 1}


@pytest.fixture
def parent(tmp_path: Path) -> Path:
    folder = write_tiny_model(tmp_path / "parent")
    (folder / "pipeline.json").write_text(json.dumps({"vocabulary": VOCABULARY}), encoding="utf-8")
    return folder


def config(**changes: dict[str, Any]) -> Config:
    usual = {
        "corpus": {"source_language": "de", "target_language": "en"},
        "vocabulary": VOCABULARY,
        "model": SETTINGS,
    }
    return validate_config(
        {name: usual.get(name, {}) | changes.get(name, {}) for name in usual.keys() | changes.keys()}
    )


def test_other_texts_other_dropout_and_another_training_are_no_obstacles(parent: Path) -> None:
    other = config(
        corpus={"kind": "files", "directory": "elsewhere"},
        cleaning={"drop_duplicates": False},
        model={"dropout": 0.7, "source_word_dropout": 0.1, "target_word_dropout": 0.1, "variational_dropout": True},
        training={"max_steps": 3},
    )

    assert list(obstacles(parent, other)) == []


def test_each_setting_of_the_network_that_differs_is_an_obstacle(parent: Path) -> None:
    assert list(obstacles(parent, config(model={"embedding_size": 16, "decoder_layers": 2}))) == [
        "its model.embedding_size is 8, not 16",
        "its model.decoder_layers is 1, not 2",
    ]


def test_each_setting_of_the_vocabulary_that_differs_is_an_obstacle(parent: Path) -> None:
    assert list(obstacles(parent, config(vocabulary={"kind": "bpe", "size": 200}))) == [
        "its vocabulary.kind is word, not bpe",
        "its vocabulary.size is 100, not 200",
    ]


def test_a_setting_that_is_younger_than_the_model_is_no_obstacle(parent: Path) -> None:
    (parent / "pipeline.json").write_text(json.dumps({"vocabulary": {"size": 100}}), encoding="utf-8")

    assert list(obstacles(parent, config())) == []


def test_without_its_pipeline_json_a_model_passes_on_whatever_vocabulary_it_has(parent: Path) -> None:
    (parent / "pipeline.json").unlink()

    assert list(obstacles(parent, config(vocabulary={"size": 200}))) == []


def test_text_that_is_cut_by_other_rules_is_an_obstacle(parent: Path) -> None:
    assert list(obstacles(parent, config(tokenization={"lowercase": True}))) == [
        f"its {side}_tokenizer.json cuts text by other rules than tokenization.normalization = nfc and "
        "tokenization.lowercase = true give"
        for side in ("source", "target")
    ]


def test_a_model_of_the_other_direction_is_an_obstacle(parent: Path) -> None:
    turned = config(corpus={"source_language": "en", "target_language": "de"})

    assert list(obstacles(parent, turned)) == ["it translates de to en, not en to de"]


def test_the_check_says_all_that_differs_and_the_way_out(parent: Path) -> None:
    check(parent, config())

    with pytest.raises(
        ModelError, match=r"parent: its model\.encoder_layers is 1, not 2; its vocab.* Continue with the se"
    ):
        check(parent, config(model={"encoder_layers": 2}, vocabulary={"size": 90}))


def test_a_damaged_parent_is_an_error(parent: Path) -> None:
    (parent / "model.safetensors").write_bytes(b"")

    with pytest.raises(ModelError, match="truncated"):
        check(parent, config())


def test_a_pipeline_json_that_holds_no_sections_is_an_error(parent: Path) -> None:
    (parent / "pipeline.json").write_text(json.dumps({"vocabulary": "bpe"}), encoding="utf-8")

    with pytest.raises(ModelError, match=r"pipeline\.json .* vocabulary"):
        check(parent, config())


HELD_OUT = {"source_language": "de", "target_language": "en", "test": "", "valid": "", "test_pairs": 700}


@pytest.mark.parametrize(
    ("before", "now", "said"),
    [
        (HELD_OUT, {}, ""),
        ({}, {"test": "test", "valid": "valid"}, ""),
        ({}, {}, "nothing was held out, and now 700 test pairs and 500 valid pairs (de to en) were held out"),
        (
            HELD_OUT,
            {"test_pairs": 900},
            "700 test pairs and 500 valid pairs (de to en) were held out, and now 900 test",
        ),
        (HELD_OUT | {"valid": "valid"}, {}, "700 test pairs (de to en) were"),
        (
            HELD_OUT,
            {"source_language": "en", "target_language": "de"},
            "500 valid pairs (en to de) were",
        ),
    ],
)
def test_what_is_held_out_now_must_have_been_held_out_from_the_model(
    parent: Path, before: dict[str, Any], now: dict[str, Any], said: str
) -> None:
    content = {"vocabulary": VOCABULARY, "corpus": {"source_language": "de", "target_language": "en"} | before}
    (parent / "pipeline.json").write_text(json.dumps(content), encoding="utf-8")
    corpus = config(corpus=HELD_OUT | now).corpus
    if not said:
        check_held_out(parent, corpus)
        assert list(obstacles(parent, config(corpus=HELD_OUT | now))) == []
        return
    with pytest.raises(ConfigError) as raised:
        check_held_out(parent, corpus)
    assert said in str(raised.value)
    assert any("held out" in obstacle for obstacle in obstacles(parent, config(corpus=HELD_OUT | now)))


def test_a_model_into_a_language_without_spaces_can_be_gone_on_from(tmp_path: Path) -> None:
    folder = write_tiny_model(tmp_path / "parent")
    corpus = {"source_language": "de", "target_language": "en", "test": ""}
    (folder / "pipeline.json").write_text(json.dumps({"corpus": corpus | {"target_language": "ja"}}), encoding="utf-8")

    assert list(obstacles(folder, config(corpus=corpus))) == [
        "when it was trained 500 test pairs (de to ja) were held out, and now 500 test pairs (de to en) were held out"
    ]

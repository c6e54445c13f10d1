from typing import Any

import pytest

from seq2seq.config import validate_config
from seq2seq.registry.model_card import card

SIGNATURE = "nrefs:1|bs:1000|seed:12345|case:mixed|eff:no|tok:13a|smooth:exp|version:2.6.0"
STATISTICS: dict[str, dict[str, Any]] = {
    "fetch": {"revision": "0123abc"},
    "clean": {
        "splits": {
            "train": {"pairs_before": 29000, "pairs_after": 28890},
            "test": {"pairs_before": 1000, "pairs_after": 1000},
        }
    },
    "vocabulary": {"source": {"tokens": 7999}, "target": {"tokens": 6000}},
    "train": {
        "parameters": 12345678,
        "steps": 2000,
        "best_step": 1800,
        "valid_nats_per_token": 1.73456,
        "target_tokens_per_second": 3123.4,
    },
    "evaluate": {
        "bleu": 37.6543,
        "bleu_interval": [35.91, 39.42],
        "bleu_lowercased": 38.2,
        "chrf": 60.0,
        "ter": 44.25,
        "signature": SIGNATURE,
        "signatures": {"bleu_lowercased": "case:lc", "chrf": "nc:6", "ter": "tok:tercom"},
        "test_pairs": 1000,
        "sources_with_unknown_tokens": 12,
    },
}


SIZES = {"train": 9000, "valid": 502, "test": 1003}


def text(**sections: Any) -> str:
    return card(validate_config({"name": "tiny"} | sections), STATISTICS)


def test_the_card_begins_with_metadata_that_model_hubs_read() -> None:
    lines = text(corpus={"source_language": "no", "target_language": "de"}).splitlines()
    assert lines[: lines.index("---", 1) + 1] == [
        "---",
        "language:",
        '- "no"',
        '- "de"',
        "pipeline_tag: translation",
        "library_name: seq2seq-flows",
        "metrics:",
        "- bleu",
        "- chrf",
        "- ter",
        "---",
    ]


def test_the_card_tells_what_int8_costs_where_it_was_measured() -> None:
    scores = STATISTICS["evaluate"] | {"int8": {"bleu": 37.5, "difference": -0.1543}}
    assert "| BLEU, cased, `--int8` | 37.5 (-0.2) |" in card(validate_config({}), STATISTICS | {"evaluate": scores})
    assert "int8" not in text()


def test_the_card_tells_scores_with_interval_and_signature() -> None:
    written = text()
    escaped = SIGNATURE.replace("|", "\\|")
    assert f"| BLEU, cased | 37.7 (95 % interval 35.9 to 39.4) | `{escaped}` |" in written
    assert "| chrF | 60.0 | `nc:6` |" in written
    assert "On the 1,000 pairs of the test set `test`, " in written
    assert "On 1,000 pairs held out of `all`, " in text(corpus={"kind": "files", "train": "all", "test": ""})
    assert "beam 5, length penalty 1" in written
    assert "with greedy," in text(evaluation={"beam_size": 1})


def test_the_card_tells_how_much_text_there_was_and_how_much_was_used() -> None:
    assert "| train | 29,000 | 28,890 |" in text()


@pytest.mark.parametrize(
    ("corpus", "origin"),
    [
        ({"kind": "demo"}, "The Korean-English grammar that comes with seq2seq-flows (seed 1)"),
        (
            {"kind": "hub", "dataset": "someone/pairs", "subset": "en-ko"},
            "Hugging Face dataset `someone/pairs`, configuration `en-ko`, revision `0123abc`.",
        ),
        (
            {"kind": "files", "directory": "/home/someone/text", "valid": ""},
            "Local text files: `train` (train), `test` (test).",
        ),
    ],
)
def test_the_card_tells_where_the_text_came_from(corpus: dict[str, str], origin: str) -> None:
    written = text(corpus=corpus)
    assert origin in written
    assert "/home" not in written


def test_the_card_tells_what_was_held_out() -> None:
    fetched = {"fetch": {"splits": {split: {"pairs": count} for split, count in SIZES.items()}}}
    held_out = validate_config({"corpus": {"kind": "files", "train": "all", "test": "", "valid": ""}})
    assert " Pairs held out of `all`: 1,003 (test), 502 (valid)." in card(held_out, STATISTICS | fetched)
    assert "held out of" not in card(validate_config({}), STATISTICS | fetched)


def test_the_card_describes_the_network() -> None:
    written = text(
        model={"bidirectional": True, "attention": "general", "tie_embeddings": True},
        vocabulary={"kind": "unigram", "joint": True},
    )
    assert "bidirectional LSTM encoder (1 × 512), LSTM decoder (1 × 512), general attention" in written
    assert "output tied to the target embedding" in written
    assert "| parameters | 12,345,678 |" in written
    assert "step 1,800, chosen by validation BLEU and, within 0.5 of the highest, by loss" in written
    assert "unigram (joint, 7,999 source and 6,000 target tokens)" in written
    assert "no attention" in text()


@pytest.mark.parametrize(
    ("model", "told"),
    [
        (
            {"architecture": "gru", "attention": "dot", "input_feeding": True, "layer_norm": True},
            "GRU encoder (1 × 512), GRU decoder (1 × 512), dot attention, input feeding, layer normalisation, "
            "embeddings of 256 |",
        ),
        (
            {"attention": "general", "attend_embeddings": True},
            "LSTM decoder (1 × 512), general attention to states and embeddings, embeddings of 256 |",
        ),
        (
            {"reverse_source": True},
            "LSTM encoder (1 × 512) that reads the source from its end, LSTM decoder (1 × 512), no attention, ",
        ),
        (
            {"architecture": "transformer", "encoder_layers": 6, "decoder_layers": 3, "attention": "general"},
            "pre-norm Transformer: 6 encoder and 3 decoder layers of 256, 4 heads, inner size 1024, "
            "embeddings of 256 |",
        ),
        ({"share_embeddings": True}, "embeddings of 256, one embedding for source and target |"),
        (
            {"share_embeddings": True, "tie_embeddings": True},
            "embeddings of 256, one embedding for source, target and output |",
        ),
    ],
)
def test_the_card_describes_every_architecture_in_one_sentence(model: dict[str, Any], told: str) -> None:
    assert told in text(model=model, vocabulary={"joint": True})


def test_the_card_says_how_the_model_is_used_and_what_it_cannot_do() -> None:
    assert "python -m seq2seq translate MODEL_DIR < in.txt > out.txt" in text()
    assert "needs the package `seq2seq-flows`" in text()
    assert "12 of the 1,000 test sources have tokens that its vocabulary does not know" in text()
    assert "small built-in grammar" in text(corpus={"kind": "demo"})
    assert "small built-in grammar" not in text(corpus={"kind": "files"})


def test_the_card_of_a_model_for_both_directions_says_how_to_go_back() -> None:
    corpus = {"source_language": "de", "target_language": "en"}
    written = text(corpus=corpus, vocabulary={"joint": True, "language_tags": True})
    assert "also translates from `en` to `de`, with `--to de`" in written
    assert "scores below are those of `de` to `en`" in written
    assert "--to" not in text(corpus=corpus)


def test_the_card_does_not_hang_on_how_fast_the_machine_was() -> None:
    slower = STATISTICS | {"train": STATISTICS["train"] | {"target_tokens_per_second": 1.0}}
    assert card(validate_config({}), slower) == card(validate_config({}), STATISTICS)


def test_a_card_can_be_written_when_only_training_and_scores_are_known() -> None:
    known = {name: STATISTICS[name] for name in ("train", "evaluate")}
    written = card(validate_config({"corpus": {"kind": "hub", "dataset": "someone/pairs"}}), known)
    assert "revision `main`" in written
    assert "| vocabulary | bpe |" in written


def test_the_card_says_how_to_decode_as_it_was_scored() -> None:
    assert '.translate(["…"])' in text()
    assert '.translate(["…"], length_penalty=0.8)' in text(evaluation={"length_penalty": 0.8})
    assert '.translate(["…"], beam_size=10)' in text(evaluation={"beam_size": 10})

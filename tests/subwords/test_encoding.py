from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from tokenizers import Tokenizer

from seq2seq.corpora.cleaning import clean
from seq2seq.corpora.lines import read_lines
from seq2seq.corpora.pairs import pairs_of, read_pairs, write_pairs
from seq2seq.pipeline import Job
from seq2seq.settings.cleaning import CleaningSettings
from seq2seq.settings.tokenization import TokenizationSettings
from seq2seq.settings.vocabulary import VocabularySettings
from seq2seq.storage.artifacts import Artifact
from seq2seq.subwords.encoding import encode
from seq2seq.subwords.tokenization import tokenize
from seq2seq.subwords.vocabulary import learn

KINDS = ["word", "bpe", "unigram"]
SHARED = Path(__file__).parents[3] / "shared" / "corpora" / "multi30k"
TRAIN = [
    ("Ein Hund läuft.", "A dog runs."),
    ("Zwei Hunde laufen, einer bellt!", "Two dogs run, one barks!"),
    ("Er\u00a0sagt:  „Ja“ <s>", "He says: “yes” </s>"),
    ("Über 1.000 Hunde", "Over 1,000 dogs"),
]
VALID = [
    (" Zwei\tHunde\u2028bellen <pad> 😀", "Two dogs bark <unk> 😀"),
    ("U\u0308ber Katzen", "About cats"),
    ("", " "),
]


def encoded(
    folder: Path, kind: str, train: Any = TRAIN, valid: Any = VALID, **vocabulary: Any
) -> tuple[dict[str, Any], Path]:
    """Statistics of `encode`, and the folder that holds a folder for each step from raw pairs to ids."""
    steps = {name: folder / name for name in ("fetch", "clean", "tokenize", "vocabulary", "encode")}
    jobs = {}
    for name, place in steps.items():
        place.mkdir()
        jobs[name] = Job(place, folder / "checkpoints")
    for split, rows in (("train", train), ("valid", valid)):
        if rows:
            write_pairs(steps["fetch"] / f"{split}.arrow", pairs_of("de", "en", *zip(*rows, strict=True)))
    clean(CleaningSettings(), Artifact(steps["fetch"]), jobs["clean"])
    tokenize(TokenizationSettings(), Artifact(steps["clean"], ("train", "valid")), jobs["tokenize"])
    settings = VocabularySettings.model_validate({"kind": kind, "size": 300, "min_frequency": 1} | vocabulary)
    learn(settings, Artifact(steps["tokenize"], ("rules", "train")), jobs["vocabulary"])
    inputs = Artifact(steps["tokenize"], ("train", "valid")), Artifact(steps["vocabulary"])
    return encode(*inputs, jobs["encode"]), folder


def ids_of(folder: Path, split: str) -> pa.Table:
    with pa.memory_map(str(folder / "encode" / f"{split}.arrow")) as stream:
        return pa.ipc.open_file(stream).read_all()


@pytest.mark.parametrize("kind", KINDS)
def test_ids_are_those_of_the_complete_tokenizer_on_raw_text(tmp_path: Path, kind: str) -> None:
    encoded(tmp_path, kind)
    for split, rows in (("train", TRAIN), ("valid", VALID)):
        table = ids_of(tmp_path, split)
        for side, texts in zip(("source", "target"), zip(*rows, strict=True), strict=True):
            complete = Tokenizer.from_file(str(tmp_path / "vocabulary" / f"{side}_tokenizer.json"))
            assert table[side].to_pylist() == [complete.encode(text).ids for text in texts]


@pytest.mark.skipif(not SHARED.is_dir(), reason="needs the real text beside the checkout")
@pytest.mark.parametrize("kind", KINDS)
def test_ids_of_real_text_are_those_of_the_complete_tokenizer(tmp_path: Path, kind: str) -> None:
    train, valid = (
        list(zip(*(read_lines(SHARED / f"{stem}.{side}") for side in ("de", "en")), strict=True))[:400]
        for stem in ("valid", "test_2016_flickr")
    )
    encoded(tmp_path, kind, train, valid)
    for side, texts in zip(("source", "target"), zip(*valid, strict=True), strict=True):
        complete = Tokenizer.from_file(str(tmp_path / "vocabulary" / f"{side}_tokenizer.json"))
        ids = ids_of(tmp_path, "valid")[side].to_pylist()
        assert ids == [encoding.ids for encoding in complete.encode_batch(list(texts))]


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_known_which_tokens_begin_a_piece(tmp_path: Path, kind: str) -> None:
    encoded(tmp_path, kind)
    pieces = read_pairs(tmp_path / "tokenize" / "train.arrow").frame
    for side in ("source", "target"):
        tokenizer = Tokenizer.from_file(str(tmp_path / "vocabulary" / f"{side}_tokenizer.json"))
        table = ids_of(tmp_path, "train")
        rows = zip(table[side].to_pylist(), table[f"{side}_begins"].to_pylist(), strict=True)
        marked = [
            "".join(
                f" {tokenizer.id_to_token(token)}" if first else str(tokenizer.id_to_token(token))
                for token, first in zip(*row, strict=True)
            )
            for row in rows
        ]
        assert marked == [f" {text}" for text in pieces[side]]


@pytest.mark.parametrize("kind", KINDS)
def test_with_language_tags_each_training_pair_is_there_in_both_directions(tmp_path: Path, kind: str) -> None:
    encoded(tmp_path, kind, joint=True, language_tags=True)
    source, target = (
        Tokenizer.from_file(str(tmp_path / "vocabulary" / f"{side}_tokenizer.json")) for side in ("source", "target")
    )
    into = {language: target.token_to_id(f"<2{language}>") for language in ("de", "en")}
    table = ids_of(tmp_path, "train")
    german, english = ([target.encode(text).ids for text in side] for side in zip(*TRAIN, strict=True))
    assert table["source"].to_pylist() == [[into["en"], *ids] for ids in german] + [
        [into["de"], *ids] for ids in english
    ]
    assert table["target"].to_pylist() == english + german
    assert ids_of(tmp_path, "valid")["source"].to_pylist() == [source.encode(text).ids for text, _ in VALID]
    assert {ids[0] for ids in ids_of(tmp_path, "valid")["source"].to_pylist()} == {into["en"]}


def test_ids_are_lists_of_32_bit_integers(tmp_path: Path) -> None:
    encoded(tmp_path, "word")
    schema = ids_of(tmp_path, "train").schema
    assert [schema.field(side).type for side in ("source", "target")] == [pa.list_(pa.int32())] * 2


def test_a_split_that_is_not_there_stays_absent(tmp_path: Path) -> None:
    statistics, folder = encoded(tmp_path, "word", valid=[])
    assert [path.name for path in (folder / "encode").iterdir()] == ["train.arrow"]
    assert list(statistics["splits"]) == ["train"]


def test_statistics_hold_lengths_and_unknown_rates(tmp_path: Path) -> None:
    statistics, _ = encoded(tmp_path, "word", [("a b c", "x"), ("a", "x y")], [("a q", "x"), ("a b c a", "z")])
    train, valid = statistics["splits"]["train"], statistics["splits"]["valid"]
    assert train["source"] == {
        "mean": 2.0,
        "median": 2.0,
        "percentile_95": pytest.approx(2.9),
        "percentile_99": pytest.approx(2.98),
        "max": 3,
        "unknown_rate": 0.0,
    }
    assert valid["source"]["unknown_rate"] == pytest.approx(1 / 6)
    assert valid["target"]["unknown_rate"] == 0.5
    assert valid["source"]["max"] == 4


def test_sentences_without_tokens_have_no_unknown_rate(tmp_path: Path) -> None:
    statistics, _ = encoded(tmp_path, "word", valid=[("", "")])
    assert statistics["splits"]["valid"]["source"]["unknown_rate"] == 0.0
    assert statistics["splits"]["valid"]["source"]["max"] == 0


def test_equal_text_gives_equal_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        encoded(tmp_path / name, "bpe")
    first, second = (tmp_path / name / "encode" / "train.arrow" for name in ("a", "b"))
    assert first.read_bytes() == second.read_bytes()

import hashlib
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from seq2seq.config import validate_config
from seq2seq.corpora.pairs import pairs_of, write_pairs
from seq2seq.errors import ConfigError
from seq2seq.pipeline import Job
from seq2seq.settings.tokenization import TokenizationSettings
from seq2seq.settings.vocabulary import VocabularySettings
from seq2seq.storage.artifacts import Artifact
from seq2seq.subwords.special_tokens import BOS, EOS, PAD, SPECIAL_TOKENS, UNK
from seq2seq.subwords.tokenization import build_rules, cut
from seq2seq.subwords.vocabulary import build_tokenizer, count_pieces, inherit, learn

KINDS = ["word", "bpe", "unigram"]
RULES = build_rules(TokenizationSettings())
SENTENCES = [
    "The dog chased the cat, and the cat ran away.",
    "A dog doesn't chase cats: it barks!",
    "The cats (two) were running; the dogs weren't.",
    "저는 고양이를 좋아해요. 고양이는 저를 좋아해요?",
]


def tokenizer_for(kind: str, sentences: list[str] = SENTENCES, **settings: Any) -> Tokenizer:
    chosen = VocabularySettings.model_validate({"kind": kind, "size": 120, "min_frequency": 1} | settings)
    return build_tokenizer(chosen, count_pieces(cut(RULES, sentence) for sentence in sentences), RULES.to_str())


def learned(folder: Path, languages: tuple[str, str] = ("en", "xx"), **settings: Any) -> tuple[dict[str, Any], Path]:
    """Statistics and folder of a vocabulary learned from SENTENCES, the target being upside down."""
    before, after = folder / "tokenize", folder / "vocabulary"
    for made in (before, after):
        made.mkdir(parents=True)
    RULES.save(str(before / "rules.json"))
    texts = [cut(RULES, sentence) for sentence in SENTENCES]
    write_pairs(before / "train.arrow", pairs_of(*languages, texts, [text.upper() for text in texts]))
    chosen = VocabularySettings.model_validate({"size": 120, "min_frequency": 1} | settings)
    statistics = learn(chosen, Artifact(before, ("rules", "train")), Job(after, folder / "checkpoints"))
    return statistics, after


def test_an_inherited_vocabulary_is_the_parents_and_is_measured_on_the_new_texts(tmp_path: Path) -> None:
    _, parent = learned(tmp_path / "parent", kind="word")
    for name in ("tokenize", "inherited"):
        (tmp_path / name).mkdir()
    texts = [cut(RULES, sentence) for sentence in ("The dog chased the zebra.", "The zebra ran.")]
    write_pairs(tmp_path / "tokenize" / "train.arrow", pairs_of("en", "xx", texts, [text.upper() for text in texts]))

    statistics = inherit(
        Artifact(tmp_path / "tokenize", ("train",)),
        Artifact(parent, ("source_tokenizer", "target_tokenizer")),
        Job(tmp_path / "inherited", tmp_path / "checkpoints"),
    )

    for side in ("source", "target"):
        name = f"{side}_tokenizer.json"
        assert (tmp_path / "inherited" / name).read_bytes() == (parent / name).read_bytes()
    assert statistics["inherited"] is True
    assert statistics["source"]["frequent_unknown"] == [["▁zebra", 2]]
    assert statistics["target"]["covered"] == pytest.approx(8 / 10)


@pytest.mark.parametrize("kind", KINDS)
def test_the_four_special_tokens_have_the_first_ids(kind: str) -> None:
    tokenizer = tokenizer_for(kind)
    assert [tokenizer.token_to_id(token) for token in SPECIAL_TOKENS] == [PAD, UNK, BOS, EOS] == [0, 1, 2, 3]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("token", SPECIAL_TOKENS)
def test_nobody_gets_a_special_token_by_typing_it(kind: str, token: str) -> None:
    tokenizer = tokenizer_for(kind, [*SENTENCES, f"typed {token} here"])
    encoding = tokenizer.encode(f"typed {token} here")
    assert not {PAD, UNK, BOS, EOS} & set(encoding.ids)
    assert tokenizer.decode(encoding.ids) == f"typed {token} here"


@pytest.mark.parametrize("kind", KINDS)
def test_sentences_of_the_training_text_come_back_without_loss(kind: str) -> None:
    tokenizer = tokenizer_for(kind)
    assert [tokenizer.decode(tokenizer.encode(sentence).ids) for sentence in SENTENCES] == SENTENCES


@pytest.mark.parametrize("kind", ["bpe", "unigram"])
@given(text=st.text("".join(sorted(set("".join(SENTENCES))))))
def test_subwords_lose_no_text_of_known_characters(kind: str, text: str) -> None:
    tokenizer = SUBWORDS[kind]
    assert tokenizer.decode(tokenizer.encode(text).ids) == " ".join(text.split())


SUBWORDS = {kind: tokenizer_for(kind) for kind in ("bpe", "unigram")}


@pytest.mark.parametrize("kind", KINDS)
def test_padding_begin_and_end_leave_no_trace_in_the_text(kind: str) -> None:
    tokenizer = tokenizer_for(kind)
    ids = tokenizer.encode("the cat ran").ids
    assert tokenizer.decode([BOS, *ids, EOS, PAD, PAD]) == "the cat ran"


@pytest.mark.parametrize(
    ("kind", "text"), [("word", "the zebra, ⁇."), ("bpe", "the zebra, 大."), ("unigram", "the zebra, 大.")]
)
def test_what_is_unknown_shows_in_the_text(kind: str, text: str) -> None:
    tokenizer = tokenizer_for(kind, ["the zebra, ran."])
    raw = text.replace("⁇", "giraffe")
    assert tokenizer.encode(raw).ids.count(UNK) == 1
    assert tokenizer.decode(tokenizer.encode(raw).ids) == "the zebra, ⁇."


def test_words_are_ranked_by_frequency_and_then_by_text() -> None:
    tokenizer = tokenizer_for("word", ["b b b", "a a a", "c c", "d"], min_frequency=2)
    assert [tokenizer.id_to_token(index) for index in range(4, 7)] == ["▁a", "▁b", "▁c"]
    assert tokenizer.get_vocab_size() == 7


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [60, 70, 90])
def test_no_vocabulary_is_larger_than_its_size(kind: str, size: int) -> None:
    assert tokenizer_for(kind, size=size).get_vocab_size() <= size


@pytest.mark.parametrize("kind", ["bpe", "unigram"])
def test_a_size_below_the_number_of_characters_is_an_error_with_both(kind: str) -> None:
    with pytest.raises(
        ConfigError, match=r"vocabulary\.size = 32 is too small .* 36 different .* Set .* to 40 or more"
    ):
        tokenizer_for(kind, ["abcdefghijklmnopqrstuvwxyz012345678"], size=32)


def test_the_size_that_is_asked_for_can_be_set_as_it_stands() -> None:
    with pytest.raises(ConfigError, match=r"1,996 different .* Set vocabulary\.size to 2000 or more"):
        tokenizer_for("bpe", ["".join(map(chr, range(0x4E00, 0x4E00 + 1995)))], size=32)


def test_rare_merges_are_left_out_of_bpe() -> None:
    tokens = tokenizer_for("bpe", ["dog dog", "cat"], min_frequency=2).get_vocab()
    assert "▁dog" in tokens
    assert "▁cat" not in tokens


def test_separate_vocabularies_know_their_own_side_only(tmp_path: Path) -> None:
    _, folder = learned(tmp_path, kind="word")
    source, target = (Tokenizer.from_file(str(folder / f"{side}_tokenizer.json")) for side in ("source", "target"))
    assert UNK not in source.encode("the dog").ids
    assert set(target.encode("the dog").ids) == {UNK}


@pytest.mark.parametrize("kind", KINDS)
def test_a_joint_vocabulary_is_one_file_twice(tmp_path: Path, kind: str) -> None:
    _, folder = learned(tmp_path, kind=kind, joint=True)
    source, target = (folder / f"{side}_tokenizer.json" for side in ("source", "target"))
    assert source.read_bytes() == target.read_bytes()
    assert UNK not in Tokenizer.from_file(str(source)).encode("the dog THE DOG").ids


@pytest.mark.parametrize("kind", KINDS)
def test_language_tags_follow_the_special_tokens_and_the_source_begins_with_the_targets(
    tmp_path: Path, kind: str
) -> None:
    _, folder = learned(tmp_path, kind=kind, joint=True, language_tags=True)
    source, target = (Tokenizer.from_file(str(folder / f"{side}_tokenizer.json")) for side in ("source", "target"))
    assert [target.token_to_id(tag) for tag in ("<2en>", "<2xx>")] == [4, 5]
    assert source.get_vocab() == target.get_vocab()
    assert source.encode("the dog").ids == [5, *target.encode("the dog").ids]
    assert target.decode(source.encode("the dog").ids, skip_special_tokens=False) == "the dog"


@pytest.mark.parametrize("kind", KINDS)
def test_nobody_gets_a_language_tag_by_typing_it(tmp_path: Path, kind: str) -> None:
    _, folder = learned(tmp_path, kind=kind, joint=True, language_tags=True)
    target = Tokenizer.from_file(str(folder / "target_tokenizer.json"))
    assert not {4, 5} & set(target.encode("the <2en> dog <2xx>").ids)


def test_language_tags_without_a_joint_vocabulary_are_an_error_with_the_way_out() -> None:
    with pytest.raises(ConfigError, match=r"vocabulary\.language_tags: .* set joint = true"):
        validate_config({"vocabulary": {"language_tags": True}})


def test_language_tags_of_one_language_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"both sides of the corpus are en"):
        learned(tmp_path, languages=("en", "en"), joint=True, language_tags=True)


@pytest.mark.parametrize("kind", KINDS)
def test_equal_text_gives_equal_bytes_in_another_process(tmp_path: Path, kind: str) -> None:
    _, here = learned(tmp_path / "here", kind=kind)
    program = (
        "import sys; from pathlib import Path; from seq2seq.storage.artifacts import Artifact\n"
        "from seq2seq.pipeline import Job; from seq2seq.settings.vocabulary import VocabularySettings\n"
        "from seq2seq.subwords.vocabulary import learn\n"
        "settings = VocabularySettings(kind=sys.argv[1], size=120, min_frequency=1)\n"
        "learn(settings, Artifact(Path(sys.argv[2])), Job(Path(sys.argv[3]), Path(sys.argv[3])))\n"
    )
    there = tmp_path / "there"
    there.mkdir()
    subprocess.run([sys.executable, "-c", program, kind, here.with_name("tokenize"), there], check=True)
    digests = [
        [hashlib.sha256((folder / f"{side}_tokenizer.json").read_bytes()).digest() for side in ("source", "target")]
        for folder in (here, there)
    ]
    assert digests[0] == digests[1]


def test_without_a_training_split_there_is_nothing_to_learn_from(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"corpus\.train is empty"):
        learn(VocabularySettings(), Artifact(tmp_path, ("rules", "train")), Job(tmp_path, tmp_path))


def test_statistics_say_how_well_words_cover_the_training_text(tmp_path: Path) -> None:
    statistics, _ = learned(tmp_path, kind="word", min_frequency=2)
    pieces = count_pieces(cut(RULES, sentence) for sentence in SENTENCES)
    rare = sorted(piece for piece, count in pieces.items() if count == 1)
    source = statistics["source"]
    assert source["tokens"] == 4 + len(pieces) - len(rare)
    assert source["different_pieces"] == len(pieces)
    assert source["covered"] == pytest.approx(1 - len(rare) / pieces.total())
    assert source["unknown_rate"] == pytest.approx(len(rare) / pieces.total())
    assert source["tokens_per_word"] == pytest.approx(pieces.total() / sum(len(s.split()) for s in SENTENCES))
    assert source["frequent_unknown"] == [[piece, 1] for piece in rare[:10]]


def test_statistics_of_subwords_count_tokens_for_each_word(tmp_path: Path) -> None:
    statistics, folder = learned(tmp_path, kind="bpe", size=80)
    tokenizer = Tokenizer.from_file(str(folder / "source_tokenizer.json"))
    tokens = sum(len(tokenizer.encode(sentence).ids) for sentence in SENTENCES)
    words = sum(len(sentence.split()) for sentence in SENTENCES)
    assert statistics["source"]["tokens_per_word"] == pytest.approx(tokens / words)
    assert statistics["source"]["covered"] == 1
    assert statistics["source"]["frequent_unknown"] == []

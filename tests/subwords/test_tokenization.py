import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer

from seq2seq.corpora.pairs import pairs_of, read_pairs, write_pairs
from seq2seq.corpora.whitespace import fold
from seq2seq.pipeline import Job
from seq2seq.settings.tokenization import TokenizationSettings
from seq2seq.storage.artifacts import Artifact
from seq2seq.subwords.tokenization import build_rules, cut, tokenize

RULES = build_rules(TokenizationSettings())
ANY_TEXT = st.text(st.characters(exclude_characters="▁", codec="utf-8"))
ASSIGNED_TEXT = st.text(st.characters(exclude_characters="▁", exclude_categories=["Cs", "Co", "Cn"]))


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("A man, 3 dogs.", "▁A ▁man , ▁3 ▁dogs ."),
        ("Don't e-mail me!", "▁Don't ▁e-mail ▁me !"),
        ("l’été à Sèvres", "▁l’été ▁à ▁Sèvres"),
        ("'quoted' - dash -x- x-", "▁' quoted ' ▁- ▁dash ▁- x - ▁x -"),
        ("wait...what?!", "▁wait . . . what ? !"),
        ("(a) [b]", "▁( a ) ▁[ b ]"),
        ("1,000.50 €", "▁1 , 000 . 50 ▁€"),
        ("저는 사과를 좋아해요.", "▁저는 ▁사과를 ▁좋아해요 ."),
        ("नमस्ते दुनिया।", "▁नमस्ते ▁दुनिया ।"),
        ("می\u200cخواهم", "▁می\u200cخواهم"),
        ("a_b <s>", "▁a _ b ▁< s >"),
        (" \ufeffto\tfold\u00a0\u2028 it ", "▁to ▁fold ▁it"),
        ("\u200ethe\u00ad\u202are\u2060 \u2069", "▁there"),
        ("", ""),
        (" \n", ""),
    ],
)
def test_words_and_marks_are_cut_apart_and_remember_their_spaces(text: str, pieces: str) -> None:
    assert cut(RULES, text) == pieces


@given(text=ANY_TEXT)
def test_pieces_give_back_the_normalised_text_whatever_it_was(text: str) -> None:
    assert RULES.decoder.decode(cut(RULES, text).split(" ")) == RULES.normalizer.normalize_str(text)


@given(text=ANY_TEXT)
def test_no_piece_holds_white_space(text: str) -> None:
    pieces = cut(RULES, text)
    assert pieces.split() == [piece for piece in pieces.split(" ") if piece]


@given(text=ASSIGNED_TEXT)
def test_normalising_is_nfc_with_white_space_folded_as_in_cleaning(text: str) -> None:
    normalised = RULES.normalizer.normalize_str(text)
    assert normalised == fold(unicodedata.normalize("NFC", fold(text)))
    assert cut(RULES, fold(text)) == cut(RULES, text)


def test_the_mark_itself_comes_back_as_a_space() -> None:
    assert RULES.decoder.decode(cut(RULES, "a▁b").split(" ")) == "a b"


@pytest.mark.parametrize(
    ("settings", "pieces"),
    [
        (TokenizationSettings(normalization="none"), "▁Cafe\u0301 ▁ﬁn"),
        (TokenizationSettings(normalization="nfc"), "▁Café ▁ﬁn"),
        (TokenizationSettings(normalization="nfkc"), "▁Café ▁fin"),
        (TokenizationSettings(lowercase=True), "▁café ▁ﬁn"),
    ],
)
def test_normal_form_and_case_are_settings(settings: TokenizationSettings, pieces: str) -> None:
    assert cut(build_rules(settings), "Cafe\u0301 ﬁn") == pieces


def tokenized(folder: Path, **splits: list[tuple[str, str]]) -> Path:
    """The folder that `tokenize` filled."""
    before, after = folder / "clean", folder / "tokenize"
    for made in (before, after):
        made.mkdir()
    for split, rows in splits.items():
        write_pairs(before / f"{split}.arrow", pairs_of("de", "en", *zip(*rows, strict=True)))
    tokenize(TokenizationSettings(), Artifact(before, ("train", "valid")), Job(after, folder / "checkpoints"))
    return after


def test_both_sides_of_train_and_valid_are_cut(tmp_path: Path) -> None:
    folder = tokenized(tmp_path, train=[("Ja, klar!", "Yes, sure!")], valid=[("Nein.", "No.")])
    assert read_pairs(folder / "train.arrow").frame.to_numpy().tolist() == [["▁Ja , ▁klar !", "▁Yes , ▁sure !"]]
    assert read_pairs(folder / "valid.arrow").frame.to_numpy().tolist() == [["▁Nein .", "▁No ."]]


def test_the_rules_are_kept_beside_the_text(tmp_path: Path) -> None:
    folder = tokenized(tmp_path, train=[("Ja.", "Yes.")])
    rules = Tokenizer.from_file(str(folder / "rules.json"))
    assert cut(rules, "Ja,  klar!") == "▁Ja , ▁klar !"


def test_splits_that_are_not_there_stay_absent(tmp_path: Path) -> None:
    assert [path.name for path in tokenized(tmp_path).iterdir()] == ["rules.json"]


def test_equal_text_gives_equal_bytes(tmp_path: Path) -> None:
    folders = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        folders.append(tokenized(tmp_path / name, train=[("Ja, klar!", "Yes, sure!")] * 3))
    for file in ("train.arrow", "rules.json"):
        assert (folders[0] / file).read_bytes() == (folders[1] / file).read_bytes()

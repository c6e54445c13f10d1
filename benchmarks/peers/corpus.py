"""The text that every toolkit gets: cut into subwords by our tokenizers, 8,000 a side, one sentence a line.

A toolkit has only to split at spaces. So all have the same tokens, and what they give back is detokenized and scored
in one way. Raw text and references are kept beside.
"""

import json
from functools import lru_cache
from pathlib import Path

from tokenizers import Tokenizer

from benchmarks.plain import BEFORE_TRAINING, do_all
from seq2seq.batching import read_encoded
from seq2seq.config import Config, load_config
from seq2seq.corpora.pairs import read_pairs
from seq2seq.ragged import Ragged
from seq2seq.storage.artifacts import Workspace
from seq2seq.subwords.special_tokens import SPECIAL_TOKENS, UNK
from seq2seq.training.validation import validation_bleu

SIDES = {"src": "source", "trg": "target"}


def settings(directory: Path) -> Config:
    """Multi30k, German to English, as the preset cleans and cuts it."""
    return load_config(
        "multi30k",
        ["corpus.kind=files", f"corpus.directory={directory}", "corpus.test=test_2016_flickr", "vocabulary.size=8000"],
    )


def prepare(work: Path, directory: Path) -> Path:
    """Make WORK/text once: SPLIT.SIDE in subwords, vocabulary.SIDE, SPLIT.SIDE.raw; gives the folder."""
    text = work / "text"
    if (text / "records.json").exists():
        return text
    text.mkdir(parents=True, exist_ok=True)
    workspace = Workspace(work / "workspace")
    records = do_all(BEFORE_TRAINING, settings(directory), workspace)
    tokenizers = {
        side: Tokenizer.from_file(str(workspace.open(records["vocabulary"]).file(f"{name}_tokenizer.json")))
        for side, name in SIDES.items()
    }
    for side, tokenizer in tokenizers.items():
        tokenizer.save(str(text / f"tokenizer.{side}.json"))
        write_lines(text / f"vocabulary.{side}", tokens_of(tokenizer)[len(SPECIAL_TOKENS) :])
    clean = workspace.open(records["clean"])
    for split in ("train", "valid", "test"):
        raw = read_pairs(clean.file(f"{split}.arrow"))
        for side, name in SIDES.items():
            write_lines(text / f"{split}.{side}.raw", raw.texts(name))
    encoded = workspace.open(records["encode"])
    for split in ("train", "valid"):
        pairs = read_encoded(encoded.file(f"{split}.arrow"))
        for side, name in SIDES.items():
            write_lines(text / f"{split}.{side}", subwords(getattr(pairs, name), tokenizers[side]))
    for side, tokenizer in tokenizers.items():
        sentences = read_lines(text / f"test.{side}.raw")
        write_lines(text / f"test.{side}", [" ".join(row.tokens) for row in tokenizer.encode_batch(sentences)])
    dumped = {name: record.model_dump(mode="json") for name, record in records.items()}
    (text / "records.json").write_text(json.dumps(dumped), encoding="utf-8")
    return text


def subwords(rows: Ragged, tokenizer: Tokenizer) -> list[str]:
    """Ids as tokens, joined by single spaces."""
    tokens = tokens_of(tokenizer)
    return [" ".join(tokens[index] for index in rows[row]) for row in range(len(rows))]


def tokens_of(tokenizer: Tokenizer) -> list[str]:
    """All tokens, in the order of their ids."""
    numbers = tokenizer.get_vocab()
    return sorted(numbers, key=lambda token: numbers[token])


def detokenized(text: Path, lines: list[str]) -> list[str]:
    """Subwords of the target side, joined by spaces, as text."""
    tokenizer = _target_tokenizer(text)
    numbers = tokenizer.get_vocab()
    rows = [[numbers.get(token, UNK) for token in line.split()] for line in lines]
    return [" ".join(sentence.split()) for sentence in tokenizer.decode_batch(rows)]


def bleu(text: Path, split: str, translations: list[str]) -> float:
    """Cased BLEU (13a) of detokenized translations of a split, or of its first sentences."""
    return validation_bleu(translations, read_lines(text / f"{split}.trg.raw")[: len(translations)], "13a")


def read_lines(path: Path) -> list[str]:
    """The lines of a file; only a line feed ends one."""
    return path.read_text(encoding="utf-8").removesuffix("\n").split("\n")


def write_lines(path: Path, lines: list[str]) -> None:
    """Write a file of lines."""
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


@lru_cache
def _target_tokenizer(text: Path) -> Tokenizer:
    return Tokenizer.from_file(str(text / "tokenizer.trg.json"))

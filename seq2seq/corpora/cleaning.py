"""The `clean` step: drop training pairs that teach nothing or the wrong thing, and count why."""

import re
import unicodedata
from typing import Any

import pandas as pd

from seq2seq.corpora.pairs import SIDES, pairs_of, read_pairs, write_pairs
from seq2seq.corpora.whitespace import fold
from seq2seq.errors import CorpusError
from seq2seq.pipeline import Job
from seq2seq.settings.cleaning import CleaningSettings
from seq2seq.storage.artifacts import Artifact

SPLITS = ("train", "valid", "test")
REASONS = ("empty", "too_long", "length_ratio", "duplicate", "copy", "leak")
"""Why a pair goes. A pair with several reasons is counted under the first of them in this order."""

EXAMPLES = 3
EXAMPLE_CHARACTERS = 80

# Kana, Han, Thai, Lao, Tibetan, Burmese, Khmer: written without spaces between words.
UNSPACED = (
    "\u0e00-\u0eff\u0f00-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
)
WORD = re.compile(f"[{UNSPACED}]|[^ {UNSPACED}]+")
LETTER = re.compile(r"[^\W\d_]")


def clean(cleaning: CleaningSettings, fetch: Artifact, job: Job) -> dict[str, Any]:
    """Write the splits again, the training split without the pairs that have a reason to go.

    Training text has its white space folded. Validation and test pairs are only reported on, and written as
    they came: scores count against the raw text. `seen_sources` counts those whose source a training pair has, too
    (with another target, where leaks are dropped): they stay. Splits that are not there stay absent.

    Raises CorpusError when no training pair is left.
    """
    splits = {split: read_pairs(fetch.file(f"{split}.arrow")) for split in SPLITS if fetch.has(f"{split}.arrow")}
    folded = {split: _folded(pairs.frame) for split, pairs in splits.items()}
    statistics: dict[str, Any] = {}
    learned: set[str] = set()
    for split, pairs in splits.items():
        later = [folded[other] for other in SPLITS[SPLITS.index(split) + 1 :] if other in folded]
        reasons = find_reasons(folded[split], later, cleaning)
        drop = split == "train"
        kept = folded[split][reasons == ""] if drop else pairs.frame
        statistics[split] = _summarise(folded[split], reasons, len(kept), drop)
        if drop and kept.empty:
            raise CorpusError(_nothing_left(statistics[split]))
        languages = pairs.source_language, pairs.target_language
        write_pairs(job.into / f"{split}.arrow", pairs_of(*languages, kept["source"], kept["target"]))
        if drop:
            learned = set(_composed(kept["source"]))
        elif "train" in splits:
            statistics[split]["seen_sources"] = int(_composed(folded[split]["source"]).isin(learned).sum())
    return {"splits": statistics}


def _folded(frame: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame({side: frame[side].map(fold) for side in SIDES}, dtype="str")


def find_reasons(frame: pd.DataFrame, held_out: list[pd.DataFrame], cleaning: CleaningSettings) -> "pd.Series[str]":
    """For each pair (white space folded) the first of REASONS that applies, or "" for a good pair.

    * empty: a side without text.
    * too_long: a side with more words or characters than allowed. A word is a run without white space; in
      scripts that are written without spaces every character counts as one.
    * length_ratio: the longer side has more than `max_length_ratio` times the words of the shorter.
    * duplicate: an earlier pair of the split is equal.
    * copy: the target repeats the source, whatever the case. Only text of more than one word with a letter
      in it: a single name, a number or a formula is often rightly the same in both languages.
    * leak: the pair occurs in one of `held_out`.

    Pairs are equal when both sides are, after NFC.
    """
    words = pd.DataFrame({side: frame[side].map(count_words) for side in SIDES}, dtype="int64")
    characters = pd.DataFrame({side: frame[side].str.len() for side in SIDES})
    shorter, longer = words.min(axis=1), words.max(axis=1)
    pairs = _comparable(frame)
    copies = frame["source"].str.casefold() == frame["target"].str.casefold()
    worded = (words["source"] > 1) & frame["source"].map(lambda text: bool(LETTER.search(text))).astype("bool")
    applies = {
        "empty": shorter == 0,
        "too_long": (longer > cleaning.max_words) | (characters.max(axis=1) > cleaning.max_characters),
        "length_ratio": longer > cleaning.max_length_ratio * shorter,
        "duplicate": pairs.duplicated() & cleaning.drop_duplicates,
        "copy": copies & worded & cleaning.drop_copies,
        "leak": pairs.isin(_all_pairs(held_out)) & cleaning.drop_leaks,
    }
    reasons = pd.Series("", index=frame.index)
    for reason in reversed(REASONS):
        reasons = reasons.mask(applies[reason], reason)
    return reasons


def count_words(text: str) -> int:
    """Words of a folded text: runs without a space, and each character of a script that has no spaces."""
    return len(WORD.findall(text))


def _all_pairs(frames: list[pd.DataFrame]) -> set[str]:
    return {pair for frame in frames for pair in _comparable(frame)}


def _comparable(frame: pd.DataFrame) -> "pd.Series[str]":
    """One text for each pair; no folded text holds a line end."""
    return _composed(frame["source"] + "\n" + frame["target"])


def _composed(texts: "pd.Series[str]") -> "pd.Series[str]":
    return texts.map(lambda text: unicodedata.normalize("NFC", text)).astype("str")


def _summarise(frame: pd.DataFrame, reasons: "pd.Series[str]", after: int, drop: bool) -> dict[str, Any]:
    counts = reasons.value_counts()
    return {
        "pairs_before": len(frame),
        "pairs_after": after,
        "dropped" if drop else "reported": {reason: int(counts.get(reason, 0)) for reason in REASONS},
        "examples": {reason: _examples(frame[reasons == reason]) for reason in REASONS if counts.get(reason, 0)},
    }


def _examples(frame: pd.DataFrame) -> list[list[str]]:
    shown = frame.head(EXAMPLES)
    return [[_shortened(text) for text in pair] for pair in zip(shown["source"], shown["target"], strict=True)]


def _shortened(text: str) -> str:
    return text if len(text) <= EXAMPLE_CHARACTERS else text[: EXAMPLE_CHARACTERS - 1] + "…"


def _nothing_left(summary: dict[str, Any]) -> str:
    counts = ", ".join(f"{reason} {count:,}" for reason, count in summary["dropped"].items() if count)
    way_out = (
        "Look at the corpus, or loosen cleaning.max_words, max_characters, max_length_ratio or switch off "
        "drop_duplicates, drop_copies, drop_leaks."
    )
    if max(summary["dropped"], key=summary["dropped"].get) == "leak":
        way_out = (
            'A leak is a validation or test pair: name other texts there, or set corpus.valid = "" and corpus.test = '
            '"", and pairs are held out of the training split.'
        )
    return f"cleaning leaves none of the {summary['pairs_before']:,} training pairs: {counts}. {way_out}"

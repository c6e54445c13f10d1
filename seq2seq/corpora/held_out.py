"""Validation and test pairs out of the training split, for a corpus that comes in one piece."""

import unicodedata
from collections.abc import Mapping
from hashlib import blake2b
from itertools import chain

from seq2seq.corpora.pairs import Pairs
from seq2seq.corpora.whitespace import fold
from seq2seq.errors import CorpusError

FREQUENT = 0.01
"""A source with more pairs than this share of a split is not held out: one sentence would decide much of a score."""
FEW = 5
"""But so many pairs of a source may always be."""


def hold_out(train: Pairs, counts: Mapping[str, int]) -> dict[str, Pairs]:
    """The training split without what is held out, and each split of `counts` with as many pairs, or a few more.

    All pairs of a source sentence (white space and case aside) go the same way, so that no held-out sentence has been
    seen in training. Which do is told by hashes of the sentences: the order of the pairs does not matter, and of a
    corpus that grew only new pairs come in, as many as go back to training (others where a sentence became frequent, or
    where pairs are gone). Pairs with an empty side stay there.

    Raises CorpusError when more than half of the pairs would be held out.
    """
    waiting = iter(sorted(_rows_by_source(train).items()))
    chosen: dict[str, list[int]] = {}
    for split, count in counts.items():
        rows = chosen[split] = []
        largest = max(FEW, int(FREQUENT * count))
        while len(rows) < count:
            _, group = next(waiting, (b"", []))
            if not group:
                raise CorpusError(_too_few(train, counts))
            rows.extend(group if len(group) <= largest else [])
    gone = set(chain.from_iterable(chosen.values()))
    if 2 * len(gone) > len(train):
        raise CorpusError(_too_few(train, counts))
    kept = [row for row in range(len(train)) if row not in gone]
    return {"train": _select(train, kept)} | {split: _select(train, sorted(rows)) for split, rows in chosen.items()}


def _rows_by_source(pairs: Pairs) -> dict[bytes, list[int]]:
    rows: dict[bytes, list[int]] = {}
    for row, (source, target) in enumerate(zip(pairs.texts("source"), pairs.texts("target"), strict=True)):
        sentence = unicodedata.normalize("NFC", fold(source)).casefold()
        if sentence and fold(target):
            rows.setdefault(blake2b(sentence.encode(), digest_size=16).digest(), []).append(row)
    return rows


def _select(pairs: Pairs, rows: list[int]) -> Pairs:
    return Pairs(pairs.source_language, pairs.target_language, pairs.table.take(rows))


def _too_few(train: Pairs, counts: Mapping[str, int]) -> str:
    wanted = " and ".join(f"{count:,} for {split}" for split, count in counts.items())
    fields = " and ".join(f"corpus.{split}_pairs" for split in counts)
    return (
        f"the training split has {len(train):,} pairs, and {wanted} are to be held out of it, because "
        f"{' and '.join(f'corpus.{split}' for split in counts)} name no split: that may be half of it at most. Name "
        f"splits that are there, or set {fields} lower."
    )

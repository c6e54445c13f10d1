"""The `encode` step: sentences that are already cut into pieces, as token ids."""

from array import array
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from tokenizers import Tokenizer

from seq2seq.corpora.pairs import ROWS_PER_BATCH, SIDES, Pairs, read_pairs
from seq2seq.pipeline import Job
from seq2seq.ragged import Ragged
from seq2seq.storage.artifacts import Artifact
from seq2seq.subwords.language_tags import tag_into
from seq2seq.subwords.special_tokens import UNK
from seq2seq.subwords.vocabulary import pre_cut


def encode(tokenize: Artifact, vocabulary: Artifact, job: Job) -> dict[str, Any]:
    """Write `train.arrow` and `valid.arrow`: columns `source` and `target` of type list<int32>, no bos or eos.

    The ids are those that the side's complete tokenizer gives for the raw text. `source_begins` and `target_begins`
    (list<bool>) say of each token whether it begins a piece: with them the pieces of the training split can be cut
    anew. With language tags the training split holds each pair twice, once in each direction.
    """
    encoders = {side: pre_cut(Tokenizer.from_file(str(vocabulary.file(f"{side}_tokenizer.json")))) for side in SIDES}
    statistics: dict[str, Any] = {}
    for split in ("train", "valid"):
        if tokenize.has(f"{split}.arrow"):
            pairs = read_pairs(tokenize.file(f"{split}.arrow"))
            sides = {side: encode_sentences(encoders[side], pairs.texts(side)) for side in SIDES}
            sides = _tagged(sides, _tags(encoders["source"], pairs), both_directions=split == "train")
            _write(job.into / f"{split}.arrow", sides)
            statistics[split] = {side: _measure(sentences.ids) for side, sentences in sides.items()}
    return {"splits": statistics}


@dataclass(frozen=True)
class Sentences:
    """Sentences as ids, and where their pieces begin."""

    ids: Ragged
    begins: NDArray[np.bool_]
    """For each token of `ids.ids` whether it is the first of its piece."""

    def after(self, token: int) -> "Sentences":
        """The sentences with this token before each: a piece of its own."""
        places = self.ids.starts[:-1]
        starts = self.ids.starts + np.arange(len(self.ids.starts))
        return Sentences(Ragged(np.insert(self.ids.ids, places, token), starts), np.insert(self.begins, places, True))

    def __add__(self, others: "Sentences") -> "Sentences":
        ids = np.concatenate((self.ids.ids, others.ids.ids))
        lengths = np.concatenate((self.ids.lengths, others.ids.lengths))
        return Sentences(Ragged.of_lengths(ids, lengths), np.concatenate((self.begins, others.begins)))


def encode_sentences(encoder: Tokenizer, texts: list[str]) -> Sentences:
    """Ids of sentences whose pieces are joined by single spaces; each different piece is looked up once."""
    numbers: defaultdict[str, int] = defaultdict(lambda: len(numbers))
    occurrences, counts = array("q"), array("q", [0])
    for text in texts:
        pieces = text.split()
        occurrences.extend(map(numbers.__getitem__, pieces))
        counts.append(len(pieces))
    encoded = Ragged.of_lists([encoding.ids for encoding in encoder.encode_batch_fast(list(numbers))])
    cut = encoded.take(np.array(occurrences))
    begins = np.zeros(len(cut.ids), dtype=np.bool_)
    begins[cut.starts[:-1]] = True
    return Sentences(Ragged(cut.ids, cut.starts[np.cumsum(counts)]), begins)


def _tags(encoder: Tokenizer, pairs: Pairs) -> dict[str, int]:
    """The tag of each side's language; nothing where the vocabulary has no tags."""
    languages = {"source": pairs.source_language, "target": pairs.target_language}
    tags = {side: tag_into(encoder, language) for side, language in languages.items()}
    return {side: tag for side, tag in tags.items() if tag is not None}


def _tagged(sides: dict[str, Sentences], tags: dict[str, int], both_directions: bool) -> dict[str, Sentences]:
    """Sources that say into which language they go (Johnson et al. 2017), there and, if asked, back."""
    if not tags:
        return sides
    there = {"source": sides["source"].after(tags["target"]), "target": sides["target"]}
    if not both_directions:
        return there
    back = {"source": sides["target"].after(tags["source"]), "target": sides["source"]}
    return {side: there[side] + back[side] for side in SIDES}


def _write(path: Path, sides: dict[str, Sentences]) -> None:
    columns = {side: sentences.ids.arrow() for side, sentences in sides.items()}
    begins = {
        f"{side}_begins": pa.ListArray.from_arrays(columns[side].offsets, pa.array(sentences.begins))
        for side, sentences in sides.items()
    }
    table = pa.table(columns | begins)
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=ROWS_PER_BATCH)


def _measure(sentences: Ragged) -> dict[str, float]:
    """Tokens of a sentence (bos and eos not counted) and the share of unknown ones."""
    lengths, tokens = sentences.lengths, sentences.ids
    middle, high, highest = np.percentile(lengths, [50, 95, 99]).tolist()
    return {
        "mean": float(lengths.mean()),
        "median": middle,
        "percentile_95": high,
        "percentile_99": highest,
        "max": int(lengths.max()),
        "unknown_rate": float((tokens == UNK).mean()) if tokens.size else 0.0,
    }

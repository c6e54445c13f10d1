"""The `encode` step: sentences that are already cut into pieces, as token ids."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from tokenizers import Tokenizer

from seq2seq.artifacts import Artifact
from seq2seq.corpora.pairs import ROWS_PER_BATCH, SIDES, read_pairs
from seq2seq.pipeline import Job
from seq2seq.special_tokens import UNK
from seq2seq.vocabulary import pre_cut


def encode(tokenize: Artifact, vocabulary: Artifact, job: Job) -> dict[str, Any]:
    """Write `train.arrow` and `valid.arrow`: columns `source` and `target` of type list<int32>, no bos or eos.

    The ids are those that the side's complete tokenizer gives for the raw text.
    """
    encoders = {side: pre_cut(Tokenizer.from_file(str(vocabulary.file(f"{side}_tokenizer.json")))) for side in SIDES}
    statistics: dict[str, Any] = {}
    for split in ("train", "valid"):
        if tokenize.has(f"{split}.arrow"):
            frame = read_pairs(tokenize.file(f"{split}.arrow")).frame
            ids = {side: encode_sentences(encoders[side], frame[side].tolist()) for side in SIDES}
            _write(job.into / f"{split}.arrow", ids)
            statistics[split] = {side: _measure(column) for side, column in ids.items()}
    return {"splits": statistics}


def encode_sentences(encoder: Tokenizer, sentences: list[str]) -> pa.ListArray:
    """Ids of each sentence, as list<int32>."""
    return pa.array([encoding.ids for encoding in encoder.encode_batch_fast(sentences)], pa.list_(pa.int32()))


def _write(path: Path, columns: dict[str, pa.ListArray]) -> None:
    table = pa.table(columns)
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=ROWS_PER_BATCH)


def _measure(column: pa.ListArray) -> dict[str, float]:
    """Tokens of a sentence (bos and eos not counted) and the share of unknown ones."""
    lengths = column.value_lengths().to_numpy()
    tokens = column.flatten().to_numpy()
    middle, high, highest = np.percentile(lengths, [50, 95, 99]).tolist()
    return {
        "mean": float(lengths.mean()),
        "median": middle,
        "percentile_95": high,
        "percentile_99": highest,
        "max": int(lengths.max()),
        "unknown_rate": float((tokens == UNK).mean()) if tokens.size else 0.0,
    }

"""The `encode` step: pre-tokenised sentences into token ids."""

from typing import Any

import numpy as np
import pyarrow as pa
from tokenizers import Tokenizer, normalizers, pre_tokenizers

from seq2seq.artifacts import Artifact
from seq2seq.corpora.pairs import ROWS_PER_BATCH, read_pairs
from seq2seq.pipeline import Job

SIDES = ("source", "target")


def encode(tokenize: Artifact, vocabulary: Artifact, job: Job) -> dict[str, Any]:
    """Write `train.arrow` and `valid.arrow`: columns `source` and `target` of type list<int32>, without bos and eos."""
    encoders = {side: load_encoder(vocabulary, side) for side in SIDES}
    statistics = {}
    for split in ("train", "valid"):
        if not tokenize.has(f"{split}.arrow"):
            continue
        frame = read_pairs(tokenize.file(f"{split}.arrow")).frame
        ids = {
            side: [encoding.ids for encoding in encoders[side].encode_batch_fast(frame[side].tolist())]
            for side in SIDES
        }
        columns = {side: pa.array(rows, pa.list_(pa.int32())) for side, rows in ids.items()}
        with pa.OSFile(str(job.into / f"{split}.arrow"), "wb") as sink:
            table = pa.table(columns)
            with pa.ipc.new_file(sink, table.schema) as writer:
                writer.write_table(table, max_chunksize=ROWS_PER_BATCH)
        statistics[split] = {
            side: {"mean_tokens": float(np.mean([len(row) for row in rows]))} for side, rows in ids.items()
        }
    return {"splits": statistics}


def load_encoder(vocabulary: Artifact, side: str) -> Tokenizer:
    """The tokenizer of a side, for text that is already cut."""
    tokenizer = Tokenizer.from_file(str(vocabulary.file(f"{side}_tokenizer.json")))
    tokenizer.normalizer = normalizers.Sequence([])
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return tokenizer

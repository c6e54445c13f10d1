"""Sentence pairs on disk: the form in which they pass from step to step."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow as pa

SIDES = ("source", "target")
ROWS_PER_BATCH = 65_536


@dataclass(frozen=True)
class Pairs:
    """Sentence pairs of one split."""

    source_language: str
    target_language: str
    frame: pd.DataFrame
    """Columns `source` and `target`, both text without missing values."""


def pairs_of(source_language: str, target_language: str, source: Sequence[str], target: Sequence[str]) -> Pairs:
    """Pairs from two aligned sequences of sentences."""
    return Pairs(source_language, target_language, pd.DataFrame({"source": source, "target": target}, dtype="str"))


def write_pairs(path: Path, pairs: Pairs) -> None:
    """Write an Arrow IPC file; equal pairs give equal bytes."""
    languages = {"source_language": pairs.source_language, "target_language": pairs.target_language}
    schema = pa.schema([("source", pa.string()), ("target", pa.string())], metadata=languages)
    columns = [pa.array(pairs.frame[name].tolist(), pa.string()) for name in schema.names]
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, schema) as writer:
        writer.write_table(pa.table(columns, schema=schema), max_chunksize=ROWS_PER_BATCH)


def read_pairs(path: Path) -> Pairs:
    """Read what `write_pairs` wrote."""
    with pa.memory_map(str(path)) as stream:
        table = pa.ipc.open_file(stream).read_all()
        metadata = {name.decode(): value.decode() for name, value in table.schema.metadata.items()}
        return Pairs(metadata["source_language"], metadata["target_language"], table.to_pandas())

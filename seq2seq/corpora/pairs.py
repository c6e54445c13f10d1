"""Sentence pairs on disk: the form in which they pass from step to step."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

if TYPE_CHECKING:
    import pandas as pd

SIDES = ("source", "target")
ROWS_PER_BATCH = 65_536


@dataclass(frozen=True)
class Pairs:
    """Sentence pairs of one split."""

    source_language: str
    target_language: str
    table: pa.Table
    """Columns `source` and `target`, both text without missing values."""

    def __len__(self) -> int:
        return int(self.table.num_rows)

    def texts(self, side: str) -> list[str]:
        """One side's sentences."""
        return self.table[side].to_pylist()  # type: ignore[no-any-return]  # pyarrow is untyped

    @property
    def frame(self) -> "pd.DataFrame":
        """A new frame with the columns of `table`.

        It imports pandas, which costs 42 MiB: each process of a training does without.
        """
        return self.table.to_pandas()  # type: ignore[no-any-return]  # pyarrow is untyped


def pairs_of(source_language: str, target_language: str, source: Iterable[str], target: Iterable[str]) -> Pairs:
    """Pairs from two aligned sequences of sentences."""
    columns = {name: pa.array(list(texts), pa.string()) for name, texts in zip(SIDES, (source, target), strict=True)}
    return Pairs(source_language, target_language, pa.table(columns))


def write_pairs(path: Path, pairs: Pairs) -> None:
    """Write an Arrow IPC file; equal pairs give equal bytes."""
    languages = {"source_language": pairs.source_language, "target_language": pairs.target_language}
    table = pairs.table.combine_chunks().replace_schema_metadata(languages)
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=ROWS_PER_BATCH)


def read_pairs(path: Path) -> Pairs:
    """Read what `write_pairs` wrote."""
    with pa.memory_map(str(path)) as stream:
        table = pa.ipc.open_file(stream).read_all()
    metadata = {name.decode(): value.decode() for name, value in table.schema.metadata.items()}
    return Pairs(metadata["source_language"], metadata["target_language"], table.replace_schema_metadata())

"""Settings of the `fetch` step."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from seq2seq.settings.section import NotInKey, Section

COLUMN = (
    "Tables and Hub: column of the {} text; empty: the language code. A number, counted from 1, where a .tsv or .csv "
    "has no row of names."
)
Column = Annotated[str, BeforeValidator(lambda given: str(given) if type(given) is int else given)]
"""1 and "1" are the same."""
READ_BY = {
    "train_pairs": ("demo",),
    "seed": ("demo",),
    "directory": ("files",),
    "address": ("url",),
    "sha256": ("url",),
    "dataset": ("hub",),
    "subset": ("hub",),
    "revision": ("hub", "url"),
    "source_column": ("files", "hub", "url"),
    "target_column": ("files", "hub", "url"),
}
"""Kinds of corpus that read a setting; all read the others."""
VALIDATION_NAMES = ("valid", "validation", "val", "dev")


def with_aliases(name: str) -> tuple[str, ...]:
    """The name of a split; after the validation split's, the other names that it usually has."""
    return (name, *(other for other in VALIDATION_NAMES if other != name)) if name in VALIDATION_NAMES else (name,)


def or_held_out(split: str) -> str:
    """What else an error may advise about a split that is not there; nothing for the training split."""
    return "" if split == "train" else f', or to "" to hold out corpus.{split}_pairs of the training split'


class CorpusSettings(Section):
    """Where the sentence pairs come from. One flat section: `kind` says which settings count."""

    kind: Literal["demo", "files", "hub", "url"] = Field(
        default="demo",
        description="demo: built-in grammar; files: a folder; hub: a Hugging Face dataset; url: a web server.",
    )
    source_language: str = Field(
        default="ko",
        pattern=r"^[A-Za-z]{2,3}([-_][A-Za-z0-9]+)*$",
        description="Code of the language to translate from: two or three letters, such as de, and what belongs to "
        "them after a hyphen, as in zh-Hans.",
    )
    target_language: str = Field(
        default="en",
        pattern=r"^[A-Za-z]{2,3}([-_][A-Za-z0-9]+)*$",
        description="Code of the language to translate into: two or three letters, such as de, and what belongs to "
        "them after a hyphen, as in zh-Hans.",
    )
    train: str = Field(default="train", description="File stem or Hub split to learn from.")
    valid: str = Field(
        default="valid",
        description="File stem or Hub split to select and stop on; empty: valid_pairs held out of train.",
    )
    test: str = Field(
        default="test", description="File stem or Hub split to score on; empty: test_pairs held out of train."
    )
    directory: Annotated[str, NotInKey()] = Field(
        default="",
        description="files: folder that holds SPLIT.LANGUAGE files or SPLIT.tsv/.csv/.jsonl/.parquet, each also .gz.",
    )
    address: str = Field(
        default="",
        pattern=r"^(https?://\S+)?$",
        description="url: https://HOST/{split}.{language} (also .gz), HOST/{split}.tsv/.csv/.jsonl/.parquet, or an "
        "archive (.zip, .tar.gz, …) of such files.",
    )
    sha256: dict[str, Annotated[str, Field(pattern="^[0-9A-Fa-f]{64}$")]] = Field(
        default={}, description="url: SHA-256 by file name (train.de, corpus.zip); other files are not checked."
    )
    source_column: Column = Field(default="", description=COLUMN.format("source"))
    target_column: Column = Field(default="", description=COLUMN.format("target"))
    dataset: str = Field(default="", description="hub: dataset id, for example owner/name.")
    subset: str = Field(default="", description="hub: name of the dataset's configuration, for example en-ko.")
    revision: str = Field(default="main", description="hub: branch, tag or commit; the record pins the commit.")
    train_pairs: int = Field(default=12_000, ge=1, le=200_000, description="demo: number of training pairs.")
    valid_pairs: int = Field(
        default=500,
        ge=1,
        le=10_000,
        description="demo: number of validation pairs; others: held out where valid is empty.",
    )
    test_pairs: int = Field(
        default=500, ge=1, le=10_000, description="demo: number of test pairs; others: held out where test is empty."
    )
    seed: int = Field(default=1, ge=0, description="demo: seed of the grammar's choices.")

    def split_names(self) -> dict[str, str]:
        """Our split names (train, valid, test) with the source's names for them; a nameless split is left out."""
        names = {"train": self.train, "valid": self.valid, "test": self.test}
        return {split: name for split, name in names.items() if name}

    def test_set(self, split: str = "test") -> str:
        """What the pairs that are scored are, in words for people."""
        kind = "validation pairs" if split == "valid" else "pairs"
        return self.split_names().get(split) or f"{kind} held out of {self.train}"

    def as_read(self) -> "CorpusSettings":
        """The corpus with the default of each setting that its kind does not read."""
        unread = [name for name, kinds in READ_BY.items() if self.kind not in kinds]
        return self.model_copy(update={name: type(self).model_fields[name].get_default() for name in unread})

    def only(self, split: str) -> "CorpusSettings":
        """The corpus without what one split does not need: all of it, where that split is held out."""
        others = self.split_names().keys() - {split}
        return self.model_copy(update=dict.fromkeys(others, "")) if split in self.split_names() else self

    def held_out(self) -> dict[str, int]:
        """Pairs of the training split, where there is one, that become each split without a name."""
        counts = {"test": self.test_pairs, "valid": self.valid_pairs}
        return {split: count for split, count in counts.items() if self.train and not getattr(self, split)}

    def columns(self) -> tuple[str, str]:
        """Columns of the source and the target text in tables: as set, or the language codes."""
        return self.source_column or self.source_language, self.target_column or self.target_language

"""The pipeline's steps called one by one, without Prefect."""

from collections.abc import Iterable, Mapping
from typing import Any

from seq2seq.config import Config
from seq2seq.corpora.fetching import identity
from seq2seq.pipeline import STEPS, ingredients, perform
from seq2seq.storage.artifacts import Record, Workspace

BEFORE_TRAINING = ("fetch", "clean", "tokenize", "vocabulary", "encode")


def made_of(name: str, config: Config, records: Mapping[str, Record]) -> dict[str, Any]:
    """What the key of a step is made of, once the records of the steps before it are there."""
    source = identity(config.corpus) if name == "fetch" else None
    return ingredients(STEPS[name], _sections(name, config), records, source)


def do(name: str, config: Config, records: Mapping[str, Record], workspace: Workspace, **callbacks: Any) -> Record:
    """Do a step, whether or not its result is there already."""
    provenance = made_of(name, config, records)
    return perform(STEPS[name], _sections(name, config), records, workspace, provenance, config.runtime, **callbacks)


def do_all(names: Iterable[str], config: Config, workspace: Workspace) -> dict[str, Record]:
    """Do some steps in order, from `fetch` on; gives the record of each."""
    records: dict[str, Record] = {}
    for name in names:
        records[name] = do(name, config, records, workspace)
    return records


def _sections(name: str, config: Config) -> dict[str, Any]:
    return {section: config.section(section) for section in STEPS[name].sections}

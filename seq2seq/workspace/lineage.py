"""Which records led to a model, those of the champions above all."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

from seq2seq.pipeline import STEPS
from seq2seq.registry.champions import Shelf, ever_champion
from seq2seq.storage.artifacts import Record, Workspace

PARENT_FROM = "train", "adopt"
"""The steps that a training's parent may come from; other inputs are called after the one that made them."""


def needed_by_champions(workspace: Workspace, records: Iterable[Record]) -> dict[tuple[str, str], str]:
    """Step and key of each record that a champion needs, or a model that was one before, and which one that is."""
    known = Lineage(records)
    needed: dict[tuple[str, str], str] = {}
    for pair in sorted(filter(Path.is_dir, workspace.root.glob("models/*"))):
        for model, reason in _champions(Shelf(pair)):
            for record in known.of_model(model):
                needed.setdefault((record.step, record.key), reason)
    return needed


class Lineage:
    """Which record was made from which: a record knows its inputs by the digests of the parts that it read."""

    def __init__(self, records: Iterable[Record]) -> None:
        self._of_step: dict[str, list[tuple[Record, dict[str, str]]]] = defaultdict(list)
        for record in records:
            self._of_step[record.step].append((record, record.parts()))

    def of_model(self, digest: str) -> list[Record]:
        """The records that led to a model, those that scored it, and the comparisons it went into as challenger."""
        models = self._with_digest("train", digest) + self._with_digest("adopt", digest)
        scores = self._readers("evaluate", "train", models)
        comparisons = self._readers("compare", "challenger", scores)
        return [*comparisons, *(record for root in (*models, *scores) for record in self.behind(root))]

    def behind(self, root: Record) -> list[Record]:
        """A record and all that led to it.

        Several records can hold the parts that one step read (each night's corpus has the same validation data): of
        those, the ones that hold most of what the other steps of the chain read too.
        """
        found = {(root.step, root.key): root}
        asked: dict[str, list[dict[str, str]]] = defaultdict(list)
        _ask(root, asked)
        for step in (*reversed(STEPS), "adopt"):
            for parts in asked[step]:  # grows in the loop where a model was trained from another
                holding = [(record, held) for record, held in self._of_step[step] if parts.items() <= held.items()]
                scores = [sum(other.items() <= held.items() for other in asked[step]) for _, held in holding]
                for (record, _), score in zip(holding, scores, strict=True):
                    if score == max(scores) and (step, record.key) not in found:
                        found[step, record.key] = record
                        _ask(record, asked)
        return list(found.values())

    def _with_digest(self, step: str, digest: str) -> list[Record]:
        return [record for record, _ in self._of_step[step] if record.digest == digest]

    def _readers(self, step: str, role: str, inputs: Iterable[Record]) -> list[Record]:
        """Records of a step that read one of `inputs` in that role."""
        held = [record.parts() for record in inputs]
        readers = [(record, _inputs(record).get(role, {})) for record, _ in self._of_step[step]]
        return [record for record, read in readers if read and any(read.items() <= parts.items() for parts in held)]


def _inputs(record: Record) -> dict[str, dict[str, str]]:
    inputs: dict[str, dict[str, str]] = record.provenance.get("inputs", {})
    return inputs


def _ask(record: Record, asked: dict[str, list[dict[str, str]]]) -> None:
    """Add what a record read to what is asked of the steps before it."""
    for role, parts in _inputs(record).items():
        for step in PARENT_FROM if role == "parent" else (role,):
            if parts and parts not in asked[step]:
                asked[step].append(parts)


def _champions(shelf: Shelf) -> Iterator[tuple[str, str]]:
    """Digest of each model that is or was the champion, the present one first, and what to call it."""
    in_use = shelf.champion()
    if in_use is not None:
        yield in_use.model, f"the champion of {shelf.folder.name}"
    for decision in reversed(ever_champion(shelf.history())):
        yield decision.model, f"an earlier champion of {shelf.folder.name}"

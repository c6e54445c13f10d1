"""What a run would do, without doing it: no network, no Prefect, no PyTorch."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from seq2seq.artifacts import Record, Workspace, digest_of
from seq2seq.config import Config
from seq2seq.corpora.fetching import identity
from seq2seq.errors import ArtifactDamaged
from seq2seq.pipeline import STEPS, Step, ingredients
from seq2seq.settings.corpus import CorpusSettings

SHOWN_CHANGES = 3
NOT_DONE = "not done yet"


@dataclass(frozen=True)
class PlannedStep:
    """What a run would do with one step.

    fresh: its result is here, and intact. stale: it would be made; `why` says what changed. depends: a step
    before it is stale, and whether this one has to be made again depends on what comes out there.
    """

    name: str
    answer: Literal["fresh", "stale", "depends"]
    why: str


def plan(config: Config, workspace: Workspace) -> list[PlannedStep]:
    """What a run of this configuration would do now. Hashes every artifact that it would use.

    A Hub revision counts as the commit that was fetched last. Raises CorpusError when source files are missing.
    """
    records: dict[str, Record] = {}
    planned = []
    for step in STEPS.values():
        waiting = [name for name in step.inputs if name not in records]
        if waiting:
            planned.append(PlannedStep(step.name, "depends", f"on what {' and '.join(waiting)} will give"))
            continue
        source, remark = _source(config.corpus, workspace) if step.name == "fetch" else (None, "")
        sections = {name: config.section(name) for name in step.sections}
        provenance = ingredients(step, sections, records, source)
        record, why = look_up(step, provenance, workspace)
        if record is not None:
            records[step.name] = record
        planned.append(PlannedStep(step.name, "fresh" if record else "stale", why or remark))
    return planned


def look_up(step: Step, provenance: Mapping[str, Any], workspace: Workspace) -> tuple[Record | None, str]:
    """The intact record of a step with these ingredients; or None, and why the step has to be done."""
    record = workspace.find(step.name, digest_of(provenance))
    if record is None:
        return None, why_new(step, provenance, workspace)
    try:
        workspace.verify(record)
    except ArtifactDamaged as damage:
        return None, str(damage)
    return record, ""


def why_new(step: Step, provenance: Mapping[str, Any], workspace: Workspace) -> str:
    """What is different from the most similar time that this step was done in the workspace."""
    others = [list(_changes(record.provenance, provenance)) for record in workspace.records(step.name)]
    if not others:
        return NOT_DONE
    changes = min(others, key=len)
    more = f" and {len(changes) - SHOWN_CHANGES} more" if len(changes) > SHOWN_CHANGES else ""
    return ", ".join(changes[:SHOWN_CHANGES]) + more


def _source(corpus: CorpusSettings, workspace: Workspace) -> tuple[dict[str, Any], str]:
    """Identity of the corpus, and a remark where it rests on what was true at the last fetch."""
    source = identity(corpus)
    if corpus.kind != "hub":
        return source, ""
    for record in workspace.records("fetch"):
        last = record.provenance["settings"].get("source", {})
        if {**last, "revision": ""} == {**source, "revision": ""}:
            return last, f"at commit {last['revision'][:12]}, the last one fetched"
    return source, ""


def _changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    before, after = dict(_leaves(old)), dict(_leaves(new))
    for path in sorted(before.keys() | after.keys()):
        if before.get(path) != after.get(path):
            yield _change(path, before.get(path), after.get(path))


def _change(path: tuple[str, ...], old: Any, new: Any) -> str:
    kind, name = path[0], ".".join(path[1:])
    if kind == "code":
        return f"code of {name} changed"
    if kind == "inputs":
        return f"{name} changed"
    if kind == "settings" and path[1:2] == ("source",):
        return f"the source's {'.'.join(path[2:])} changed"
    return f"{name or kind} {old} → {new}"


def _leaves(value: Any, path: tuple[str, ...] = ()) -> Iterable[tuple[tuple[str, ...], Any]]:
    if not isinstance(value, Mapping):
        return [(path, value)]
    return [leaf for name, inner in value.items() for leaf in _leaves(inner, (*path, str(name)))]

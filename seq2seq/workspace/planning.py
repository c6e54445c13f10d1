"""What a run would do, without doing it: no network, no Prefect, no PyTorch, and nothing is written."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from seq2seq.config import Config
from seq2seq.corpora.fetching import can_change, identity
from seq2seq.errors import ArtifactDamaged, UserError
from seq2seq.pipeline import CONTINUED, INHERITED, STEPS, Step, ingredients
from seq2seq.settings.corpus import CorpusSettings
from seq2seq.settings.section import Section
from seq2seq.storage.artifacts import Record, Workspace, digest_of
from seq2seq.storage.code_digests import SOURCE_ROOT, module_file
from seq2seq.storage.differences import as_setting, differences, leaves

SHOWN_CHANGES = 3
COMPARED_RECORDS = 50
"""How many of a step's records, the last used first, are looked at for what changed."""
NOT_DONE = "not done yet"
KINDS = ("settings", "inputs", "libraries", "code", "format", "step")
DIGEST = re.compile(r"[0-9a-f]{32,}")


@dataclass(frozen=True)
class PlannedStep:
    """What a run would do with one step.

    fresh: its result is here, and intact. stale: it would be made; `why` says what changed. depends: a step
    before it is stale, and whether this one has to be made again depends on what comes out there.
    """

    name: str
    answer: Literal["fresh", "stale", "depends"]
    why: str
    ingredients: Mapping[str, Any] = field(default_factory=dict)
    """What its key is made of; empty where the answer is `depends`."""

    def __str__(self) -> str:
        separator = " " if self.answer == "depends" else ", "
        return f"{self.name}: {self.answer}" + (separator + self.why if self.why else "")


@dataclass(frozen=True)
class Chain:
    """The steps of a run, each under the name by which later steps read its result."""

    steps: Mapping[str, Step]
    sections: Mapping[str, Section]
    sources: Mapping[str, Mapping[str, Any]]
    """Identity of what a step takes from outside the workspace."""
    remarks: Mapping[str, str]
    """What is to be said of a step beside its answer."""


def plan(config: Config, workspace: Workspace, continue_from: Path | None = None) -> list[PlannedStep]:
    """What a run of this configuration would do now. Hashes every artifact that it would use.

    `continue_from` is a model folder whose weights the training would start from. A branch or tag of the Hub counts as
    the commit that was fetched for it last. Raises CorpusError when source files are missing, ModelError when that
    folder is not in order or does not fit, and UserError when the workspace cannot be read.
    """
    try:
        return list(_planned(_chain(config, workspace, continue_from), workspace))
    except OSError as error:
        raise UserError(f"{error.filename} cannot be read ({error.strerror}), so nothing can be planned.") from error


def _chain(config: Config, workspace: Workspace, continue_from: Path | None) -> Chain:
    source, remark = _source(config.corpus, workspace)
    sections = {name: config.section(name) for step in STEPS.values() for name in step.sections}
    chain = Chain(STEPS, sections, {"fetch": source}, {"fetch": remark})
    if continue_from is None:
        return chain
    # only where needed: this command answers in half a second
    from seq2seq.registry import adoption, champions, inheritance

    parent = champions.resolve(continue_from)
    inheritance.check(parent, config)
    model = adoption.ModelSource(directory=str(parent))
    return replace(
        chain,
        steps={"parent": adoption.ADOPT, **STEPS, "vocabulary": INHERITED, "train": CONTINUED},
        sections=sections | {"source": model},
        sources={"fetch": source, "parent": adoption.identity(model)},
    )


def _planned(chain: Chain, workspace: Workspace) -> Iterator[PlannedStep]:
    records: dict[str, Record] = {}
    for role, step in chain.steps.items():
        waiting = [chain.steps[name].name for name in step.inputs if name not in records]
        if waiting:
            yield PlannedStep(step.name, "depends", f"on what {_listed(waiting)} will give")
            continue
        wanted = ingredients(step, chain.sections, records, chain.sources.get(role))
        record, why = look_up(step, wanted, workspace)
        remark = chain.remarks.get(role, "")
        if record is not None:
            records[role] = record
            why = _accepted(record) or remark
        elif remark:
            why = f"{why}; {remark}"
        yield PlannedStep(step.name, "fresh" if record else "stale", why, wanted)


def look_up(step: Step, provenance: Mapping[str, Any], workspace: Workspace) -> tuple[Record | None, str]:
    """The intact record of a step with these ingredients; or None, and why it has to be done."""
    key = digest_of(provenance)
    record = workspace.find(step.name, key)
    if record is None:
        unread = workspace.index_file(step.name, key)
        why = f"{unread} holds no whole record" if unread.exists() else why_new(step, provenance, workspace)
        return None, why + _checkpoint(workspace.checkpoints(key))
    try:
        workspace.verify(record)
    except ArtifactDamaged as damage:
        return None, str(damage).removeprefix(f"{step.name}: ") + _checkpoint(workspace.checkpoints(key))
    return record, ""


def why_new(step: Step, provenance: Mapping[str, Any], workspace: Workspace) -> str:
    """What is different from the most similar time that this step was done in the workspace in this way."""
    others = [
        changes(record.provenance, provenance)
        for record in workspace.records(step.name, COMPARED_RECORDS)
        if _way(record.provenance) == _way(provenance)
    ]
    if not others:
        return NOT_DONE
    fewest = [str(change) for change in min(others, key=len)]
    more = f" and {len(fewest) - SHOWN_CHANGES} more" if len(fewest) > SHOWN_CHANGES else ""
    return ", ".join(fewest[:SHOWN_CHANGES]) + more


def _way(provenance: Mapping[str, Any]) -> tuple[Any, ...]:
    """How a step was done: with which settings (an inherited vocabulary has none), and on what.

    That is a whole corpus, or the one split that a model was scored on.
    """
    settings, inputs = provenance["settings"], provenance["inputs"]
    source = settings.get("source", {})
    splits = source.get("files") or source.get("splits") or inputs.get("fetch") or inputs.get("clean") or ()
    return settings.keys(), "train" in splits or sorted(splits)


@dataclass(frozen=True)
class Change:
    """One thing in which two times that a step was done differ."""

    path: tuple[str, ...]
    """Where it stands in the ingredients: ("settings", "training", "learning_rate")."""
    old: Any
    new: Any

    @property
    def shapes_result(self) -> bool:
        """False for what a person can know not to matter: code, libraries, a new setting that has its default."""
        return self.path[0] not in {"code", "libraries"} and not self._new_at_default

    @property
    def _new_at_default(self) -> bool:
        defaults = {("settings", *path): value for path, value in leaves(Config().model_dump(mode="json"))}
        return self.old is None and self.path in defaults and self.new == defaults[self.path]

    def __str__(self) -> str:
        kind, *names = self.path
        name = ".".join(names) or kind
        if kind == "code":
            return f"code of {_file_of(name)} {self._verb()}"
        if kind == "inputs":
            return f"input {name} {self._verb()}"
        if names[:1] == ["source"]:
            name = f"the source's {'.'.join(names[1:])}"
        if None in (self.old, self.new) or DIGEST.fullmatch(f"{self.old}{self.new}"):
            return f"{name} {self._verb()}"
        return f"{name} {as_setting(self.old)} -> {as_setting(self.new)}"

    def _verb(self) -> str:
        return "added" if self.old is None else "removed" if self.new is None else "changed"


def changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[Change]:
    """In what two sets of ingredients differ: settings first, code last."""
    found = [Change(*difference) for difference in differences(old, new)]
    return sorted(found, key=lambda change: (KINDS.index(change.path[0]), change.path))


def _source(corpus: CorpusSettings, workspace: Workspace) -> tuple[dict[str, Any], str]:
    """Identity of the corpus, and a remark where it rests on what was true at the last fetch."""
    source = identity(corpus)
    if not can_change(corpus):
        return source, ""
    hub = corpus.kind == "hub"
    try:
        revision = workspace.revision_file(source).read_text(encoding="utf-8")
    except FileNotFoundError:
        return source, f"which commit {corpus.revision} is, only the Hub can say" if hub else ""
    last = identity(corpus.model_copy(update={"revision": revision}))
    return last, f"at {'commit' if hub else 'version'} {revision[:12]}, the last one fetched"


def _accepted(record: Record) -> str:
    """Who said that a change of code or libraries left the result as it was, when, and why."""
    if (accepted := record.accepted) is None:
        return ""
    return f"accepted by {accepted.by} on {accepted.at[:10]}" + (f": {accepted.why}" if accepted.why else "")


def _checkpoint(folder: Path) -> str:
    """Remark on an interrupted training; its step is not known without PyTorch."""
    saved = [path.stat().st_mtime for path in folder.glob("*") if path.suffix != ".partial"]
    return f"; goes on from its checkpoint of {datetime.fromtimestamp(max(saved)):%Y-%m-%d %H:%M:%S}" if saved else ""


def _file_of(module: str) -> str:
    """A module's file within the checkout; where it would lie, for one that is gone."""
    path = module_file(module)
    return str(path.relative_to(SOURCE_ROOT)) if path else f"{module.replace('.', '/')}.py"


def _listed(names: list[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last

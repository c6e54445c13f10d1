"""Which models a language pair has, what became of each, and how good it is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from seq2seq.artifacts import Workspace, digest_of, part_of
from seq2seq.champions import Decision, Shelf, model_files
from seq2seq.errors import ModelError
from seq2seq.model_folder import CONFIG

Scores = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Entry:
    """A model of a pair."""

    name: str
    digest: str
    """Empty when the model's folder is damaged and no decision named it."""
    state: Literal["champion", "earlier", "refused", "trained"]
    """`earlier`: it was the champion once. `trained`: nothing was decided about it yet."""
    problem: str
    """`gone` or `damaged`, of its folder; empty when that is in order."""
    at: datetime
    """When it was decided on last, else when it was delivered; with a time zone."""
    by: str
    """Who decided; empty where nobody did."""
    scores: Mapping[str, Any]
    """Statistics of its last evaluation; empty where none is left."""


def scores_by_model(workspace: Workspace) -> Scores:
    """Statistics of the evaluation that was used last, by what the evaluated model is made of."""
    records = workspace.records("evaluate")
    return {digest_of(record.provenance["inputs"]["train"]): record.statistics for record in reversed(records)}


def entries(shelf: Shelf, history: Sequence[Decision], scores: Scores) -> list[Entry]:
    """The models of a pair: its champion, those before it from the last to the first, and what else was delivered."""
    chosen = {decision.model: decision for decision in history if decision.action != "refused"}
    champion = next((decision for decision in reversed(history) if decision.action != "refused"), None)
    ordered = sorted(chosen.values(), key=lambda one: (one is champion, one.at), reverse=True)
    promoted = [_promoted(shelf, one, one is champion, scores) for one in ordered]
    refused = {decision.model: decision for decision in history if decision.action == "refused"}
    delivered = (_delivered(folder, refused, scores) for folder in shelf.delivered())
    return promoted + [entry for entry in delivered if entry.digest not in chosen]


def files_and_problem(folder: Path) -> tuple[dict[str, str], str]:
    """SHA-256 of a model's files; or nothing, and what is wrong with its folder in a word: gone, damaged."""
    try:
        return model_files(folder), ""
    except ModelError:
        return {}, "damaged" if folder.is_dir() else "gone"


def _promoted(shelf: Shelf, decision: Decision, is_champion: bool, scores: Scores) -> Entry:
    files, problem = files_and_problem(shelf.folder_of(decision.model))
    return Entry(
        name=decision.name,
        digest=decision.model,
        state="champion" if is_champion else "earlier",
        problem=problem,
        at=datetime.fromisoformat(decision.at),
        by=decision.by,
        scores=_scores(files, scores) or _compared(decision),
    )


def _delivered(folder: Path, refused: Mapping[str, Decision], scores: Scores) -> Entry:
    files, problem = files_and_problem(folder)
    digest = digest_of(files) if files else ""
    decision = refused.get(digest)
    changed = datetime.fromtimestamp((folder / CONFIG).stat().st_mtime, UTC)
    return Entry(
        name=folder.name,
        digest=digest,
        state="refused" if decision else "trained",
        problem=problem,
        at=datetime.fromisoformat(decision.at) if decision else changed,
        by=decision.by if decision else "",
        scores=_scores(files, scores),
    )


def _scores(files: Mapping[str, str], scores: Scores) -> Mapping[str, Any]:
    """`evaluate` names the parts of the model that it reads, and each part of a model is one file."""
    return scores.get(digest_of({part_of(name): digest_of({name: sha256}) for name, sha256 in files.items()}), {})


def _compared(decision: Decision) -> Mapping[str, Any]:
    """What the comparison says of the model's score; the record of its evaluation may be gone."""
    found = decision.comparison
    return {"bleu": found["challenger"]["bleu"], "test_pairs": found["test_pairs"]} if found else {}

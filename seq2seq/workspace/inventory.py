"""Which models a language pair has, what became of each, and how good it is."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from seq2seq.errors import ModelError
from seq2seq.registry.champions import Decision, Shelf, champion_of, ever_champion, model_files
from seq2seq.registry.model_folder import CONFIG
from seq2seq.storage.artifacts import Workspace, digest_of, part_of
from seq2seq.workspace.runs import all_runs

Scores = Mapping[str, Mapping[str, Any]]
"""Statistics of evaluations by model."""


@dataclass(frozen=True)
class Evaluation:
    """A model's scores on a test set."""

    model: str
    """Digest of the parts that the model is made of."""
    test: str
    """Digest of the test pairs."""
    statistics: Mapping[str, Any]
    """Those of `evaluate`, with the name of the test set as `test` where a run that used it is left."""


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
    """Statistics of an evaluation (see `comparable`); empty where none is left."""


def evaluations(workspace: Workspace) -> list[Evaluation]:
    """All on test sets that are left, the last used first."""
    records = [record for record in workspace.records("evaluate") if "test" in record.provenance["inputs"]["clean"]]
    tests = {record.key: digest_of(record.provenance["inputs"]["clean"]) for record in records}
    said = [(tests.get(run.report.get("evaluation", "")), run.scores) for run in reversed(all_runs(workspace.root))]
    names = {test: {"test": scores["test"]} for test, scores in said if "test" in scores}
    return [
        Evaluation(
            digest_of(record.provenance["inputs"]["train"]),
            tests[record.key],
            {**record.statistics, **names.get(tests[record.key], {})},
        )
        for record in records
    ]


def comparable(found: Sequence[Evaluation]) -> dict[str, Mapping[str, Any]]:
    """Statistics by model: all on one test set, the last used of those that two models or more were scored on.

    Where there is none, each model's evaluation that was used last.
    """
    models = Counter(test for _, test in {(one.model, one.test) for one in found})
    shared = next((one.test for one in found if models[one.test] > 1), None)
    return {one.model: one.statistics for one in reversed(found) if shared in (None, one.test)}


def entries(shelf: Shelf, history: Sequence[Decision], found: Sequence[Evaluation]) -> list[Entry]:
    """The models of a pair: its champion, those before it from the last to the first, and what else was delivered."""
    chosen = {decision.model: decision for decision in ever_champion(history)}
    champion = champion_of(history)
    ordered = sorted(chosen.values(), key=lambda one: (one is champion, one.at), reverse=True)
    delivered_to = shelf.delivered()
    looks = {folder: files_and_problem(folder) for folder in (*map(shelf.folder_of, chosen), *delivered_to)}
    ours = {_parts(files) for files, _ in looks.values()}
    scores = comparable([one for one in found if one.model in ours and _faces(shelf, one)])
    promoted = [_promoted(one, one is champion, *looks[shelf.folder_of(one.model)], scores) for one in ordered]
    refused = {decision.model: decision for decision in history if decision.action == "refused"}
    delivered = (_delivered(folder, refused, *looks[folder], scores) for folder in delivered_to)
    return promoted + [entry for entry in delivered if entry.digest not in chosen]


def files_and_problem(folder: Path) -> tuple[dict[str, str], str]:
    """SHA-256 of a model's files; or nothing, and what is wrong with its folder in a word: gone, damaged."""
    try:
        return model_files(folder), ""
    except ModelError:
        return {}, "damaged" if folder.is_dir() else "gone"


def _promoted(decision: Decision, is_champion: bool, files: Mapping[str, str], problem: str, scores: Scores) -> Entry:
    return Entry(
        name=decision.name,
        digest=decision.model,
        state="champion" if is_champion else "earlier",
        problem=problem,
        at=datetime.fromisoformat(decision.at),
        by=decision.by,
        scores=_scores(files, scores) if scores else _compared(decision),
    )


def _delivered(
    folder: Path, refused: Mapping[str, Decision], files: Mapping[str, str], problem: str, scores: Scores
) -> Entry:
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


def _faces(shelf: Shelf, found: Evaluation) -> bool:
    """Whether a score is of the pair's direction; records of earlier versions do not say it."""
    return "-".join(found.statistics.get("languages", ())) in ("", shelf.folder.name)


def _scores(files: Mapping[str, str], scores: Scores) -> Mapping[str, Any]:
    return scores.get(_parts(files), {})


def _parts(files: Mapping[str, str]) -> str:
    """`evaluate` names the parts of the model that it reads, and each part of a model is one file."""
    return digest_of({part_of(name): digest_of({name: sha256}) for name, sha256 in files.items()})


def _compared(decision: Decision) -> Mapping[str, Any]:
    """What the comparison says of the model's score; the record of its evaluation may be gone."""
    found = decision.comparison
    return {"bleu": found["challenger"]["bleu"], "test_pairs": found["test_pairs"]} if found else {}

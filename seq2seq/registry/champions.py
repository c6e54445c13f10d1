"""Which model of a language pair is in use, and how it came to be so.

    models/ko-en/champion.json        {"format": 1, "history": [Decision, …]}, oldest first, replaced as a whole
    models/ko-en/versions/DIGEST12/   a promoted model as a folder to share, never changed; named by 12 characters
                                      of its digest
    models/ko-en/NAME/                what a training delivered last under that name; not looked at here

The champion is the model of the last decision that was no refusal. Needs no PyTorch.
"""

import json
import shutil
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from seq2seq.errors import ModelError
from seq2seq.registry.model_folder import CONFIG, DESCRIBED, check_model, is_export
from seq2seq.registry.sharing import copy_model
from seq2seq.storage.artifacts import digest_of, file_sha256, write_text_atomically

FORMAT = 1
POINTER = "champion.json"
VERSIONS = "versions"
WAY_OUT = "`python -m flows models rollback` goes back to the champion before, `models promote` names another."


class Decision(BaseModel):
    """One entry of a pair's history."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    at: str = Field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    """When, in ISO 8601, UTC."""
    action: Literal["promoted", "refused", "rolled_back"]
    model: str = Field(pattern="^[0-9a-f]{32}$")
    """Digest of the model that was promoted, refused or gone back to."""
    name: str
    """`name` of the configuration that made it."""
    by: str
    """"retrain", or the login name of a person."""
    why: str = ""
    against: str = ""
    """Digest of the champion that it was compared with; empty without one."""
    test: str = ""
    """Digest of the test data of the comparison; empty without one."""
    comparison: dict[str, Any] = {}
    """Statistics of the comparison (`seq2seq.registry.comparison`)."""


class Shelf:
    """The models of one language pair. Who changes something holds the lock `models/PAIR/champion`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def pointer(self) -> Path:
        """The file with the history."""
        return self.folder / POINTER

    def history(self) -> list[Decision]:
        """All decisions, oldest first. Raises ModelError when the file is not as it was written."""
        try:
            return _parse(self.pointer.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return []
        except ValueError as error:
            raise ModelError(
                f"{self.pointer} is damaged: {_first_problem(error)}. Put a copy of it back; or move it away and "
                f"promote one of {self.folder / VERSIONS} again (`python -m flows models promote`): the models are "
                "untouched, the history before is in the file that you moved."
            ) from None

    def champion(self) -> Decision | None:
        """The decision that made the model in use the one in use; None before the first promotion."""
        return champion_of(self.history())

    def champions_before(self) -> list[Decision]:
        """Decisions that a rollback can go back to, the latest first.

        A rollback takes back the promotion of the champion: two in a row go back by two promotions.
        """
        standing: list[Decision] = []
        for decision in self.history():
            if decision.action == "promoted":
                standing.append(decision)
            elif decision.action == "rolled_back":
                while standing and standing[-1].model != decision.model:
                    standing.pop()
        return standing[-2::-1]

    def delivered(self) -> list[Path]:
        """Folders of the models that trainings delivered here, by name. An export that someone put here is none."""
        folders = [path.parent for path in self.folder.glob(f"[!.]*/{CONFIG}")]
        return sorted(folder for folder in folders if not _holds_an_export(folder))

    def folder_of(self, digest: str) -> Path:
        """Where a promoted model lies."""
        return self.folder / VERSIONS / digest[:12]

    def champion_folder(self) -> Path:
        """The folder of the model in use. Raises ModelError when there is none, or when it was deleted."""
        champion = self.champion()
        if champion is None:
            raise ModelError(f"{self.folder} has no champion yet: `python -m flows models promote` names one.")
        folder = self.folder_of(champion.model)
        if not folder.is_dir():
            raise ModelError(
                f"The champion of {self.folder.name} is {champion.name} ({champion.model[:12]}, {champion.action} "
                f"{champion.at}), and its folder {folder} is gone. {WAY_OUT}"
            )
        return folder

    def record(self, decision: Decision) -> None:
        """Add a decision to the history: a reader sees the old one or the new one, whenever the writer is killed."""
        history = [*self.history(), decision]
        content = {"format": FORMAT, "history": [entry.model_dump(mode="json") for entry in history]}
        write_text_atomically(self.pointer, json.dumps(content, indent=2, ensure_ascii=False) + "\n")

    def promote(self, source: Path, texts: Mapping[str, str], decision: Decision) -> bool:
        """Keep the model in the folder `source` as a version and make it the champion; False if it is already.

        `texts` lie beside the model in its version (card, configuration). Raises ModelError when `source` is not in
        order or does not hold the model that was decided on.
        """
        self.keep(source, texts, decision.model)
        champion = self.champion()
        if champion is not None and champion.model == decision.model:
            return False
        self.record(decision)
        return True

    def keep(self, source: Path, texts: Mapping[str, str], digest: str) -> Path:
        """The version folder with this digest, copied from `source` unless it is there and intact; see `promote`."""
        folder = self.folder_of(digest)
        if _holds(folder, digest):
            return folder
        found = model_digest(source)
        if found != digest:
            raise ModelError(
                f"{source} holds the model {found[:12]} by now, not {digest[:12]}: promote that one instead."
            )
        partial = folder.with_name(f".{folder.name}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        copy_model(partial, source, texts)
        if model_digest(partial) != digest:
            raise ModelError(f"{source} was changed while it was copied. Promote it again.")
        shutil.rmtree(folder, ignore_errors=True)
        partial.rename(folder)
        return folder


def champion_of(history: Sequence[Decision]) -> Decision | None:
    """The decision that made the model in use the one in use; None before the first promotion."""
    return next(reversed(ever_champion(history)), None)


def ever_champion(history: Iterable[Decision]) -> list[Decision]:
    """The decisions that made a model the champion, oldest first."""
    return [decision for decision in history if decision.action != "refused"]


def taken_back(history: Iterable[Decision]) -> set[str]:
    """Digests of champions that somebody rolled back and nobody promoted since."""
    taken: set[str] = set()
    champion = ""
    for decision in ever_champion(history):
        if decision.action == "rolled_back":
            taken.add(champion)
        champion = decision.model
        taken.discard(champion)
    return taken


def model_digest(folder: Path) -> str:
    """Digest of a model: that of the record of the training that made it. Raises ModelError for a damaged folder."""
    return digest_of(model_files(folder))


def model_files(folder: Path) -> dict[str, str]:
    """SHA-256 of each file of a model. Raises ModelError for a damaged folder."""
    described = check_model(folder).files
    return {name: described[name].sha256 for name in DESCRIBED} | {CONFIG: file_sha256(folder / CONFIG)}


def resolve(folder: Path) -> Path:
    """The champion's folder for the folder of a language pair; any other folder as it is. Raises ModelError."""
    shelf = Shelf(folder)
    if shelf.pointer.exists():
        return shelf.champion_folder()
    delivered = [] if (folder / CONFIG).exists() else [model.name for model in shelf.delivered()]
    if delivered:
        raise ModelError(
            f"{folder} holds models of a language pair ({', '.join(delivered)}), and none is the champion yet: name "
            f"the model's own folder, or choose the champion: `python -m flows models promote {folder.name} MODEL`."
        )
    return folder


def resolve_each(folders: Path | str | Sequence[Path | str]) -> list[Path]:
    """`resolve` for one folder or for several, which may be named by text. Raises ModelError for none at all."""
    if not isinstance(folders, Path | str) and not folders:
        raise ModelError("No model folder was given: name one, or several that decode as one.")
    return [resolve(Path(folder)) for folder in ([folders] if isinstance(folders, Path | str) else folders)]


def _holds_an_export(folder: Path) -> bool:
    with suppress(ModelError):  # a damaged model is one
        return is_export(folder)
    return False


def _parse(text: str) -> list[Decision]:
    content = json.loads(text)
    if not isinstance(content, dict) or content.get("format") != FORMAT or not isinstance(content.get("history"), list):
        raise ValueError(f"it should hold format {FORMAT} and a history")
    return [Decision.model_validate(entry) for entry in content["history"]]


def _first_problem(error: ValueError) -> str:
    if not isinstance(error, ValidationError):
        return str(error)
    first = error.errors()[0]
    return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"


def _holds(folder: Path, digest: str) -> bool:
    try:
        return model_digest(folder) == digest
    except ModelError:
        return False

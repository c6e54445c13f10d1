"""Taking a model folder from elsewhere into the workspace, so that what is scored is what was checked."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from seq2seq.errors import ModelError
from seq2seq.pipeline import Job, Step
from seq2seq.registry.model_folder import CONFIG, DESCRIBED, REMEDY, check_model
from seq2seq.registry.sharing import PIPELINE
from seq2seq.settings.section import NotInKey, Section


class ModelSource(Section):
    """Where the model folder lies: its content is what counts."""

    directory: Annotated[str, NotInKey()] = Field(description="A model folder, as `train` delivers it.")


ADOPT = Step("adopt", "seq2seq.registry.adoption:adopt", ("source",), {}, ())
"""Stands in for `train` where a finished model is evaluated: its result has the same parts."""


def identity(source: ModelSource) -> dict[str, Any]:
    """What the model is: digests of its files. Raises ModelError for a folder that is not in order."""
    config = check_model(Path(source.directory))
    return {"model": config.model_dump(mode="json")}


def made_with(folder: Path) -> dict[str, Any]:
    """The configuration in the folder's pipeline.json; without one, the languages alone. Raises ModelError."""
    config = check_model(folder)
    path = folder / PIPELINE
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        languages = {"source_language": config.source_language, "target_language": config.target_language}
        return {"name": folder.resolve().name, "corpus": languages}
    except ValueError as error:
        raise ModelError(f"{path} is not JSON: {error}. {REMEDY}") from None
    if not isinstance(values, dict):
        raise ModelError(f"{path} holds no configuration. {REMEDY}")
    return values


def adopt(source: ModelSource, job: Job) -> Mapping[str, Any]:
    """Copy the files that make the model, and nothing that lies beside them.

    Raises ModelError for a folder that is not in order, or no longer what the job took it for.
    """
    folder = Path(source.directory)
    config = check_model(folder)
    for name in (CONFIG, *DESCRIBED):
        shutil.copyfile(folder / name, job.into / name)
    if job.source not in (None, identity(source)):
        raise ModelError(f"{folder} changed while it was copied: nothing is recorded. Start again once it is complete.")
    return {"languages": [config.source_language, config.target_language]}

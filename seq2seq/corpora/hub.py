"""Corpora from the Hugging Face Hub, through `datasets`, always at one commit.

`datasets` has two habits that would let another corpus in unnoticed: it prefers a folder of the dataset's name in
the current directory, and when the Hub cannot be reached it takes whatever revision its cache has. Both are
refused here unless the commit is the one that was asked for.
"""

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seq2seq.errors import ConfigError, CorpusError, SourceUnavailable
from seq2seq.settings.corpus import CorpusSettings, or_held_out, with_aliases
from seq2seq.storage.disk import writing

if TYPE_CHECKING:
    from seq2seq.corpora.pairs import Pairs

COMMIT = re.compile(r"[0-9a-f]{40}")
ANSWER_SECONDS = 30.0
PARQUET_COPY = "refs/convert/parquet"
CONFIGURATION_UNCLEAR = re.compile("Config name is missing|BuilderConfig .* not found")
REFUSALS = (401, 403, 404, 410)


def resolve_revision(settings: CorpusSettings) -> str:
    """The commit that `corpus.revision` means now; asks the Hub unless it is a commit already.

    Raises ConfigError without a dataset id, CorpusError when dataset or revision do not exist or may not be read,
    SourceUnavailable when the Hub does not answer.
    """
    if not settings.dataset:
        raise ConfigError("corpus.kind = hub needs corpus.dataset: the id of a dataset, for example owner/name.")
    if COMMIT.fullmatch(settings.revision):
        return settings.revision
    from huggingface_hub import HfApi

    with _hub_errors_explained(settings):
        found = HfApi().dataset_info(settings.dataset, revision=settings.revision, timeout=ANSWER_SECONDS)
    return str(found.sha)


def read(settings: CorpusSettings) -> dict[str, "Pairs"]:
    """All splits that were asked for, at the commit `settings.revision`.

    Raises CorpusError for what a person can mend (no such dataset, configuration, split or column; a script; no
    access), SourceUnavailable for what the network did, DiskError for a full disk below the cache of `datasets`.
    """
    import datasets

    from seq2seq.corpora.pairs import pairs_of
    from seq2seq.corpora.tables import sides_of_arrow

    cached = writing(f"the dataset {settings.dataset}", datasets.config.HF_DATASETS_CACHE, "HF_HOME")
    with _hub_errors_explained(settings), _reading_errors_explained(settings), _bars_on_terminals_only(), cached:
        builder = datasets.load_dataset_builder(settings.dataset, settings.subset or None, revision=settings.revision)
        _require_commit(builder, settings)
        builder.download_and_prepare()
    splits = {}
    for split in settings.split_names():
        name = _split_name(builder, split, settings)
        table = builder.as_dataset(split=name).with_format("arrow")[:]
        sides = sides_of_arrow(table, settings, f"{settings.dataset}, split {name},")
        splits[split] = pairs_of(settings.source_language, settings.target_language, *sides)
    return splits


def _require_commit(builder: Any, settings: CorpusSettings) -> None:
    if builder.hash == settings.revision:
        return
    if Path(settings.dataset).exists():
        raise CorpusError(
            f"the folder {settings.dataset} in the current directory hides the dataset of that name on the Hub: start "
            "from another directory, or read the folder with corpus.kind = files."
        )
    raise SourceUnavailable(
        f"the Hub did not give {settings.dataset} at {settings.revision}, and the local cache only has {builder.hash}."
    )


def _split_name(builder: Any, split: str, settings: CorpusSettings) -> str:
    wanted, there = settings.split_names()[split], list(builder.info.splits)
    for name in with_aliases(wanted):
        if name in there:
            return name
    raise CorpusError(
        f"{settings.dataset} has no split {wanted}; it has: {', '.join(there)}. Set corpus.{split} to one of them"
        f"{or_held_out(split)}."
    )


@contextmanager
def _bars_on_terminals_only() -> Iterator[None]:
    """Progress bars of `datasets` and of the Hub's client stay away from logs; afterwards all is as before."""
    import datasets
    import huggingface_hub.utils as hub

    silenced = []
    if not sys.stderr.isatty():
        for library in (datasets, hub):
            if not library.are_progress_bars_disabled():
                library.disable_progress_bars()
                silenced.append(library)
    try:
        yield
    finally:
        for library in silenced:
            library.enable_progress_bars()


@contextmanager
def _hub_errors_explained(settings: CorpusSettings) -> Iterator[None]:
    """Turn what the Hub's client raises into CorpusError and SourceUnavailable."""
    from huggingface_hub import errors

    name = settings.dataset
    try:
        yield
    except errors.GatedRepoError as error:
        raise CorpusError(
            f"the dataset {name} is gated: ask for access on its page on the Hub, then log in with `hf auth login`."
        ) from error
    except (errors.RepositoryNotFoundError, errors.HFValidationError) as error:
        raise CorpusError(
            f"the Hub has no dataset {name}, or it is private: check corpus.dataset (it has the form owner/name), or "
            "log in with `hf auth login`."
        ) from error
    except errors.RevisionNotFoundError as error:
        raise CorpusError(
            f"the dataset {name} has no revision {settings.revision}: set corpus.revision to a branch, tag or commit "
            "that it has."
        ) from error
    except _network_errors() as error:
        if isinstance(error, OSError) and error.errno and not isinstance(error, (ConnectionError, TimeoutError)):
            raise  # the disk, not the network
        status = getattr(getattr(error, "response", None), "status_code", None)
        if status in REFUSALS:
            raise CorpusError(f"the Hub does not hand out {name}: {_one_line(error)}") from error
        raise SourceUnavailable(f"the Hub did not answer for {name}: {_one_line(error)}") from error


@contextmanager
def _reading_errors_explained(settings: CorpusSettings) -> Iterator[None]:
    """Turn what `datasets` itself raises into CorpusError; what the network did passes through."""
    from datasets.exceptions import DatasetsError

    name = settings.dataset
    try:
        yield
    except RuntimeError as error:
        if "scripts are no longer supported" not in str(error):
            raise
        raise CorpusError(
            f"{name} is a dataset script: a program, which `datasets` 4 and later do not run. The Hub keeps a Parquet "
            f"copy of many of them: try corpus.revision = {PARQUET_COPY}. Or fetch the text by other means and read it "
            "with corpus.kind = files."
        ) from error
    except (DatasetsError, ValueError) as error:
        hint = " Set corpus.subset to one of them." if CONFIGURATION_UNCLEAR.search(str(error)) else ""
        raise CorpusError(f"`datasets` cannot read {name}: {_one_line(error.__cause__ or error)}{hint}") from error


def _network_errors() -> tuple[type[Exception], ...]:
    """What the client raises when the network or the host fails.

    The HTTP library behind it has changed twice, so it is not named here: its errors share the base of
    HfHubHTTPError.
    """
    from huggingface_hub.errors import HfHubHTTPError

    return (*HfHubHTTPError.__bases__, OSError)


def _one_line(error: BaseException) -> str:
    said, _, _ = str(error).partition("For more information")
    return " ".join(said.split()) or type(error).__name__

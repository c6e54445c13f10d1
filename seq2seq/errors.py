"""Every error that this library raises on purpose.

    Seq2SeqError                 something is wrong and we can say what
    ├── UserError                the person can mend it (exit code 2, never retried)
    │   ├── ConfigError          a setting is misspelt, out of range or missing
    │   ├── CorpusError          the corpus is not what a parallel corpus has to be
    │   ├── ModelError           a model folder is incomplete, damaged or not ours
    │   └── DiskError            the disk is full, read-only, or not ours to write
    ├── SourceUnavailable        the network or a remote host failed (exit code 1, retried)
    ├── ArtifactDamaged          an artifact is gone or is not what was published (a cache miss)
    ├── StepTimedOut             a step took longer than it may (exit code 1); the same command resumes it
    ├── ExportDiffers            an exported model does not say what the model says (exit code 1)
    └── TrainingInterrupted      someone asked a training to stop; its checkpoint is saved

A message says what, where, the numbers and the way out.
"""

from collections.abc import Iterable
from difflib import get_close_matches


def did_you_mean(word: str, known: Iterable[str], did: str = " Did") -> str:
    """The end of a message on a name that is not known: a question for the one most like it, or nothing."""
    close = get_close_matches(word, list(known), 1)
    return f"{did} you mean {close[0]}?" if close else ""


class Seq2SeqError(Exception):
    """Base of all errors raised on purpose."""


class UserError(Seq2SeqError):
    """What the person who started the command can mend."""


class ConfigError(UserError):
    """A setting is misspelt, out of range or missing."""


class CorpusError(UserError):
    """The corpus is not what a parallel corpus has to be."""


class ModelError(UserError):
    """A model folder is incomplete, damaged or not one of ours."""


class DiskError(UserError):
    """The disk is full, read-only, or not ours to write (`seq2seq.storage.disk` maps the system's errors to it)."""


class SourceUnavailable(Seq2SeqError):
    """The network or a remote host failed: trying again may help."""


class ArtifactDamaged(Seq2SeqError):
    """An artifact of the workspace is gone or does not hold what was published."""


class StepTimedOut(Seq2SeqError):
    """A step took longer than its time limit; the same command goes on from what it saved."""


class ExportDiffers(Seq2SeqError):
    """An exported model was decoded beside the model itself, and the two do not agree."""


class TrainingInterrupted(Seq2SeqError):
    """Someone asked a training to stop; its checkpoint is saved and the same command goes on from it."""

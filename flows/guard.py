"""How a command ends: its errors as a message and an exit code, without a traceback."""

import os
import signal
import sys
import traceback as tracebacks
from collections.abc import Callable
from contextlib import suppress

from seq2seq.disk import FULL
from seq2seq.errors import Seq2SeqError, TrainingInterrupted, UserError
from seq2seq.standard_output import READER_GONE, reader_is_gone


def guarded(work: Callable[[], None], traceback: bool) -> int:
    """Do `work`, and turn errors into a message and an exit code; quietly where nobody reads the output any more."""
    try:
        work()
        if sys.stdout:
            sys.stdout.flush()
    except (Exception, KeyboardInterrupt) as error:
        if isinstance(error, BrokenPipeError) and reader_is_gone():
            return READER_GONE
        with suppress(OSError):  # nor may there be space for this
            if traceback:
                tracebacks.print_exception(error)
            print(explain(error), file=sys.stderr)
        return exit_code(error)
    finally:
        _discard_what_cannot_be_written()
    return 0


def _discard_what_cannot_be_written() -> None:
    """Python tries once more when it ends, and makes 120 of the exit code if that fails."""
    for stream in filter(None, (sys.stdout, sys.stderr)):  # one that was shut from the start is None
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        except ValueError:  # it was shut since
            pass


def _no_space(error: BaseException) -> str:
    """Why something could not be written that has no name; empty for other errors. What a step writes has one."""
    return FULL.get(error.errno or 0, "") if isinstance(error, OSError) and error.filename is None else ""


def explain(error: BaseException) -> str:
    """What went wrong and what to do, without a traceback."""
    if isinstance(error, TrainingInterrupted):
        return str(error)
    if isinstance(error, KeyboardInterrupt):
        return "Interrupted. What is done stays done: the same command goes on from there."
    if isinstance(error, Seq2SeqError):
        return f"error: {error}"
    if reason := _no_space(error):
        return f"error: the output, or a temporary file, could not be written: {reason}."
    return f"error: {type(error).__name__}: {error}\nThis was not foreseen; --traceback shows where it came from."


def exit_code(error: BaseException) -> int:
    """2 for what the person can mend, 128 and the signal's number for an interruption, 1 otherwise."""
    if isinstance(error, KeyboardInterrupt):
        return 128 + signal.SIGINT
    if isinstance(error, TrainingInterrupted):
        return 128 + int(getattr(error, "signal_number", signal.SIGINT))
    return 2 if isinstance(error, UserError) or _no_space(error) else 1

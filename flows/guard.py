"""How a command ends: its errors as a message and an exit code, without a traceback."""

import signal
import sys
import traceback as tracebacks
from collections.abc import Callable

from seq2seq.errors import Seq2SeqError, TrainingInterrupted, UserError
from seq2seq.standard_output import READER_GONE, reader_is_gone


def guarded(work: Callable[[], None], traceback: bool) -> int:
    """Do `work`, and turn errors into a message and an exit code; quietly where nobody reads the output any more."""
    try:
        work()
        sys.stdout.flush()
    except (Exception, KeyboardInterrupt) as error:
        if isinstance(error, BrokenPipeError) and reader_is_gone():
            return READER_GONE
        if traceback:
            tracebacks.print_exception(error)
        print(explain(error), file=sys.stderr)
        return exit_code(error)
    return 0


def explain(error: BaseException) -> str:
    """What went wrong and what to do, without a traceback."""
    if isinstance(error, TrainingInterrupted):
        return str(error)
    if isinstance(error, KeyboardInterrupt):
        return "Interrupted. What is done stays done: the same command goes on from there."
    if isinstance(error, Seq2SeqError):
        return f"error: {error}"
    return f"error: {type(error).__name__}: {error}\nThis was not foreseen; --traceback shows where it came from."


def exit_code(error: BaseException) -> int:
    """2 for what the person can mend, 128 and the signal's number for an interruption, 1 otherwise."""
    if isinstance(error, KeyboardInterrupt):
        return 128 + signal.SIGINT
    if isinstance(error, TrainingInterrupted):
        return 128 + int(getattr(error, "signal_number", signal.SIGINT))
    return 2 if isinstance(error, UserError) else 1

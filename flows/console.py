"""What the command line shows, and how quietly Prefect works behind it."""

import logging
import shlex
import shutil
import signal
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from flows.connection import connection
from seq2seq.guard import TRACEBACK

ENVIRONMENT = {
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30",  # seconds; for the runs of a worker, as tasks/heartbeat.py for others
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "240",  # the default of 20 s is missed on a busy machine
}
"""Settings of Prefect for the command line; what the person has set stays."""


@contextmanager
def prefect_in_the_background() -> Iterator[None]:
    """Show the lines meant for people; leave Prefect's own log to its server, unless tracebacks are to be shown.

    Raises ServerError when there is no server to work with.
    """
    with _termination_as_exit(), connection():
        import prefect.main  # noqa: F401  # sets Prefect's own handlers up, which are then replaced

        if not TRACEBACK.get():
            _replace_console_handlers()
        yield


class _Lines(logging.Handler):
    """Plain lines on standard error, whatever it is at that moment (a progress bar redirects it)."""

    def emit(self, record: logging.LogRecord) -> None:
        ours = getattr(record, "for_people", False)
        if ours or (record.levelno >= logging.WARNING and not record.name.startswith("prefect")):
            try:
                print(record.getMessage(), file=sys.stderr, flush=True)
            except BrokenPipeError:
                raise
            except OSError:  # a full disk behind it is no reason to end a training
                pass


def _replace_console_handlers() -> None:
    from prefect.logging.handlers import PrefectConsoleHandler

    root = logging.getLogger()
    for handler in list(root.handlers):
        if isinstance(handler, PrefectConsoleHandler | _Lines):
            root.removeHandler(handler)
    root.addHandler(_Lines())


@contextmanager
def _termination_as_exit() -> Iterator[None]:
    """Leave in good order on SIGTERM: by itself it would end the process before the server is told."""

    def leave(number: int, frame: FrameType | None) -> None:
        sys.exit(128 + number)

    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def summary(report: Mapping[str, Any], examples: Iterable[Mapping[str, str]], into: str = "") -> str:
    """Scores, translations beside their references, where the model is, and the next command (`--to INTO`)."""
    scores, model = report["scores"], report["model_dir"]
    low, high = scores["bleu_interval"]
    to = f" --to {into}" if into else ""
    return "\n".join(
        (
            "",
            f"BLEU {scores['bleu']:.1f}, 95 % interval {low:.1f} to {high:.1f}, on {scores['test_pairs']:,} "
            f"pair{'s' * (scores['test_pairs'] != 1)} ({scores['test']})",
            f"chrF {scores['chrf']:.1f}   TER {scores['ter']:.1f}   lower-cased BLEU {scores['bleu_lowercased']:.1f}   "
            f"length ratio {scores['length_ratio']:.2f}",
            f"signature {scores['signature']}",
            "",
            *translations(examples),
            f"model: {model}",
            f"next:  {python()} -m seq2seq translate {shlex.quote(model)}{to} < in.txt > out.txt",
        )
    )


def python() -> str:
    """How this Python is called from here: `python` where the environment is active."""
    place, here, found = Path(sys.executable), Path.cwd(), shutil.which("python")
    if found and Path(found).parent == place.parent:
        return "python"
    return shlex.quote(str(place.relative_to(here) if place.is_relative_to(here) else place))


def translations(examples: Iterable[Mapping[str, str]]) -> Iterator[str]:
    """Each example as three lines and an empty one: source, translation and reference."""
    return (
        f"  source       {one['source']}\n  translation  {one['translation']}\n  reference    {one['reference']}\n"
        for one in examples
    )

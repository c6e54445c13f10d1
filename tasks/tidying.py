"""What a scheduled run does so that a workspace does not fill its disk."""

from seq2seq.errors import Seq2SeqError
from seq2seq.storage.disk import in_units
from seq2seq.workspace.pruning import prune
from tasks.locking import locks_for
from tasks.reporting import say
from tasks.step import PipelineRun


def tidy(run: PipelineRun, keep_days: float) -> None:
    """Remove what no model in use needs and nobody used for `keep_days`, and say how much it was.

    Where that fails (the pointer of some pair cannot be read, the disk refuses), it says so: the run itself is done.
    """
    try:
        done = prune(run.workspace, keep_days, None, locks_for(run.workspace, run.config.runtime))
    except Seq2SeqError as error:
        say(f"pruning failed: {error}")
        return
    if done.removed:
        removed, left = in_units(done.bytes_removed), in_units(done.bytes_after)
        say(f"removed {removed} that nobody used for {keep_days:g} days; {left} are left")

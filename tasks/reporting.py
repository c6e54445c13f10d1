"""What a run shows: lines for people, and artifacts in Prefect's UI."""

from prefect.logging import get_run_logger

from seq2seq.artifacts import Record

FOR_PEOPLE = "for_people"


def say(message: str) -> None:
    """Log a line that is meant for the person who started the run, on the console and in the UI."""
    get_run_logger().info(message, extra={FOR_PEOPLE: True})


def headline(record: Record, cached: bool, seconds: float) -> str:
    """One line for a finished step."""
    what = "cached" if cached else "done"
    return f"{record.step:<10} {what:<6} {seconds:8.1f} s"

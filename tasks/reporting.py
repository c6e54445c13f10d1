"""What a run says: lines for people, on the console and in the log that Prefect's UI shows."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from prefect.logging import get_run_logger

from seq2seq.storage.artifacts import Record

FOR_PEOPLE = "for_people"


def say(message: str) -> None:
    """Log a line that is meant for the person who started the run: on the console and in the UI."""
    get_run_logger().info(message, extra={FOR_PEOPLE: True})


@contextmanager
def said_only(what: str) -> Iterator[None]:
    """Keep the result of a step whose report cannot be shown, and say so."""
    try:
        yield
    except Exception as error:
        get_run_logger().warning("The %s could not be shown in the UI: %s", what, error, exc_info=True)


def headline(record: Record, cached: bool, seconds: float, why: str = "", whose: str = "") -> str:
    """One line for a finished step: what came out, of which model, how long it took, and why it was done again."""
    words = ", ".join(filter(None, (told(record), whose)))
    line = f"{record.step:<10} {'cached' if cached else 'done':<6} {seconds:7.1f} s  {words}"
    return f"{line}  ({why})" if why else line


def told(record: Record) -> str:
    """What a step came to, in a few words."""
    if record.step == "adopt":
        return f"model {record.digest[:12]}"
    teller = _TOLD.get(record.step)
    return teller(record.statistics) if teller else ""


def _tell_fetch(statistics: Mapping[str, Any]) -> str:
    return ", ".join(f"{split['pairs']:,} {name}" for name, split in statistics["splits"].items()) + " pairs"


def _tell_clean(statistics: Mapping[str, Any]) -> str:
    train = statistics["splits"].get("train")
    if train is None:
        return "nothing to drop: no training split"
    reasons = ", ".join(f"{count:,} {reason}" for reason, count in train["dropped"].items() if count)
    kept = f"kept {train['pairs_after']:,} of {train['pairs_before']:,} training pairs"
    parts = [kept, *([f"dropped {reasons}"] if reasons else [])]
    test = statistics["splits"].get("test", {})
    if seen := test.get("seen_sources"):
        parts.append(f"{seen:,} of {test['pairs_after']:,} test sources are in training, too")
    return "; ".join(parts)


def _tell_tokenize(statistics: Mapping[str, Any]) -> str:
    train = statistics["splits"]["train"]
    return f"{train['source_pieces']:,} source and {train['target_pieces']:,} target words and marks"


def _tell_vocabulary(statistics: Mapping[str, Any]) -> str:
    sizes = f"{statistics['source']['tokens']:,} source and {statistics['target']['tokens']:,} target tokens"
    return f"{sizes}, the parent's" if "inherited" in statistics else sizes


def _tell_encode(statistics: Mapping[str, Any]) -> str:
    train = statistics["splits"]["train"]
    source, target = (train[side]["mean"] for side in ("source", "target"))
    return f"{source:.1f} source and {target:.1f} target tokens per sentence"


def _tell_train(statistics: Mapping[str, Any]) -> str:
    return (
        f"{statistics['steps']:,} steps, {statistics['epochs']:.1f} epochs ({statistics['stopped_by']}); "
        f"validation BLEU {statistics['valid_bleu']:.1f} at step {statistics['best_step']:,}"
    )


def _tell_evaluate(statistics: Mapping[str, Any]) -> str:
    low, high = statistics["bleu_interval"]
    return f"BLEU {statistics['bleu']:.1f} [{low:.1f}, {high:.1f}], chrF {statistics['chrf']:.1f}"


def _tell_compare(statistics: Mapping[str, Any]) -> str:
    low, high = statistics["difference_interval"]
    return f"{statistics['difference']:+.1f} BLEU [{low:+.1f}, {high:+.1f}], p = {statistics['p_value']:.3f}"


_TOLD: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "fetch": _tell_fetch,
    "clean": _tell_clean,
    "tokenize": _tell_tokenize,
    "vocabulary": _tell_vocabulary,
    "encode": _tell_encode,
    "train": _tell_train,
    "evaluate": _tell_evaluate,
    "compare": _tell_compare,
}

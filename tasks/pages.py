"""Records as pages of Markdown for Prefect's UI: pure functions from statistics to text."""

import base64
import re
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

REASONS = {
    "empty": "a side has no text",
    "too_long": "a side is longer than cleaning.max_words or max_characters",
    "length_ratio": "one side is cleaning.max_length_ratio times as long as the other",
    "duplicate": "the pair occurred before",
    "copy": "the target repeats the source",
    "leak": "the training pair is in the validation or test split",
}

MARKUP = re.compile(r"[\\`*_\[~#|]|^[-+](?=[- ]|$)|:(?=//)|(?i:(?<=www))\.")
"""What would be markup once HTML is escaped; addresses, too, since a link would show the backslashes in it."""
LIST_NUMBER = re.compile(r"^\d{1,9}(?=[.)](?: |$))")


def corpus_page(statistics: Mapping[str, Any]) -> str:
    """Sizes of the splits."""
    splits = {
        name: {
            "sentence pairs": split["pairs"],
            "source words": split["source_words"],
            "target words": split["target_words"],
            "source words per sentence": split["source_words"] / max(split["pairs"], 1),
            "target words per sentence": split["target_words"] / max(split["pairs"], 1),
        }
        for name, split in statistics["splits"].items()
    }
    return f"# Corpus\n\n{side_by_side(splits)}\n"


def cleaning_page(statistics: Mapping[str, Any]) -> str:
    """What cleaning dropped from the training split, what it found elsewhere, with examples."""
    splits = statistics["splits"]
    counts = {
        name: {"pairs": split["pairs_before"], "kept": split["pairs_after"]}
        | (split.get("dropped") or split.get("reported") or {})
        | ({"source in training": split["seen_sources"]} if "seen_sources" in split else {})
        for name, split in splits.items()
    }
    found = [reason for reason in REASONS if any(column.get(reason) for column in counts.values())]
    reasons = "\n".join(f"* **{cell(reason)}**: {REASONS[reason]}" for reason in found)
    examples = "".join(
        f"\n### {name}, {reason.replace('_', ' ')}\n\n{listed(pairs)}\n"
        for name, split in splits.items()
        for reason, pairs in split["examples"].items()
    )
    return (
        "# Cleaning\n\nTraining pairs are dropped; validation and test pairs are only counted.\n\n"
        f"{side_by_side(counts)}\n\n{reasons or 'No pair was found fault with.'}\n"
        + (f"\n## Examples\n{examples}" if examples else "")
    )


def vocabulary_page(statistics: Mapping[str, Any]) -> str:
    """Sizes and coverage of the two vocabularies, and the commonest words that they do not cover."""
    sides = {
        side: {
            "tokens": statistics[side]["tokens"],
            "different words and marks in the training split": statistics[side]["different_pieces"],
            "running words covered": f"{statistics[side]['covered']:.2%}",
            "unknown tokens": f"{statistics[side]['unknown_rate']:.2%}",
            "tokens per word": statistics[side]["tokens_per_word"],
        }
        for side in ("source", "target")
    }
    missing = "".join(
        f"\n## Not covered, {side}\n\n"
        + ", ".join(f"{cell(word)} ({count:,})" for word, count in statistics[side]["frequent_unknown"])
        + "\n"
        for side in sides
        if statistics[side]["frequent_unknown"]
    )
    origin = "It was taken over from the model that the training goes on from.\n\n" if "inherited" in statistics else ""
    return f"# Vocabulary\n\n{origin}{side_by_side(sides)}\n{missing}"


def training_page(statistics: Mapping[str, Any], curves: str) -> str:
    """Figures of a training and its curves (an SVG image)."""
    figures = [
        (name.replace("valid_bleu", "validation BLEU").replace("valid_", "validation ").replace("_", " "), value)
        for name, value in statistics.items()
        if isinstance(value, int | float | str)
    ]
    return f"# Training\n\n{image('Loss and validation BLEU', curves)}\n\n{table(['figure', 'value'], figures)}\n"


def evaluation_page(
    statistics: Mapping[str, Any], model: str, test_set: str, bars: str, attention: Sequence[str]
) -> str:
    """Scores with signature and interval, BLEU by length, translations, and where the model looked.

    `model` is its digest, `test_set` what the pairs are; `bars` and `attention` are SVG images.
    """
    low, high = statistics["bleu_interval"]
    scores = [
        ("BLEU", f"{statistics['bleu']:.2f}", f"95 % interval {low:.2f} to {high:.2f}"),
        ("BLEU, lower-cased", f"{statistics['bleu_lowercased']:.2f}", ""),
        ("chrF", f"{statistics['chrf']:.2f}", ""),
        ("TER", f"{statistics['ter']:.2f}", "lower is better"),
        (
            "length ratio",
            f"{statistics['length_ratio']:.3f}",
            "tokens of the translations over those of the references",
        ),
        ("pairs", statistics["test_pairs"], test_set),
        ("sources with unknown tokens", statistics["sources_with_unknown_tokens"], "not in the vocabulary"),
        ("translations cut", statistics["at_length_limit"], "they did not end before the longest length"),
    ]
    sections = {
        "By length of the source": f"{image('BLEU by source length', bars)}\n\n{_by_length(statistics)}",
        "Translations": f"Spread evenly over the test set.\n\n{translations(statistics['examples'])}",
        "The best and the worst": _best_and_worst(statistics),
        "Attention": _attention(attention),
    }
    return (
        f"# Evaluation of model {model[:12]} on {cell(test_set)}\n\n{table(['score', 'value', ''], scores)}\n\n"
        f"{_signature(statistics)}\n\n"
        + "\n".join(f"## {title}\n\n{text}\n" for title, text in sections.items() if text)
    )


def _signature(statistics: Mapping[str, Any]) -> str:
    """As a block: inline code of this length runs out of the page in the newer of Prefect's two UIs."""
    return f"Signature of BLEU:\n\n```\n{statistics['signature']}\n```"


def _by_length(statistics: Mapping[str, Any]) -> str:
    rows = [(length_range(one), one["pairs"], f"{one['bleu']:.1f}") for one in statistics["by_source_length"]]
    return table(["tokens of the source", "pairs", "BLEU"], rows)


def _best_and_worst(statistics: Mapping[str, Any]) -> str:
    sections = "\n\n".join(
        f"### {name.capitalize()}\n\n{translations(statistics[name])}" for name in ("best", "worst") if statistics[name]
    )
    return (
        "By BLEU of the sentence, then chrF, among the test pairs whose source is at least as long as the median: "
        f"short sentences say little.\n\n{sections}"
    )


def _attention(drawings: Sequence[str]) -> str:
    if not drawings:
        return ""
    images = "\n\n".join(image("Attention", drawing) for drawing in drawings)
    return (
        "Rows are the tokens of the translation, columns those of the source: the darker a field, the more the model "
        f"looked there when it wrote that token. `▁` begins a word.\n\n{images}"
    )


def comparison_page(statistics: Mapping[str, Any], decision: Mapping[str, Any], plot: str) -> str:
    """Two models on the same test pairs, and what was decided (the plot is an SVG image)."""
    low, high = statistics["difference_interval"]
    bleu = [
        ("champion, in use before", decision["against"][:12], f"{statistics['champion']['bleu']:.2f}"),
        ("challenger", decision["model"][:12], f"{statistics['challenger']['bleu']:.2f}"),
    ]
    figures = [
        ("difference", f"{statistics['difference']:+.2f}", f"95 % interval {low:+.2f} to {high:+.2f}"),
        ("p-value", f"{statistics['p_value']:.4f}", f"paired bootstrap, {statistics['samples']:,} samples"),
        ("sentences translated better", statistics["better"], "by BLEU of the sentence"),
        ("sentences translated worse", statistics["worse"], ""),
        ("sentences alike", statistics["equal"], ""),
    ]
    verdict = {"promoted": "The challenger was promoted", "refused": "The champion stays"}
    return (
        f"# {verdict.get(decision['action'], decision['action'])}\n\n{cell(decision['why'])}.\n\n"
        f"{table(['model', 'digest', 'BLEU'], bleu)}\n\n{image('Difference', plot)}\n\n"
        f"{table(['comparison', 'value', ''], figures)}\n\n"
        f"{statistics['test_pairs']:,} test pairs. {_signature(statistics)}\n"
    )


def summary_page(name: str, report: Mapping[str, Any], told: Mapping[str, str], links: Mapping[str, str]) -> str:
    """What a run came to: scores, steps, where the model is, and links to artifacts.

    `told` says by a step's key what it came to; `links` has the artifacts' keys by the words that link to them.
    """
    scores = report["scores"]
    low, high = scores["bleu_interval"]
    steps = [
        (step["name"], "cached" if step["cached"] else "done", f"{step['seconds']:.1f}", told.get(step["key"], ""))
        for step in report["steps"]
    ]
    linked = ", ".join(f"[{page}](/artifacts/key/{key})" for page, key in links.items())
    decision = report.get("decision")
    decided = f"**{decision['action'].capitalize()}**: {cell(decision['why'])}\n\n" if decision else ""
    return (
        f"# {cell(name)}: BLEU {scores['bleu']:.1f}\n\n{decided}"
        f"95 % interval {low:.1f} to {high:.1f}, chrF {scores['chrf']:.1f}, on {scores['test_pairs']:,} pairs "
        f"({cell(scores['test'])})\n\n"
        f"{table(['step', '', 'seconds', 'what it came to'], steps)}\n\n"
        f"Model folder: `{report['model_dir']}`\n\nPages: {linked}\n"
    )


def translations(examples: Iterable[Mapping[str, Any]]) -> str:
    """Source, translation and reference below each other: lists wrap in the UI, wide tables are cut off."""
    return "\n".join(
        f"* {cell(one['source'])}\n  * translation: {cell(one['translation'])}\n  * reference: {cell(one['reference'])}"
        + (f"\n  * BLEU {one['bleu']:.1f}, chrF {one['chrf']:.1f}" if "bleu" in one else "")
        for one in examples
    )


def listed(pairs: Iterable[Sequence[str]]) -> str:
    """Pairs of sentences below each other."""
    return "\n".join(f"* {cell(source)}\n  * {cell(target)}" for source, target in pairs)


def side_by_side(columns: Mapping[str, Mapping[str, Any]]) -> str:
    """A table with a column for each mapping and a row for each of their plain values."""
    names = dict.fromkeys(
        name for values in columns.values() for name, value in values.items() if isinstance(value, int | float | str)
    )
    rows = [(name.replace("_", " "), *(values.get(name, "") for values in columns.values())) for name in names]
    return table(["", *columns], rows)


def table(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A Markdown table; cells may hold any text."""
    head, *body = (f"| {' | '.join(cell(value) for value in line)} |" for line in (header, *rows))
    return "\n".join([head, f"|{' --- |' * len(header)}", *body])


def cell(value: Any) -> str:
    """A value as text that ends neither its cell nor its row, and that is shown as it is: none of it is markup."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        text = MARKUP.sub(r"\\\g<0>", escape(" ".join(str(value).split()), quote=False))
        return LIST_NUMBER.sub(r"\g<0>\\", text)
    if isinstance(value, float) and abs(value) < 1000:
        return f"{value:.4g}"
    return f"{value:,.0f}"


def image(title: str, svg: str) -> str:
    """An SVG image as Markdown: Prefect's UI shows data addresses, and no inline SVG."""
    return f"![{title}](data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()})"


def length_range(bucket: Mapping[str, Any]) -> str:
    """`1 to 10`, or `61 or more`."""
    return f"{bucket['from']} to {bucket['to']}" if bucket["to"] else f"{bucket['from']} or more"

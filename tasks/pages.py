"""Records as pages of Markdown for Prefect's UI: pure functions from statistics to text."""

import base64
from collections.abc import Iterable, Mapping, Sequence
from typing import Any


def corpus_page(statistics: Mapping[str, Any]) -> str:
    """Sizes of the splits."""
    return f"# Corpus\n\n{side_by_side(statistics['splits'])}\n"


def cleaning_page(statistics: Mapping[str, Any]) -> str:
    """What cleaning dropped from the training split, what it found elsewhere, with examples."""
    counts = {
        name: {"pairs": split["pairs_before"], "kept": split["pairs_after"]}
        | (split.get("dropped") or split.get("reported") or {})
        for name, split in statistics["splits"].items()
    }
    examples = [
        (name, reason, *pair)
        for name, split in statistics["splits"].items()
        for reason, pairs in split["examples"].items()
        for pair in pairs
    ]
    shown = f"\n{table(['split', 'reason', 'source', 'target'], examples)}\n" if examples else ""
    return (
        "# Cleaning\n\nTraining pairs are dropped; validation and test pairs are only reported.\n\n"
        f"{side_by_side(counts)}\n{shown}"
    )


def vocabulary_page(statistics: Mapping[str, Any]) -> str:
    """Sizes and coverage of the two vocabularies."""
    return f"# Vocabulary\n\n{side_by_side({side: statistics[side] for side in ('source', 'target')})}\n"


def training_page(statistics: Mapping[str, Any], curves: str) -> str:
    """Figures of a training and its curves (an SVG image)."""
    figures = [
        (name.replace("_", " "), value) for name, value in statistics.items() if isinstance(value, int | float | str)
    ]
    return f"# Training\n\n{image('Loss and validation BLEU', curves)}\n\n{table(['figure', 'value'], figures)}\n"


def evaluation_page(statistics: Mapping[str, Any]) -> str:
    """Scores with their signature, and translations beside their references."""
    low, high = statistics["bleu_interval"]
    scores = [
        ("BLEU", f"{statistics['bleu']:.2f}", f"95 % interval {low:.2f} to {high:.2f}"),
        ("BLEU, lower-cased", f"{statistics['bleu_lowercased']:.2f}", ""),
        ("chrF", f"{statistics['chrf']:.2f}", ""),
        ("TER", f"{statistics['ter']:.2f}", "lower is better"),
    ]
    lengths = {
        f"{one['from']} to {one['to'] or '…'}": {"pairs": one["pairs"], "BLEU": one["bleu"]}
        for one in statistics["by_source_length"]
    }
    return (
        f"# Evaluation\n\n{statistics['test_pairs']:,} test pairs, signature `{statistics['signature']}`\n\n"
        f"{table(['score', 'value', ''], scores)}\n\n"
        f"## Translations\n\n{translations(statistics['examples'])}\n\n"
        f"## By tokens of the source\n\n{side_by_side(lengths)}\n"
    )


def translations(examples: Iterable[Mapping[str, str]]) -> str:
    """Source, translation and reference below each other: lists wrap in the UI, wide tables are cut off."""
    return "\n".join(
        f"* {cell(one['source'])}\n  * translation: {cell(one['translation'])}\n  * reference: {cell(one['reference'])}"
        for one in examples
    )


def side_by_side(columns: Mapping[str, Mapping[str, Any]]) -> str:
    """A table with a column for each mapping and a row for each of their plain values."""
    names = dict.fromkeys(
        name for values in columns.values() for name, value in values.items() if isinstance(value, int | float | str)
    )
    rows = [(name.replace("_", " "), *(values.get(name, "") for values in columns.values())) for name in names]
    return table(["", *columns], rows)


def table(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A Markdown table; cells may hold any text."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(cell(value) for value in line)} |" for line in lines)


def cell(value: Any) -> str:
    """A value as text that ends neither its cell nor its row, and that is no markup."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        text = " ".join(str(value).split()).replace("\\", "\\\\")
        return text.replace("|", "\\|").replace("<", "&lt;")
    if isinstance(value, float) and abs(value) < 1000:
        return f"{value:.4g}"
    return f"{value:,.0f}"


def image(title: str, svg: str) -> str:
    """An SVG image as Markdown: Prefect's UI shows data addresses, and no inline SVG."""
    return f"![{title}](data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()})"

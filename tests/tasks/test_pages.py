"""Pages for Prefect's UI."""

import base64
import re
from collections.abc import Callable
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from tasks.heat_map import heat_map
from tasks.pages import (
    cell,
    cleaning_page,
    comparison_page,
    evaluation_page,
    image,
    listed,
    side_by_side,
    summary_page,
    table,
    training_page,
    vocabulary_page,
)

EVALUATION = {
    "bleu": 31.234,
    "bleu_interval": [29.0, 33.0],
    "bleu_lowercased": 32.0,
    "chrf": 55.5,
    "ter": 50.0,
    "signature": "nrefs:1|case:mixed",
    "test_pairs": 1000,
    "length_ratio": 0.9716,
    "sources_with_unknown_tokens": 3,
    "at_length_limit": 0,
    "by_source_length": [
        {"from": 1, "to": 10, "pairs": 900, "bleu": 32.0},
        {"from": 61, "to": None, "pairs": 100, "bleu": 12.0},
    ],
    "examples": [{"source": "ein Hund", "translation": "a | b", "reference": "a dog"}],
    "best": [{"source": "gut", "translation": "good", "reference": "good", "bleu": 100.0, "chrf": 100.0}],
    "worst": [],
}
COMPARISON = {
    "champion": {"bleu": 30.0},
    "challenger": {"bleu": 31.25},
    "difference": 1.25,
    "difference_interval": [-0.25, 2.5],
    "p_value": 0.06,
    "better": 300,
    "worse": 200,
    "equal": 500,
    "test_pairs": 1000,
    "samples": 1000,
    "signature": "nrefs:1|case:mixed",
}
DECISION = {"action": "refused", "why": "no better", "name": "demo", "model": "a" * 32, "against": "b" * 32}


@given(st.lists(st.lists(st.text(), min_size=2, max_size=2), max_size=4))
def test_any_text_stays_in_its_cell(rows: list[list[str]]) -> None:
    lines = table(["a", "b"], rows).split("\n")

    assert len(lines) == 2 + len(rows)
    for line in lines:
        assert line.replace("\\\\", "").replace("\\|", "").count("|") == 3


def shown(page: str) -> tuple[list[str], list[str]]:
    """The blocks of a page, and the text that each shows; what is more than text stands in angle brackets."""
    blocks = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(page)
    inline = [block.children or [] for block in blocks if block.type == "inline"]
    texts = ["".join(one.content if one.type == "text" else f"<{one.type}>" for one in line) for line in inline]
    return [block.type for block in blocks], texts


MARKUP = [
    "- Ja.", "+ 1", "-", "---", "- - -", "1. Ja", "2) x", "0.", "# Nein", "C #", "> so", "*laughs*", "a\\*b*",
    "__init__", "~~x~~", "~~~", "`x`", "```",
    "[x](http://t/)", "![i](http://t/x.png)", "[a]: b", "<b>", "&lt;", "\\|", "|-|",
]  # fmt: skip
TEXTS = st.text(st.sampled_from("a1 -+*_#>.)([]!|\\`~<&;:/=\n") | st.characters(exclude_categories=("Cs", "Cc")))
PAGES: dict[str, Callable[[str], str]] = {
    "heading": lambda text: f"# On {cell(text)}",
    "paragraph": lambda text: f"{cell(text)} (12)",
    "list": lambda text: listed([(text, text)]),
    "table": lambda text: table([text], [[text]]),
}


def assert_shown_as_it_is(page: Callable[[str], str], text: str) -> None:
    blocks, texts = shown(page("a"))
    assert shown(page(text)) == (blocks, [re.sub(r"\ba\b", lambda _: " ".join(text.split()), one) for one in texts])


@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)
@pytest.mark.parametrize("text", MARKUP)
def test_markup_is_shown_as_it_is(page: Callable[[str], str], text: str) -> None:
    assert_shown_as_it_is(page, text)


@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)
@given(text=TEXTS.filter(str.strip))
def test_any_text_is_shown_as_it_is(page: Callable[[str], str], text: str) -> None:
    assert_shown_as_it_is(page, text)


@pytest.mark.parametrize("text", ["see http://a.b/x_y", "WWW.a.b/x_y"])
def test_an_address_is_no_link_since_a_link_would_show_the_backslashes_in_it(text: str) -> None:
    assert "http://" not in cell(text)
    assert "www." not in cell(text).lower()
    assert shown(cell(text))[1] == [text]


def test_numbers_are_readable_and_markup_is_text() -> None:
    assert [cell(value) for value in (12000, 23456.7, 0.123456, True, "<b> a|b\n c")] == [
        "12,000",
        "23,457",
        "0.1235",
        "True",
        "&lt;b&gt; a\\|b c",
    ]


def test_mappings_become_columns_and_their_plain_values_rows() -> None:
    assert side_by_side({"train": {"pairs": 3, "nested": {}}, "test": {"pairs": 1, "mean_words": 2.5}}) == (
        "|  | train | test |\n| --- | --- | --- |\n| pairs | 3 | 1 |\n| mean words |  | 2.5 |"
    )


def test_cleaning_says_what_was_dropped_and_shows_examples() -> None:
    page = cleaning_page(
        {
            "splits": {
                "train": {
                    "pairs_before": 10,
                    "pairs_after": 8,
                    "dropped": {"duplicate": 2},
                    "examples": {"duplicate": [["ein Hund", "a dog"]]},
                },
                "test": {
                    "pairs_before": 5,
                    "pairs_after": 5,
                    "reported": {"duplicate": 1},
                    "seen_sources": 4,
                    "examples": {},
                },
            }
        }
    )

    assert "| kept | 8 | 5 |" in page
    assert "| duplicate | 2 | 1 |" in page
    assert "| source in training |  | 4 |" in page
    assert "* **duplicate**: the pair occurred before" in page
    assert "leak" not in page.replace("| leak", "")
    assert "### train, duplicate\n\n* ein Hund\n  * a dog" in page


def test_cleaning_that_found_nothing_says_so() -> None:
    splits = {"train": {"pairs_before": 3, "pairs_after": 3, "dropped": {"empty": 0}, "examples": {}}}

    assert "No pair was found fault with." in cleaning_page({"splits": splits})


def test_the_vocabulary_shows_coverage_and_what_is_not_covered() -> None:
    source = {"tokens": 600, "different_pieces": 800, "covered": 0.985, "unknown_rate": 0.01, "tokens_per_word": 1.5}
    sides = {"source": source | {"frequent_unknown": [["Hütte", 12]]}, "target": source | {"frequent_unknown": []}}
    page = vocabulary_page(sides)

    assert "| running words covered | 98.50% | 98.50% |" in page
    assert "## Not covered, source\n\nHütte (12)" in page
    assert "Not covered, target" not in page


def test_evaluation_shows_scores_with_signature_and_interval_and_translations() -> None:
    page = evaluation_page(EVALUATION, "c" * 32, "news|2016", "<svg/>", ["<svg/>", "<svg/>"])

    assert page.startswith("# Evaluation of model cccccccccccc on news\\|2016\n")
    assert "Signature of BLEU:\n\n```\nnrefs:1|case:mixed\n```" in page
    assert "| length ratio | 0.972 | tokens of the translations over those of the references |" in page
    assert "| pairs | 1,000 | news\\|2016 |" in page
    assert "| sources with unknown tokens | 3 | not in the vocabulary |" in page
    assert "| BLEU | 31.23 | 95 % interval 29.00 to 33.00 |" in page
    assert "| 1 to 10 | 900 | 32.0 |\n| 61 or more | 100 | 12.0 |" in page
    assert "* ein Hund\n  * translation: a \\| b\n  * reference: a dog" in page
    assert "### Best" in page
    assert "BLEU 100.0, chrF 100.0" in page
    assert "### Worst" not in page
    assert page.count("![Attention](data:image/svg+xml") == 2


def test_a_model_without_attention_has_no_section_on_it() -> None:
    assert "Attention" not in evaluation_page(EVALUATION, "c" * 32, "news|2016", "<svg/>", [])


def test_a_comparison_says_first_what_was_decided_and_why() -> None:
    page = comparison_page(COMPARISON, DECISION, "<svg/>")

    assert page.startswith("# The champion stays\n\nno better.\n")
    assert "| challenger | aaaaaaaaaaaa | 31.25 |" in page
    assert "| difference | +1.25 | 95 % interval -0.25 to +2.50 |" in page
    assert "| sentences translated worse | 200 |" in page


def test_a_summary_tells_steps_and_links_the_pages_of_the_model() -> None:
    report = {
        "scores": {"test": "news", **EVALUATION},
        "steps": [{"name": "fetch", "key": "1a", "cached": True, "seconds": 0.04}],
        "model_dir": "/models/de-en/demo",
    }
    page = summary_page("demo", report, {"1a": "10 train pairs"}, {"corpus": "demo-corpus"})

    assert page.startswith("# demo: BLEU 31.2\n")
    assert "on 1,000 pairs (news)" in page
    assert "| fetch | cached | 0.0 | 10 train pairs |" in page
    assert "[corpus](/artifacts/key/demo-corpus)" in page


def test_the_summary_of_a_retraining_says_what_was_decided() -> None:
    report = {"scores": {"test": "news", **EVALUATION}, "steps": [], "model_dir": "", "decision": DECISION}

    assert "**Refused**: no better" in summary_page("demo", report, {}, {})


def test_a_heat_map_has_a_field_for_each_weight_that_can_be_seen_and_text_that_is_text() -> None:
    drawn = heat_map(["▁나는", "<", "</s>"], ["▁I", "</s>"], [[0.9, 0.09, 0.01], [0.0, 0.0, 1.0]])
    tree = ElementTree.fromstring(drawn)
    rects = [rect for rect in tree.iter("{http://www.w3.org/2000/svg}rect") if "fill-opacity" in rect.attrib]

    assert [rect.attrib["fill-opacity"] for rect in rects] == ["0.90", "0.09", "1.00"]
    assert [text.text for text in tree.iter("{http://www.w3.org/2000/svg}text")] == [
        "▁나는", "<", "</s>", "▁I", "</s>",
    ]  # fmt: skip


@pytest.mark.parametrize("words", ["tokens of the source", "300 pairs", "20.0", "all pairs: 31.2"])
def test_bars_of_bleu_by_length_are_labelled(words: str) -> None:
    from tasks.plots import bleu_by_length

    assert words in bleu_by_length([{"from": 1, "to": 10, "pairs": 300, "bleu": 20.0}], 31.2)


def test_the_difference_is_drawn_beside_nought() -> None:
    from tasks.plots import difference

    assert "BLEU of the challenger minus BLEU of the champion" in difference(COMPARISON)


def test_the_curves_are_an_svg_image_in_a_data_address() -> None:
    from tasks.plots import training_curves

    history = [
        {"step": 1, "loss": 3.0, "learning_rate": 0.1},
        {"step": 2, "valid_bleu": 5.0, "valid_nats_per_token": 2.5},
    ]
    svg = training_curves(history)
    page = training_page({"steps": 2, "valid_bleu": 5.0, "history": history}, svg)

    assert svg.startswith("<?xml")
    assert "nats per target token" in base64.b64decode(page.split("base64,")[1].split(")")[0]).decode()
    assert "| steps | 2 |\n| validation BLEU | 5 |" in page
    assert image("x", "<svg/>") == "![x](data:image/svg+xml;base64,PHN2Zy8+)"

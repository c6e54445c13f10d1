"""Pages for Prefect's UI."""

import base64

from hypothesis import given
from hypothesis import strategies as st

from tasks.pages import cell, cleaning_page, evaluation_page, image, side_by_side, table, training_page


@given(st.lists(st.lists(st.text(), min_size=2, max_size=2), max_size=4))
def test_any_text_stays_in_its_cell(rows: list[list[str]]) -> None:
    lines = table(["a", "b"], rows).split("\n")

    assert len(lines) == 2 + len(rows)
    for line in lines:
        assert line.replace("\\\\", "").replace("\\|", "").count("|") == 3


def test_numbers_are_readable_and_markup_is_text() -> None:
    assert [cell(value) for value in (12000, 23456.7, 0.123456, True, "<b> a|b\n c")] == [
        "12,000",
        "23,457",
        "0.1235",
        "True",
        "&lt;b> a\\|b c",
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
                "test": {"pairs_before": 5, "pairs_after": 5, "reported": {"duplicate": 1}, "examples": {}},
            }
        }
    )

    assert "| kept | 8 | 5 |" in page
    assert "| duplicate | 2 | 1 |" in page
    assert "| train | duplicate | ein Hund | a dog |" in page


def test_evaluation_shows_scores_with_signature_and_interval_and_translations() -> None:
    page = evaluation_page(
        {
            "bleu": 31.234,
            "bleu_interval": [29.0, 33.0],
            "bleu_lowercased": 32.0,
            "chrf": 55.5,
            "ter": 50.0,
            "signature": "nrefs:1|case:mixed",
            "test_pairs": 1000,
            "by_source_length": [{"from": 1, "to": 10, "pairs": 900, "bleu": 32.0}],
            "examples": [{"source": "ein Hund", "translation": "a | b", "reference": "a dog"}],
        }
    )

    assert "1,000 test pairs, signature `nrefs:1|case:mixed`" in page
    assert "| BLEU | 31.23 | 95 % interval 29.00 to 33.00 |" in page
    assert "* ein Hund\n  * translation: a \\| b\n  * reference: a dog" in page
    assert "|  | 1 to 10 |\n| --- | --- |\n| pairs | 900 |\n| BLEU | 32 |" in page


def test_the_curves_are_an_svg_image_in_a_data_address() -> None:
    from tasks.plots import training_curves

    history = [
        {"step": 1, "loss": 3.0, "learning_rate": 0.1},
        {"step": 2, "valid_bleu": 5.0, "valid_nats_per_token": 2.5},
    ]
    svg = training_curves(history)
    page = training_page({"steps": 2, "history": history}, svg)

    assert svg.startswith("<?xml")
    assert "nats per target token" in base64.b64decode(page.split("base64,")[1].split(")")[0]).decode()
    assert "| steps | 2 |" in page
    assert image("x", "<svg/>") == "![x](data:image/svg+xml;base64,PHN2Zy8+)"

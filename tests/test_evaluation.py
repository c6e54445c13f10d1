import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from seq2seq.corpora.pairs import pairs_of, write_pairs
from seq2seq.errors import CorpusError, ModelError, TrainingInterrupted
from seq2seq.evaluation import EvaluationProgress, evaluate
from seq2seq.pipeline import Job
from seq2seq.registry.model_folder import load_model
from seq2seq.settings.evaluation import EvaluationSettings
from seq2seq.settings.runtime import RuntimeSettings
from seq2seq.storage.artifacts import Artifact
from seq2seq.translator import Translator
from seq2seq.workspace.report import SCORES
from tests.tiny import write_tiny_model

RUNTIME = RuntimeSettings(threads=1, device="cpu")
SETTINGS = EvaluationSettings(beam_size=2, batch_sentences=4, bootstrap_samples=100, int8=False)
SOURCES = [
    "eins zwei",
    "drei",
    "vier fünf sechs neun",
    "",
    "acht und eins",
    "zwei zwei",
    "sieben!",
    " ".join(["eins"] * 12),
]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_model(tmp_path_factory.mktemp("evaluation") / "model")


@pytest.fixture
def run(model: Path, tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """Evaluates the tiny model on the given pairs; what it writes is in `tmp_path / name`."""

    def evaluate_on(
        sources: list[str], references: list[str], name: str = "scores", int8: bool = False, **job: Any
    ) -> dict[str, Any]:
        languages = job.pop("languages", ("de", "en"))
        clean, into = tmp_path / f"{name}-clean", tmp_path / name
        clean.mkdir()
        into.mkdir()
        write_pairs(clean / "test.arrow", pairs_of(*languages, sources, references))
        done = Job(into, tmp_path / "checkpoints", RUNTIME, **job)
        settings = SETTINGS.model_copy(update={"int8": int8})
        return evaluate(settings, Artifact(model), Artifact(clean, ("test",)), done)

    return evaluate_on


def own_translations(model: Path) -> list[str]:
    return Translator.load(model, RUNTIME).translate(SOURCES, SETTINGS.beam_size)


Run = Callable[..., dict[str, Any]]


def test_a_model_is_perfect_on_its_own_translations(run: Run, model: Path) -> None:
    found = run(SOURCES, own_translations(model))
    assert (found["bleu"], found["chrf"], found["ter"]) == (100, 100, 0)
    assert found["test_pairs"] == len(SOURCES)
    assert all(bucket["bleu"] == 100 for bucket in found["by_source_length"])


def test_the_statistics_hold_what_the_report_promises(run: Run) -> None:
    found = run(SOURCES, SOURCES)
    assert set(SCORES) <= found.keys()
    json.dumps(found, allow_nan=False)


def test_what_int8_costs_is_measured_beside_the_scores(
    run: Run, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = load_model(write_tiny_model(tmp_path / "other", seed=4)).model
    monkeypatch.setattr("seq2seq.engine.quantized", lambda exact: other)  # so that there is a difference for sure
    own = Translator.load(model, RUNTIME, "int8").translate(SOURCES, SETTINGS.beam_size)
    found = run(SOURCES, own, int8=True)
    assert found["int8"]["bleu"] == 100
    assert found["int8"]["difference"] == round(100 - found["bleu"], 4) > 0
    assert json.loads((tmp_path / "scores" / "scores.json").read_text(encoding="utf-8"))["int8"] == found["int8"]
    assert "int8" not in run(SOURCES, own, "plain")


def test_five_examples_are_spread_over_the_test_split(run: Run, model: Path) -> None:
    references = [f"reference {number}" for number in range(len(SOURCES))]
    examples = run(SOURCES, references)["examples"]
    assert [example["source"] for example in examples] == [SOURCES[place] for place in (0, 2, 4, 5, 7)]
    assert [example["reference"] for example in examples] == [references[place] for place in (0, 2, 4, 5, 7)]
    assert examples[0]["translation"] == own_translations(model)[0]


def test_a_small_test_split_shows_each_pair_once(run: Run) -> None:
    examples = run(SOURCES[:2], SOURCES[:2])["examples"]
    assert [example["source"] for example in examples] == SOURCES[:2]


def test_the_best_and_the_worst_are_no_short_sentences_and_no_sentence_twice(run: Run, model: Path) -> None:
    translations = own_translations(model)
    nearly = f"{translations[7]} xyz"
    references = [
        translations[0],
        translations[1],
        translations[2],
        "",
        "xyz",
        translations[5],
        translations[6],
        nearly,
    ]
    sources = [*SOURCES, SOURCES[2]]
    found = run(sources, [*references, translations[2]])

    assert [one["source"] for one in found["best"]] == [SOURCES[2], SOURCES[0], SOURCES[5]]
    assert [one["source"] for one in found["worst"]] == [SOURCES[4], SOURCES[7]]
    assert found["best"][0]["bleu"] == 100
    assert found["worst"][0]["bleu"] < 1


def test_a_perfect_translation_is_not_among_the_worst(run: Run, model: Path) -> None:
    assert run(SOURCES, own_translations(model))["worst"] == []


def test_attention_is_kept_for_sentences_that_can_be_read(run: Run, model: Path, tmp_path: Path) -> None:
    words = ["eins", "zwei", "drei", "vier", "fünf"]
    sentences = [*SOURCES, *(" ".join(words[first:] + words[:first]) for first in range(5))]
    run(sentences, ["x"] * len(sentences))
    maps = json.loads((tmp_path / "scores" / "log" / "attention.json").read_text(encoding="utf-8"))

    lengths = [len(one["source_tokens"]) - 1 for one in maps]
    assert lengths
    assert set(lengths) <= set(range(5, 25))
    assert len(maps[0]["weights_TS"]) == len(maps[0]["target_tokens"])


def test_the_table_has_a_row_for_each_pair_in_order(run: Run, model: Path, tmp_path: Path) -> None:
    run(SOURCES, SOURCES)
    lines = (tmp_path / "scores" / "translations.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    assert [row["source"] for row in rows] == SOURCES
    assert [row["translation"] for row in rows] == own_translations(model)
    assert rows[2]["unknown_tokens"] == 1
    assert rows[4]["source_tokens"] == 3
    assert {"reference", "bleu", "chrf", "target_tokens", "at_limit"} <= rows[0].keys()


def test_equal_inputs_give_equal_bytes_and_times_lie_apart(run: Run, tmp_path: Path) -> None:
    run(SOURCES, SOURCES, "first")
    run(SOURCES, SOURCES, "second")
    files = sorted(path.name for path in (tmp_path / "first").iterdir() if path.is_file())
    assert files == ["scores.json", "translations.jsonl"]
    for name in files:
        assert (tmp_path / "first" / name).read_bytes() == (tmp_path / "second" / name).read_bytes()
    timing = json.loads((tmp_path / "first" / "log" / "timing.json").read_text(encoding="utf-8"))
    assert timing["sentences"] == len(SOURCES)


def test_weak_spots_are_counted(run: Run, tmp_path: Path) -> None:
    found = run(SOURCES, SOURCES)
    rows = [json.loads(line) for line in (tmp_path / "scores" / "translations.jsonl").read_text("utf-8").splitlines()]
    assert found["sources_with_unknown_tokens"] == 1
    assert found["at_length_limit"] == sum(row["at_limit"] for row in rows) > 0
    assert [(bucket["from"], bucket["to"], bucket["pairs"]) for bucket in found["by_source_length"]] == [
        (1, 10, 6),
        (11, 20, 1),
    ]


def test_progress_counts_translated_sentences(run: Run) -> None:
    events: list[EvaluationProgress] = []
    run(SOURCES, SOURCES, notify=events.append)
    assert events == [EvaluationProgress(5, 8), EvaluationProgress(8, 8)]


def test_someone_can_end_an_evaluation(run: Run, tmp_path: Path) -> None:
    with pytest.raises(TrainingInterrupted, match="stopped after 5 of 8 sentences"):
        run(SOURCES, SOURCES, should_stop=lambda: True)
    assert not list((tmp_path / "scores").iterdir())


def test_an_empty_test_split_is_an_error(run: Run) -> None:
    with pytest.raises(CorpusError, match="test split has no pair"):
        run([], [])


def test_a_missing_test_split_is_an_error(model: Path, tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"no test split to score on: name one in corpus\.test"):
        evaluate(SETTINGS, Artifact(model), Artifact(tmp_path, ("test",)), Job(tmp_path, tmp_path, RUNTIME))


def test_a_test_split_in_the_other_direction_is_an_error(run: Run) -> None:
    with pytest.raises(CorpusError, match="translates de to en, and the test split goes from en to de"):
        run(SOURCES, SOURCES, languages=("en", "de"))


def test_a_model_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no model folder"):
        evaluate(SETTINGS, Artifact(tmp_path / "none"), Artifact(tmp_path), Job(tmp_path, tmp_path, RUNTIME))

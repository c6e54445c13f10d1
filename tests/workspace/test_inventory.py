"""Which of a model's evaluations the list of models shows."""

from pathlib import Path

from seq2seq.config import Config
from seq2seq.registry.champions import Shelf, model_files
from seq2seq.registry.sharing import assemble
from seq2seq.storage.artifacts import digest_of, part_of
from seq2seq.workspace.inventory import Evaluation, comparable, entries
from tests.tiny import write_tiny_model


def scored(*used: tuple[str, str, float]) -> dict[str, float]:
    """BLEU by model of evaluations (model, test set, BLEU), the last used first."""
    found = [Evaluation(model, test, {"bleu": bleu}) for model, test, bleu in used]
    return {model: statistics["bleu"] for model, statistics in comparable(found).items()}


def test_models_are_shown_on_the_test_set_that_two_of_them_share() -> None:
    news_of_one = ("one", "news", 20.0)

    assert scored(news_of_one, ("two", "test", 41.0), ("one", "test", 40.0)) == {"one": 40.0, "two": 41.0}


def test_of_several_such_test_sets_it_is_the_one_used_last() -> None:
    older, newer = [("one", "test", 40.0), ("two", "test", 41.0)], [("one", "news", 20.0), ("three", "news", 21.0)]

    assert scored(*newer, *older) == {"one": 20.0, "three": 21.0}
    assert scored(*older, *newer) == {"one": 40.0, "two": 41.0}


def test_where_nothing_can_be_compared_each_model_has_what_was_used_last() -> None:
    assert scored(("one", "news", 20.0), ("one", "test", 40.0), ("two", "dev", 30.0)) == {"one": 20.0, "two": 30.0}
    assert scored() == {}


def test_an_evaluation_with_other_settings_that_was_used_last_wins() -> None:
    greedy_last = [("one", "test", 39.0), ("one", "test", 40.0), ("two", "test", 41.0)]

    assert scored(*greedy_last) == {"one": 39.0, "two": 41.0}


def test_a_score_of_the_other_direction_is_no_score_of_a_pair(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "models" / "de-en")
    assemble(write_tiny_model(tmp_path / "trained"), shelf.folder / "one", "# one\n", Config(name="one"))
    model = digest_of(
        {part_of(name): digest_of({name: sha256}) for name, sha256 in model_files(shelf.folder / "one").items()}
    )
    back = Evaluation(model, "back", {"bleu": 20.0, "languages": ["en", "de"]})
    there = Evaluation(model, "there", {"bleu": 40.0, "languages": ["de", "en"]})

    (entry,) = entries(shelf, [], [back, there])
    assert entry.scores["bleu"] == 40.0
    (entry,) = entries(shelf, [], [back])
    assert not entry.scores

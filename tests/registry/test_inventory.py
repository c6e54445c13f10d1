"""Which of a model's evaluations the list of models shows."""

from seq2seq.registry.inventory import Evaluation, comparable


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

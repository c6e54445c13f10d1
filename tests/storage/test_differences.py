from seq2seq.config import Config, load_config
from seq2seq.storage.differences import as_setting, differences


def test_settings_that_differ_are_given_with_both_values_in_the_order_of_the_settings() -> None:
    old = Config(name="a").model_dump(mode="json")
    new = load_config("", ["training.seed=2", "model.attention=dot"], base={"name": "b"}).model_dump(mode="json")

    assert differences(old, new) == [
        (("name",), "a", "b"),
        (("model", "attention"), "none", "dot"),
        (("training", "seed"), 1, 2),
    ]
    assert differences(old, old) == []


def test_a_setting_that_one_version_did_not_have_is_none_there() -> None:
    assert differences({"training": {"seed": 1}}, {"training": {"seed": 1, "new": 2}}) == [
        (("training", "new"), None, 2)
    ]


def test_what_is_nested_deeper_than_the_levels_asked_for_is_a_value() -> None:
    old, new = {"corpus": {"sha256": {}}}, {"corpus": {"sha256": {"a": "b"}}}
    assert differences(old, new) == [(("corpus", "sha256", "a"), None, "b")]
    assert differences(old, new, levels=2) == [(("corpus", "sha256"), {}, {"a": "b"})]


def test_a_setting_is_shown_as_it_is_written() -> None:
    assert [as_setting(value) for value in ("dot", "", 1e-4, True, None, ["ä"])] == [
        "dot",
        '""',
        "0.0001",
        "true",
        "null",
        '["ä"]',
    ]

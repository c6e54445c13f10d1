"""Which of two sets of translations is better, and the decision that follows."""

import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.significance import PairedTest

from seq2seq.config import load_config
from seq2seq.errors import ConfigError, CorpusError
from seq2seq.pipeline import Job
from seq2seq.registry.comparison import COMPARE, compare, compare_files, judge, p_value
from seq2seq.settings.evaluation import EvaluationSettings
from seq2seq.settings.promotion import PromotionSettings
from seq2seq.storage.artifacts import Artifact

SETTINGS = EvaluationSettings(bootstrap_samples=300)
WORDS = ["the", "small", "dog", "sees", "a", "big", "cat", "while", "one", "old", "man", "runs", "over", "there"]


def sentences(pairs: int = 60) -> list[str]:
    draw = random.Random(4)
    return [" ".join(draw.choices(WORDS, k=draw.randint(4, 12))) + "." for _ in range(pairs)]


def spoiled(references: Sequence[str], share: float, seed: int) -> list[str]:
    """The references with some of their words replaced."""
    draw = random.Random(seed)
    return [
        " ".join(draw.choice(WORDS) if draw.random() < share else word for word in reference.split())
        for reference in references
    ]


def write(folder: Path, translations: Sequence[str], references: Sequence[str]) -> Artifact:
    """What `evaluate` leaves, as far as a comparison reads it."""
    folder.mkdir()
    with (folder / "translations.jsonl").open("w", encoding="utf-8") as table:
        for text, reference in zip(translations, references, strict=True):
            table.write(json.dumps({"source": reference[::-1], "reference": reference, "translation": text}) + "\n")
    return Artifact(folder, ("translations",))


def compared(folder: Path, old: Sequence[str], new: Sequence[str], references: Sequence[str]) -> dict[str, Any]:
    (folder / "made").mkdir()
    artifacts = write(folder / "old", old, references), write(folder / "new", new, references)
    return compare(SETTINGS, *artifacts, Job(folder / "made", folder))


@pytest.mark.parametrize("shares", [(0.30, 0.27), (0.2, 0.4), (0.3, 0.3)])
def test_scores_and_p_value_are_those_of_sacrebleu(
    tmp_path: Path, shares: tuple[float, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SACREBLEU_SEED", "12345")
    references = sentences()
    old, new = (spoiled(references, share, seed) for seed, share in enumerate(shares))

    found = compared(tmp_path, old, new, references)

    systems = [("old", old), ("new", new)]
    test = PairedTest(systems, {"BLEU": BLEU(force=True)}, [references], "bs", SETTINGS.bootstrap_samples)
    signatures, scores = test()
    assert found["champion"]["bleu"] == pytest.approx(scores["BLEU"][0].score, abs=1e-4)
    assert found["challenger"]["bleu"] == pytest.approx(scores["BLEU"][1].score, abs=1e-4)
    assert found["p_value"] == pytest.approx(scores["BLEU"][1].p_value)
    assert found["signature"] == str(signatures["BLEU"])


def test_no_environment_and_no_second_run_changes_a_comparison(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    references = sentences()
    old, new = spoiled(references, 0.3, 1), spoiled(references, 0.25, 2)
    first = compared(tmp_path, old, new, references)
    monkeypatch.setenv("SACREBLEU_SEED", "7")

    again = compare_files(SETTINGS, tmp_path / "old" / "translations.jsonl", tmp_path / "new" / "translations.jsonl")

    assert again == first == json.loads((tmp_path / "made" / "comparison.json").read_text(encoding="utf-8"))


def test_a_clearly_better_challenger_is_better_in_every_figure(tmp_path: Path) -> None:
    references = sentences()

    found = compared(tmp_path, spoiled(references, 0.5, 1), spoiled(references, 0.1, 2), references)

    low, high = found["difference_interval"]
    assert 0 < low < found["difference"] < high
    assert found["p_value"] < 0.01
    assert found["better"] > found["worse"]
    assert found["better"] + found["worse"] + found["equal"] == found["test_pairs"] == len(references)


def test_equal_translations_are_no_evidence_of_anything(tmp_path: Path) -> None:
    references = sentences()
    translations = spoiled(references, 0.3, 1)

    found = compared(tmp_path, translations, translations, references)

    assert (found["difference"], found["difference_interval"], found["p_value"]) == (0, [0, 0], 1)
    assert (found["better"], found["worse"], found["equal"]) == (0, 0, len(references))


def test_at_level_five_percent_one_in_twenty_equally_good_challengers_is_called_better() -> None:
    draw = np.random.default_rng(1)
    calls = []
    for _ in range(2000):
        difference = draw.normal()  # what chance made of a true difference of 0, with a standard error of 1
        calls.append(difference > 0 and p_value(difference + draw.normal(size=400), difference) < 0.05)

    assert 0.03 < np.mean(calls) < 0.07


@pytest.mark.parametrize("side", ["source", "reference"])
def test_translations_of_different_pairs_are_not_compared_and_the_first_that_differs_is_named(
    tmp_path: Path, side: str
) -> None:
    references = sentences(5)
    for name in ("old", "new"):
        write(tmp_path / name, references, references)
    path = tmp_path / "new" / "translations.jsonl"
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    rows[2][side] = "Something else."
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")

    with pytest.raises(CorpusError, match=rf"in line 3 the {side} is .*Something else\."):
        compare_files(SETTINGS, tmp_path / "old" / "translations.jsonl", path)


def test_a_test_set_and_its_beginning_are_not_compared(tmp_path: Path) -> None:
    references = sentences(5)
    write(tmp_path / "old", references, references)
    write(tmp_path / "new", references[:4], references[:4])

    with pytest.raises(CorpusError, match="of 5 and 4 pairs"):
        compare_files(SETTINGS, tmp_path / "old" / "translations.jsonl", tmp_path / "new" / "translations.jsonl")


@pytest.mark.parametrize(
    ("policy", "old", "new", "p", "promoted"),
    [
        ("better", 30.1, 31.2, 0.004, True),
        ("better", 30.1, 31.2, 0.05, False),
        ("better", 31.2, 30.1, 0.004, False),
        ("not_worse", 30.1, 31.2, 0.004, True),
        ("not_worse", 31.2, 30.1, 0.2, True),
        ("not_worse", 31.2, 30.1, 0.004, False),
        ("not_worse", 30.1, 30.1, 1.0, True),
        ("always", 31.2, 10.1, 0.001, True),
    ],
)
def test_the_policy_decides(policy: Any, old: float, new: float, p: float, promoted: bool) -> None:
    comparison = {"champion": {"bleu": old}, "challenger": {"bleu": new}, "difference": new - old, "p_value": p}

    assert judge(comparison, PromotionSettings(policy=policy))[0] is promoted


def test_a_decision_is_told_with_its_numbers() -> None:
    comparison = {"champion": {"bleu": 30.1}, "challenger": {"bleu": 31.2}, "difference": 1.1, "p_value": 0.004}

    assert judge(comparison, PromotionSettings())[1] == "BLEU 31.2 against 30.1, p = 0.004 < 0.05: better"
    assert judge(comparison, PromotionSettings(level=0.001, policy="not_worse"))[1] == (
        "BLEU 31.2 against 30.1, p = 0.004 ≥ 0.001: not significantly better; promotion.policy is not_worse"
    )


@pytest.mark.parametrize("policy", ["better", "not_worse"])
def test_a_level_that_no_p_value_can_fall_below_is_refused_before_anything_is_trained(policy: str) -> None:
    wanted = ["evaluation.bootstrap_samples=100", f"promotion.policy={policy}", "promotion.level=0.005"]
    with pytest.raises(ConfigError, match=r"promotion: .* set evaluation\.bootstrap_samples to 200 or more"):
        load_config("demo", wanted)

    with pytest.raises(ConfigError, match=r"set evaluation\.bootstrap_samples to 2000 or more"):
        load_config("demo", [*wanted[:2], "promotion.level=0.0005"])
    enough = load_config("demo", ["evaluation.bootstrap_samples=200", *wanted[1:]])
    assert p_value(np.ones(200), 1) < enough.promotion.level


def test_the_step_reads_the_translations_alone() -> None:
    assert COMPARE.load() is compare
    assert set(COMPARE.inputs.values()) == {("translations",)}

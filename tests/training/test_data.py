"""Training batches: words cut anew in each epoch, and both directions in one training."""

import itertools
import shutil
from collections import Counter
from collections.abc import Callable, Iterable
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer

from seq2seq.batching import EncodedPairs
from seq2seq.errors import TrainingInterrupted
from seq2seq.ragged import Indices
from seq2seq.settings.training import TrainingSettings
from seq2seq.storage.artifacts import Record, Workspace
from seq2seq.subwords.language_tags import tag_into
from seq2seq.training.data import TrainingData, read_training_data
from tests.training.conftest import PAIRS, prepare

Prepared = tuple[Workspace, dict[str, Record]]
Batch = tuple[EncodedPairs, Indices]
VOCABULARIES: dict[str, dict[str, Any]] = {
    "bpe": {"kind": "bpe"},
    "unigram": {"kind": "unigram"},
    "bpe, both directions": {"kind": "bpe", "joint": True, "language_tags": True},
}
STRENGTHS: dict[str, dict[str, float]] = {"bpe": {"subword_dropout": 0.3}, "unigram": {"subword_temperature": 20.0}}


@pytest.fixture(scope="module", params=VOCABULARIES)
def vocabulary(request: pytest.FixtureRequest) -> dict[str, Any]:
    return {**VOCABULARIES[request.param], "size": 60}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory, vocabulary: dict[str, Any]) -> Prepared:
    return prepare(tmp_path_factory, vocabulary)


@pytest.fixture
def sampled(vocabulary: dict[str, Any]) -> dict[str, float]:
    """Training settings that cut words anew."""
    return STRENGTHS[vocabulary["kind"]]


def tokenizers_of(prepared: Prepared) -> list[Tokenizer]:
    workspace, records = prepared
    folder = workspace.open(records["vocabulary"]).folder
    return [Tokenizer.from_file(str(folder / f"{side}_tokenizer.json")) for side in ("source", "target")]


def data_of(prepared: Prepared, **settings: Any) -> TrainingData:
    workspace, records = prepared
    path = workspace.open(records["encode"]).file("train.arrow")
    source, target = tokenizers_of(prepared)
    return read_training_data(path, source, target, TrainingSettings(batch_tokens=60, **settings))


def ids(batches: Iterable[Batch]) -> list[list[tuple[list[int], list[int]]]]:
    return [[(pairs.source[row].tolist(), pairs.target[row].tolist()) for row in indices] for pairs, indices in batches]


def texts(batches: Iterable[Batch], prepared: Prepared) -> Counter[tuple[str, str]]:
    """Source and target text of each pair, the source's language tag in front."""
    source, target = tokenizers_of(prepared)
    found: Counter[tuple[str, str]] = Counter()
    for sources, targets in chain.from_iterable(ids(batches)):
        tag = next((f"<2{name}> " for name in ("de", "en") if tag_into(source, name) == sources[0]), "")
        found[tag + source.decode(sources), target.decode(targets)] += 1
    return found


def corpus(prepared: Prepared) -> Counter[tuple[str, str]]:
    if tag_into(tokenizers_of(prepared)[0], "en") is None:
        return Counter(PAIRS)
    return Counter([(f"<2en> {de}", en) for de, en in PAIRS] + [(f"<2de> {en}", de) for de, en in PAIRS])


def test_every_epoch_holds_the_corpus_in_equally_many_batches(prepared: Prepared, sampled: dict[str, float]) -> None:
    data = data_of(prepared, **sampled)
    for epoch in range(5):
        batches = list(data.batches(epoch))
        assert len(batches) == data.steps_per_epoch > 1
        assert texts(batches, prepared) == corpus(prepared)


def test_an_epochs_batches_depend_on_seed_and_epoch_alone(prepared: Prepared, sampled: dict[str, float]) -> None:
    went_through = data_of(prepared, **sampled)
    epochs = [ids(went_through.batches(epoch)) for epoch in range(3)]
    assert ids(data_of(prepared, **sampled).batches(2)) == epochs[2]
    assert ids(data_of(prepared, seed=2, **sampled).batches(2)) != epochs[2]


def test_words_are_cut_in_other_ways_in_another_epoch(prepared: Prepared, sampled: dict[str, float]) -> None:
    data = data_of(prepared, **sampled)
    first, second = (sorted(chain.from_iterable(ids(data.batches(epoch)))) for epoch in range(2))
    assert first != second


def test_without_sampling_words_are_cut_as_in_translation(prepared: Prepared) -> None:
    _, target = tokenizers_of(prepared)
    for _, tokens in chain.from_iterable(ids(data_of(prepared).batches(0))):
        assert tokens == target.encode(target.decode(tokens)).ids


def test_an_epoch_can_be_entered_in_its_middle(prepared: Prepared, sampled: dict[str, float]) -> None:
    data = data_of(prepared, **sampled)
    assert ids(data.batches(1, first=1)) == ids(data.batches(1))[1:]


def stop_after(checks: int) -> Callable[[], bool]:
    looks = itertools.count(1)
    return lambda: next(looks) == checks


def test_a_training_on_sampled_words_stopped_and_resumed_ends_with_the_same_weights(
    train: Callable[..., Record], tmp_path: Path, vocabulary: dict[str, Any], sampled: dict[str, float]
) -> None:
    settings = {
        "training": {"max_epochs": 4, "batch_tokens": 60, "validations_per_epoch": 0.5, **sampled},
        "vocabulary": vocabulary,
    }
    with pytest.raises(TrainingInterrupted):
        train(should_stop=stop_after(5), **settings)
    resumed = train(**settings)
    shutil.rmtree(tmp_path / "checkpoints")
    assert resumed.digest == train(**settings).digest

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from seq2seq import __main__ as command
from seq2seq.batching import pad_sources
from seq2seq.decoding.beam_search import beam_search
from seq2seq.decoding.ensemble import Ensemble
from seq2seq.decoding.steps import greedy
from seq2seq.errors import ModelError
from seq2seq.export.folder import export_model
from seq2seq.registry.model_folder import load_model
from seq2seq.settings.runtime import RuntimeSettings
from seq2seq.translator import Translator
from seq2seq.translator_pool import TranslatorPool
from tests.test_translator import sentences
from tests.tiny import write_tiny_model

RUNTIME = RuntimeSettings(threads=1, device="cpu")


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """An LSTM, a GRU and a Transformer with one vocabulary."""
    root = tmp_path_factory.mktemp("ensemble")
    return [
        write_tiny_model(root / "lstm", seed=1),
        write_tiny_model(root / "gru", seed=2, architecture="gru", attention="additive"),
        write_tiny_model(root / "transformer", seed=3, scale=2, architecture="transformer", attention_heads=2),
    ]


def batch_of(folder: Path) -> tuple[Tensor, Tensor, Tensor]:
    encodings = load_model(folder).source_tokenizer.encode_batch_fast(sentences(9))
    source_BS, lengths_B = pad_sources([torch.tensor(each.ids).numpy() for each in encodings])
    return source_BS, lengths_B, lengths_B + 6


@torch.inference_mode()
def test_a_token_has_the_mean_of_the_probabilities_that_the_models_give_it(folders: list[Path]) -> None:
    models: list[Any] = [load_model(folder).model for folder in folders]
    ensemble, (source_BS, lengths_B, _) = Ensemble(models), batch_of(folders[0])
    tokens, rows = [torch.full((9,), 2), torch.full((9,), 5), torch.arange(4, 13)], torch.arange(8, -1, -1)
    memory = ensemble.encode(source_BS, lengths_B)
    state, memories = ensemble.start(memory), [model.encode(source_BS, lengths_B) for model in models]
    states = [model.start(each) for model, each in zip(models, memories, strict=True)]
    for tokens_N in tokens:
        found_NV, state = ensemble.step(tokens_N, memory, state)
        steps = [model.step(tokens_N, *each) for model, *each in zip(models, memories, states, strict=True)]
        wanted_NV = torch.stack([logits_NV.softmax(1) for logits_NV, _ in steps]).mean(0)
        torch.testing.assert_close(found_NV.exp(), wanted_NV)
        memory, state = memory.select(rows), state.select(rows)
        memories = [each.select(rows) for each in memories]
        states = [each.select(rows) for _, each in steps]


@pytest.mark.parametrize("count", [1, 3])
def test_a_model_beside_itself_decodes_as_alone(folders: list[Path], count: int) -> None:
    for folder in folders:
        model: Any = load_model(folder).model
        together = Ensemble([model] * count)
        assert greedy(together, *batch_of(folder)) == greedy(model, *batch_of(folder))
        for found, wanted in zip(
            beam_search(together, *batch_of(folder), 4, 1.0, 2),
            beam_search(model, *batch_of(folder), 4, 1.0, 2),
            strict=True,
        ):
            assert [each.tokens for each in found] == [each.tokens for each in wanted]
            assert [each.score for each in found] == pytest.approx([each.score for each in wanted], rel=1e-4)


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_models_and_exports_translate_together_in_one_process_and_in_several(
    folders: list[Path], precision: str, tmp_path: Path
) -> None:
    texts = sentences(12)
    alone = [Translator.load(folder, RUNTIME, precision).translate(texts) for folder in folders]
    together = Translator.load(folders, RUNTIME, precision).translate(texts)
    assert together not in alone
    with TranslatorPool(folders, RuntimeSettings(threads=2, processes=2, device="cpu"), precision) as pool:
        assert pool.translate(texts) == together
    if precision == "fp32":
        exported = export_model(folders[0], tmp_path / "onnx").folder
        assert Translator.load([exported, *folders[1:]], RUNTIME).translate(texts) == together


def test_the_command_takes_several_models(
    folders: list[Path], capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    lines = tmp_path / "lines.txt"
    lines.write_text("".join(f"{text}\n" for text in sentences(5)), encoding="utf-8")
    with lines.open(encoding="utf-8") as stream:
        monkeypatch.setattr("sys.stdin", stream)
        assert command.main(["translate", *map(str, folders), "--threads", "1", "--device", "cpu"]) == 0
    wanted = Translator.load(folders, RUNTIME).translate(sentences(5))
    assert capfd.readouterr().out == "".join(f"{text}\n" for text in wanted)


def test_models_with_other_vocabularies_cannot_translate_together(folders: list[Path], tmp_path: Path) -> None:
    other = write_tiny_model(tmp_path / "other", pieces={"target": ["▁One", "▁two", "."]})
    with pytest.raises(ModelError, match=r"lstm and .*other cannot translate together: they differ in the target"):
        Translator.load([folders[0], other], RUNTIME)


def test_the_score_of_an_ensemble_is_that_of_its_mean_probabilities(folders: list[Path]) -> None:
    best = Translator.load(folders, RUNTIME).n_best(["eins zwei"], 3)[0]
    assert all(one.score is not None and one.score < 0 and math.isfinite(one.score) for one in best)


def test_no_model_at_all_is_an_error() -> None:
    with pytest.raises(ModelError, match="No model folder was given"):
        Translator.load([], RUNTIME)

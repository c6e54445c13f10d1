import io
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from seq2seq import __main__ as command
from seq2seq.batching import pad_sources
from seq2seq.decoding.forced import forced_scores
from seq2seq.device import autocast
from seq2seq.errors import CorpusError
from seq2seq.export.folder import export_model
from seq2seq.models.build import build_model
from seq2seq.settings.model import ModelSettings
from seq2seq.settings.runtime import RuntimeSettings
from seq2seq.subwords.special_tokens import BOS
from seq2seq.translator import Translator
from tests.models.architectures import ARCHITECTURES
from tests.test_translator import sentences
from tests.tiny import write_tiny_model

RUNTIME = RuntimeSettings(threads=1, device="cpu")
TARGETS = ["One two", "three.", "", "four four four four, and five!", "seven"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_model(tmp_path_factory.mktemp("forced") / "model", scale=2)


@pytest.mark.parametrize("length_penalty", [0.0, 1.0, 1.7])
@pytest.mark.parametrize("architecture", ARCHITECTURES.values(), ids=ARCHITECTURES.keys())
def test_a_score_is_the_sum_of_what_teacher_forcing_gives_each_token(
    architecture: dict[str, Any], length_penalty: float
) -> None:
    torch.manual_seed(3)
    size = {"embedding_size": 36, "encoder_hidden_size": 36, "decoder_hidden_size": 36}
    model = build_model(ModelSettings(**{**size, **architecture}), 29, 29).eval()
    sources = pad_sources([torch.randint(4, 29, (length,)).int().numpy() for length in (5, 1, 3)])
    targets = pad_sources([torch.randint(4, 29, (length,)).int().numpy() for length in (2, 6, 0)])
    found = forced_scores(model, *sources, *targets, length_penalty)
    with torch.inference_mode(), autocast("fp32", torch.device("cpu")):
        memory = model.encode(*sources)
        inputs_BT = torch.cat([torch.full((3, 1), BOS), targets[0][:, :-1]], 1)
        log_probs_BTV = model.logits(model.decode(inputs_BT, memory, model.start(memory))[0]).log_softmax(2)
        each_BT = log_probs_BTV.gather(2, targets[0][:, :, None])[:, :, 0]
    for row, length in enumerate(targets[1].tolist()):
        wanted = each_BT[row, :length].sum() / length**length_penalty
        torch.testing.assert_close(found[row], wanted, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("length_penalty", [0.0, 1.0])
def test_a_translation_has_the_score_that_beam_search_gave_it(folder: Path, length_penalty: float) -> None:
    translator, texts = Translator.load(folder, RUNTIME), sentences(30)
    best = translator.n_best(texts, 3, 4, length_penalty)
    found = [(text, one) for text, several in zip(texts, best, strict=True) for one in several]
    pairs = [(text, one) for text, one in found if not set(one.text) & set(",.!")]  # words are cut again as they were
    assert len(pairs) > 5
    scores = translator.score([text for text, _ in pairs], [one.text for _, one in pairs], length_penalty, 7)
    assert scores == pytest.approx([one.score for _, one in pairs], rel=1e-3, abs=1e-4)


def test_scores_come_in_the_order_of_the_pairs_from_models_exports_and_several_as_one(
    folder: Path, tmp_path: Path
) -> None:
    texts = [*sentences(4), ""]
    translator = Translator.load(folder, RUNTIME)
    alone = [translator.score([text], [target])[0] for text, target in zip(texts, TARGETS, strict=True)]
    assert len(set(alone)) == 5
    assert all(score < 0 for score in alone)
    exported = export_model(folder, tmp_path / "onnx").folder
    for folders in (folder, exported, [folder, exported]):
        found = Translator.load(folders, RUNTIME).score(texts, TARGETS, batch_sentences=2)
        assert found == pytest.approx(alone, rel=1e-4, abs=1e-5)


def test_pairs_need_as_many_translations_as_sources(folder: Path) -> None:
    with pytest.raises(CorpusError, match="There are 2 sources and 1 translations"):
        Translator.load(folder, RUNTIME).score(["eins", "zwei"], ["One"])


def test_the_command_scores_pairs_and_names_a_line_that_is_none(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pairs = list(zip([*sentences(4), ""], TARGETS, strict=True))
    wanted = [f"{score:.4f}" for score in Translator.load(folder, RUNTIME).score(*zip(*pairs, strict=True))]
    for last, code in (("", 0), ("eins\tOne\tOne\n", 2), ("eins\n", 2)):
        text = "".join(f"{source}\t{target}\n" for source, target in pairs) + last
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
        assert command.main(["score", str(folder), "--threads", "1", "--device", "cpu"]) == code
        printed = capsys.readouterr()
        assert printed.out.split() == wanted
        assert ("Line 6 of the input has" in printed.err) == bool(code)

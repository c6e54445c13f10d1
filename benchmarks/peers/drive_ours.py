"""This project: the trainer of the `train` step, and the `Translator`."""

import json
from pathlib import Path
from typing import Any

from benchmarks.peers.turns import Job as Asked
from benchmarks.peers.turns import TrainingTurns, Turns, read_job, serve
from seq2seq.artifacts import Record, Workspace
from seq2seq.config import load_config
from seq2seq.model_folder import write_model
from seq2seq.pipeline import Job
from seq2seq.settings.model import ModelSettings
from seq2seq.settings.runtime import RuntimeSettings
from seq2seq.settings.training import TrainingSettings
from seq2seq.special_tokens import PAD
from seq2seq.training import loop
from seq2seq.translator import Translator


def settings(asked: Asked) -> tuple[ModelSettings, TrainingSettings]:
    """The model and optimizer that all share, or the preset's."""
    if asked.recipe == "own":
        config = load_config("multi30k", [f"training.max_minutes={asked.minutes}"])
        return config.model, config.training
    model = ModelSettings(
        embedding_size=256,
        encoder_hidden_size=256,
        bidirectional=True,
        decoder_hidden_size=512,
        attention="general",
        input_feeding=asked.input_feeding,
        dropout=0.2,
    )
    training = TrainingSettings(
        learning_rate=0.001,
        warmup_steps=0,
        schedule="constant",
        label_smoothing=0.0,
        batch_tokens=asked.batch,
        max_epochs=10_000,
        validations_per_epoch=0.0001,
        precision=asked.precision,
    )
    return model, training


def train(asked: Asked) -> None:
    """Run the training, turn by turn."""
    model, training = settings(asked)
    trainers: list[loop.Trainer] = []
    workspace = Workspace(Path(asked.text).parent / "workspace")
    records = json.loads((Path(asked.text) / "records.json").read_text(encoding="utf-8"))
    inputs = {name: workspace.open(Record.model_validate(records[name])) for name in ("encode", "vocabulary", "clean")}

    def save(path: Path) -> None:
        write_model(path, trainers[0].candidate, model, "de", "en", inputs["vocabulary"].folder)

    turns = TrainingTurns(save)
    one_update = loop.Trainer._update

    def counted(self: loop.Trainer, batch: Any) -> None:
        trainers[:] = [self]
        turns.count(int((batch.outputs_BT != PAD).sum()))
        one_update(self, batch)

    loop.Trainer._update = counted  # type: ignore[method-assign]  # as in the other toolkits
    turns.watch_optimizers()
    runtime = RuntimeSettings(threads=asked.threads, checkpoint_every_seconds=1e9, log_every_seconds=1e9)
    job = Job(Path(asked.folder) / "model", Path(asked.folder) / "checkpoints", runtime)
    job.into.mkdir(parents=True, exist_ok=True)
    loop.train(model, training, *inputs.values(), job)
    turns.finished()


def translate(asked: Asked) -> None:
    """Serve translations from a model folder, raw text to raw text."""
    turns = Turns()
    translator = Translator.load(Path(asked.checkpoint), RuntimeSettings(threads=asked.threads), asked.precision)

    def search(lines: list[str], beam: int, batch: int) -> list[str]:
        return translator.translate(lines, beam_size=beam, batch_sentences=batch)

    serve(turns, search)


if __name__ == "__main__":
    job_asked = read_job()
    (translate if job_asked.checkpoint else train)(job_asked)

"""This project: the trainer of the `train` step, and the `Translator`."""

import json
import shutil
from pathlib import Path

from benchmarks.peers.systems import EXPORT_INT8
from benchmarks.peers.turns import Job as Asked
from benchmarks.peers.turns import TrainingTurns, Turns, read_job, serve
from seq2seq.config import load_config
from seq2seq.export.folder import export_model
from seq2seq.pipeline import Job
from seq2seq.registry.model_folder import write_model
from seq2seq.settings.model import ModelSettings
from seq2seq.settings.runtime import RuntimeSettings
from seq2seq.settings.training import TrainingSettings
from seq2seq.storage.artifacts import Record, Workspace
from seq2seq.training import loop
from seq2seq.training.shares import Share
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
    encode, vocabulary, clean = (
        workspace.open(Record.model_validate(records[name])) for name in ("encode", "vocabulary", "clean")
    )
    runtime = RuntimeSettings(
        threads=asked.threads, processes=asked.processes, checkpoint_every_seconds=1e9, log_every_seconds=1e9
    )
    made = Path(asked.folder) / "made"
    shutil.rmtree(made, ignore_errors=True)
    job = Job(made / "model", made / "checkpoints", runtime)
    job.into.mkdir(parents=True)

    def save(path: Path) -> None:
        if (job.into / "config.json").exists():  # the training is over
            shutil.copytree(job.into, path)
        else:
            with trainers[0].learner.candidate() as candidate:
                write_model(path, candidate, model, "de", "en", vocabulary.folder)

    turns = TrainingTurns(save)
    one_update = loop.Trainer._update

    def counted(self: loop.Trainer, share: Share) -> None:
        trainers[:] = [self]
        if asked.processes == 1:
            turns.count(sum(len(part.targets_N) for part in share.parts))
        else:
            turns.count(share.target_tokens)
        one_update(self, share)

    loop.Trainer._update = counted  # type: ignore[method-assign]  # as in the other toolkits
    turns.watch_optimizers()
    loop.train(model, training, encode, vocabulary, clean, job)
    turns.finished()


def translate(asked: Asked) -> None:
    """Serve translations from a model folder, raw text to raw text."""
    turns = Turns()
    folder, precision = Path(asked.checkpoint), asked.precision
    if precision == EXPORT_INT8:
        model, folder, precision = folder, folder.with_name(f"{folder.name}-{EXPORT_INT8}"), "fp32"
        shutil.rmtree(folder, ignore_errors=True)  # of an earlier model or exporter
        export_model(model, folder, int8=True)
    translator = Translator.load(folder, RuntimeSettings(threads=asked.threads), precision)

    def search(lines: list[str], beam: int, batch: int) -> list[str]:
        return translator.translate(lines, beam_size=beam, batch_sentences=batch)

    serve(turns, search)


if __name__ == "__main__":
    job_asked = read_job()
    (translate if job_asked.checkpoint else train)(job_asked)

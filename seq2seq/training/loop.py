"""The `train` step: from encoded pairs to the weights that are best on the validation split.

A training is a sequence of updates, and everything that the next update depends on is in its checkpoint: stopped
at any moment and started again it gives the same weights, bit for bit on a CPU at equal threads and precision.
The clock enters in two places only: `max_minutes` is turned into a number of steps once the speed is known, fewer
while the machine is slower than that, and ends the training if it is up before these steps are done (`stopped_by` is
then `clock`).
"""

import json
import math
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer

from seq2seq.batching import read_encoded
from seq2seq.corpora.pairs import SIDES, read_pairs
from seq2seq.device import (
    configure,
    generator_state,
    process_count,
    product_type,
    set_generator_state,
    training_kernels,
)
from seq2seq.errors import Seq2SeqError, TrainingInterrupted, UserError
from seq2seq.models.build import build_model
from seq2seq.models.seq2seq import Seq2Seq
from seq2seq.peak_memory import peak_memory_mib
from seq2seq.pipeline import Job
from seq2seq.registry.model_folder import load_weights, write_model
from seq2seq.settings.model import ModelSettings
from seq2seq.settings.training import TrainingSettings
from seq2seq.storage.artifacts import Artifact
from seq2seq.training.checkpoint import NOTHING_TO_FINISH, load_checkpoint, save_checkpoint
from seq2seq.training.data import TrainingData, read_training_data
from seq2seq.training.learner import Learner
from seq2seq.training.position import Position
from seq2seq.training.progress import Progress
from seq2seq.training.replicas import Replicas
from seq2seq.training.schedule import learning_rate, steps_by_settings, steps_in_time
from seq2seq.training.shares import Share, ahead, shares
from seq2seq.training.validation import Validation

UNMEASURED_STEPS = 5
"""First steps are slow (kernels are chosen, memory is taken): they do not count when the speed is measured."""
MEASURED_SHARES = 0.1, 0.2
"""The speed is measured between these shares of a time budget, which is then turned into steps."""
CHECKPOINT_PAUSE = 20
"""Between two checkpoints lie so many times the seconds that one takes, at least: a large network's are gigabytes."""


def train(
    model: ModelSettings, training: TrainingSettings, encode: Artifact, vocabulary: Artifact, clean: Artifact, job: Job
) -> Mapping[str, Any]:
    """Train a model and write its folder.

    Raises TrainingInterrupted, with a checkpoint saved, when the job is asked to stop, and Seq2SeqError when the
    loss is no longer a number or another process of this training failed.
    """
    return train_from(None, model, training, encode, vocabulary, clean, job)


def train_from(
    weights: Path | None,
    model: ModelSettings,
    training: TrainingSettings,
    encode: Artifact,
    vocabulary: Artifact,
    clean: Artifact,
    job: Job,
) -> dict[str, Any]:
    """`train`, from the weights in a safetensors file where one is given: they are then the first candidate."""
    device = configure(job.runtime, kernels=training_kernels(training.precision))
    tokenizer_files = [str(vocabulary.file(f"{side}_tokenizer.json").resolve()) for side in SIDES]
    source_tokenizer, target_tokenizer = map(Tokenizer.from_file, tokenizer_files)
    references = read_pairs(clean.file("valid.arrow"))
    validation = Validation(
        read_encoded(encode.file("valid.arrow")),
        references.texts("target"),
        target_tokenizer,
        training.bleu_tokenizer,
        training.precision,
        device,
    )
    pairs_file = encode.file("train.arrow")
    sizes = source_tokenizer.get_vocab_size(), target_tokenizer.get_vocab_size()
    plan = {
        "model": model.model_dump(mode="json"),
        "training": training.model_dump(mode="json"),
        "runtime": job.runtime.model_dump(mode="json"),
        "sizes": sizes,
        "pairs": str(pairs_file.resolve()),
        "tokenizers": tokenizer_files,
    }
    drawn_on = [device] if device.type == "cuda" else []
    with (
        torch.random.fork_rng(drawn_on),
        _threads_kept(),
        Replicas(process_count(job.runtime), device) as replicas,
    ):
        torch.manual_seed(training.seed)
        network = build_model(model, *sizes)
        if weights is not None:
            load_weights(network, weights)
        network.to(device)
        data = read_training_data(pairs_file, source_tokenizer, target_tokenizer, training)
        trainer = Trainer(network, training, data, validation, job, replicas, plan, validate_first=weights is not None)
        trainer.run()
    write_model(job.into, network, model, references.source_language, references.target_language, vocabulary.folder)
    trainer.write_history()
    return trainer.statistics()


@contextmanager
def _threads_kept() -> Iterator[None]:
    """Processes of a training have a part of the threads; before and after it there are as many as before."""
    threads = torch.get_num_threads()
    try:
        yield
    finally:
        torch.set_num_threads(threads)


class Trainer:
    """One training: who learns, when that is looked at, and where it stands."""

    def __init__(
        self,
        model: Seq2Seq[Any, Any],
        settings: TrainingSettings,
        data: TrainingData,
        validation: Validation,
        job: Job,
        replicas: Replicas,
        plan: Mapping[str, Any],
        validate_first: bool = False,
    ) -> None:
        """`plan` tells the replicas what to train (`seq2seq.training.replica`)."""
        self.settings, self.data, self.validation, self.job = settings, data, validation, job
        self.replicas = replicas
        self.validation_interval = max(1, round(data.steps_per_epoch / settings.validations_per_epoch))
        self.by_time = settings.max_minutes > 0
        self.steps_by_settings = steps_by_settings(settings, data.steps_per_epoch)
        planned_steps = 0 if self.by_time else self.steps_by_settings
        self.position = Position(planned_steps=planned_steps, validation_due=validate_first)
        self.best_weights: dict[str, torch.Tensor] = {}
        self.threads = torch.get_num_threads()
        self._measured_from: tuple[int, float] | None = None
        self._validated = 0.0
        """Seconds of this process that validations took."""
        self._started = self._checkpointed = self._reported = time.monotonic()
        self._checkpoint_seconds = 0.0
        self._loss = self._rate = math.nan
        self._peak_memory_mib = 0.0
        self._begin(model, plan)
        self._nll, self._tokens = torch.zeros((), device=self.learner.device), 0

    def _begin(self, model: Seq2Seq[Any, Any], plan: Mapping[str, Any]) -> None:
        """Go on from the checkpoint if there is one; bring all processes to the same place."""
        state = load_checkpoint(self.job.checkpoints)
        generators = []
        if state is not None:
            self.position = Position(**state["position"])
            generators = state["generators"]
        position = self.position
        place = {"step": position.step, "epoch": position.epoch, "batch": position.batch}
        self.learner = Learner(model, self.settings, self.replicas.begin({**plan, **place}, generators[1:]))
        if state is not None:
            self.learner.load_state(state["tables"])
            self.best_weights = {name: tensor.to(self.learner.device) for name, tensor in state["best_weights"].items()}
            set_generator_state(generators[0], self.learner.device)
        self.learner.start(position.step)

    def run(self) -> None:
        """Update until an end is reached, then put the best weights into the model."""
        position, learner = self.position, self.learner
        if self.job.runtime.finish:
            self._finish()
        if position.validation_due:
            self._validate()
        place = (position.epoch, position.batch, 0, self.replicas.size, self.job.runtime.gradient_accumulation)
        coming = shares(self.data, *place, learner.copies, learner.device)
        with closing(ahead(coming)) as coming:
            while not position.stopped_by:
                self._check_stop()
                self._update(next(coming))
                self._plan_by_time()
                self._report_if_due()
                position.stopped_by = self._end_reached()
                if position.step % self.validation_interval == 0 or position.stopped_by:
                    position.validation_due = True
                    self._validate()
                    self._replan()
                self._checkpoint_if_due()
        self._peak_memory_mib = (peak_memory_mib() or 0.0) + self.replicas.peak_memory_mib()
        learner.finish(self.best_weights)

    def _finish(self) -> None:
        """End where the training stands, with a validation of these weights if they had none."""
        position = self.position
        if not position.step:
            raise UserError(NOTHING_TO_FINISH)
        position.stopped_by = "finish"
        position.validation_due |= all(entry["step"] < position.step for entry in position.validations)

    def _update(self, share: Share) -> None:
        started = time.monotonic()
        position = self.position
        position.step += 1
        self._rate = learning_rate(self.settings, position.step, position.planned_steps or self.steps_by_settings)
        torch.set_num_threads(max(1, self.threads // self.replicas.size))
        self.replicas.update(position.step, self._rate)
        self._nll += self.learner.update(share, position.step, self._rate)
        torch.set_num_threads(self.threads)
        self._tokens += share.target_tokens
        position.advance(share.target_tokens, self.data.steps_per_epoch)
        position.update_seconds += time.monotonic() - started

    def _plan_by_time(self) -> None:
        """Turn a time budget into steps, once, when the speed is known."""
        position = self.position
        if not self.by_time or position.planned_steps:
            return
        now, budget = time.monotonic() - self._validated, self.settings.max_minutes * 60
        begin, end = (share * budget for share in MEASURED_SHARES)
        if self._measured_from is None:
            warm = position.step >= UNMEASURED_STEPS and self._elapsed() >= begin
            self._measured_from = (position.step, now) if warm else None
            return
        first_step, since = self._measured_from
        if position.step < first_step + UNMEASURED_STEPS or self._elapsed() < end:
            return
        seconds_per_step = (now - since) / (position.step - first_step)
        tokens_per_second = position.tokens / position.step / seconds_per_step
        # Decoding a token costs about as much as learning one, and the loss as much as a third of that.
        validation = 1.3 * self.validation.pairs.target_tokens / tokens_per_second
        steps = steps_in_time(budget - self._elapsed(), seconds_per_step, validation, self.validation_interval)
        position.planned_steps = min(self.steps_by_settings or position.step + steps, position.step + steps)
        position.steps_on_time = position.planned_steps

    def _replan(self) -> None:
        """Fit the schedule to the time that is left, at the speed of the whole training so far, validations included.

        A learning rate that the clock cuts off on its way down leaves weights that it would have made better. The first
        plan is never exceeded: what a busy machine cost may be made up for, but no training becomes longer.
        """
        position = self.position
        if not position.steps_on_time or position.stopped_by:
            return
        left = self.settings.max_minutes * 60 - self._elapsed()
        steps = int(left * position.step / self._elapsed())
        position.planned_steps = min(position.steps_on_time, position.step + max(1, steps))

    def _end_reached(self) -> str:
        """Why the training ends here, or an empty text."""
        position, settings = self.position, self.settings
        end = position.planned_steps or self.steps_by_settings
        if end and position.step >= end:
            if position.step == settings.max_steps:
                return "max_steps"
            return "max_epochs" if position.step == settings.max_epochs * self.data.steps_per_epoch else "max_minutes"
        return "clock" if self.by_time and self._elapsed() >= settings.max_minutes * 60 else ""

    def _validate(self) -> None:
        started, position = time.monotonic(), self.position
        with self.learner.candidate() as model:
            bleu = self.validation.bleu(model, self._check_stop)
            nats = self.validation.nats_per_token(model)
        if not math.isfinite(nats):
            raise self._diverged(f"validation loss is {nats}")
        if position.judge(bleu, nats, self.settings.patience):
            self.best_weights = self.learner.candidate_weights()
        position.history.append(
            {"step": position.step, "seconds": self._elapsed(), "valid_bleu": bleu, "valid_nats_per_token": nats}
        )
        position.validation_due = False
        self._validated += time.monotonic() - started
        self._report(valid_bleu=bleu)
        self._checkpointed = -math.inf

    def _diverged(self, what: str) -> Seq2SeqError:
        return Seq2SeqError(
            f"The {what} at step {self.position.step:,}: the training diverged. Lower training.learning_rate or "
            "training.max_gradient_norm, or set training.precision=fp32."
        )

    def _report_if_due(self) -> None:
        if time.monotonic() - self._reported >= self.job.runtime.log_every_seconds:
            self._report()

    def _report(self, valid_bleu: float | None = None) -> None:
        position = self.position
        if self._tokens:
            started = time.monotonic()
            self._loss = float(self._nll) / self._tokens  # waits for the updates that a GPU has not done yet
            position.update_seconds += time.monotonic() - started
            if not math.isfinite(self._loss):
                raise self._diverged(f"training loss is {self._loss}")
        speed = position.tokens / max(position.update_seconds, 1e-9)
        if self._tokens:
            position.history.append(
                {"step": position.step, "seconds": self._elapsed(), "loss": self._loss, "learning_rate": self._rate}
            )
        left = None
        if position.planned_steps and position.step:
            left = (position.planned_steps - position.step) * self._elapsed() / position.step
        self.job.notify(
            Progress(
                position.step,
                position.planned_steps,
                max(1, math.ceil(position.step / self.data.steps_per_epoch)),
                self._loss,
                speed,
                self._rate,
                left,
                valid_bleu,
                position.best_bleu if self.best_weights else None,
            )
        )
        self._reported = time.monotonic()
        self._nll, self._tokens = torch.zeros_like(self._nll), 0

    def _elapsed(self) -> float:
        return self.position.seconds + time.monotonic() - self._started

    def _check_stop(self) -> None:
        if self.job.should_stop():
            if self.job.runtime.finish:  # nothing was learned since the checkpoint, which says nothing of an end
                raise TrainingInterrupted(f"Stopped; the training stands at step {self.position.step:,} as before.")
            self._checkpoint()
            raise TrainingInterrupted(
                f"Training stopped at step {self.position.step:,}; the checkpoint is saved and the same command "
                "goes on from it. With --set runtime.finish=true it ends there, with the best weights so far."
            )

    def _checkpoint_if_due(self) -> None:
        pause = self.job.runtime.checkpoint_every_seconds
        if time.monotonic() - self._checkpointed >= (pause and max(pause, CHECKPOINT_PAUSE * self._checkpoint_seconds)):
            self._checkpoint()

    def _checkpoint(self) -> None:
        now = time.monotonic()
        self.position.seconds, self._started = self._elapsed(), now
        state = {
            "position": asdict(self.position),
            "tables": self.learner.state(),
            "best_weights": self.best_weights,
            "generators": [generator_state(self.learner.device), *self.replicas.generators()],
        }
        save_checkpoint(self.job.checkpoints, state)
        self._checkpointed = time.monotonic()
        self._checkpoint_seconds = self._checkpointed - now

    def write_history(self) -> None:
        """Losses, rates, scores and times: beside the content, since times differ from run to run."""
        folder = self.job.into / "log"
        folder.mkdir(exist_ok=True)
        (folder / "history.json").write_text(json.dumps(self.position.history, indent=1), encoding="utf-8")

    def statistics(self) -> dict[str, Any]:
        """What the report and the model card say of this training."""
        position = self.position
        bf16 = product_type(self.settings.precision, self.learner.device) == torch.bfloat16
        return {
            "target_tokens_per_second": round(position.tokens / max(position.update_seconds, 1e-9), 1),
            "steps": position.step,
            "planned_steps": position.planned_steps,
            "epochs": round(position.epoch + position.batch / self.data.steps_per_epoch, 2),
            "best_step": position.best_step,
            "stopped_by": position.stopped_by,
            "valid_bleu": position.best_bleu,
            "valid_nats_per_token": position.best_nats,
            "parameters": sum(weight.numel() for weight in self.best_weights.values()),
            "seconds": round(self._elapsed(), 1),
            "threads": self.threads,
            "processes": self.replicas.size,
            "device": self.learner.device.type,
            "precision": "bf16" if bf16 else "fp32",
            "peak_memory_mib": self._peak_memory_mib,
            "history": position.validations,
        }

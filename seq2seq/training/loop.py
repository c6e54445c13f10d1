"""The `train` step: from encoded pairs to the weights with the best validation BLEU.

A training is a sequence of updates, and everything that the next update depends on is in its checkpoint: stopped
at any moment and started again it gives the same weights, bit for bit on a CPU at equal threads and precision.
The clock enters in two places only: `max_minutes` is turned into a number of steps once the speed is known, and
ends the training should it be up before these steps are done (`stopped_by` is then `clock`).
"""

import json
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, cast

import torch
from tokenizers import Tokenizer
from torch.optim.swa_utils import AveragedModel

from seq2seq.artifacts import Artifact
from seq2seq.batching import Batch, read_encoded
from seq2seq.corpora.pairs import read_pairs
from seq2seq.device import autocast, computes_in_bf16, configure
from seq2seq.errors import Seq2SeqError, TrainingInterrupted
from seq2seq.model_folder import fill, write_model
from seq2seq.models.build import build_model
from seq2seq.models.seq2seq import Seq2Seq
from seq2seq.pipeline import Job
from seq2seq.settings.model import ModelSettings
from seq2seq.settings.training import TrainingSettings
from seq2seq.special_tokens import PAD
from seq2seq.training.checkpoint import load_checkpoint, save_checkpoint
from seq2seq.training.data import TrainingData, read_training_data
from seq2seq.training.forcing import decoder_features
from seq2seq.training.loss import linear_cross_entropy
from seq2seq.training.progress import Progress
from seq2seq.training.schedule import learning_rate, steps_by_settings, steps_in_time
from seq2seq.training.validation import Validation

UNMEASURED_STEPS = 5
"""First steps are slow (kernels are chosen, memory is taken): they do not count when the speed is measured."""
MEASURED_SHARES = 0.03, 0.08
"""The speed is measured between these shares of a time budget, which is then turned into steps."""


def train(
    model: ModelSettings, training: TrainingSettings, encode: Artifact, vocabulary: Artifact, clean: Artifact, job: Job
) -> Mapping[str, Any]:
    """Train a model and write its folder.

    Raises TrainingInterrupted, with a checkpoint saved, when the job is asked to stop, and Seq2SeqError when the
    loss is no longer a number.
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
    device = configure(job.runtime)
    source_tokenizer, target_tokenizer = (
        Tokenizer.from_file(str(vocabulary.file(f"{side}_tokenizer.json"))) for side in ("source", "target")
    )
    references = read_pairs(clean.file("valid.arrow"))
    validation = Validation(
        read_encoded(encode.file("valid.arrow")),
        references.frame["target"].tolist(),
        target_tokenizer,
        training.bleu_tokenizer,
        training.batch_tokens,
        training.precision,
        device,
    )
    with torch.random.fork_rng():
        torch.manual_seed(training.seed)
        network = build_model(model, source_tokenizer.get_vocab_size(), target_tokenizer.get_vocab_size())
        if weights is not None:
            fill(network, weights)
        network.to(device)
        data = read_training_data(encode.file("train.arrow"), source_tokenizer, target_tokenizer, training)
        trainer = Trainer(network, training, data, validation, job, validate_first=weights is not None)
        trainer.run()
    write_model(job.into, network, model, references.source_language, references.target_language, vocabulary.folder)
    trainer.write_history()
    return trainer.statistics()


@dataclass
class Position:
    """Where a training stands: plain values, stored in the checkpoint as they are."""

    step: int = 0
    epoch: int = 0
    batch: int = 0
    """Batches of this epoch that are done."""
    planned_steps: int = 0
    tokens: int = 0
    seconds: float = 0.0
    """Of the whole training, validations included."""
    update_seconds: float = 0.0
    best_bleu: float = -1.0
    best_step: int = 0
    best_nats: float = math.inf
    validations_since_best: int = 0
    validation_due: bool = False
    """A validation of these very weights has not been finished."""
    stopped_by: str = ""
    history: list[dict[str, float]] = field(default_factory=list)


class Trainer:
    """One training: its weights, its optimizer, and where it stands."""

    def __init__(
        self,
        model: Seq2Seq[Any, Any],
        settings: TrainingSettings,
        data: TrainingData,
        validation: Validation,
        job: Job,
        validate_first: bool = False,
    ) -> None:
        self.model, self.settings, self.data, self.validation, self.job = model, settings, data, validation, job
        self.device = next(model.parameters()).device
        matrices = [parameter for parameter in model.parameters() if parameter.ndim > 1]
        vectors = [parameter for parameter in model.parameters() if parameter.ndim <= 1]
        groups = [{"params": matrices, "weight_decay": settings.weight_decay}, {"params": vectors, "weight_decay": 0.0}]
        self.optimizer = torch.optim.AdamW(groups, lr=settings.learning_rate, fused=True)
        self.average = AveragedModel(model, multi_avg_fn=self._average) if settings.average_decay else None
        self.validation_interval = max(1, round(data.steps_per_epoch / settings.validations_per_epoch))
        self.by_time = settings.max_minutes > 0
        self.steps_by_settings = steps_by_settings(settings, data.steps_per_epoch)
        planned_steps = 0 if self.by_time else self.steps_by_settings
        self.position = Position(planned_steps=planned_steps, validation_due=validate_first)
        self.best_weights: dict[str, torch.Tensor] = {}
        self._measured_from: tuple[int, float] | None = None
        self._started = self._checkpointed = self._reported = time.monotonic()
        self._loss = math.nan
        self._nll, self._tokens = torch.zeros((), device=self.device), 0
        self._resume()

    @property
    def candidate(self) -> Seq2Seq[Any, Any]:
        """The weights that are validated: the average where there is one."""
        return self.model if self.average is None else cast(Seq2Seq[Any, Any], self.average.module)

    def run(self) -> None:
        """Update until an end is reached, then put the best weights into the model."""
        if self.position.validation_due:
            self._validate()
        while not self.position.stopped_by:
            self._run_epoch()
        self.model.load_state_dict(self.best_weights)

    def _run_epoch(self) -> None:
        position = self.position
        for batch in self.data.batches(position.epoch, position.batch):
            self._check_stop()
            self._update(batch.to(self.device))
            position.batch += 1
            self._plan_by_time()
            self._report_if_due()
            position.stopped_by = self._end_reached()
            if position.step % self.validation_interval == 0 or position.stopped_by:
                position.validation_due = True
                self._validate()
            self._checkpoint_if_due()
            if position.stopped_by:
                return
        position.epoch, position.batch = position.epoch + 1, 0

    def _update(self, batch: Batch) -> None:
        started = time.monotonic()
        position, settings = self.position, self.settings
        position.step += 1
        rate = learning_rate(settings, position.step, position.planned_steps)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.model.train()
        real_BT = batch.outputs_BT != PAD
        with autocast(settings.precision, self.device):
            features_NF = decoder_features(self.model, batch, settings.teacher_forcing_ratio)[real_BT]
            output = self.model.output
            loss, nll = linear_cross_entropy(
                features_NF, output.weight, output.bias, batch.outputs_BT[real_BT], settings.label_smoothing
            )
        torch.autograd.backward(loss / batch.target_tokens)
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), settings.max_gradient_norm)
        self.optimizer.step()
        self.optimizer.zero_grad()
        if self.average is not None:
            self.average.update_parameters(self.model)
        self._nll += nll
        self._tokens += batch.target_tokens
        position.tokens += batch.target_tokens
        position.update_seconds += time.monotonic() - started

    def _average(
        self, averaged: Sequence[torch.Tensor], current: Sequence[torch.Tensor], updates: torch.Tensor | int
    ) -> None:
        """Exponential moving average whose memory grows at the start, so that it forgets the first weights."""
        decay = min(self.settings.average_decay, (1 + int(updates)) / (10 + int(updates)))
        torch._foreach_lerp_(list(averaged), list(current), 1 - decay)

    def _plan_by_time(self) -> None:
        """Turn a time budget into steps, once, when the speed is known."""
        position = self.position
        if not self.by_time or position.planned_steps:
            return
        now, budget = time.monotonic(), self.settings.max_minutes * 60
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

    def _end_reached(self) -> str:
        """Why the training ends here, or an empty text."""
        position, settings = self.position, self.settings
        if self.by_time and self._elapsed() >= settings.max_minutes * 60:
            return "clock"
        end = position.planned_steps or self.steps_by_settings
        if end and position.step >= end:
            if position.step == settings.max_steps:
                return "max_steps"
            return "max_epochs" if position.step == settings.max_epochs * self.data.steps_per_epoch else "max_minutes"
        return ""

    def _validate(self) -> None:
        position, candidate = self.position, self.candidate
        candidate.eval()
        bleu = self.validation.bleu(candidate, self._check_stop)
        nats = self.validation.nats_per_token(candidate)
        position.validations_since_best = 0 if bleu > position.best_bleu else position.validations_since_best + 1
        if position.validations_since_best >= self.settings.patience:
            position.stopped_by = position.stopped_by or "patience"
        if (bleu, -nats) > (position.best_bleu, -position.best_nats):
            position.best_bleu, position.best_nats, position.best_step = bleu, nats, position.step
            self.best_weights = {name: tensor.clone() for name, tensor in candidate.state_dict().items()}
        position.history.append(
            {"step": position.step, "seconds": self._elapsed(), "valid_bleu": bleu, "valid_nats_per_token": nats}
        )
        position.validation_due = False
        self._report(valid_bleu=bleu)
        self._checkpointed = -math.inf

    def _report_if_due(self) -> None:
        if time.monotonic() - self._reported >= self.job.runtime.log_every_seconds:
            self._report()

    def _report(self, valid_bleu: float | None = None) -> None:
        position = self.position
        if self._tokens:
            self._loss = float(self._nll) / self._tokens
            if not math.isfinite(self._loss):
                raise Seq2SeqError(
                    f"The training loss is {self._loss} at step {position.step:,}: the training diverged. Lower "
                    "training.learning_rate or training.max_gradient_norm, or set training.precision=fp32."
                )
        speed = position.tokens / max(position.update_seconds, 1e-9)
        rate = self.optimizer.param_groups[0]["lr"]
        if self._tokens:
            position.history.append(
                {"step": position.step, "seconds": self._elapsed(), "loss": self._loss, "learning_rate": rate}
            )
        left = None
        if position.planned_steps and position.step:
            left = (position.planned_steps - position.step) * self._elapsed() / position.step
        self.job.notify(
            Progress(
                position.step,
                position.planned_steps,
                position.epoch + 1,
                self._loss,
                speed,
                rate,
                left,
                valid_bleu,
                position.best_bleu if self.best_weights else None,
            )
        )
        self._reported = time.monotonic()
        self._nll, self._tokens = torch.zeros((), device=self.device), 0

    def _elapsed(self) -> float:
        return self.position.seconds + time.monotonic() - self._started

    def _check_stop(self) -> None:
        if self.job.should_stop():
            self._checkpoint()
            raise TrainingInterrupted(
                f"Training stopped at step {self.position.step:,}; the checkpoint is saved and the same command "
                "goes on from it."
            )

    def _checkpoint_if_due(self) -> None:
        if time.monotonic() - self._checkpointed >= self.job.runtime.checkpoint_every_seconds:
            self._checkpoint()

    def _checkpoint(self) -> None:
        now = time.monotonic()
        self.position.seconds, self._started, self._checkpointed = self._elapsed(), now, now
        state = {
            "position": asdict(self.position),
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "average": None if self.average is None else self.average.state_dict(),
            "best_weights": self.best_weights,
            "generator": torch.get_rng_state(),
            "cuda_generators": torch.cuda.get_rng_state_all() if self.device.type == "cuda" else [],
        }
        save_checkpoint(self.job.checkpoints, state)

    def _resume(self) -> None:
        state = load_checkpoint(self.job.checkpoints)
        if state is None:
            return
        self.position = Position(**state["position"])
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        if self.average is not None:
            self.average.load_state_dict(state["average"])
        self.best_weights = {name: tensor.to(self.device) for name, tensor in state["best_weights"].items()}
        torch.set_rng_state(state["generator"])
        if state["cuda_generators"]:
            torch.cuda.set_rng_state_all(state["cuda_generators"])

    def write_history(self) -> None:
        """Losses, rates, scores and times: beside the content, since times differ from run to run."""
        folder = self.job.into / "log"
        folder.mkdir(exist_ok=True)
        (folder / "history.json").write_text(json.dumps(self.position.history, indent=1), encoding="utf-8")

    def statistics(self) -> dict[str, Any]:
        """What the report and the model card say of this training."""
        position = self.position
        bf16 = self.settings.precision == "bf16" or (
            self.settings.precision == "auto" and computes_in_bf16(self.device)
        )
        return {
            "target_tokens_per_second": round(position.tokens / max(position.update_seconds, 1e-9), 1),
            "steps": position.step,
            "planned_steps": position.planned_steps,
            "epochs": round(position.epoch + position.batch / self.data.steps_per_epoch, 2),
            "best_step": position.best_step,
            "stopped_by": position.stopped_by,
            "valid_bleu": position.best_bleu,
            "valid_nats_per_token": position.best_nats,
            "parameters": sum(parameter.numel() for parameter in self.model.parameters()),
            "seconds": round(self._elapsed(), 1),
            "threads": torch.get_num_threads(),
            "device": self.device.type,
            "precision": "bf16" if bf16 else "fp32",
            "history": [entry for entry in position.history if "valid_bleu" in entry],
        }

"""What one update does: forward, loss, backward, clipping, AdamW, average.

The same in every process of a training (`seq2seq.training.peers`), and without a question to the device: nothing in
here waits for what a GPU has not computed yet.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from seq2seq.device import autocast
from seq2seq.models.seq2seq import Seq2Seq
from seq2seq.settings.training import TrainingSettings
from seq2seq.training.forcing import decoder_features
from seq2seq.training.loss import linear_cross_entropy
from seq2seq.training.peers import Peers, Table
from seq2seq.training.shares import Share

AVERAGED_EVERY = 4
"""Updates between two steps of the moving average, which reads and writes as much memory as half an AdamW step. The
first few have one each, so that no candidate is the random start."""


class Learner:
    """The weights of a model, what AdamW knows of them, and their moving average where one is asked for."""

    def __init__(self, model: Seq2Seq[Any, Any], settings: TrainingSettings, peers: Peers) -> None:
        self.model, self.settings, self.peers = model, settings, peers
        self.device = next(model.parameters()).device
        self.copies = 2 if settings.r_drop else 1
        """Times that each row goes through the network in an update, with a dropout of its own each time."""
        self._parameters = dict(sorted(model.named_parameters(), key=lambda named: named[1].ndim <= 1))
        names = ("weights", "mean", "square", *(["average"] if settings.average_decay else []))
        self.tables: dict[str, Table] = {name: peers.table(self._parameters) for name in names}
        if peers.rank == 0:
            for name in self.tables.keys() & {"weights", "average"}:
                self.tables[name].fill(self._parameters)
        self._use(self.tables["weights"])
        self._optimizer = self._adamw()

    def _adamw(self) -> torch.optim.AdamW:
        """AdamW (Loshchilov & Hutter 2019) whose moments lie in our tables; vectors are not decayed."""
        weights = self.tables["weights"]
        groups: list[dict[str, Any]] = [
            {"params": weights.matrices, "weight_decay": self.settings.weight_decay},
            {"params": weights.vectors, "weight_decay": 0.0},
        ]
        optimizer = torch.optim.AdamW(groups, self.settings.learning_rate, fused=True)
        moments = (self.tables[name].own for name in ("mean", "square"))
        for weight, mean, square in zip(weights.own, *moments, strict=True):
            steps = torch.zeros((), device=self.device)
            optimizer.state[weight] = {"step": steps, "exp_avg": mean, "exp_avg_sq": square}
        return optimizer

    def _use(self, table: Table) -> None:
        """Let the model compute with the numbers of a table."""
        for name, parameter in self._parameters.items():
            parameter.data = table.named[name]

    @contextmanager
    def candidate(self) -> Iterator[Seq2Seq[Any, Any]]:
        """The model as it would be published now: with the averaged weights where there are any."""
        self._use(self._candidate)
        try:
            yield self.model.eval()
        finally:
            self._use(self.tables["weights"])

    def candidate_weights(self) -> dict[str, Tensor]:
        """A copy of the weights of `candidate`."""
        return {name: tensor.clone() for name, tensor in self._candidate.named.items()}

    @property
    def _candidate(self) -> Table:
        return self.tables.get("average", self.tables["weights"])

    def finish(self, weights: Mapping[str, Tensor]) -> None:
        """Leave these weights in the model."""
        for name, parameter in self._parameters.items():
            parameter.data = weights[name]

    def start(self, updates: int) -> None:
        """All processes go on from the first one's tables, which so many updates have led to."""
        self.peers.agree([*self.tables.values()])
        for state in self._optimizer.state.values():
            state["step"].fill_(updates)

    def update(self, share: Share, number: int, rate: float) -> Tensor:
        """Update `number` (from 1), at this learning rate; gives the whole batch's negative log-likelihood, summed.

        The gradient is that of the batch's mean loss per target token, scaled down to `max_gradient_norm`: AdamW
        divides the summed gradient by max(tokens, norm / max_gradient_norm) on its way. With R-Drop each copy of a
        token counts, so that the loss is half of the paper's.
        """
        nll = self._backward(share)
        gradients, nll = self.peers.add_up(self._parameters, nll)
        norm = self.peers.total_of_parts(torch.nn.utils.get_total_norm(gradients, foreach=True).square()).sqrt()
        scale = (norm / self.settings.max_gradient_norm).clamp_min(share.target_tokens * self.copies)
        self._optimizer.grad_scale = scale  # type: ignore[attr-defined]  # fused AdamW reads it, GradScaler sets it so
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        own = self.tables["weights"].own
        for weight, gradient in zip(own, gradients, strict=True):
            weight.grad = gradient
        self._optimizer.step()
        for weight in own:
            weight.grad = None
        if "average" in self.tables and (number < AVERAGED_EVERY or number % AVERAGED_EVERY == 0):
            self._average(number)
        self.peers.finish()
        return nll / self.copies

    def _backward(self, share: Share) -> Tensor:
        settings, output = self.settings, self.model.output
        total = torch.zeros((), device=self.device)
        self.model.train()
        for batch in share.parts:
            with autocast(settings.precision, self.device):
                features_BTF = decoder_features(self.model, batch, settings.teacher_forcing_ratio)
                features_NF = features_BTF.flatten(0, 1).index_select(0, batch.real_N)
                loss, nll = linear_cross_entropy(
                    features_NF,
                    output.weight,
                    output.bias,
                    batch.targets_N,
                    settings.label_smoothing,
                    settings.r_drop,
                )
            torch.autograd.backward(loss)
            total += nll
        return total

    def _average(self, number: int) -> None:
        """Exponential moving average (Polyak & Juditsky 1992; decayed as in Morales-Brotons et al. 2024).

        It takes the place of averaging the last checkpoints (Vaswani et al. 2017, section 6.1): no checkpoint is
        kept, and the weights that are validated are those that are published. Its memory grows at the start, so
        that it forgets the first weights.
        """
        decay = min(self.settings.average_decay, (1 + number) / (10 + number))
        torch._foreach_lerp_(self.tables["average"].own, self.tables["weights"].own, 1 - decay**AVERAGED_EVERY)

    def state(self) -> dict[str, dict[str, Tensor]]:
        """All tables, for a checkpoint; it does not depend on the number of processes."""
        return {name: dict(table.named) for name, table in self.tables.items()}

    def load_state(self, state: Mapping[str, Mapping[str, Tensor]]) -> None:
        """Go on from what `state` gave; in the first process, before `start`."""
        for name, table in self.tables.items():
            table.fill(state[name])

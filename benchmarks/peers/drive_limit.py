"""The matrix products of one training step of the shared model, and nothing else: what no toolkit can outrun.

All rows of a batch at once, also in the recurrent layers, where a real step has only a sentence's position at a time;
by the library that is faster at them here.
"""

import torch

from benchmarks.peers.turns import Job, TrainingTurns, read_job
from seq2seq.models.linear import product

PRODUCTS = [
    *[(256, 1024)] * 4,  # encoder: input and state, two directions
    (256, 2048),  # decoder: input
    (512, 2048),  # decoder: state
    (512, 512),  # attention: keys
    (1024, 512),  # attention: readout
    (512, 8000),  # output layer
]
"""Inner and outer size of each layer's weight, 7.5 million multiplications a token, and twice that in the backward
pass: 45 MFLOP a target token, with as many source tokens as target tokens."""


def multiply(job: Job) -> None:
    """Multiply for ever, turn by turn."""
    kind = torch.bfloat16 if job.precision == "bf16" else torch.float32
    layers = [
        (
            torch.randn(job.batch, inner).to(kind),
            torch.randn(outer, inner).to(kind),
            torch.randn(job.batch, outer).to(kind),
        )
        for inner, outer in PRODUCTS
    ]
    turns = TrainingTurns(lambda path: None)
    with torch.no_grad():
        while True:
            for inputs, weights, gradients in layers:
                product(inputs, weights)
                product(gradients, weights.T)
                product(gradients.T, inputs.T)
            turns.count(job.batch)
            turns.updated()


if __name__ == "__main__":
    asked = read_job()
    torch.set_num_threads(asked.threads)
    multiply(asked)

"""A process that shares a training: `python -m seq2seq.training.replica SOCKET MEMORY`, two inherited descriptors.

Started by `seq2seq.training.replicas`; the messages are described there.
"""

import json
import os
import sys
import threading
import time
from contextlib import closing, suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer

from seq2seq.device import configure, generator_state, set_generator_state, training_kernels
from seq2seq.models.build import build_model
from seq2seq.peak_memory import peak_memory_mib
from seq2seq.settings.model import ModelSettings
from seq2seq.settings.runtime import RuntimeSettings
from seq2seq.settings.training import TrainingSettings
from seq2seq.training.data import read_training_data
from seq2seq.training.learner import Learner
from seq2seq.training.peers import make_peers
from seq2seq.training.shares import ahead, shares

SEEDS_APART = 1_000_003
"""Between the seeds of two processes: trainings with neighbouring seeds share no draws."""


def serve(connection: Connection, descriptor: int) -> None:
    """Learn what the first process says, until it ends the connection."""
    order: dict[str, Any] = json.loads(connection.recv_bytes())
    rank, size = order["rank"], order["size"]
    training = TrainingSettings.model_validate(order["training"])
    runtime = RuntimeSettings.model_validate(order["runtime"])
    device = configure(runtime, rank, training_kernels(training.precision))
    torch.set_num_threads(max(1, torch.get_num_threads() // size))
    source_tokenizer, target_tokenizer = map(Tokenizer.from_file, order["tokenizers"])
    data = read_training_data(Path(order["pairs"]), source_tokenizer, target_tokenizer, training)
    model = build_model(ModelSettings.model_validate(order["model"]), *order["sizes"]).to(device)
    peers = make_peers(order["backend"], rank, size, [connection], descriptor, order["meeting"])
    learner = Learner(model, training, peers)
    learner.start(order["step"])
    torch.manual_seed(training.seed + SEEDS_APART * rank + order["step"])
    if order["generator"]:
        set_generator_state(torch.tensor(order["generator"], dtype=torch.uint8), device)
    place = (order["epoch"], order["batch"], rank, size, runtime.gradient_accumulation)
    with closing(ahead(shares(data, *place, learner.copies, device))) as coming:
        while True:
            message = json.loads(connection.recv_bytes())
            match message["do"]:
                case "update":
                    learner.update(next(coming), message["number"], message["rate"])
                case "generator":
                    connection.send_bytes(bytes(generator_state(device).tolist()))
                case "memory":
                    connection.send_bytes(str(peak_memory_mib()).encode())


def end_with(parent: int) -> None:
    """End this process soon after its parent has ended: one that waits for a GPU does not see its connection end."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


if __name__ == "__main__":
    threading.Thread(target=end_with, args=(os.getppid(),), daemon=True).start()
    with suppress(EOFError, ConnectionError), Connection(int(sys.argv[1])) as first:
        serve(first, int(sys.argv[2]))

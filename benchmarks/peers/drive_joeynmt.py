"""Joey NMT: its own `train`, and its own `predict` on a stream dataset. Runs in its environment."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from joeynmt import prediction, training
from joeynmt.config import parse_global_args

from benchmarks.peers.turns import Job, TrainingTurns, Turns, read_job, serve

NEVER = 1_000_000


def configuration(job: Job) -> dict[str, Any]:
    """The toolkit's configuration: words are what spaces separate, and the vocabularies are ours."""
    text = Path(job.text)
    sides = {
        side: {"lang": side, "level": "word", "lowercase": False, "voc_file": str(text / f"vocabulary.{side}")}
        for side in ("src", "trg")
    }
    training, model = own_recipe() if job.recipe == "own" else same_recipe(job)
    return {
        "name": "benchmark",
        "joeynmt_version": "2.3.0",
        "model_dir": job.folder,
        "use_cuda": False,
        "num_workers": 0,
        "random_seed": 1,
        "data": {"train": str(text / "train"), "dev": str(text / "valid"), "dataset_type": "plain", **sides},
        "testing": {"beam_size": 5, "beam_alpha": 1.0, "load_model": job.checkpoint or None},
        "training": {
            "optimizer": "adam",
            "normalization": "tokens",
            "scheduling": "plateau",  # one is needed; it acts at validations, and there are none
            "epochs": NEVER,
            "validation_freq": NEVER,
            "logging_freq": NEVER,
            **training,
        },
        "model": model,
    }


def same_recipe(job: Job) -> tuple[dict[str, Any], dict[str, Any]]:
    """Training and model that all share."""
    training = {"learning_rate": 0.001, "clip_grad_norm": 1.0, "batch_size": job.batch, "batch_type": "token"}
    common = {
        "type": "recurrent",
        "rnn_type": "lstm",
        "embeddings": {"embedding_dim": 256, "scale": False},
        "dropout": 0.2,
        "num_layers": 1,
    }
    decoder = {
        "hidden_size": 512,
        "hidden_dropout": 0.2,
        "input_feeding": job.input_feeding,
        "init_hidden": "bridge",
        "attention": "luong",
    }
    encoder = {"hidden_size": 256, "bidirectional": True}
    return training, {"encoder": common | encoder, "decoder": common | decoder}


def own_recipe() -> tuple[dict[str, Any], dict[str, Any]]:
    """Sizes and rates of the toolkit's configs/iwslt14_deen_bpe.yaml, its recurrent model for a small corpus."""
    training = {"learning_rate": 0.0002, "batch_size": 80, "batch_type": "sentence"}
    common = {
        "type": "recurrent",
        "rnn_type": "gru",
        "embeddings": {"embedding_dim": 620, "scale": False},
        "dropout": 0.0,
        "num_layers": 1,
    }
    decoder = {
        "hidden_size": 1000,
        "hidden_dropout": 0.2,
        "input_feeding": True,
        "init_hidden": "bridge",
        "attention": "bahdanau",
    }
    return training, {"encoder": common | {"hidden_size": 500, "bidirectional": True}, "decoder": common | decoder}


def train(job: Job) -> None:
    """Run the toolkit's training, turn by turn."""
    trainers: list[Any] = []

    def save(path: Path) -> None:
        torch.save({"model_state": trainers[0].model.state_dict()}, path)

    turns = TrainingTurns(save)
    one_batch = training.TrainManager._train_step

    def counted(self: Any, batch: Any) -> Any:
        trainers[:] = [self]
        turns.count(int((batch.trg != self.model.pad_index).sum()))
        return one_batch(self, batch)

    training.TrainManager._train_step = counted
    turns.watch_optimizers()
    training.train(rank=0, world_size=1, cfg=configuration(job), skip_test=True)


def translate(job: Job) -> None:
    """Serve translations from a checkpoint."""
    turns = Turns()
    cfg = configuration(job)
    arguments = parse_global_args(cfg, rank=0, mode="translate")
    assert isinstance(arguments.data["special_symbols"], SimpleNamespace)
    model, _, _, stream = prediction.prepare(arguments, rank=0, mode="translate")

    def search(lines: list[str], beam: int, batch: int) -> list[str]:
        for line in lines:
            stream.set_item(line)
        *_, tokens, _, _ = prediction.predict(
            model=model,
            data=stream,
            device=arguments.device,
            n_gpu=0,
            normalization="none",
            args=arguments.test._replace(beam_size=beam, batch_size=batch),
            autocast=arguments.autocast,
        )
        stream.reset_cache()
        return [" ".join(token for token in sentence if token != "</s>") for sentence in tokens]

    serve(turns, search)


if __name__ == "__main__":
    asked = read_job()
    torch.set_num_threads(asked.threads)
    (translate if asked.checkpoint else train)(asked)

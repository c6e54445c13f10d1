"""eole: its own `train_single`, and its own inference engine. Runs in its environment."""

import json
import shutil
from pathlib import Path
from typing import Any

import torch
from eole import trainer as training
from eole.bin.run.train import train as run_training
from eole.config.run import PredictConfig, TrainConfig
from eole.inference_engine import InferenceEnginePY

from benchmarks.peers.turns import Job, TrainingTurns, Turns, read_job, serve

NEVER = 100_000_000
COMMON: dict[str, Any] = {
    "bucket_size": 30_000,  # all sentences once: by default it reads the corpus nine times before it starts
    "num_workers": 0,
    "train_steps": NEVER,
    "save_checkpoint_steps": NEVER,
    "valid_steps": NEVER,
}
SAME: dict[str, Any] = {
    "optim": "adam",
    "learning_rate": 0.001,
    "max_grad_norm": 1.0,
    "normalization": "tokens",
    "dropout": [0.2],
    "batch_type": "tokens",
}
SAME_MODEL: dict[str, Any] = {  # no bridge: with a bidirectional encoder it ends in an error in this version
    "architecture": "custom",
    "embeddings": {"word_vec_size": 256},
    "encoder": {"encoder_type": "brnn", "layers": 1, "hidden_size": 512},
    "decoder": {"decoder_type": "rnn", "layers": 1, "hidden_size": 512, "global_attention": "general"},
}


def configuration(job: Job) -> TrainConfig:
    """The toolkit's configuration. Its own recipe is what its recurrent architecture and its options default to."""
    text = Path(job.text)
    same = job.recipe == "same"
    return TrainConfig(
        src_vocab=str(text / "vocabulary.src"),
        tgt_vocab=str(text / "vocabulary.trg"),
        data={"corpus": {"path_src": str(text / "train.src"), "path_tgt": str(text / "train.trg")}},
        report_every=NEVER,
        seed=1,
        model=SAME_MODEL if same else {"architecture": "rnn"},
        training={
            "model_path": str(Path(job.folder) / "checkpoint"),
            "compute_dtype": job.precision,
            "log_attention_entropy": False,
            **COMMON,
            **(SAME | {"batch_size": job.batch} if same else {}),
        },
    )


def train(job: Job) -> None:
    """Run the toolkit's training, turn by turn."""
    trainers: list[Any] = []

    def save(path: Path) -> None:
        saver = trainers[0].model_saver
        Path(saver.model_path).mkdir(parents=True, exist_ok=True)
        saver._save(0)
        shutil.copytree(Path(saver.model_path) / saver.step_dir, path, dirs_exist_ok=True)

    turns = TrainingTurns(save)
    one_update = training.Trainer._train_step

    def counted(self: Any, batches: Any, *rest: Any, **named: Any) -> Any:
        trainers[:] = [self]
        turns.count(sum(int((batch["tgt"][:, 1:] != self.train_loss.padding_idx).sum()) for batch in batches))
        return one_update(self, batches, *rest, **named)

    training.Trainer._train_step = counted
    turns.watch_optimizers()
    run_training(configuration(job))


def translate(job: Job) -> None:
    """Serve translations from a checkpoint."""
    turns = Turns()
    stored = json.loads((Path(job.checkpoint) / "config.json").read_text(encoding="utf-8"))
    config = PredictConfig(
        model_path=job.checkpoint,
        src=str(Path(job.text) / "test.src"),
        output=str(Path(job.folder) / "translations"),
        model=stored["model"],
        compute_dtype=job.precision,
        max_length=250,
    )
    engine = InferenceEnginePY(config)

    def search(lines: list[str], beam: int, batch: int) -> list[str]:
        engine.config.batch_size = batch
        _, _, best = engine.infer_list(lines, settings={"beam_size": beam})
        return [sentences[0] for sentences in best]

    serve(turns, search)


if __name__ == "__main__":
    asked = read_job()
    torch.set_num_threads(asked.threads)
    (translate if asked.checkpoint else train)(asked)

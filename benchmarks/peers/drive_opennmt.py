"""OpenNMT-py: its own `train_single`, and its own inference engine. Runs in its environment."""

from pathlib import Path
from typing import Any

import torch
from onmt import trainer as training
from onmt.bin.train import _get_parser as train_parser
from onmt.bin.train import train as run_training
from onmt.bin.translate import _get_parser as translate_parser
from onmt.inference_engine import InferenceEnginePY
from onmt.utils.parse import ArgumentParser

from benchmarks.peers.turns import Job, TrainingTurns, Turns, read_job, serve

NEVER = 100_000_000
COMMON: dict[str, Any] = {
    "bucket_size": 30_000,  # all sentences once: by default it reads the corpus nine times before it starts
    "num_workers": 0,
    "train_steps": NEVER,
    "save_checkpoint_steps": NEVER,
    "valid_steps": NEVER,
    "report_every": NEVER,
    "seed": 1,
}
SAME: dict[str, Any] = {
    "encoder_type": "brnn",
    "decoder_type": "rnn",
    "rnn_type": "LSTM",
    "enc_layers": 1,
    "dec_layers": 1,
    "word_vec_size": 256,
    "hidden_size": 512,
    "global_attention": "general",
    "dropout": "[0.2]",
    "optim": "adam",
    "learning_rate": 0.001,
    "max_grad_norm": 1.0,
    "normalization": "tokens",
    "batch_type": "tokens",
}


def configuration(job: Job) -> Path:
    """Write the toolkit's configuration file; gives its path. Its own recipe is what its options default to."""
    text, folder = Path(job.text), Path(job.folder)
    options = COMMON | {
        "src_vocab": text / "vocabulary.src",
        "tgt_vocab": text / "vocabulary.trg",
        "save_model": folder / "checkpoint",
    }
    if job.recipe == "same":
        options |= SAME | {"input_feed": int(job.input_feeding), "batch_size": job.batch}
    lines = [f"{name}: {value}" for name, value in options.items()]
    lines += ["data:", "  corpus:", f"    path_src: {text / 'train.src'}", f"    path_tgt: {text / 'train.trg'}"]
    path = folder / "configuration.yaml"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def train(job: Job) -> None:
    """Run the toolkit's training, turn by turn."""
    trainers: list[Any] = []

    def save(path: Path) -> None:
        saver = trainers[0].model_saver
        name, _ = saver._save(0, saver.model)
        Path(name).replace(path)

    turns = TrainingTurns(save)
    one_update = training.Trainer._gradient_accumulation

    def counted(self: Any, batches: Any, *rest: Any) -> Any:
        trainers[:] = [self]
        turns.count(sum(int((batch["tgt"][:, 1:, 0] != self.train_loss.padding_idx).sum()) for batch in batches))
        return one_update(self, batches, *rest)

    training.Trainer._gradient_accumulation = counted
    turns.watch_optimizers()
    options, _ = train_parser().parse_known_args(["-config", str(configuration(job))])
    run_training(options)


def translate(job: Job) -> None:
    """Serve translations from a checkpoint."""
    turns = Turns()
    files = ["-src", str(Path(job.text) / "test.src"), "-output", str(Path(job.folder) / "translations")]
    options = translate_parser().parse_args(["-model", job.checkpoint, *files, "-length_penalty", "avg"])
    ArgumentParser.validate_translate_opts(options)
    ArgumentParser._get_all_transform_translate(options)
    ArgumentParser._validate_transforms_opts(options)
    ArgumentParser.validate_translate_opts_dynamic(options)
    engine = InferenceEnginePY(options)

    def search(lines: list[str], beam: int, batch: int) -> list[str]:
        engine.opt.batch_size, engine.translator.beam_size = batch, beam
        _, best = engine.infer_list(lines)
        return [sentences[0] for sentences in best]

    serve(turns, search)


if __name__ == "__main__":
    asked = read_job()
    torch.set_num_threads(asked.threads)
    (translate if asked.checkpoint else train)(asked)

"""From settings to a network."""

from typing import Any

from seq2seq.models.recurrent import RecurrentSeq2Seq
from seq2seq.models.seq2seq import Seq2Seq
from seq2seq.models.transformer import Transformer
from seq2seq.settings.model import ModelSettings


def build_model(settings: ModelSettings, source_size: int, target_size: int) -> Seq2Seq[Any, Any]:
    """A network with fresh weights for vocabularies of these sizes; draws from PyTorch's default generator."""
    network = Transformer if settings.architecture == "transformer" else RecurrentSeq2Seq
    return network(settings, source_size, target_size)

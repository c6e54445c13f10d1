"""From settings to a network."""

from typing import Any

from seq2seq.errors import ConfigError
from seq2seq.models.recurrent import RecurrentSeq2Seq
from seq2seq.models.seq2seq import Seq2Seq
from seq2seq.models.transformer import Transformer
from seq2seq.settings.model import ModelSettings


def build_model(settings: ModelSettings, source_size: int, target_size: int) -> Seq2Seq[Any, Any]:
    """A network with fresh weights for vocabularies of these sizes; draws from PyTorch's default generator.

    Raises ConfigError where source and target are to share embeddings and have vocabularies of unequal size.
    """
    if settings.share_embeddings and source_size != target_size:
        raise ConfigError(
            f"model.share_embeddings needs one vocabulary for both sides, but the source has {source_size:,} tokens "
            f"and the target {target_size:,}: set vocabulary.joint = true or model.share_embeddings = false."
        )
    network = Transformer if settings.architecture == "transformer" else RecurrentSeq2Seq
    return network(settings, source_size, target_size)

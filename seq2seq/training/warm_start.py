"""A training that starts from the weights of a finished one.

Weights alone are taken over. Optimizer, learning rate schedule and warm-up begin anew with the settings of this
training: a finished cosine has nothing left to go on with. The parent's weights are validated before the first
update and stay a candidate: on the validation split the result is never worse than its parent.
"""

from collections.abc import Mapping
from typing import Any

from seq2seq.pipeline import Job
from seq2seq.registry.model_folder import WEIGHTS
from seq2seq.settings.model import ModelSettings
from seq2seq.settings.training import TrainingSettings
from seq2seq.storage.artifacts import Artifact
from seq2seq.training.loop import train_from


def train(
    model: ModelSettings,
    training: TrainingSettings,
    encode: Artifact,
    vocabulary: Artifact,
    clean: Artifact,
    parent: Artifact,
    job: Job,
) -> Mapping[str, Any]:
    """Train as `seq2seq.training.loop.train` does, from the weights in the model folder `parent`.

    `vocabulary` is the parent's (`seq2seq.subwords.vocabulary.inherit`), and `seq2seq.registry.inheritance` has found
    nothing else that speaks against it. Raises ModelError when the weights do not fit the network, and what an ordinary
    training raises.
    """
    statistics = train_from(parent.file(WEIGHTS), model, training, encode, vocabulary, clean, job)
    return statistics | {"parent": parent.folder.name}

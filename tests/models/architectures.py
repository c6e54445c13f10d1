"""The networks that every property test runs over, by a name that says what is special about them."""

from typing import Any

SMALL: dict[str, Any] = {
    "embedding_size": 12,
    "encoder_hidden_size": 16,
    "decoder_hidden_size": 16,
    "feedforward_size": 24,
    "dropout": 0.3,
}
"""Sizes that the entries below are built with; an entry may set others."""

ARCHITECTURES: dict[str, dict[str, Any]] = {
    "lecture": {},
    "lecture, two layers": {"encoder_layers": 2, "decoder_layers": 2},
    "deeper decoder": {"decoder_layers": 3},
    "deeper encoder": {"encoder_layers": 3},
    "bidirectional": {"bidirectional": True},
    "reversed": {"reverse_source": True},
    "reversed with attention": {"reverse_source": True, "attention": "general"},
    "dot": {"attention": "dot"},
    "general": {"attention": "general", "bidirectional": True},
    "additive": {"attention": "additive", "bidirectional": True, "encoder_layers": 2, "decoder_layers": 2},
    "tied": {"attention": "general", "tie_embeddings": True},
    "tied without attention": {"tie_embeddings": True},
    "GRU": {"architecture": "gru"},
    "GRU, bidirectional, deeper decoder": {
        "architecture": "gru",
        "bidirectional": True,
        "attention": "general",
        "encoder_layers": 2,
        "decoder_layers": 3,
    },
    "layer norm": {"layer_norm": True},
    "layer norm with attention": {"layer_norm": True, "attention": "general", "encoder_layers": 2, "decoder_layers": 2},
    "input feeding": {"input_feeding": True, "attention": "general", "bidirectional": True},
    "input feeding, all at once": {
        "input_feeding": True,
        "attention": "additive",
        "bidirectional": True,
        "encoder_layers": 2,
        "decoder_layers": 2,
        "layer_norm": True,
        "tie_embeddings": True,
        "variational_dropout": True,
        "source_word_dropout": 0.2,
        "target_word_dropout": 0.2,
    },
    "input feeding, GRU": {"architecture": "gru", "input_feeding": True, "attention": "dot", "decoder_layers": 2},
    "residual": {
        "residual": True,
        "bidirectional": True,
        "attention": "general",
        "encoder_layers": 3,
        "decoder_layers": 2,
    },
    "residual, input feeding, GRU": {
        "architecture": "gru",
        "residual": True,
        "input_feeding": True,
        "attention": "dot",
        "decoder_layers": 3,
        "layer_norm": True,
    },
    "variational dropout": {"variational_dropout": True, "attention": "general", "encoder_layers": 2},
    "shared": {"share_embeddings": True},
    "shared three ways": {"share_embeddings": True, "tie_embeddings": True, "attention": "general"},
    "transformer": {"architecture": "transformer"},
    "transformer, deep encoder and shallow decoder": {"architecture": "transformer", "encoder_layers": 4},
    "transformer, deep decoder and many heads": {
        "architecture": "transformer",
        "decoder_layers": 3,
        "attention_heads": 6,
    },
    "transformer, tied": {"architecture": "transformer", "tie_embeddings": True},
    "transformer with word dropout": {
        "architecture": "transformer",
        "source_word_dropout": 0.2,
        "target_word_dropout": 0.2,
    },
}

"""Sequence-to-sequence translation: corpora, tokenization, models, training, decoding, scores."""

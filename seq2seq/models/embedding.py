"""Tokens to vectors, and the dropout of whole tokens.

Shapes in names: B batch, T positions (of a source or a target), E embedding size.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from seq2seq.subwords.special_tokens import PAD


class Embedding(nn.Embedding):
    """A table of vectors. PAD has the zero vector, unless the output layer shares the table and moves it.

    Word dropout zeroes the vectors of whole tokens in training (Sennrich et al. 2016, Edinburgh's systems for
    WMT16), each occurrence for itself, and scales the others as ordinary dropout does, like their Nematus.
    """

    def __init__(self, vocabulary_size: int, embedding_size: int, word_dropout: float = 0.0) -> None:
        super().__init__(vocabulary_size, embedding_size, padding_idx=PAD)
        self.word_dropout = word_dropout

    def forward(self, tokens_BT: Tensor) -> Tensor:
        """vectors_BTE of the tokens."""
        vectors_BTE = super().forward(tokens_BT)
        if self.training and self.word_dropout:
            vectors_BTE = vectors_BTE * functional.dropout(torch.ones_like(vectors_BTE[:, :, :1]), self.word_dropout)
        return vectors_BTE

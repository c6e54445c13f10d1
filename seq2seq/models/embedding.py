"""Tokens to vectors, and the dropout of whole tokens and of their elements.

Shapes in names: B batch, T positions (of a source or a target), E embedding size.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from seq2seq.models.dropout import dropout
from seq2seq.subwords.special_tokens import PAD


class Dropout(nn.Module):
    """Zeroes a share of the elements in training and scales the others by 1 / (1 - share).

    Each position draws for itself, or, if `variational`, all positions of a row share one draw (Gal & Ghahramani
    2016, section 4): a recurrent layer then misses the same features at each of its steps.
    """

    def __init__(self, share: float, variational: bool = False) -> None:
        super().__init__()
        self.share, self.variational = share, variational

    def forward(self, vectors_BTE: Tensor) -> Tensor:
        """The vectors with elements dropped; the vectors themselves outside of training."""
        if not (self.training and self.share):
            return vectors_BTE
        if not self.variational:
            return dropout(vectors_BTE, self.share)
        return vectors_BTE * functional.dropout(torch.ones_like(vectors_BTE[:, :1]), self.share)


class Embedding(nn.Embedding):
    """A table of vectors; PAD has the zero vector.

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

"""How good a model is on the validation split while it is being trained."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from sacrebleu.metrics.bleu import BLEU
from tokenizers import Tokenizer

from seq2seq.batching import EncodedPairs, batches_by_length, collate, pad_sources
from seq2seq.decoding.steps import greedy, longest_translation
from seq2seq.device import autocast, product_type
from seq2seq.errors import CorpusError
from seq2seq.models.linear import packed
from seq2seq.models.seq2seq import Seq2Seq
from seq2seq.training.forcing import decoder_features
from seq2seq.training.loss import linear_cross_entropy

BATCH_SENTENCES = 128


@dataclass(frozen=True)
class Validation:
    """The validation split and how to read a translation of it."""

    pairs: EncodedPairs
    references: Sequence[str]
    """Raw target text, one for each pair."""
    target_tokenizer: Tokenizer
    bleu_tokenizer: str
    precision: str
    device: torch.device

    def nats_per_token(self, model: Seq2Seq[Any, Any]) -> float:
        """Negative log-likelihood of the references, teacher-forced."""
        lengths = (self.pairs.source.lengths + self.pairs.target.lengths + 2).tolist()
        total = torch.zeros((), device=self.device)
        with torch.inference_mode(), autocast(self.precision, self.device):
            for indices in batches_by_length(lengths, BATCH_SENTENCES):
                batch = collate(self.pairs, np.array(indices)).to(self.device)
                features_NF = decoder_features(model, batch, 1.0).flatten(0, 1).index_select(0, batch.real_N)
                output = model.output
                total += linear_cross_entropy(features_NF, output.weight, output.bias, batch.targets_N)[1]
        return float(total) / self.pairs.target_tokens

    def bleu(self, model: Seq2Seq[Any, Any], check: Callable[[], None] = lambda: None) -> float:
        """Corpus BLEU of greedy translations. `check` is called between batches and may raise to end it."""
        lengths = self.pairs.source.lengths.tolist()
        translations = [""] * len(lengths)
        on_cpu = self.device.type == "cpu"
        stepper = model.for_decoding(packed(product_type(self.precision, self.device))) if on_cpu else model
        for indices in batches_by_length(lengths, BATCH_SENTENCES):
            check()
            source_BS, lengths_B = pad_sources([self.pairs.source[index] for index in indices])
            with torch.inference_mode(), autocast(self.precision, self.device):
                longest_B = torch.tensor([longest_translation(length) for length in lengths_B.tolist()])
                rows = greedy(stepper, source_BS.to(self.device), lengths_B, longest_B)
            for index, text in zip(indices, self.target_tokenizer.decode_batch(rows), strict=True):
                translations[index] = text
        return validation_bleu(translations, self.references, self.bleu_tokenizer)


def validation_bleu(translations: Sequence[str], references: Sequence[str], tokenizer: str = "13a") -> float:
    """Cased corpus BLEU in percent (Papineni et al. 2002, as sacreBLEU defines it) of detokenized text.

    `tokenizer` is one of sacreBLEU's. Raises CorpusError when there is no pair to score.
    """
    if not references:
        raise CorpusError("There is no pair to score: the validation split is empty.")
    score: float = BLEU(tokenize=tokenizer, force=True).corpus_score(list(translations), [list(references)]).score
    return score

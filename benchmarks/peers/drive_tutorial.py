"""The loop of the sequence-to-sequence tutorials, written out: what people start from, without its usual mistakes.

Sentences in random batches, padded to the longest; an encoder `nn.LSTM` over a packed batch; a Python loop over the
target positions, each with Luong attention (Luong et al. 2015) and the output layer; `CrossEntropyLoss` with
`ignore_index` over all positions; Adam. Translation is greedy, one sentence at a time.
"""

import random
from itertools import count
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence, pad_sequence

from benchmarks.peers.turns import Job, TrainingTurns, Turns, read_job, serve

PAD, UNK, BOS, EOS = range(4)
Pairs = list[tuple[list[int], list[int]]]


class Encoder(nn.Module):
    """Bidirectional LSTM; its last states go through a linear layer to the decoder."""

    def __init__(self, words: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(words, 256, padding_idx=PAD)
        self.dropout = nn.Dropout(0.2)
        self.rnn = nn.LSTM(256, 256, batch_first=True, bidirectional=True)
        self.hidden, self.cell = nn.Linear(512, 512), nn.Linear(512, 512)

    def forward(self, source: Tensor, lengths: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        embedded = self.dropout(self.embedding(source))
        packed = pack_padded_sequence(embedded, lengths, batch_first=True, enforce_sorted=False)
        outputs, (hidden, cell) = self.rnn(packed)
        outputs, _ = pad_packed_sequence(outputs, batch_first=True)
        hidden, cell = (torch.cat([state[0], state[1]], 1) for state in (hidden, cell))
        return outputs, (torch.tanh(self.hidden(hidden))[None], self.cell(cell)[None])


class Decoder(nn.Module):
    """One target position at a time."""

    def __init__(self, words: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(words, 256, padding_idx=PAD)
        self.dropout = nn.Dropout(0.2)
        self.rnn = nn.LSTM(256, 512, batch_first=True)
        self.attention = nn.Linear(512, 512, bias=False)
        self.combine = nn.Linear(1024, 512)
        self.output = nn.Linear(512, words)

    def forward(
        self, token: Tensor, state: tuple[Tensor, Tensor], memory: Tensor, padding: Tensor
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        embedded = self.dropout(self.embedding(token))[:, None]
        output, state = self.rnn(embedded, state)
        scores = torch.bmm(output, self.attention(memory).transpose(1, 2))
        weights = scores.masked_fill(padding[:, None], -torch.inf).softmax(-1)
        context = torch.bmm(weights, memory)
        features = torch.tanh(self.combine(torch.cat([context, output], -1)))
        return self.output(self.dropout(features))[:, 0], state


class Seq2Seq(nn.Module):
    """Encoder and decoder, the target fed to the decoder (teacher forcing)."""

    def __init__(self, source_words: int, target_words: int) -> None:
        super().__init__()
        self.encoder, self.decoder = Encoder(source_words), Decoder(target_words)

    def forward(self, source: Tensor, lengths: Tensor, target: Tensor) -> Tensor:
        memory, state = self.encoder(source, lengths)
        padding = source == PAD
        outputs = []
        for position in range(target.shape[1] - 1):
            logits, state = self.decoder(target[:, position], state, memory, padding)
            outputs.append(logits)
        return torch.stack(outputs, 1)


def read_vocabulary(path: Path) -> dict[str, int]:
    """Numbers of the words, after those of the four special tokens."""
    return {word: index for index, word in enumerate(path.read_text(encoding="utf-8").split(), EOS + 1)}


def read_pairs(text: Path, split: str) -> Pairs:
    """Ids with begin and end marks."""
    sides = []
    for side in ("src", "trg"):
        words = read_vocabulary(text / f"vocabulary.{side}")
        lines = (text / f"{split}.{side}").read_text(encoding="utf-8").splitlines()
        sides.append([[BOS, *(words.get(word, UNK) for word in line.split()), EOS] for line in lines])
    return list(zip(*sides, strict=True))


def padded(rows: list[list[int]]) -> Tensor:
    """Rows of one length."""
    return pad_sequence([torch.tensor(row) for row in rows], batch_first=True, padding_value=PAD)


def new_model(text: Path) -> Seq2Seq:
    """A fresh model for the two vocabularies."""
    return Seq2Seq(*(EOS + 1 + len(read_vocabulary(text / f"vocabulary.{side}")) for side in ("src", "trg")))


def train(job: Job) -> None:
    """Train for ever, turn by turn."""
    torch.manual_seed(1)
    random.seed(1)
    text = Path(job.text)
    model, pairs = new_model(text), read_pairs(text, "train")
    turns = TrainingTurns(lambda path: torch.save(model.state_dict(), path))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.001)
    criterion = nn.CrossEntropyLoss(ignore_index=PAD)
    model.train()
    turns.watch_optimizers()
    for _ in count():
        random.shuffle(pairs)
        for start in range(0, len(pairs), job.batch):
            batch = pairs[start : start + job.batch]
            source, target = padded([pair[0] for pair in batch]), padded([pair[1] for pair in batch])
            turns.count(int((target[:, 1:] != PAD).sum()))
            optimizer.zero_grad()
            logits = model(source, torch.tensor([len(pair[0]) for pair in batch]), target)
            loss = criterion(logits.flatten(0, 1), target[:, 1:].flatten())
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()


def translate(job: Job) -> None:
    """Serve translations from a checkpoint; `beam` and `batch` have to be 1."""
    text = Path(job.text)
    turns, model = Turns(), new_model(text)
    model.load_state_dict(torch.load(job.checkpoint, weights_only=True))
    model.eval()
    words = read_vocabulary(text / "vocabulary.src")
    names = {index: word for word, index in read_vocabulary(text / "vocabulary.trg").items()}

    @torch.no_grad()
    def one(line: str) -> str:
        source = torch.tensor([[BOS, *(words.get(word, UNK) for word in line.split()), EOS]])
        memory, state = model.encoder(source, torch.tensor([source.shape[1]]))
        token, found = torch.tensor([BOS]), []
        for _ in range(2 * source.shape[1]):
            logits, state = model.decoder(token, state, memory, source == PAD)
            token = logits.argmax(1)
            if token.item() == EOS:
                break
            found.append(names.get(int(token), "<unk>"))
        return " ".join(found)

    def greedy(lines: list[str], beam: int, batch: int) -> list[str]:
        if (beam, batch) != (1, 1):
            raise ValueError(f"the tutorial loop decodes greedily and one by one, not beam {beam}, batch {batch}")
        return [one(line) for line in lines]

    serve(turns, greedy)


if __name__ == "__main__":
    asked = read_job()
    torch.set_num_threads(asked.threads)
    (translate if asked.checkpoint else train)(asked)

"""What a sentence says, before either language says it.

One tree is rendered twice: `korean.realise_korean` and `english.realise_english` read the same tree and share nothing
but the lexicon. Whatever English must express (number, tense, reference) is in the tree only if Korean expresses
it as well; all else, such as articles, follows from rules.
"""

from dataclasses import dataclass
from enum import Enum, auto
from functools import cached_property

from seq2seq.corpora.demo.lexemes import Adjective, Adverb, Noun, Numeral, Position, Role, Tense, Verb


class Pointer(Enum):
    """The demonstratives. Korean has three; 저 is over there, away from both speakers."""

    THIS = auto()
    THAT = auto()
    YONDER = auto()


class Quantity(Enum):
    """What stands in the place of a numeral."""

    MANY = auto()
    EVERY = auto()
    HOW_MANY = auto()


class Mode(Enum):
    """Ability, wish or duty, on top of the verb."""

    PLAIN = auto()
    CAN = auto()
    WANT = auto()
    MUST = auto()


class Mood(Enum):
    """What a main clause does."""

    STATEMENT = auto()
    QUESTION = auto()
    REQUEST = auto()
    PROPOSAL = auto()


class Link(Enum):
    """How two clauses hang together."""

    AND = auto()
    BUT = auto()
    BECAUSE = auto()
    WHEN = auto()
    IF = auto()
    BEFORE = auto()
    AFTER = auto()
    PURPOSE = auto()


@dataclass(frozen=True)
class NounPhrase:
    """A noun with what belongs to it. Bare it is definite; see `english` for the rules of the articles."""

    noun: Noun
    plural: bool = False
    pointer: Pointer | None = None
    owner: "NounPhrase | None" = None
    adjective: Adjective | None = None
    quantity: Numeral | Quantity | None = None
    relative: "Relative | None" = None
    asks_which: bool = False

    @property
    def asks(self) -> bool:
        """Whether English fronts it."""
        return self.noun.kind == "question" or self.asks_which or self.quantity is Quantity.HOW_MANY


@dataclass(frozen=True)
class Pair:
    """Two phrases joined by `and`."""

    first: NounPhrase
    second: NounPhrase

    asks = False


@dataclass(frozen=True)
class Placed:
    """Where something is, seen from a thing: under the desk."""

    position: Position
    ground: NounPhrase

    asks = False


@dataclass(frozen=True)
class Age:
    """A number of years, as a complement of `be`."""

    years: Numeral

    asks = False


Phrase = NounPhrase | Pair | Placed | Age | Adverb


@dataclass(frozen=True)
class Clause:
    """A subject and what is said about it. parts: at most one phrase for each role, in any order."""

    subject: NounPhrase | Pair
    predicate: Verb | Adjective
    parts: tuple[tuple[Role, Phrase], ...] = ()
    tense: Tense = Tense.PRESENT
    progressive: bool = False
    mode: Mode = Mode.PLAIN
    negated: bool = False

    @cached_property
    def roles(self) -> dict[Role, Phrase]:
        """The phrases by role."""
        return dict(self.parts)


@dataclass(frozen=True)
class Relative:
    """A clause that tells which one is meant. Its subject, or the object that it lacks, is the noun before it."""

    clause: Clause
    of_subject: bool


@dataclass(frozen=True)
class Sentence:
    """A main clause, alone or linked to another one."""

    main: Clause
    mood: Mood = Mood.STATEMENT
    link: Link | None = None
    other: Clause | None = None

"""What the lexicon says about a word: how both languages write it, and what it goes with."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from functools import cached_property

from seq2seq.corpora.demo.hangul import Stem


class Tense(Enum):
    """When something happens; both languages mark it."""

    PAST = auto()
    PRESENT = auto()
    FUTURE = auto()


class Aspect(Enum):
    """How a verb runs in time, which says in which tenses its plain form is said."""

    ACTIVITY = auto()  # all tenses and the progressive
    EVENT = auto()  # over at once: past and future
    STATE = auto()  # past and present
    KNOWLEDGE = auto()  # present: in the past, 알다 means to find out

    @property
    def tenses(self) -> tuple[Tense, ...]:
        """The tenses of the plain form."""
        return {
            Aspect.ACTIVITY: (Tense.PAST, Tense.PRESENT, Tense.FUTURE),
            Aspect.EVENT: (Tense.PAST, Tense.FUTURE),
            Aspect.STATE: (Tense.PAST, Tense.PRESENT),
            Aspect.KNOWLEDGE: (Tense.PRESENT,),
        }[self]


class Role(Enum):
    """What a phrase is to its verb. Each language has a table that says where a role stands and what marks it."""

    OBJECT = auto()
    RECIPIENT = auto()
    COMPLEMENT = auto()  # what somebody is, becomes or has
    PARTNER = auto()  # with whom one talks or fights
    COMPANION = auto()  # together with whom
    STANDARD = auto()  # what something is compared with
    DEGREE = auto()
    MANNER = auto()
    FREQUENCY = auto()
    REASON = auto()  # only as a question: why
    TOOL = auto()
    VEHICLE = auto()
    SOURCE = auto()
    GOAL = auto()
    SITE = auto()  # where something is
    PLACE = auto()  # where something happens
    TIME = auto()


@dataclass(frozen=True)
class Counter:
    """A Korean counter. English counts the noun itself, or says how it is measured: two cups of coffee."""

    korean: str
    measure: str = ""


@dataclass(frozen=True)
class Numeral:
    """A native Korean numeral in the form that it has before a counter."""

    korean: str
    english: str

    @property
    def is_one(self) -> bool:
        """Whether the English noun after it is singular."""
        return self.english == "one"


@dataclass(frozen=True, eq=False)
class Noun:
    """A noun, a name or a pronoun.

    kind: semantic class, which verbs and adjectives select by. counter: None where it is not counted.
    countable: takes an article and a plural in English. pronoun: the one that takes it up, where Korean tells which.
    preposition: English preposition of the place that it names.
    """

    korean: str
    english: str
    kind: str
    counter: Counter | None = None
    countable: bool = True
    pronoun: str = ""
    preposition: str = "in"


@dataclass(frozen=True)
class Adverb:
    """An adverb or a fixed phrase of time. tenses: those that it goes with; asks: fronted in English questions."""

    korean: str
    english: str
    tenses: frozenset[Tense] = frozenset(Tense)
    asks: bool = False


@dataclass(frozen=True)
class Position:
    """Where something is, seen from a thing: a noun with 에 in Korean, a preposition in English.

    grounds, figures: selections of what it is seen from, and of what is there.
    """

    korean: str
    english: str
    grounds: str
    figures: str


@dataclass(frozen=True, eq=False)
class Predicate:
    """A word that a sentence is about: its dictionary form in 다, and the class of its irregularity."""

    korean: str
    english: str
    irregular: str = ""

    @cached_property
    def stem(self) -> Stem:
        """The dictionary form without 다."""
        return Stem(self.korean.removesuffix("다"), self.irregular)


@dataclass(frozen=True, eq=False)
class Adjective(Predicate):
    """An adjective.

    describes: the nouns that it goes with, for `select`. feeling: Korean says it in the present of oneself only.
    attributive, predicative: whether it is used before a noun, and as a predicate.
    scale: what it measures, so that nothing is both big and small. tone: 1 where it is welcome, -1 where it is not.
    """

    describes: str = ""
    scale: str = ""
    tone: int = 0
    feeling: bool = False
    attributive: bool = True
    predicative: bool = True


@dataclass(frozen=True, eq=False)
class Verb(Predicate):
    """A verb.

    subjects: who does it. needs: its complements. may: what can be added. All are selections for `select`.
    deliberate: can be wanted or asked for. dated: goes with a time of day or a weekday.
    negative: the word that Korean uses in place of its negation.
    prepositions: English ones that differ from those of the role.
    """

    subjects: str = "person"
    needs: Mapping[Role, str] = field(default_factory=dict)
    may: Mapping[Role, str] = field(default_factory=dict)
    aspect: Aspect = Aspect.ACTIVITY
    deliberate: bool = True
    dated: bool = True
    negative: Predicate | None = None
    prepositions: Mapping[Role, str] = field(default_factory=dict)

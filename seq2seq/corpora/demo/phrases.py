"""Draws phrases: who, what and where."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from random import Random
from typing import TypeVar

from seq2seq.corpora.demo import lexicon
from seq2seq.corpora.demo.lexemes import Adjective, Noun, Numeral, Position
from seq2seq.corpora.demo.tree import NounPhrase, Pair, Placed, Pointer, Quantity

T = TypeVar("T")

ADJECTIVES = tuple(lexicon.ADJECTIVES.values())
_ATTRIBUTES: dict[Noun, tuple[Adjective, ...]] = {
    noun: tuple(
        adjective
        for adjective in ADJECTIVES
        if adjective.attributive and noun in lexicon.select(adjective.describes)
        for _ in range(1 if adjective.predicative else 2)  # what is drawn nowhere else is drawn more often here
    )
    for noun in lexicon.NOUNS.values()
}
_BARE = ("field", "city", "weather", "audio", "money")
_PUBLIC = ("person", "dish", "drink", "site", "outdoors", "nature", "water", "light", "video", "transport")
_COMMON_COUNTERS = ("명", "마리", "개", "대")
_SEVERAL = ("person", "animal")


class PhraseSampler:
    """Draws phrases from a generator of random numbers. Words of a kind are drawn evenly."""

    def __init__(self, random: Random) -> None:
        self.random = random

    def one(self, choices: Sequence[T]) -> T:
        """Any of these."""
        return self.random.choice(choices)

    def chance(self, probability: float) -> bool:
        """True this often."""
        return self.random.random() < probability

    def until(self, draw: Callable[[], T | None]) -> T:
        """The first that is something."""
        while (drawn := draw()) is None:
            pass
        return drawn

    def name(self) -> NounPhrase:
        """Somebody by name."""
        return NounPhrase(self.one(lexicon.select("name")))

    def pronoun(self) -> NounPhrase:
        """A personal pronoun."""
        return NounPhrase(self.one(lexicon.PRONOUNS))

    def someone(self) -> NounPhrase | Pair:
        """Who does something."""
        dice = self.random.random()
        if dice < 0.25:
            return self.pronoun()
        if dice < 0.45:
            return self.name()
        if dice < 0.5:
            first, second = self.random.sample(lexicon.select("name"), 2)
            return Pair(NounPhrase(first), NounPhrase(second))
        return self.relation(self.one(lexicon.select("kin"))) if dice < 0.6 else self.thing(lexicon.select("person"))

    def known_someone(self) -> NounPhrase | Pair:
        """Somebody, but not a number of people."""
        someone = self.someone()
        return replace(someone, quantity=None) if isinstance(someone, NounPhrase) else someone

    def person(self) -> NounPhrase:
        """Whom something is done to."""
        dice = self.random.random()
        if dice < 0.15:
            return self.pronoun()
        if dice < 0.35:
            return self.name()
        return self.relation(self.one(lexicon.select("kin"))) if dice < 0.45 else self.thing(lexicon.select("person"))

    def relation(self, noun: Noun) -> NounPhrase:
        """Whose brother, sister or uncle. 형 and 누나 are words of boys and men, so no one else owns one."""
        men = [name for name in lexicon.select("name") if name.pronoun == "he"]
        return NounPhrase(noun, owner=NounPhrase(lexicon.I if self.chance(0.6) else self.one(men)))

    def thing(self, nouns: Sequence[Noun], counted: bool = True) -> NounPhrase:
        """A noun, bare or with one or two of the words that can go with it. counted: a number may be among them."""
        noun = self.one(nouns)
        if noun.kind == "kin":
            return self.relation(noun)
        if noun.kind == "name" or noun.kind in _BARE:
            return NounPhrase(noun)
        dice = self.random.random()
        if dice < 0.14:
            return self._pointed(noun)
        if dice < 0.26 and _ATTRIBUTES[noun]:
            return NounPhrase(noun, adjective=self.one(_ATTRIBUTES[noun]))
        if dice < 0.36 and noun.counter and counted:
            return NounPhrase(noun, quantity=self._quantity(noun))
        if dice < 0.66 and noun.counter and counted and noun.counter.korean not in _COMMON_COUNTERS:
            return NounPhrase(noun, quantity=self.number())
        if dice < 0.5 and noun.kind not in _PUBLIC:
            return NounPhrase(noun, owner=self._owner())
        return NounPhrase(noun, plural=self._is_several(noun))

    def definite(self, noun: Noun) -> NounPhrase:
        """This noun, pointed at, owned, or bare."""
        return replace(self.thing([noun], counted=False), adjective=None)

    def placed(self, position: Position) -> Placed:
        """Somewhere at this position."""
        return Placed(position, NounPhrase(self.one(lexicon.select(position.grounds))))

    def attribute(self, noun: Noun, scales: Sequence[str]) -> Adjective:
        """An adjective that can stand before the noun and measures one of these."""
        return self.one([adjective for adjective in _ATTRIBUTES[noun] if adjective.scale in scales])

    def number(self) -> Numeral:
        """From one to ten, small ones more often."""
        return self.one(lexicon.NUMERALS[:4] if self.chance(0.4) else lexicon.NUMERALS[:10])

    def _pointed(self, noun: Noun) -> NounPhrase:
        adjective = self.one(_ATTRIBUTES[noun]) if _ATTRIBUTES[noun] and self.chance(0.25) else None
        return NounPhrase(noun, self._is_several(noun), pointer=self.one(tuple(Pointer)), adjective=adjective)

    def _is_several(self, noun: Noun) -> bool:
        """Only people and animals: 들 after things is rare in Korean."""
        return noun.kind in _SEVERAL and self.chance(0.25)

    def _quantity(self, noun: Noun) -> Quantity | Numeral:
        if self.chance(0.2) and noun.countable:
            return self.one((Quantity.MANY, Quantity.EVERY))
        return self.number()

    def _owner(self) -> NounPhrase:
        if self.chance(0.6):
            return self.pronoun()
        return self.name() if self.chance(0.6) else NounPhrase(self.one(lexicon.select("person")))

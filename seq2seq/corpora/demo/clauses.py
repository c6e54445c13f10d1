"""Draws clauses: verbs with what they need, and what can be added to them."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cache

from seq2seq.corpora.demo import inflection, lexicon
from seq2seq.corpora.demo.lexemes import Adjective, Adverb, Aspect, Noun, Role, Tense, Verb
from seq2seq.corpora.demo.phrases import ADJECTIVES, PhraseSampler
from seq2seq.corpora.demo.tree import Clause, NounPhrase, Pair, Phrase, Quantity

VERBS = tuple(lexicon.VERBS.values())
PERSONAL = tuple(verb for verb in VERBS if "person" in verb.subjects.split())
DELIBERATE = tuple(verb for verb in PERSONAL if verb.deliberate)
ACTIONS = tuple(verb for verb in DELIBERATE if verb.dated)
TRANSITIVE = tuple(verb for verb in PERSONAL if Role.OBJECT in verb.needs)
OUTDOORS = tuple(lexicon.VERBS[verb] for verb in ("걷다", "달리다", "산책하다", "가다", "심다", "타다", "여행하다"))
COMINGS = tuple(lexicon.VERBS[verb] for verb in ("오다", "돌아오다", "도착하다"))
PREDICATIVE = tuple(adjective for adjective in ADJECTIVES if adjective.predicative)
_SEASONAL = (*OUTDOORS, *(lexicon.VERBS[verb] for verb in ("수영하다", "배우다", "일하다", "날다")))
_ONE_AT_A_TIME = tuple(
    lexicon.VERBS[verb] for verb in ("타다", "운전하다", "입다", "벗다", "켜다", "끄다", "보다", "연주하다", "밀다")
)
_WEATHER_ADJECTIVES = tuple(a for a in PREDICATIVE if lexicon.WEATHER in lexicon.select(a.describes))


class ClauseSampler(PhraseSampler):
    """Draws clauses from a generator of random numbers. Verbs are drawn evenly, and so are adjectives."""

    def clause(self, verbs: Sequence[Verb] = VERBS, subject: NounPhrase | Pair | None = None) -> Clause:
        """A clause with what its verb needs, about a given subject or any."""
        verb = self.one(verbs)
        return self.until(lambda: self._sensible(verb, subject or self._subject_of(verb)))

    def extended(self, clause: Clause) -> Clause:
        """The clause with something added: how, where, with whom, when."""
        verb = clause.predicate
        assert isinstance(verb, Verb)
        if not verb.may or self.chance(0.35):
            return self.timed(clause)
        role = self.one(tuple(verb.may))
        addition = (role, self._phrase_for(verb, role, verb.may[role]))
        wider = replace(clause, parts=(*clause.parts, addition))
        return self.timed(wider) if if_sensible(wider) else clause

    def timed(self, clause: Clause, probability: float = 0.5) -> Clause:
        """The clause with a time, this often, if its verb goes with one."""
        verb = clause.predicate
        if not isinstance(verb, Verb) or not verb.dated or not self.chance(probability):
            return clause
        in_season = verb in _SEASONAL and self.chance(0.5)
        time = self.one(lexicon.SEASONS) if in_season else self.time(clause.tense)
        return replace(clause, parts=(*clause.parts, (Role.TIME, time)))

    def time(self, tense: Tense) -> Adverb:
        """A time that goes with the tense."""
        if self.chance(0.15):
            return lexicon.o_clock(self.one(lexicon.NUMERALS))
        return self.one(_times(tense, only=self.chance(0.5)))

    def weather(self, tense: Tense, fine: bool = True) -> Clause:
        """It rains, or the weather is cold. fine: it can be good as well."""
        if self.chance(0.5):
            return Clause(NounPhrase(lexicon.IT), self.one(lexicon.WEATHER_VERBS), tense=tense)
        adjectives = [adjective for adjective in _WEATHER_ADJECTIVES if fine or adjective.tone <= 0]
        return Clause(NounPhrase(lexicon.WEATHER), self.one(adjectives), tense=tense)

    def denied(self, clause: Clause, probability: float = 1) -> Clause:
        """The negated clause, this often; with `every`, negation would be ambiguous in both languages."""
        return clause if is_universal(clause) or not self.chance(probability) else replace(clause, negated=True)

    def present_or_past(self) -> Tense:
        """One of the two tenses that states are in."""
        return self.one((Tense.PRESENT, Tense.PAST))

    def described(self, adjective: Adjective) -> NounPhrase | Pair:
        """Who or what is such."""
        nouns = lexicon.select(adjective.describes)
        if any(noun.kind == "name" for noun in nouns):
            return self.someone()
        return self.definite(self.one(nouns))

    def noun_of(self, clause: Clause, role: Role) -> Noun:
        """Some noun that the verb of the clause allows in this role."""
        assert isinstance(clause.predicate, Verb)
        return self.one(lexicon.select(clause.predicate.needs[role]))

    def _sensible(self, verb: Verb, subject: NounPhrase | Pair) -> Clause | None:
        parts = tuple((role, self._phrase_for(verb, role, selection)) for role, selection in verb.needs.items())
        return if_sensible(Clause(subject, verb, parts, self.one(plain_tenses(verb))))

    def _subject_of(self, verb: Verb) -> NounPhrase | Pair:
        nouns = lexicon.select(verb.subjects)
        if verb not in PERSONAL:
            return self.thing(nouns)
        others = [noun for noun in nouns if noun.kind != "person"]
        return self.thing(others) if others and self.chance(0.4) else self.someone()

    def _phrase_for(self, verb: Verb, role: Role, selection: str) -> Phrase:
        """What fills a role. Only objects and persons are more than a word, so that the sentence stays short."""
        if role is Role.MANNER:
            return self.one([lexicon.ADVERBS[word] for word in selection.split()])
        if selection.startswith("person") and self.chance(0.9):
            return self.person()
        if role is Role.OBJECT:
            return self.thing(lexicon.select(selection), counted=verb not in _ONE_AT_A_TIME)
        return NounPhrase(self.one(lexicon.select(selection)))


def plain_tenses(verb: Verb) -> tuple[Tense, ...]:
    """The tenses that the verb is drawn in: English writes `they read` in past and present, so one is left out."""
    if inflection.past(verb.english, "they") == verb.english:
        return (Tense.PAST, Tense.FUTURE)
    return verb.aspect.tenses


def in_tense(verbs: Sequence[Verb], tense: Tense) -> list[Verb]:
    """Those of the verbs that are drawn in this tense."""
    return [verb for verb in verbs if tense in plain_tenses(verb)]


def lasting(verbs: Sequence[Verb]) -> list[Verb]:
    """Those of the verbs that have a progressive form."""
    return [verb for verb in verbs if verb.aspect is Aspect.ACTIVITY]


def with_part(clause: Clause, role: Role, phrase: Phrase) -> Clause:
    """The clause with this phrase in this role, in place of what had it."""
    return replace(clause, parts=(*(part for part in clause.parts if part[0] is not role), (role, phrase)))


def if_sensible(clause: Clause) -> Clause | None:
    """The clause, unless somebody in it would meet, call or be with themselves."""
    others = [person for _, phrase in clause.parts for person in people(phrase)]
    is_sensible = len(set(others)) == len(others) and not set(people(clause.subject)) & set(others)
    return clause if is_sensible else None


def is_universal(clause: Clause) -> bool:
    """Whether the clause says something of every one of a kind."""
    phrases = (clause.subject, *clause.roles.values())
    return any(isinstance(phrase, NounPhrase) and phrase.quantity is Quantity.EVERY for phrase in phrases)


def people(phrase: Phrase) -> list[str]:
    """The people, and whatever else, that a phrase names; speaker and group of the speaker count as one."""
    if isinstance(phrase, Pair):
        return people(phrase.first) + people(phrase.second)
    if not isinstance(phrase, NounPhrase):
        return []
    owner = people(phrase.owner) if phrase.owner and phrase.owner.noun.kind == "name" else []
    return ["I" if phrase.noun is lexicon.WE else phrase.noun.english, *owner]


@cache
def _times(tense: Tense, only: bool) -> tuple[Adverb, ...]:
    """The times that go with the tense, and with no other, or with any."""
    return tuple(time for time in lexicon.TIMES if tense in time.tenses and only == (len(time.tenses) == 1))

"""Draws trees: which sentences the demo language has, and how often.

Words are drawn evenly, so that each is seen often. What is drawn together makes sense, as far as the lexicon knows:
a verb selects its subject, complements and additions, an adjective the nouns that it describes.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from random import Random
from typing import TypeVar

from seq2seq.corpora.demo import inflection, lexicon
from seq2seq.corpora.demo.lexemes import Adjective, Adverb, Noun, Numeral, Role, Tense, Verb
from seq2seq.corpora.demo.tree import (
    Age,
    Clause,
    Link,
    Mode,
    Mood,
    NounPhrase,
    Pair,
    Phrase,
    Placed,
    Pointer,
    Quantity,
    Relative,
    Sentence,
)

T = TypeVar("T")
Parts = tuple[tuple[Role, Phrase], ...]

_VERBS = tuple(lexicon.VERBS.values())
_ADJECTIVES = tuple(lexicon.ADJECTIVES.values())
_NOW = lexicon.NOW.tenses
_PERSONAL = tuple(verb for verb in _VERBS if "person" in verb.subjects.split())
_PREDICATIVE = tuple(adjective for adjective in _ADJECTIVES if adjective.predicative)
_DELIBERATE = tuple(verb for verb in _PERSONAL if verb.deliberate)
_OUTDOORS = tuple(lexicon.VERBS[verb] for verb in ("걷다", "달리다", "산책하다", "가다", "심다", "타다", "여행하다"))
_SEASONAL = (*_OUTDOORS, *(lexicon.VERBS[verb] for verb in ("수영하다", "배우다", "일하다", "날다")))
_COMINGS = tuple(lexicon.VERBS[verb] for verb in ("오다", "돌아오다", "도착하다"))
_ERRANDS = tuple(verb for verb in _DELIBERATE if Role.OBJECT in verb.needs and Role.PLACE in verb.may)
_OBSTACLES = tuple(lexicon.ADJECTIVES[adjective] for adjective in ("바쁘다", "아프다", "피곤하다"))
_ATTRIBUTES: dict[Noun, tuple[Adjective, ...]] = {
    noun: tuple(a for a in _ADJECTIVES if a.attributive and noun in lexicon.select(a.describes))
    for noun in lexicon.NOUNS.values()
}
_QUALITIES: dict[Noun, tuple[Adjective, ...]] = {
    noun: tuple(a for a in _PREDICATIVE if noun in lexicon.select(a.describes)) for noun in lexicon.NOUNS.values()
}
_HUMAN_ADJECTIVES = tuple(a for a in _PREDICATIVE if "person" in a.describes.split() and not a.feeling)
_WEATHER_ADJECTIVES = tuple(a for a in _PREDICATIVE if lexicon.WEATHER in lexicon.select(a.describes))
_SPECIFIC = {Role.OBJECT, Role.RECIPIENT}


class Sampler:
    """Draws one sentence after another from a generator of random numbers."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._kinds: tuple[tuple[Callable[[], Sentence], int], ...] = (
            (self._action, 26),
            (self._in_progress, 6),
            (self._with_mode, 9),
            (self._yes_no_question, 6),
            (self._open_question, 10),
            (self._which_question, 2),
            (self._count_question, 2),
            (self._description, 8),
            (self._comparison, 4),
            (self._weather, 2),
            (self._identity, 3),
            (self._age, 2),
            (self._location, 4),
            (self._existence, 5),
            (self._possession, 3),
            (self._about_a_known_one, 8),
            (self._coordination, 6),
            (self._reason, 3),
            (self._circumstance, 5),
            (self._sequence, 3),
            (self._purpose, 2),
            (self._request, 4),
            (self._proposal, 2),
        )

    def sentence(self) -> Sentence:
        """The next sentence."""
        draws, weights = zip(*self._kinds, strict=True)
        draw: Callable[[], Sentence] = self._random.choices(draws, weights)[0]
        return draw()

    # -- dice

    def _one(self, choices: Sequence[T]) -> T:
        return self._random.choice(choices)

    def _chance(self, probability: float) -> bool:
        return self._random.random() < probability

    # -- noun phrases

    def _someone(self) -> NounPhrase | Pair:
        """Who does something."""
        dice = self._random.random()
        if dice < 0.25:
            return NounPhrase(self._one(lexicon.PRONOUNS))
        if dice < 0.45:
            return NounPhrase(self._one(lexicon.select("name")))
        if dice < 0.5:
            first, second = self._random.sample(lexicon.select("name"), 2)
            return Pair(NounPhrase(first), NounPhrase(second))
        return self._relative_of_someone() if dice < 0.6 else self._thing(lexicon.select("person"))

    def _other_person(self) -> NounPhrase:
        """Whom something is done to."""
        dice = self._random.random()
        if dice < 0.15:
            return NounPhrase(self._one(lexicon.PRONOUNS))
        if dice < 0.35:
            return self._named()
        return self._relative_of_someone() if dice < 0.45 else self._thing(lexicon.select("person"))

    def _named(self) -> NounPhrase:
        return NounPhrase(self._one(lexicon.select("name")))

    def _relative_of_someone(self) -> NounPhrase:
        owner = lexicon.I if self._chance(0.6) else self._one([n for n in lexicon.select("name") if n.pronoun == "he"])
        return NounPhrase(self._one(lexicon.select("kin")), owner=NounPhrase(owner))

    def _thing(self, nouns: Sequence[Noun]) -> NounPhrase:
        """A noun, bare or with one or two of the words that can go with it."""
        noun = self._one(nouns)
        if noun.kind in ("kin", "name"):
            return self._relative_of_someone() if noun.kind == "kin" else NounPhrase(noun)
        if noun.kind in ("field", "city", "weather", "audio", "money"):
            return NounPhrase(noun)
        dice = self._random.random()
        if dice < 0.14:
            return self._pointed(noun)
        if dice < 0.26 and noun.counter:
            return NounPhrase(noun, quantity=self._quantity(noun))
        if dice < 0.38 and _ATTRIBUTES[noun]:
            return NounPhrase(noun, adjective=self._one(_ATTRIBUTES[noun]))
        if dice < 0.5 and noun.kind not in ("person", "dish", "drink", "site", "outdoors", "nature", "water", "light"):
            return NounPhrase(noun, owner=self._owner())
        return NounPhrase(noun, plural=noun.kind in ("person", "animal") and self._chance(0.25))

    def _pointed(self, noun: Noun) -> NounPhrase:
        adjective = self._one(_ATTRIBUTES[noun]) if _ATTRIBUTES[noun] and self._chance(0.25) else None
        plural = noun.kind in ("person", "animal") and self._chance(0.25)
        return NounPhrase(noun, plural=plural, pointer=self._one(tuple(Pointer)), adjective=adjective)

    def _quantity(self, noun: Noun) -> Quantity | Numeral:
        if self._chance(0.2) and noun.countable:
            return self._one((Quantity.MANY, Quantity.EVERY))
        return self._one(lexicon.NUMERALS[:10])

    def _owner(self) -> NounPhrase:
        if self._chance(0.6):
            return NounPhrase(self._one(lexicon.PRONOUNS))
        return self._named() if self._chance(0.6) else NounPhrase(self._one(lexicon.select("person")))

    # -- clauses

    def _subject_of(self, verb: Verb) -> NounPhrase | Pair:
        nouns = lexicon.select(verb.subjects)
        noun = self._one(nouns)
        if "person" in verb.subjects.split() and (noun.kind == "person" or self._chance(0.6)):
            return self._someone()
        return self._thing([n for n in nouns if n.kind != "person"] if noun.kind != "person" else nouns)

    def _phrase_for(self, role: Role, selection: str) -> Phrase:
        """What fills a role. Ways and places are bare, so that the sentence stays short."""
        if role is Role.MANNER:
            return self._one([lexicon.ADVERBS[word] for word in selection.split()])
        if selection.split()[0] == "person" and self._chance(0.9):
            return self._other_person()
        if role in _SPECIFIC:
            return self._thing(lexicon.select(selection))
        return NounPhrase(self._one(lexicon.select(selection)))

    def _needed(self, verb: Verb) -> Parts:
        return tuple((role, self._phrase_for(role, selection)) for role, selection in verb.needs.items())

    def _added(self, verb: Verb, tense: Tense, most: int = 1) -> Parts:
        """Up to so many phrases that can be added, and a time."""
        count = min(len(verb.may), self._random.randint(0, most))
        parts = [(role, self._phrase_for(role, verb.may[role])) for role in self._random.sample(tuple(verb.may), count)]
        if verb.dated and self._chance(0.4):
            parts.append((Role.TIME, self._season_or_time(verb, tense)))
        return tuple(parts)

    def _season_or_time(self, verb: Verb, tense: Tense) -> Adverb:
        return self._one(lexicon.SEASONS) if verb in _SEASONAL and self._chance(0.5) else self._time(tense)

    def _time(self, tense: Tense) -> Adverb:
        if self._chance(0.15):
            return lexicon.o_clock(self._one(lexicon.NUMERALS))
        return self._one([time for time in lexicon.TIMES if tense in time.tenses])

    def _clause(self, verbs: Sequence[Verb] = _VERBS, subject: NounPhrase | Pair | None = None) -> Clause:
        """A plain clause without additions."""
        verb = self._one(verbs)
        while True:
            someone = subject or self._subject_of(verb)
            clause = Clause(someone, verb, self._needed(verb), self._tense(verb, someone))
            if _is_sensible(clause):
                return clause

    def _tense(self, verb: Verb, subject: NounPhrase | Pair) -> Tense:
        tenses = sorted(verb.tenses, key=lambda tense: tense.value)
        if inflection.past(verb.english, "it") == verb.english:
            tenses = [Tense.PAST, Tense.FUTURE]
        return self._one(tenses)

    def _extended(self, clause: Clause, most: int = 1) -> Clause:
        verb = clause.predicate
        assert isinstance(verb, Verb)
        while True:
            extended = replace(clause, parts=clause.parts + self._added(verb, clause.tense, most))
            if _is_sensible(extended):
                return extended

    # -- sentences

    def _action(self) -> Sentence:
        clause = self._clause()
        assert isinstance(clause.predicate, Verb)
        if self._chance(0.2):
            return Sentence(replace(clause, negated=True))
        if clause.tense is Tense.PRESENT and clause.predicate.lasting and self._chance(0.3):
            return Sentence(replace(clause, parts=(*clause.parts, (Role.FREQUENCY, self._one(lexicon.FREQUENCIES)))))
        return Sentence(self._extended(clause))

    def _in_progress(self) -> Sentence:
        clause = self._clause([verb for verb in _VERBS if verb.lasting and Tense.PRESENT in verb.tenses])
        clause = replace(clause, tense=self._one((Tense.PRESENT, Tense.PAST)), progressive=True)
        if clause.tense is Tense.PRESENT and self._chance(0.4):
            return Sentence(replace(clause, parts=(*clause.parts, (Role.TIME, lexicon.NOW))))
        return Sentence(replace(clause, negated=self._chance(0.15)))

    def _with_mode(self) -> Sentence:
        clause = self._clause(_DELIBERATE)
        mode = self._one((Mode.CAN, Mode.CAN, Mode.WANT, Mode.MUST))
        tense = self._one((Tense.PRESENT, Tense.PRESENT, Tense.PAST))
        negated = mode is not Mode.MUST and self._chance(0.4)
        return Sentence(replace(clause, mode=mode, tense=tense, negated=negated))

    def _yes_no_question(self) -> Sentence:
        if self._chance(0.25):
            return replace(self._description(), mood=Mood.QUESTION)
        subject = NounPhrase(lexicon.YOU) if self._chance(0.4) else None
        verbs = _PERSONAL if subject else _VERBS
        return Sentence(self._extended(self._clause(verbs, subject)), Mood.QUESTION)

    def _open_question(self) -> Sentence:
        draw = self._one((self._who, self._whom, self._what, self._where, self._when_why_how, self._when_why_how))
        return Sentence(draw(), Mood.QUESTION)

    def _asker_subject(self) -> NounPhrase | Pair:
        return NounPhrase(lexicon.YOU) if self._chance(0.5) else self._someone()

    def _who(self) -> Clause:
        verbs = [verb for verb in _PERSONAL if Role.COMPANION not in verb.needs]
        return self._extended(self._clause(verbs, NounPhrase(lexicon.WHO)), 0)

    def _whom(self) -> Clause:
        roles = (Role.OBJECT, Role.RECIPIENT, Role.COMPANION)
        verbs = [v for v in _VERBS if any(v.needs.get(role, "").startswith("person") for role in roles)]
        clause = self._clause(verbs, self._asker_subject())
        assert isinstance(clause.predicate, Verb)
        needs = clause.predicate.needs
        asked = next(role for role in roles if needs.get(role, "").startswith("person"))
        return _with_part(clause, asked, NounPhrase(lexicon.WHO))

    def _what(self) -> Clause:
        verbs = [v for v in _VERBS if Role.OBJECT in v.needs and "person" not in v.needs[Role.OBJECT].split()]
        return _with_part(self._clause(verbs, self._asker_subject()), Role.OBJECT, NounPhrase(lexicon.WHAT))

    def _where(self) -> Clause:
        role, asked = self._one(((Role.PLACE, lexicon.WHERE_AT), (Role.GOAL, lexicon.WHERE_TO)))
        verbs = [v for v in _VERBS if role in (v.needs if role is Role.GOAL else v.may)]
        return _with_part(self._clause([v for v in verbs if not v.prepositions], self._asker_subject()), role, asked)

    def _when_why_how(self) -> Clause:
        role, asked = self._one(((Role.TIME, lexicon.WHEN), (Role.REASON, lexicon.WHY), (Role.MANNER, lexicon.HOW)))
        verbs = [v for v in _PERSONAL if v.tenses != _NOW and (asked is not lexicon.HOW or v in _DELIBERATE)]
        clause = _with_part(self._clause(verbs, self._asker_subject()), role, asked)
        return replace(clause, negated=asked is lexicon.WHY and self._chance(0.4))

    def _which_question(self) -> Sentence:
        verbs = [v for v in _PERSONAL if v.needs.get(Role.OBJECT, "") not in ("", "field", "audio")]
        clause = self._clause(verbs, self._asker_subject())
        asked = NounPhrase(self._noun_of(clause, Role.OBJECT), asks_which=True)
        return Sentence(_with_part(clause, Role.OBJECT, asked), Mood.QUESTION)

    def _count_question(self) -> Sentence:
        if self._chance(0.3):
            noun = self._one([noun for noun in lexicon.select("person animal") if noun.counter])
            site = NounPhrase(self._one(lexicon.select("site outdoors room")))
            clause = Clause(
                NounPhrase(noun, quantity=Quantity.HOW_MANY), lexicon.THERE_IS, ((Role.SITE, site),), self._any_past()
            )
            return Sentence(clause, Mood.QUESTION)
        clause = self._clause([v for v in _PERSONAL if Role.OBJECT in v.needs], self._asker_subject())
        verb = clause.predicate
        assert isinstance(verb, Verb)
        nouns = [noun for noun in lexicon.select(verb.needs[Role.OBJECT]) if noun.counter]
        if not nouns:
            return self._count_question()
        asked = NounPhrase(self._one(nouns), quantity=Quantity.HOW_MANY)
        return Sentence(_with_part(clause, Role.OBJECT, asked), Mood.QUESTION)

    def _any_past(self) -> Tense:
        return self._one((Tense.PRESENT, Tense.PAST))

    def _described(self, adjective: Adjective) -> NounPhrase | Pair:
        """What or who is such."""
        nouns = lexicon.select(adjective.describes)
        if any(noun.kind == "name" for noun in nouns):
            return self._someone()
        phrase = self._thing([noun for noun in nouns if noun.kind != "name"])
        return replace(phrase, adjective=None, quantity=None) if phrase.owner is None else phrase

    def _description(self) -> Sentence:
        adjective = self._one(_PREDICATIVE)
        subject = self._described(adjective)
        tense = self._tense_of_state(adjective, subject)
        if self._chance(0.3):
            return Sentence(Clause(subject, adjective, (), tense, negated=True))
        degree = self._one(lexicon.DEGREES)
        return Sentence(Clause(subject, adjective, ((Role.DEGREE, degree),), tense))

    def _tense_of_state(self, adjective: Adjective, subject: NounPhrase | Pair) -> Tense:
        """How another one feels now cannot be stated in Korean, only how they felt."""
        own = isinstance(subject, NounPhrase) and subject.noun in (lexicon.I, lexicon.WE)
        return Tense.PAST if adjective.feeling and not own else self._any_past()

    def _comparison(self) -> Sentence:
        adjective = self._one([a for a in _PREDICATIVE if not a.feeling and len(lexicon.select(a.describes)) > 1])
        first, second = self._random.sample(lexicon.select(adjective.describes), 2)
        while first.kind != second.kind and {first.kind, second.kind} - {"person", "name"}:
            first, second = self._random.sample(lexicon.select(adjective.describes), 2)
        parts = ((Role.STANDARD, self._plain(second)),)
        return Sentence(Clause(self._plain(first), adjective, parts, self._any_past()))

    def _plain(self, noun: Noun) -> NounPhrase:
        return NounPhrase(noun, owner=NounPhrase(lexicon.I) if noun.kind == "kin" else None)

    def _weather(self) -> Sentence:
        tense = self._one(tuple(Tense))
        time = (Role.TIME, self._one(lexicon.SEASONS) if self._chance(0.4) else self._time(tense))
        return Sentence(replace(self._weather_clause(tense), parts=(time,)))

    def _weather_clause(self, tense: Tense) -> Clause:
        if self._chance(0.5):
            return Clause(NounPhrase(lexicon.IT), self._one(lexicon.WEATHER_VERBS), (), tense)
        return Clause(NounPhrase(lexicon.WEATHER), self._one(_WEATHER_ADJECTIVES), (), tense)

    def _known_someone(self) -> NounPhrase | Pair:
        """Somebody, but not so many of a kind."""
        someone = self._someone()
        return replace(someone, quantity=None) if isinstance(someone, NounPhrase) else someone

    def _identity(self) -> Sentence:
        subject = self._known_someone()
        noun = self._one(lexicon.select(lexicon.VERBS["되다"].needs[Role.COMPLEMENT]))
        adjective = self._one(_ATTRIBUTES[noun]) if self._chance(0.4) else None
        clause = Clause(subject, lexicon.BE, ((Role.COMPLEMENT, NounPhrase(noun, adjective=adjective)),))
        return Sentence(replace(clause, tense=self._any_past(), negated=self._chance(0.3)))

    def _age(self) -> Sentence:
        """Children and animals are younger than those who have a profession."""
        nouns, years = self._one(((lexicon.YOUNG, lexicon.NUMERALS[1:]), (lexicon.GROWN, lexicon.TENS)))
        subject = self._definite(self._one(lexicon.select(nouns)))
        return Sentence(Clause(subject, lexicon.BE, ((Role.COMPLEMENT, Age(self._one(years))),)))

    def _location(self) -> Sentence:
        if self._chance(0.4):
            site: Phrase = NounPhrase(self._one(lexicon.select("site room outdoors city 산 해변")))
            subject = self._someone()
        else:
            position = self._one(lexicon.POSITIONS)
            site = Placed(position, NounPhrase(self._one(lexicon.select(position.grounds))))
            subject = self._definite(self._one(lexicon.select(position.figures)))
        clause = Clause(subject, lexicon.BE_AT, ((Role.SITE, site),), self._any_past())
        return Sentence(
            replace(clause, negated=self._chance(0.2)), Mood.QUESTION if self._chance(0.2) else Mood.STATEMENT
        )

    def _definite(self, noun: Noun) -> NounPhrase:
        return replace(self._thing([noun]), quantity=None, adjective=None)

    def _existence(self) -> Sentence:
        position = self._one(lexicon.POSITIONS)
        noun = self._one(lexicon.select(position.figures))
        site = Placed(position, NounPhrase(self._one(lexicon.select(position.grounds))))
        parts = ((Role.SITE, site),)
        dice = self._random.random()
        if dice < 0.15:
            return Sentence(Clause(NounPhrase(noun), lexicon.THERE_IS, parts, self._any_past(), negated=True))
        quantity = self._one(lexicon.NUMERALS[:10]) if noun.counter and dice < 0.65 else None
        return Sentence(Clause(NounPhrase(noun, quantity=quantity), lexicon.THERE_IS, parts, self._any_past()))

    def _possession(self) -> Sentence:
        noun = self._one(lexicon.select(lexicon.OWNED))
        quantity = self._one(lexicon.NUMERALS[:4]) if noun.counter and self._chance(0.4) else None
        owned = NounPhrase(noun, quantity=quantity)
        clause = Clause(self._known_someone(), lexicon.HAVE, ((Role.COMPLEMENT, owned),), self._any_past())
        return Sentence(replace(clause, negated=quantity is None and self._chance(0.4)))

    def _about_a_known_one(self) -> Sentence:
        """A sentence about one that a relative clause makes known."""
        draw = self._one((self._known_object, self._known_thing, self._known_person))
        return Sentence(draw())

    def _known_object(self) -> Clause:
        """She read the book that I bought."""
        clause = self._clause([v for v in _PERSONAL if Role.OBJECT in v.needs])
        noun = self._noun_of(clause, Role.OBJECT)
        known = self._known(noun, but=clause)
        return self._known_object() if known is None else _with_part(clause, Role.OBJECT, known)

    def _known_thing(self) -> Clause:
        """The book that I bought is interesting."""
        adjective = self._one([a for a in _PREDICATIVE if not a.feeling])
        known = self._known(self._one(lexicon.select(adjective.describes)))
        return self._known_thing() if known is None else Clause(known, adjective, (), self._any_past())

    def _known(self, noun: Noun, but: Clause | None = None) -> NounPhrase | None:
        """The noun with a relative clause that it is the object of, where some other verb takes it."""
        verbs = [v for v in _PERSONAL if _takes(v, noun) and (but is None or v is not but.predicate)]
        if not verbs or noun.kind in ("name", "kin", "field", "city"):
            return None
        who = NounPhrase(lexicon.I) if self._chance(0.4) else self._named()
        if but is not None and who == but.subject:
            return None
        clause = self._clause(verbs, who)
        kept = tuple((role, phrase) for role, phrase in clause.parts if role is not Role.OBJECT)
        if kept:
            return None
        return NounPhrase(noun, relative=Relative(replace(clause, parts=()), of_subject=False))

    def _known_person(self) -> Clause:
        """The child who is eating bread is my friend."""
        noun = self._one(lexicon.select("person"))
        verbs = [v for v in _PERSONAL if Role.OBJECT in v.needs or Role.GOAL in v.needs]
        inner = self._clause(verbs, NounPhrase(noun))
        if inner.tense is Tense.PRESENT and isinstance(inner.predicate, Verb) and inner.predicate.lasting:
            inner = replace(inner, progressive=self._chance(0.6))
        known = NounPhrase(noun, relative=Relative(inner, of_subject=True))
        if self._chance(0.4):
            return Clause(known, self._one(_HUMAN_ADJECTIVES), (), Tense.PRESENT)
        return self._clause([v for v in _PERSONAL if v is not inner.predicate], known)

    def _noun_of(self, clause: Clause, role: Role) -> Noun:
        """Some noun that this role of the clause's verb allows."""
        assert isinstance(clause.predicate, Verb)
        return self._one(lexicon.select(clause.predicate.needs[role]))

    def _coordination(self) -> Sentence:
        draw = self._one((self._two_actions, self._two_people, self._two_qualities))
        return draw()

    def _two_actions(self) -> Sentence:
        """One does one thing and then another."""
        first = self._clause(_DELIBERATE)
        second = self._alike(first)
        return Sentence(first, link=Link.AND, other=second)

    def _alike(self, first: Clause, subject: NounPhrase | Pair | None = None) -> Clause:
        """Another clause of the same tense, about the same subject or a given one."""
        verbs = [v for v in _DELIBERATE if first.tense in v.tenses and v is not first.predicate]
        while True:
            second = replace(self._clause(verbs, subject or first.subject), tense=first.tense)
            if not _is_ambiguous(second):
                return second

    def _two_people(self) -> Sentence:
        """One does this, another does that; `but` joins what is done and what is not."""
        names = self._random.sample(lexicon.select("name"), 2)
        first = self._clause(_DELIBERATE, NounPhrase(names[0]))
        assert isinstance(first.predicate, Verb)
        if self._chance(0.4):
            other = self._clause((first.predicate,), NounPhrase(names[1]))
            return Sentence(first, link=Link.BUT, other=replace(other, tense=first.tense, negated=True))
        return Sentence(first, link=Link.AND, other=self._alike(first, NounPhrase(names[1])))

    def _two_qualities(self) -> Sentence:
        """One noun, two adjectives that both describe it; `but` joins what is welcome and what is not."""
        noun = self._one([noun for noun, adjectives in _QUALITIES.items() if len({a.scale for a in adjectives}) > 1])
        first, second = self._random.sample(_QUALITIES[noun], 2)
        while first.scale == second.scale:
            first, second = self._random.sample(_QUALITIES[noun], 2)
        link = Link.BUT if first.tone * second.tone < 0 else Link.AND
        tense = Tense.PAST if first.feeling or second.feeling else self._any_past()
        subject = self._definite(noun)
        return Sentence(Clause(subject, first, (), tense), link=link, other=Clause(subject, second, (), tense))

    def _reason(self) -> Sentence:
        tense = self._any_past()
        if self._chance(0.5):
            other, someone = self._weather_clause(tense), self._someone()
            main = self._clause(_OUTDOORS, someone)
        else:
            someone = self._referred_to()
            other = Clause(someone, self._one(_OBSTACLES), (), tense)
            main = self._clause(_DELIBERATE, someone)
        mode = Mode.CAN if self._chance(0.6) else Mode.PLAIN
        return Sentence(replace(main, tense=tense, mode=mode, negated=True), link=Link.BECAUSE, other=other)

    def _referred_to(self) -> NounPhrase | Pair:
        """Somebody whom an English pronoun can take up without knowing more than Korean says."""
        while True:
            someone = self._someone()
            if isinstance(someone, Pair) or someone.noun.pronoun or someone.plural:
                return someone

    def _circumstance(self) -> Sentence:
        draw = self._one((self._when, self._if))
        return draw()

    def _event(self, tense: Tense, but: NounPhrase | Pair) -> Clause:
        """The weather, or somebody's coming."""
        if self._chance(0.5):
            return self._weather_clause(tense)
        while True:
            clause = replace(self._clause(_COMINGS), tense=tense)
            if not set(_people(clause.subject)) & set(_people(but)):
                return clause

    def _when(self) -> Sentence:
        main = self._clause([verb for verb in _DELIBERATE if verb.lasting and Tense.PRESENT in verb.tenses])
        main = replace(main, tense=self._any_past())
        main = replace(main, progressive=main.tense is Tense.PAST)
        if _is_ambiguous(main):
            return self._when()
        return Sentence(main, link=Link.WHEN, other=self._event_beside(main))

    def _event_beside(self, main: Clause) -> Clause:
        """What happens at the time of the main clause; what happens again and again goes with the weather."""
        return self._event(Tense.PAST, main.subject) if main.progressive else self._weather_clause(Tense.PRESENT)

    def _if(self) -> Sentence:
        if self._chance(0.3):
            request = self._request()
            return replace(request, link=Link.IF, other=self._event(Tense.PRESENT, request.main.subject))
        main = replace(self._clause(_DELIBERATE), tense=Tense.FUTURE)
        return Sentence(main, link=Link.IF, other=self._event(Tense.PRESENT, main.subject))

    def _sequence(self) -> Sentence:
        main = self._clause(_DELIBERATE)
        return Sentence(main, link=self._one((Link.BEFORE, Link.AFTER)), other=self._alike(main))

    def _purpose(self) -> Sentence:
        """They go where the thing is done."""
        verb = self._one(_ERRANDS)
        going = self._one((lexicon.VERBS["가다"], lexicon.VERBS["오다"]))
        goals = [
            noun for noun in lexicon.select(going.needs[Role.GOAL]) if noun in lexicon.select(verb.may[Role.PLACE])
        ]
        if not goals:
            return self._purpose()
        other = self._clause([verb])
        parts = ((Role.GOAL, NounPhrase(self._one(goals))),)
        main = Clause(other.subject, going, parts, self._one(tuple(Tense)))
        return Sentence(main, link=Link.PURPOSE, other=other)

    def _request(self) -> Sentence:
        clause = self._clause(_DELIBERATE, NounPhrase(lexicon.YOU))
        clause = replace(clause, tense=Tense.PRESENT)
        if self._chance(0.3):
            return Sentence(replace(clause, negated=True), Mood.REQUEST)
        return Sentence(self._extended(clause), Mood.REQUEST)

    def _proposal(self) -> Sentence:
        clause = replace(self._clause(_DELIBERATE, NounPhrase(lexicon.YOU)), tense=Tense.FUTURE)
        if self._chance(0.5):
            return Sentence(_with_part(clause, Role.MANNER, lexicon.ADVERBS["같이"]), Mood.PROPOSAL)
        return Sentence(self._extended(clause), Mood.PROPOSAL)


def _with_part(clause: Clause, role: Role, phrase: Phrase) -> Clause:
    """The clause with this phrase in this role, in place of what had it."""
    return replace(clause, parts=(*(part for part in clause.parts if part[0] is not role), (role, phrase)))


def _takes(verb: Verb, noun: Noun) -> bool:
    return Role.OBJECT in verb.needs and noun in lexicon.select(verb.needs[Role.OBJECT])


def _is_ambiguous(clause: Clause) -> bool:
    """`They read` is present or past: English does not say which, and Korean does."""
    verb = clause.predicate.english
    return clause.tense is Tense.PRESENT and not clause.progressive and inflection.past(verb, "it") == verb


def _is_sensible(clause: Clause) -> bool:
    """Nobody meets, calls or goes with themselves, and nobody is a stranger's namesake."""
    subjects = _people(clause.subject)
    others = [person for role, phrase in clause.parts for person in _people(phrase)]
    return len(set(others)) == len(others) and not set(subjects) & set(others)


def _people(phrase: Phrase) -> list[str]:
    if isinstance(phrase, Pair):
        return _people(phrase.first) + _people(phrase.second)
    if not isinstance(phrase, NounPhrase):
        return []
    owner = _people(phrase.owner) if phrase.owner and phrase.owner.noun.kind == "name" else []
    noun = "I" if phrase.noun is lexicon.WE else phrase.noun.english
    return [noun, *owner]

"""Draws sentences: which kinds the demo language has, and how often.

What is drawn together makes sense, as far as the lexicon knows: a verb selects its subject, complements and additions,
an adjective the nouns that it describes.
"""

from collections.abc import Callable
from dataclasses import replace
from random import Random

from seq2seq.corpora.demo import lexicon
from seq2seq.corpora.demo.clauses import (
    ACTIONS,
    COMINGS,
    DELIBERATE,
    OUTDOORS,
    PERSONAL,
    PREDICATIVE,
    TRANSITIVE,
    VERBS,
    ClauseSampler,
    if_sensible,
    in_tense,
    is_universal,
    lasting,
    people,
    with_part,
)
from seq2seq.corpora.demo.lexemes import Adjective, Aspect, Noun, Role, Tense, Verb
from seq2seq.corpora.demo.tree import (
    Age,
    Clause,
    Link,
    Mode,
    Mood,
    NounPhrase,
    Pair,
    Phrase,
    Quantity,
    Relative,
    Sentence,
)

_QUALITIES: dict[Noun, tuple[Adjective, ...]] = {
    noun: tuple(a for a in PREDICATIVE if noun in lexicon.select(a.describes)) for noun in lexicon.NOUNS.values()
}
_LASTING_QUALITIES = tuple(a for a in PREDICATIVE if not a.feeling)
_GRADUAL_QUALITIES = tuple(a for a in _LASTING_QUALITIES if a.scale not in ("colour", "health"))
_HUMAN_QUALITIES = tuple(a for a in _LASTING_QUALITIES if "person" in a.describes.split())
_CHARACTER = ("kindness", "wit", "effort", "courage", "honesty", "strength")
_OBSTACLES = tuple(lexicon.ADJECTIVES[adjective] for adjective in ("바쁘다", "아프다", "피곤하다"))
_HABITS = tuple(verb for verb in lasting(VERBS) if verb.dated)
_ERRANDS = tuple(verb for verb in ACTIONS if Role.OBJECT in verb.needs and Role.PLACE in verb.may)
_HANDLING = tuple(verb for verb in TRANSITIVE if "city" not in verb.needs[Role.OBJECT])
_ASKED_ABOUT_PEOPLE = (Role.OBJECT, Role.RECIPIENT, Role.PARTNER)
_GO, _COME = lexicon.VERBS["가다"], lexicon.VERBS["오다"]
_YOU = NounPhrase(lexicon.YOU)


class Sampler(ClauseSampler):
    """Draws one sentence after another from a generator of random numbers."""

    def __init__(self, random: Random) -> None:
        super().__init__(random)
        kinds: dict[Callable[[], Sentence], int] = {
            self._action: 30,
            self._in_progress: 6,
            self._with_mode: 8,
            self._yes_no_question: 6,
            self._open_question: 10,
            self._which_question: 2,
            self._count_question: 2,
            self._description: 10,
            self._comparison: 4,
            self._weather: 2,
            self._identity: 4,
            self._age: 3,
            self._location: 4,
            self._existence: 5,
            self._possession: 3,
            self._about_a_known_one: 6,
            self._two_actions: 2,
            self._two_people: 2,
            self._two_qualities: 2,
            self._reason: 3,
            self._circumstance: 5,
            self._sequence: 3,
            self._purpose: 2,
            self._request: 4,
            self._proposal: 2,
        }
        self._kinds, self._weights = tuple(kinds), tuple(kinds.values())

    def sentence(self) -> Sentence:
        """The next sentence."""
        return self.random.choices(self._kinds, self._weights)[0]()

    # Statements about what somebody does

    def _action(self) -> Sentence:
        clause = self.clause()
        if self.chance(0.2):
            return Sentence(self.denied(self.timed(clause)))
        verb = clause.predicate
        is_habit = clause.tense is Tense.PRESENT and verb in _HABITS
        if is_habit and self.chance(0.3):
            return Sentence(with_part(clause, Role.FREQUENCY, self.one(lexicon.FREQUENCIES)))
        return Sentence(self.extended(clause))

    def _in_progress(self) -> Sentence:
        """She is reading; she was reading."""
        clause = replace(self.clause(lasting(VERBS)), tense=self.present_or_past(), progressive=True)
        if clause.tense is Tense.PRESENT and self.chance(0.4):
            return Sentence(with_part(clause, Role.TIME, lexicon.NOW))
        return Sentence(self.denied(clause, 0.15))

    def _with_mode(self) -> Sentence:
        """Can, wants to, has to."""
        mode = self.one((Mode.CAN, Mode.CAN, Mode.WANT, Mode.MUST))
        tense = Tense.PAST if self.chance(0.3) else Tense.PRESENT
        clause = replace(self.clause(DELIBERATE), mode=mode, tense=tense)
        return Sentence(clause if mode is Mode.MUST else self.denied(clause, 0.4))

    # Questions

    def _yes_no_question(self) -> Sentence:
        if self.chance(0.25):
            return replace(self._description(), mood=Mood.QUESTION)
        clause = self.clause(PERSONAL, _YOU) if self.chance(0.4) else self.clause()
        return Sentence(self.extended(clause), Mood.QUESTION)

    def _open_question(self) -> Sentence:
        draw = self.one((self._who, self._whom, self._what, self._where, self._when_why_how, self._when_why_how))
        return Sentence(draw(), Mood.QUESTION)

    def _asked_about(self) -> NounPhrase | Pair:
        return _YOU if self.chance(0.5) else self.someone()

    def _who(self) -> Clause:
        return self.clause([verb for verb in PERSONAL if verb.needs], NounPhrase(lexicon.WHO))

    def _whom(self) -> Clause:
        roles = {verb: _role_of_a_person(verb) for verb in PERSONAL}
        clause = self.clause([verb for verb in PERSONAL if roles[verb]], self._asked_about())
        assert isinstance(clause.predicate, Verb)
        role = roles[clause.predicate]
        assert role is not None
        return with_part(clause, role, NounPhrase(lexicon.WHO))

    def _what(self) -> Clause:
        verbs = [verb for verb in _HANDLING if _role_of_a_person(verb) is not Role.OBJECT]
        return with_part(self.clause(verbs, self._asked_about()), Role.OBJECT, NounPhrase(lexicon.WHAT))

    def _where(self) -> Clause:
        if self.chance(0.5):
            return with_part(self.clause((_GO,), self._asked_about()), Role.GOAL, lexicon.WHERE_TO)
        verbs = [verb for verb in PERSONAL if Role.PLACE in {**verb.may, **verb.needs}]
        return with_part(self.clause(verbs, self._asked_about()), Role.PLACE, lexicon.WHERE_AT)

    def _when_why_how(self) -> Clause:
        asked = self.one((lexicon.WHEN, lexicon.WHY, lexicon.HOW))
        verbs = DELIBERATE if asked is lexicon.HOW else [verb for verb in PERSONAL if verb.dated]
        role = {lexicon.WHEN: Role.TIME, lexicon.WHY: Role.REASON, lexicon.HOW: Role.MANNER}[asked]
        clause = with_part(self.clause(verbs, self._asked_about()), role, asked)
        return self.denied(clause, 0.4) if asked is lexicon.WHY else clause

    def _which_question(self) -> Sentence:
        return Sentence(self.until(self._which), Mood.QUESTION)

    def _which(self) -> Clause | None:
        verbs = [verb for verb in _HANDLING if verb.needs[Role.OBJECT] not in ("field", "돈", "kin name")]
        clause = self.clause(verbs, self._asked_about())
        asked = NounPhrase(self.noun_of(clause, Role.OBJECT), asks_which=True)
        return if_sensible(with_part(clause, Role.OBJECT, asked))

    def _count_question(self) -> Sentence:
        clause = self._how_many_there_are() if self.chance(0.3) else self.until(self._how_many_of_them)
        return Sentence(clause, Mood.QUESTION)

    def _how_many_there_are(self) -> Clause:
        counted = NounPhrase(self.one(lexicon.select("person animal")), quantity=Quantity.HOW_MANY)
        site = NounPhrase(self.one(lexicon.select("site outdoors room")))
        return Clause(counted, lexicon.THERE_IS, ((Role.SITE, site),), self.present_or_past())

    def _how_many_of_them(self) -> Clause | None:
        clause = self.clause(_HANDLING, self._asked_about())
        noun = self.noun_of(clause, Role.OBJECT)
        counted = NounPhrase(noun, quantity=Quantity.HOW_MANY)
        return if_sensible(with_part(clause, Role.OBJECT, counted)) if noun.counter else None

    # Statements about what somebody or something is, has, and where

    def _description(self) -> Sentence:
        adjective = self.one(PREDICATIVE)
        subject = self.described(adjective)
        clause = Clause(subject, adjective, tense=self._tense_of_state(adjective, subject))
        if self.chance(0.3) and not is_universal(clause):
            return Sentence(replace(clause, negated=True))
        return Sentence(with_part(clause, Role.DEGREE, self.one(lexicon.DEGREES)))

    def _tense_of_state(self, adjective: Adjective, subject: NounPhrase | Pair) -> Tense:
        """How others feel now cannot be stated in Korean, only how they felt."""
        own = isinstance(subject, NounPhrase) and subject.noun in (lexicon.I, lexicon.WE)
        return Tense.PAST if adjective.feeling and not own else self.present_or_past()

    def _comparison(self) -> Sentence:
        """One is more so than the other, of the same kind."""
        return Sentence(self.until(self._compared))

    def _compared(self) -> Clause | None:
        adjective = self.one(_GRADUAL_QUALITIES)
        nouns = lexicon.select(adjective.describes)
        first = self.one(nouns)
        alike = [noun for noun in nouns if noun.kind == first.kind and noun is not first]
        if not alike:
            return None
        standard = (Role.STANDARD, self._plainly(self.one(alike)))
        return Clause(self._plainly(first), adjective, (standard,), self.present_or_past())

    def _plainly(self, noun: Noun) -> NounPhrase:
        return NounPhrase(noun, owner=NounPhrase(lexicon.I) if noun.kind == "kin" else None)

    def _weather(self) -> Sentence:
        tense = self.one(tuple(Tense))
        time = self.one(lexicon.SEASONS) if self.chance(0.4) else self.time(tense)
        return Sentence(with_part(self.weather(tense), Role.TIME, time))

    def _identity(self) -> Sentence:
        """She is a doctor; he was not a lazy cook."""
        return Sentence(self.denied(self.until(self._identified), 0.3))

    def _identified(self) -> Clause | None:
        noun = self.one(lexicon.select(lexicon.VERBS["되다"].needs[Role.COMPLEMENT]))
        adjective = self.attribute(noun, _CHARACTER) if self.chance(0.4) else None
        complement = (Role.COMPLEMENT, NounPhrase(noun, adjective=adjective))
        return if_sensible(Clause(self.known_someone(), lexicon.BE, (complement,), self.present_or_past()))

    def _age(self) -> Sentence:
        """Children and animals are younger than those who have a profession."""
        nouns, years = self.one(((lexicon.YOUNG, lexicon.NUMERALS[1:]), (lexicon.GROWN, lexicon.TENS)))
        subject = self.definite(self.one(lexicon.select(nouns)))
        return Sentence(Clause(subject, lexicon.BE, ((Role.COMPLEMENT, Age(self.one(years))),)))

    def _location(self) -> Sentence:
        if self.chance(0.4):
            subject, site = self.known_someone(), self._site()
        else:
            position = self.one(lexicon.POSITIONS)
            subject, site = self.definite(self.one(lexicon.select(position.figures))), self.placed(position)
        clause = Clause(subject, lexicon.BE_AT, ((Role.SITE, site),), self.present_or_past())
        mood = Mood.QUESTION if self.chance(0.2) else Mood.STATEMENT
        return Sentence(replace(clause, negated=mood is Mood.STATEMENT and self.chance(0.2)), mood)

    def _site(self) -> Phrase:
        return NounPhrase(self.one(lexicon.select("site room outdoors city 산")))

    def _existence(self) -> Sentence:
        """There is something somewhere, or there are so many, or there is none."""
        position = self.one(lexicon.POSITIONS)
        noun = self.one(lexicon.select(position.figures))
        counted = noun.counter and self.chance(0.5)
        there = NounPhrase(noun, quantity=self.number() if counted else None)
        clause = Clause(there, lexicon.THERE_IS, ((Role.SITE, self.placed(position)),), self.present_or_past())
        return Sentence(replace(clause, negated=not counted and self.chance(0.3)))

    def _possession(self) -> Sentence:
        noun = self.one(lexicon.select(lexicon.OWNED))
        counted = noun.counter and self.chance(0.4)
        owned = NounPhrase(noun, quantity=self.one(lexicon.NUMERALS[:4]) if counted else None)
        clause = Clause(self.known_someone(), lexicon.HAVE, ((Role.COMPLEMENT, owned),), self.present_or_past())
        return Sentence(replace(clause, negated=not counted and self.chance(0.4)))

    # Relative clauses

    def _about_a_known_one(self) -> Sentence:
        draw = self.one((self._known_object, self._known_thing, self._known_person))
        return Sentence(self.until(draw))

    def _known_object(self) -> Clause | None:
        """She read the book that I bought."""
        clause = self.clause(TRANSITIVE)
        known = self._known(self.noun_of(clause, Role.OBJECT))
        if known is None or known.relative is None:
            return None
        inner = known.relative.clause
        is_repeated = inner.predicate is clause.predicate or set(people(inner.subject)) & set(people(clause.subject))
        return None if is_repeated else if_sensible(with_part(clause, Role.OBJECT, known))

    def _known_thing(self) -> Clause | None:
        """The book that I bought is interesting."""
        adjective = self.one(_LASTING_QUALITIES)
        known = self._known(self.one(lexicon.select(adjective.describes)))
        return None if known is None else Clause(known, adjective, tense=self.present_or_past())

    def _known(self, noun: Noun) -> NounPhrase | None:
        """The noun with a relative clause that it is the object of, where there is a verb for it."""
        verbs = [verb for verb in TRANSITIVE if len(verb.needs) == 1 and _takes(verb, noun)]
        if not verbs or noun.kind in ("name", "kin", "field", "city"):
            return None
        who = NounPhrase(lexicon.I) if self.chance(0.4) else self.name()
        inner = replace(self.clause(verbs, who), parts=())
        return NounPhrase(noun, relative=Relative(inner, of_subject=False))

    def _known_person(self) -> Clause:
        """The child who is eating bread is cute."""
        noun = self.one(lexicon.select("person"))
        verbs = [verb for verb in PERSONAL if Role.OBJECT in verb.needs or Role.GOAL in verb.needs]
        inner = self.clause(verbs, NounPhrase(noun))
        assert isinstance(inner.predicate, Verb)
        if inner.tense is Tense.PRESENT and inner.predicate.aspect is Aspect.ACTIVITY:
            inner = replace(inner, progressive=self.chance(0.6))
        known = NounPhrase(noun, relative=Relative(inner, of_subject=True))
        if self.chance(0.4):
            return Clause(known, self.one(_HUMAN_QUALITIES))
        return self.clause([verb for verb in PERSONAL if verb is not inner.predicate], known)

    # Two clauses

    def _two_actions(self) -> Sentence:
        """One does one thing and then another."""
        first = self.clause(ACTIONS)
        return Sentence(first, link=Link.AND, other=self._alike(first, first.subject))

    def _alike(self, first: Clause, subject: NounPhrase | Pair) -> Clause:
        """Another clause in the same tense, with another verb."""
        verbs = [verb for verb in in_tense(ACTIONS, first.tense) if verb is not first.predicate]
        return replace(self.clause(verbs, subject), tense=first.tense)

    def _two_people(self) -> Sentence:
        """One does this, another does that; or one does what another does not."""
        return self.until(self._side_by_side if self.chance(0.6) else self._contrasted)

    def _side_by_side(self) -> Sentence:
        one, other = self.random.sample(lexicon.select("name"), 2)
        first = self.clause(ACTIONS, NounPhrase(one))
        return Sentence(first, link=Link.AND, other=self._alike(first, NounPhrase(other)))

    def _contrasted(self) -> Sentence | None:
        one, other = self.random.sample(lexicon.select("name"), 2)
        verb = self.one(ACTIONS)
        first, second = self.clause((verb,), NounPhrase(one)), self.clause((verb,), NounPhrase(other))
        if is_universal(second) or (first.parts and first.parts == second.parts):
            return None
        return Sentence(first, link=Link.BUT, other=replace(second, tense=first.tense, negated=True))

    def _two_qualities(self) -> Sentence:
        """One noun, two adjectives; `but` joins what is welcome and what is not."""
        noun = self.one([noun for noun, adjectives in _QUALITIES.items() if len({a.scale for a in adjectives}) > 1])
        first, second = self.random.sample(_QUALITIES[noun], 2)
        if first.scale == second.scale:
            return self._two_qualities()
        link = Link.BUT if first.tone * second.tone < 0 else Link.AND
        tense = Tense.PAST if first.feeling or second.feeling else self.present_or_past()
        subject = self.definite(noun)
        return Sentence(Clause(subject, first, tense=tense), link=link, other=Clause(subject, second, tense=tense))

    def _reason(self) -> Sentence:
        """What is not done because of the weather, or because one is busy, sick or tired."""
        return self.until(self._because_of_the_weather if self.chance(0.5) else self._because_of_an_obstacle)

    def _because_of_the_weather(self) -> Sentence | None:
        tense = self.present_or_past()
        return self._not_done(self.clause(OUTDOORS), self.weather(tense, fine=False))

    def _because_of_an_obstacle(self) -> Sentence | None:
        someone = self._referred_to()
        obstacle = Clause(someone, self.one(_OBSTACLES), tense=self.present_or_past())
        return self._not_done(self.clause(ACTIONS, someone), obstacle)

    def _not_done(self, main: Clause, reason: Clause) -> Sentence | None:
        mode = Mode.CAN if self.chance(0.6) else Mode.PLAIN
        denied = replace(main, tense=reason.tense, mode=mode, negated=True)
        return None if is_universal(main) else Sentence(denied, link=Link.BECAUSE, other=reason)

    def _referred_to(self) -> NounPhrase | Pair:
        """Somebody whom an English pronoun can take up without knowing more than Korean says."""
        while True:
            someone = self.someone()
            if isinstance(someone, Pair) or someone.plural or someone.noun.pronoun:
                return someone

    def _circumstance(self) -> Sentence:
        draw = self.one((self._while_it_happened, self._when_it_happens, self._if_it_happens, self._if_then_please))
        return draw()

    def _while_it_happened(self) -> Sentence:
        main = replace(self.clause(lasting(ACTIONS)), tense=Tense.PAST, progressive=True)
        return Sentence(main, link=Link.WHEN, other=self._event(Tense.PAST, main.subject))

    def _when_it_happens(self) -> Sentence:
        main = replace(self.clause(in_tense(ACTIONS, Tense.PRESENT)), tense=Tense.PRESENT)
        return Sentence(main, link=Link.WHEN, other=self.weather(Tense.PRESENT))

    def _if_it_happens(self) -> Sentence:
        main = replace(self.clause(ACTIONS), tense=Tense.FUTURE)
        return Sentence(main, link=Link.IF, other=self._event(Tense.PRESENT, main.subject))

    def _if_then_please(self) -> Sentence:
        request = self.denied(replace(self.clause(ACTIONS, _YOU), tense=Tense.FUTURE), 0.3)
        return Sentence(request, Mood.REQUEST, Link.IF, self._event(Tense.PRESENT, _YOU))

    def _event(self, tense: Tense, but: NounPhrase | Pair) -> Clause:
        """The weather, or the coming of somebody else."""
        return self.weather(tense) if self.chance(0.5) else self.until(lambda: self._coming(tense, but))

    def _coming(self, tense: Tense, but: NounPhrase | Pair) -> Clause | None:
        clause = replace(self.clause(COMINGS), tense=tense)
        return None if set(people(clause.subject)) & set(people(but)) else clause

    def _sequence(self) -> Sentence:
        """Before doing this, after doing that."""
        main = self.clause(ACTIONS)
        return Sentence(main, link=self.one((Link.BEFORE, Link.AFTER)), other=self._alike(main, main.subject))

    def _purpose(self) -> Sentence:
        """They go to where the thing is done, to do it."""
        verb, going = self.one(_ERRANDS), self.one((_GO, _COME))
        places = lexicon.select(verb.may[Role.PLACE])
        goals = [noun for noun in lexicon.select(going.needs[Role.GOAL]) if noun in places]
        if not goals:
            return self._purpose()
        errand = self.clause([verb])
        goal = (Role.GOAL, NounPhrase(self.one(goals)))
        main = Clause(errand.subject, going, (goal,), self.one(tuple(Tense)))
        return Sentence(main, link=Link.PURPOSE, other=errand)

    # Requests and proposals

    def _request(self) -> Sentence:
        clause = replace(self.clause(ACTIONS, _YOU), tense=Tense.FUTURE)
        if self.chance(0.3):
            return Sentence(self.denied(clause), Mood.REQUEST)
        return Sentence(self.extended(clause), Mood.REQUEST)

    def _proposal(self) -> Sentence:
        clause = replace(self.clause(ACTIONS, _YOU), tense=Tense.FUTURE)
        if self.chance(0.5):
            return Sentence(with_part(clause, Role.MANNER, lexicon.ADVERBS["같이"]), Mood.PROPOSAL)
        return Sentence(self.timed(clause), Mood.PROPOSAL)


def _role_of_a_person(verb: Verb) -> Role | None:
    """The role in which the verb needs somebody."""
    return next((role for role in _ASKED_ABOUT_PEOPLE if verb.needs.get(role, "").startswith(("person", "kin"))), None)


def _takes(verb: Verb, noun: Noun) -> bool:
    return noun in lexicon.select(verb.needs[Role.OBJECT])

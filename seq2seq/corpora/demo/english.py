"""Says a tree in English: subject, verb, object.

Articles follow from rules, since Korean has none. A bare countable noun is definite (`the book`); it is indefinite
as what somebody is, becomes or has, after `there is`, and as a tool. Names, and nouns that are not counted, have no
article, unless a relative clause tells which is meant. A vehicle that one goes by has none either.
"""

from dataclasses import dataclass, replace

from seq2seq.corpora.demo import inflection
from seq2seq.corpora.demo.lexemes import Adjective, Adverb, Noun, Numeral, Role, Tense
from seq2seq.corpora.demo.lexicon import HAVE, THERE_IS
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

PREPOSITIONS = {
    Role.COMPLEMENT: "",
    Role.OBJECT: "",
    Role.RECIPIENT: "to",
    Role.STANDARD: "than",
    Role.GOAL: "to",
    Role.SOURCE: "from",
    Role.SITE: "in",
    Role.MANNER: "",
    Role.PARTNER: "with",
    Role.COMPANION: "with",
    Role.TOOL: "with",
    Role.VEHICLE: "by",
    Role.PLACE: "in",
    Role.TIME: "",
    Role.REASON: "",
}
"""The order of phrases after the verb, and the preposition that marks each; a place has its own."""

_PRONOUNS = {
    "I": ("me", "my"), "we": ("us", "our"), "he": ("him", "his"), "she": ("her", "her"), "they": ("them", "their"),
    "you": ("you", "your"), "it": ("it", "its"), "who": ("who", "whose"), "what": ("what", "whose"),
}  # fmt: skip
_POINTERS = {Pointer.THIS: ("this", "these"), Pointer.THAT: ("that", "those"), Pointer.YONDER: ("that", "those")}
_QUANTITIES = {Quantity.MANY: "many", Quantity.EVERY: "every", Quantity.HOW_MANY: "how many"}
_LINKS = {
    Link.AND: "and", Link.BUT: "but", Link.BECAUSE: "because", Link.WHEN: "when", Link.IF: "if",
    Link.BEFORE: "before", Link.AFTER: "after", Link.PURPOSE: "to",
}  # fmt: skip
_AUXILIARIES = {Mode.CAN: {Tense.PRESENT: "can", Tense.PAST: "could"}}
_INFINITIVES = {Mode.WANT: "want", Mode.MUST: "have"}


@dataclass(frozen=True)
class VerbGroup:
    """A finite verb in the pieces that questions, negation and adverbs part: `does`, `not`, `read`."""

    auxiliary: str
    negation: str
    main: str


def realise_english(sentence: Sentence) -> str:
    """The sentence in English."""
    main, link, other = sentence.main, sentence.link, sentence.other
    if link is None or other is None:
        text = _main(main, sentence.mood)
    elif link in (Link.AND, Link.BUT):
        text = _coordinated(main, link, other)
    else:
        text = f"{_main(main, sentence.mood)} {_LINKS[link]} {_dependent(main, link, other)}"
    mark = "?" if sentence.mood in (Mood.QUESTION, Mood.PROPOSAL) else "."
    return f"{text[0].upper()}{text[1:]}{mark}"


def _coordinated(first: Clause, link: Link, second: Clause) -> str:
    """Two clauses; a shared subject is said once, and so is the `be` of two adjectives."""
    if first.subject != second.subject:
        return f"{_statement(first)} {_LINKS[link]} {_statement(second)}"
    if isinstance(first.predicate, Adjective) and isinstance(second.predicate, Adjective):
        rest = _rest(second)
    else:
        rest = _predicate(second)
    return f"{_statement(first)} {_LINKS[link]} {rest}"


def _dependent(main: Clause, link: Link, other: Clause) -> str:
    """After `before` and `after` comes a form in -ing, after `to` the base; elsewhere a clause."""
    if link is Link.PURPOSE:
        return _join(other.predicate.english, _rest(other))
    if link in (Link.BEFORE, Link.AFTER):
        return _join(inflection.participle(other.predicate.english), _rest(other))
    return _statement(other, _pronoun(main.subject) if main.subject == other.subject else None)


def _main(clause: Clause, mood: Mood) -> str:
    if mood is Mood.QUESTION:
        return _question(clause)
    base = _join(clause.predicate.english, _rest(clause))
    if mood is Mood.REQUEST:
        return f"please do not {base}" if clause.negated else f"please {base}"
    if mood is Mood.PROPOSAL:
        return f"shall we {base}"
    return _statement(clause)


def _statement(clause: Clause, subject: str | None = None) -> str:
    if clause.predicate is THERE_IS:
        return _join("there", _predicate(clause))
    return _join(subject or _phrase(clause.subject), _predicate(clause))


def _predicate(clause: Clause, gap: Role | None = None) -> str:
    group = _verb_group(clause, emphatic=False)
    frequency = _adverb(clause.roles.get(Role.FREQUENCY))
    finite = _join(group.auxiliary, group.negation).replace("can not", "cannot")
    return _join(finite, frequency, group.main, _existing(clause), _rest(clause, gap))


def _existing(clause: Clause) -> str:
    """What there is: the subject, after its verb."""
    if clause.predicate is not THERE_IS or clause.subject.asks:
        return ""
    return _none(clause.subject) if clause.negated else _indefinite(clause.subject)


def _question(clause: Clause) -> str:
    """The question word first, then the auxiliary; a preposition stays behind: `Who did she talk with?`"""
    there = clause.predicate is THERE_IS
    if clause.subject.asks and not there:
        return _statement(clause)
    asked = next((role for role, phrase in clause.parts if phrase.asks), None)
    group = _verb_group(clause, emphatic=True)
    return _join(
        _phrase(clause.subject) if clause.subject.asks else _fronted(clause.roles.get(asked)) if asked else "",
        group.auxiliary,
        "there" if there else _phrase(clause.subject),
        group.negation,
        _adverb(clause.roles.get(Role.FREQUENCY)),
        group.main,
        _existing(clause),
        _rest(clause, asked),
    )


def _fronted(phrase: Phrase | None) -> str:
    return phrase.english if isinstance(phrase, Adverb) else _phrase(phrase)


def _rest(clause: Clause, gap: Role | None = None) -> str:
    """What follows the verb. gap: the role whose phrase stands elsewhere, so that only its preposition is left."""
    words = [_described(clause)] if isinstance(clause.predicate, Adjective) else []
    own = getattr(clause.predicate, "prepositions", {})
    for role, preposition in PREPOSITIONS.items():
        phrase, marker = clause.roles.get(role), own.get(role, preposition)
        if role is gap:
            words.append("" if isinstance(phrase, Adverb) else marker)
        elif role is Role.COMPLEMENT and isinstance(phrase, NounPhrase):
            words.append(_complement(clause, phrase))
        elif phrase is not None:
            words.append(_part(role, phrase, marker))
    return _join(*words)


def _complement(clause: Clause, phrase: NounPhrase) -> str:
    """What somebody has, or what they are or become: then its number is that of the subject."""
    if clause.predicate is HAVE:
        return _none(phrase) if clause.negated else _indefinite(phrase)
    return _indefinite(replace(phrase, plural=_person(clause.subject) == "they"))


def _part(role: Role, phrase: Phrase, preposition: str) -> str:
    if isinstance(phrase, Adverb):
        return phrase.english
    if isinstance(phrase, Placed):
        return f"{phrase.position.english} {_phrase(phrase.ground)}"
    if isinstance(phrase, Age):
        return f"{phrase.years.english} years old"
    if role is Role.VEHICLE and isinstance(phrase, NounPhrase):
        return f"by {phrase.noun.english}"
    if role in (Role.PLACE, Role.SITE) and isinstance(phrase, NounPhrase):
        preposition = phrase.noun.preposition
    return _join(preposition, _indefinite(phrase) if role is Role.TOOL else _phrase(phrase, as_object=True))


def _described(clause: Clause) -> str:
    adjective = clause.predicate.english
    if clause.roles.get(Role.STANDARD):
        return inflection.comparative(adjective)
    return _join(_adverb(clause.roles.get(Role.DEGREE)), adjective)


def _adverb(phrase: Phrase | None) -> str:
    return phrase.english if isinstance(phrase, Adverb) else ""


def _verb_group(clause: Clause, emphatic: bool) -> VerbGroup:
    """emphatic: an auxiliary is needed, as in questions; negation needs one as well."""
    person = _person(clause.subject)
    negation = "not" if clause.negated and clause.predicate not in (HAVE, THERE_IS) else ""
    verb = "be" if isinstance(clause.predicate, Adjective) else clause.predicate.english
    if clause.tense is Tense.FUTURE:
        return VerbGroup("will", negation, verb)
    if clause.mode is Mode.CAN:
        return VerbGroup(_AUXILIARIES[Mode.CAN][clause.tense], negation, verb)
    inflect = inflection.past if clause.tense is Tense.PAST else inflection.present
    if clause.progressive:
        return VerbGroup(inflect("be", person), negation, inflection.participle(verb))
    if clause.mode in _INFINITIVES:
        verb = f"{_INFINITIVES[clause.mode]} to {verb}"
    if verb == "be":
        return VerbGroup(inflect("be", person), negation, "")
    if emphatic or negation:
        return VerbGroup(inflect("do", person), negation, verb)
    return VerbGroup("", "", inflect(verb, person))


def _person(subject: NounPhrase | Pair) -> str:
    """I, it or they: the subject whose verb forms this one shares."""
    if isinstance(subject, Pair) or is_plural(subject):
        return "they"
    return {"I": "I", "we": "they", "they": "they", "you": "they"}.get(subject.noun.english, "it")


def is_plural(phrase: NounPhrase) -> bool:
    """Whether the English noun is plural, or the measure before it."""
    quantity = phrase.quantity
    counted = quantity in (Quantity.MANY, Quantity.HOW_MANY) or (isinstance(quantity, Numeral) and not quantity.is_one)
    return phrase.plural or counted


def _pronoun(subject: NounPhrase | Pair) -> str:
    return "they" if isinstance(subject, Pair) or is_plural(subject) else subject.noun.pronoun


def _phrase(phrase: Phrase | None, as_object: bool = False) -> str:
    if isinstance(phrase, Pair):
        return f"{_phrase(phrase.first, as_object)} and {_phrase(phrase.second, as_object)}"
    assert isinstance(phrase, NounPhrase)
    if phrase.noun.english in _PRONOUNS:
        return _PRONOUNS[phrase.noun.english][0] if as_object else phrase.noun.english
    return _join(_determiner(phrase), _core(phrase), _after(phrase))


def _indefinite(phrase: Phrase) -> str:
    """The phrase with `a`, or with nothing in the plural, where it would have `the`."""
    if isinstance(phrase, Pair):
        return f"{_indefinite(phrase.first)} and {_indefinite(phrase.second)}"
    assert isinstance(phrase, NounPhrase)
    determiner = _determiner(phrase)
    if determiner != "the":
        return _join(determiner, _core(phrase))
    return _core(phrase) if phrase.plural else inflection.with_article(_core(phrase))


def _none(phrase: Phrase) -> str:
    """The phrase with `no`, which is how English denies that there is something."""
    assert isinstance(phrase, NounPhrase)
    return f"no {_core(phrase)}"


def _determiner(phrase: NounPhrase) -> str:
    if phrase.asks_which:
        return "which"
    if phrase.owner:
        return _owner(phrase.owner)
    if phrase.pointer:
        return _POINTERS[phrase.pointer][is_plural(phrase)]
    if phrase.quantity:
        return ""
    return "the" if phrase.noun.countable or phrase.relative else ""


def _owner(owner: NounPhrase) -> str:
    if owner.noun.english in _PRONOUNS:
        return _PRONOUNS[owner.noun.english][1]
    return inflection.possessive(_phrase(owner))


def _core(phrase: NounPhrase) -> str:
    """Numeral, adjective and noun."""
    noun, counter, quantity = phrase.noun, phrase.noun.counter, phrase.quantity
    number = quantity.english if isinstance(quantity, Numeral) else _QUANTITIES[quantity] if quantity else ""
    adjective = phrase.adjective.english if phrase.adjective else ""
    if number and counter and counter.measure:
        measure = inflection.plural(counter.measure) if is_plural(phrase) else counter.measure
        return _join(number, measure, "of", adjective, noun.english)
    return _join(number, adjective, inflection.plural(noun.english) if is_plural(phrase) else noun.english)


def _after(phrase: NounPhrase) -> str:
    there = "over there" if phrase.pointer is Pointer.YONDER else ""
    return _join(there, _relative(phrase.noun, phrase.relative) if phrase.relative else "")


def _relative(noun: Noun, relative: Relative) -> str:
    if not relative.of_subject:
        clause = relative.clause
        return _join("that", _phrase(clause.subject), _predicate(clause, gap=Role.OBJECT))
    return _join("who" if noun.kind in ("person", "kin") else "that", _predicate(relative.clause))


def _join(*words: str) -> str:
    return " ".join(word for word in words if word)

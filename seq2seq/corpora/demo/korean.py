"""Says a tree in Korean: subject, object, verb, in the polite style (해요체)."""

from seq2seq.corpora.demo.hangul import Stem, attach, with_particle
from seq2seq.corpora.demo.lexemes import Adjective, Adverb, Numeral, Role, Tense
from seq2seq.corpora.demo.lexicon import BE, THERE_IS
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

PARTICLES = {
    Role.TIME: "",
    Role.REASON: "",
    Role.FREQUENCY: "",
    Role.PARTNER: "과/와",
    Role.COMPANION: "과 같이/와 같이",
    Role.STANDARD: "보다",
    Role.SITE: "에",
    Role.PLACE: "에서",
    Role.SOURCE: "에서",
    Role.VEHICLE: "으로/로",
    Role.TOOL: "으로/로",
    Role.RECIPIENT: "에게",
    Role.OBJECT: "을/를",
    Role.GOAL: "에",
    Role.COMPLEMENT: "이/가",
    Role.DEGREE: "",
    Role.MANNER: "",
}
"""The order of phrases between subject and verb, and the particle that marks each."""

_TOPIC, _NOMINATIVE = "은/는", "이/가"
_FUSED = {"저가": "제가", "저의": "제", "우리의": "우리", "누구가": "누가"}
_POINTERS = {Pointer.THIS: "이", Pointer.THAT: "그", Pointer.YONDER: "저"}
_QUANTITIES = {Quantity.MANY: "많은", Quantity.EVERY: "모든"}
_ADNOMINAL = {Tense.PAST: "은", Tense.PRESENT: "는", Tense.FUTURE: "을"}
_LINKS = {
    Link.AND: "고", Link.BUT: "지만", Link.BECAUSE: "어서", Link.WHEN: "을 때", Link.IF: "으면",
    Link.BEFORE: "기 전에", Link.AFTER: "은 후에", Link.PURPOSE: "으러",
}  # fmt: skip
_TENSED_LINKS = {Link.BUT, Link.WHEN}


def realise_korean(sentence: Sentence) -> str:
    """The sentence in Korean."""
    main = sentence.main
    if sentence.link is None or sentence.other is None:
        return f"{_join(_clause(main, _topic_of(main)), _finite(main, sentence.mood))}{_mark(sentence.mood)}"
    if sentence.link in (Link.AND, Link.BUT):
        words = _coordinated(main, sentence.link, sentence.other)
    else:
        words = _subordinated(main, sentence)
    return f"{words}{_mark(sentence.mood)}"


def _coordinated(first: Clause, link: Link, second: Clause) -> str:
    shared = first.subject == second.subject
    return _join(
        _clause(first, _topic_of(first)),
        _linked(first, link),
        _clause(second, "" if shared else _topic_of(second)),
        _finite(second, Mood.STATEMENT),
    )


def _subordinated(main: Clause, sentence: Sentence) -> str:
    """The dependent clause comes first; a subject that both share comes before it, and once."""
    other, link = sentence.other, sentence.link
    assert other is not None
    assert link is not None
    shared = main.subject == other.subject
    return _join(
        _subject(main, _topic_of(main)) if shared else "",
        _clause(other, "" if shared else _NOMINATIVE),
        _linked(other, link),
        _clause(main, "" if shared else _topic_of(main)),
        _finite(main, sentence.mood),
    )


def _clause(clause: Clause, particle: str) -> str:
    """All but the verb. particle: that of the subject; empty where the subject is left out."""
    parts = [(role, _phrase(phrase, PARTICLES[role])) for role in PARTICLES if (phrase := clause.roles.get(role))]
    if clause.predicate is BE:
        parts = [(role, text) for role, text in parts if role is not Role.COMPLEMENT]
    before = {Role.TIME, Role.SITE} if clause.predicate is THERE_IS else {Role.TIME}
    is_late = particle == _NOMINATIVE
    return _join(
        *(text for role, text in parts if is_late and role in before),
        _subject(clause, particle) if particle else "",
        *(text for role, text in parts if not (is_late and role in before)),
    )


def _topic_of(clause: Clause) -> str:
    """A known subject is the topic; a new one, a counted one, a question word and the weather are not."""
    subject = clause.subject
    is_new = isinstance(subject, NounPhrase) and (
        subject.asks
        or isinstance(subject.quantity, Numeral)
        or subject.quantity is Quantity.MANY
        or subject.noun.kind == "weather"
    )
    return _NOMINATIVE if is_new or clause.predicate is THERE_IS else _TOPIC


def _subject(clause: Clause, particle: str) -> str:
    return _phrase(clause.subject, particle)


def _phrase(phrase: Phrase, particle: str) -> str:
    if isinstance(phrase, Adverb):
        return phrase.korean
    if isinstance(phrase, Age):
        return f"{phrase.years.korean} 살"
    if isinstance(phrase, Placed):
        return f"{_phrase(phrase.ground, '')} {phrase.position.korean}{particle}"
    if isinstance(phrase, Pair):
        return _join(_phrase(phrase.first, "과/와"), _phrase(phrase.second, particle))
    return _noun_phrase(phrase, particle)


def _noun_phrase(phrase: NounPhrase, particle: str) -> str:
    noun, counter = phrase.noun, phrase.noun.counter
    if not noun.korean:
        return ""
    words = [
        _relative(phrase.relative) if phrase.relative else "",
        "어느" if phrase.asks_which else "",
        _phrase(phrase.owner, "의") if phrase.owner else "",
        _POINTERS[phrase.pointer] if phrase.pointer else "",
        _QUANTITIES.get(phrase.quantity, "") if isinstance(phrase.quantity, Quantity) else "",
        _attributive(phrase.adjective) if phrase.adjective else "",
    ]
    head = noun.korean + ("들" if phrase.plural and not noun.korean.endswith("들") else "")
    if phrase.quantity is Quantity.HOW_MANY and counter:
        return _join(*words, with_particle(head, particle), "몇", counter.korean)
    if isinstance(phrase.quantity, Numeral) and counter:
        return _join(*words, head, phrase.quantity.korean, with_particle(counter.korean, particle))
    marked = with_particle(head, particle) if particle else head
    return _join(*words, _FUSED.get(marked, marked))


def _relative(relative: Relative) -> str:
    clause = relative.clause
    before = _clause(clause, "" if relative.of_subject else _NOMINATIVE)
    prefix, stem = _verb(clause)
    return _join(before, prefix + attach(stem, _ADNOMINAL[clause.tense]))


def _attributive(adjective: Adjective) -> str:
    """The form before a noun: 큰, 예쁜, but 맛있는; words without 다 have one form only."""
    if not adjective.korean.endswith("다"):
        return adjective.korean
    return attach(adjective.stem, "는" if adjective.stem.text[-1] in "있없" else "은")


def _verb(clause: Clause) -> tuple[str, Stem]:
    """What stands before the verb (안, 못), and the stem that takes the endings."""
    predicate, stem = clause.predicate, clause.predicate.stem
    if clause.predicate is BE:
        return _copula(clause)
    if clause.mode is Mode.WANT:
        return _want(clause)
    if clause.mode is Mode.MUST:
        return "", Stem(attach(stem, "어야 하"))
    if clause.mode is Mode.CAN and not clause.negated:
        return "", Stem(attach(stem, "을 수 있"))
    if clause.progressive:
        return "", Stem(attach(stem, "고 있") + ("지 않" if clause.negated else ""))
    if not clause.negated:
        return "", stem
    if negative := getattr(predicate, "negative", None):
        return "", negative.stem
    return _negated(stem, clause)


def _negated(stem: Stem, clause: Clause) -> tuple[str, Stem]:
    """Short verbs take 안 or 못 before them, adjectives, verbs in 하다 and longer ones -지 않다 or -지 못하다 after."""
    cannot = clause.mode is Mode.CAN
    is_short = len(stem.text) <= 2 and not stem.text.endswith("하") and not isinstance(clause.predicate, Adjective)
    if is_short:
        return ("못 " if cannot else "안 "), stem
    return "", Stem(attach(stem, "지 못하" if cannot else "지 않"))


def _want(clause: Clause) -> tuple[str, Stem]:
    """One's own wish is 고 싶다, that of others 고 싶어 하다; a question to somebody is about their own."""
    subject = clause.subject
    own = isinstance(subject, NounPhrase) and subject.noun.english in ("I", "we", "you")
    text = attach(clause.predicate.stem, "고 싶" if own else "고 싶어 하")
    return "", Stem(f"{text}지 않" if clause.negated else text)


def _copula(clause: Clause) -> tuple[str, Stem]:
    complement = clause.roles.get(Role.COMPLEMENT)
    assert complement is not None
    if clause.negated:
        return f"{_phrase(complement, '이/가')} ", Stem("아니", "이")
    return "", Stem(f"{_phrase(complement, '')}이", "이")


def _finite(clause: Clause, mood: Mood) -> str:
    if mood is Mood.REQUEST:
        return attach(clause.predicate.stem, "지 마세요" if clause.negated else "으세요")
    if mood is Mood.PROPOSAL:
        return attach(clause.predicate.stem, "을까요")
    prefix, stem = _verb(clause)
    if clause.tense is Tense.FUTURE:
        return prefix + attach(stem, "을 거예요")
    return prefix + attach(_in_past(stem) if clause.tense is Tense.PAST else stem, "어요")


def _in_past(stem: Stem) -> Stem:
    return Stem(attach(stem, "었"))


def _linked(clause: Clause, link: Link) -> str:
    prefix, stem = _verb(clause)
    if clause.tense is Tense.PAST and link in _TENSED_LINKS:
        stem = _in_past(stem)
    return prefix + attach(stem, _LINKS[link])


def _mark(mood: Mood) -> str:
    return "?" if mood in (Mood.QUESTION, Mood.PROPOSAL) else "."


def _join(*words: str) -> str:
    return " ".join(word for word in words if word)

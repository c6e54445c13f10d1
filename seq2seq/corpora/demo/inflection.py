"""English word forms: plurals, articles, tenses, participles, comparatives."""

import re

_PLURALS = {
    "child": "children", "fish": "fish", "fisherman": "fishermen", "knife": "knives", "man": "men", "mouse": "mice",
    "potato": "potatoes", "tomato": "tomatoes", "wolf": "wolves", "woman": "women",
}  # fmt: skip
_PASTS = {
    "become": "became", "build": "built", "buy": "bought", "catch": "caught", "choose": "chose", "come": "came",
    "do": "did", "draw": "drew", "drink": "drank", "drive": "drove", "eat": "ate", "fight": "fought", "fly": "flew",
    "get": "got", "give": "gave", "go": "went", "have": "had", "hide": "hid", "know": "knew", "leave": "left",
    "lend": "lent", "lose": "lost", "make": "made", "meet": "met", "read": "read", "ride": "rode", "run": "ran",
    "sell": "sold", "send": "sent", "sing": "sang", "sit": "sat", "sleep": "slept", "swim": "swam", "take": "took",
    "teach": "taught", "throw": "threw", "wear": "wore", "write": "wrote",
}  # fmt: skip
_DOUBLED = {"get", "run", "sit", "swim"}
_COMPARATIVES = {"good": "better", "bad": "worse", "far": "farther"}
_SILENT_H = ("honest", "hour")
_BE = {
    ("present", "I"): "am", ("present", "it"): "is", ("present", "they"): "are",
    ("past", "I"): "was", ("past", "it"): "was", ("past", "they"): "were",
}  # fmt: skip


def plural(noun: str) -> str:
    """The plural; the last word of several is the one that changes."""
    *before, last = noun.split(" ")
    return " ".join([*before, _PLURALS.get(last) or _with_s(last)])


def with_article(phrase: str) -> str:
    """The phrase after `a` or `an`."""
    is_vowel = phrase[0] in "aeiou" or phrase.startswith(_SILENT_H)
    return f"{'an' if is_vowel else 'a'} {phrase}"


def possessive(phrase: str) -> str:
    """The phrase as an owner: Minsu's, the students'."""
    return phrase + ("'" if phrase.endswith("s") else "'s")


def present(verb: str, person: str) -> str:
    """Present tense after I, it or they, which stand for all subjects with the same verb forms."""
    if verb == "be":
        return _BE["present", person]
    head, tail = _head_and_tail(verb)
    if person != "it":
        return verb
    return ("has" if head == "have" else _with_s(head)) + tail


def past(verb: str, person: str) -> str:
    """Past tense after I, it or they."""
    if verb == "be":
        return _BE["past", person]
    head, tail = _head_and_tail(verb)
    return (_PASTS.get(head) or _with_ed(head)) + tail


def participle(verb: str) -> str:
    """The form in -ing."""
    head, tail = _head_and_tail(verb)
    if head in _DOUBLED:
        head += head[-1]
    elif re.search(r"[^eoy]e$", head):
        head = head[:-1]
    return f"{head}ing{tail}"


def comparative(adjective: str) -> str:
    """Words of one syllable, and of two with -y, take -er; all others take `more`."""
    if adjective in _COMPARATIVES:
        return _COMPARATIVES[adjective]
    syllables = len(re.findall(r"[aeiouy]+", adjective.removesuffix("e")))
    if adjective.endswith("y") and syllables == 2:
        return adjective[:-1] + "ier"
    if syllables > 1:
        return f"more {adjective}"
    if re.search(r"[^aeiou][aeiou][bdgmnt]$", adjective):
        return f"{adjective}{adjective[-1]}er"
    return adjective.removesuffix("e") + "er"


def _head_and_tail(verb: str) -> tuple[str, str]:
    """`turn off` changes in its first word."""
    head, _, tail = verb.partition(" ")
    return head, f" {tail}" if tail else ""


def _with_s(word: str) -> str:
    if re.search(r"(s|x|z|ch|sh)$", word) or word in ("go", "do"):
        return f"{word}es"
    if re.search(r"[^aeiou]y$", word):
        return f"{word[:-1]}ies"
    return f"{word}s"


def _with_ed(word: str) -> str:
    if word in _DOUBLED:
        return f"{word}{word[-1]}ed"
    if word.endswith("e"):
        return f"{word}d"
    if re.search(r"[^aeiou]y$", word):
        return f"{word[:-1]}ied"
    return f"{word}ed"

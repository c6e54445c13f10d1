"""Korean word forms: letters inside syllables, particles, and endings on stems of verbs and adjectives.

A precomposed syllable is a number: ``U+AC00 + (initial * 21 + vowel) * 28 + final`` (The Unicode Standard,
section 3.12, Conjoining Jamo Behavior). All forms are computed with that arithmetic; none is listed.
"""

from dataclasses import dataclass

_FIRST = 0xAC00
_LAST = 0xD7A3
_INITIALS = "ㄱㄲㄴㄷㄸㄹㅁㅂㅃㅅㅆㅇㅈㅉㅊㅋㅌㅍㅎ"
_VOWELS = "ㅏㅐㅑㅒㅓㅔㅕㅖㅗㅘㅙㅚㅛㅜㅝㅞㅟㅠㅡㅢㅣ"
_FINALS = ("", *"ㄱㄲㄳㄴㄵㄶㄷㄹㄺㄻㄼㄽㄾㄿㅀㅁㅂㅄㅅㅆㅇㅈㅊㅋㅌㅍㅎ")
_BRIGHT = "ㅏㅑㅗ"
_CONTRACTED = {
    "ㅏ": "ㅏ", "ㅓ": "ㅓ", "ㅕ": "ㅕ", "ㅐ": "ㅐ", "ㅔ": "ㅔ", "ㅗ": "ㅘ", "ㅜ": "ㅝ", "ㅣ": "ㅕ", "ㅚ": "ㅙ",
}  # fmt: skip


def split(syllable: str) -> tuple[str, str, str]:
    """The initial, the vowel and the final of one syllable; the final is empty where there is none."""
    if not _FIRST <= ord(syllable) <= _LAST:
        raise ValueError(f"{syllable!r} is not a Hangul syllable")
    rest, final = divmod(ord(syllable) - _FIRST, 28)
    initial, vowel = divmod(rest, 21)
    return _INITIALS[initial], _VOWELS[vowel], _FINALS[final]


def join(initial: str, vowel: str, final: str = "") -> str:
    """The syllable that is written with these letters."""
    number = (_INITIALS.index(initial) * 21 + _VOWELS.index(vowel)) * 28 + _FINALS.index(final)
    return chr(_FIRST + number)


def final_of(text: str) -> str:
    """The final consonant (batchim) of the last syllable, or nothing."""
    return split(text[-1])[2]


def with_final(text: str, final: str) -> str:
    """The text with another final consonant, or none, in its last syllable."""
    initial, vowel, _ = split(text[-1])
    return text[:-1] + join(initial, vowel, final)


def with_particle(text: str, particle: str) -> str:
    """The text with a particle. `은/는` is a choice: the first after a consonant, the second after a vowel.

    `으로/로` takes the second after ㄹ as well: 연필로, but 펜으로.
    """
    if "/" not in particle:
        return text + particle
    after_consonant, after_vowel = particle.split("/")
    final = final_of(text)
    is_open = not final or (final == "ㄹ" and after_consonant.startswith("으로"))
    return text + (after_vowel if is_open else after_consonant)


@dataclass(frozen=True)
class Stem:
    """A verb or an adjective without its ending, and the class of its irregularity.

    irregular: ㅂ (돕다), ㄷ (듣다), ㅅ (짓다), ㅎ (빨갛다), 르 (부르다), 이 (the copula 이다 and 아니다) or nothing.
    Dropping of ㄹ (살다) and ㅡ (쓰다), 하다 and the contractions follow from the sounds and need no mark.
    """

    text: str
    irregular: str = ""


def attach(stem: Stem, ending: str) -> str:
    """The stem with an ending, which is given in the form that it has after the stem 먹-.

    어요, 었 and the like begin with a vowel that harmonises and contracts; 으면, 은, 을, 읍시다 lose their 으
    after a vowel and after ㄹ; all others (고, 지, 는) begin with a consonant.
    """
    initial, vowel, _ = split(ending[0])
    if initial == "ㅇ" and vowel == "ㅓ":
        return _attach_copula(stem, ending) if stem.irregular == "이" else _attach_vowel(stem, ending)
    if initial == "ㅇ" and vowel == "ㅡ":
        return _attach_euphonic(stem, ending)
    return _without_rieul(stem.text, ending) + ending


def _without_rieul(text: str, following: str) -> str:
    """A final ㄹ falls before ㄴ, ㅂ and ㅅ: 살다, 사는, 사세요."""
    return with_final(text, "") if final_of(text) == "ㄹ" and split(following[0])[0] in "ㄴㅂㅅ" else text


def _attach_euphonic(stem: Stem, ending: str) -> str:
    """은, 을, 으면, 으세요 ...: what begins with the vowel that only parts two consonants."""
    text, final = stem.text, final_of(stem.text)
    coda, tail = split(ending[0])[2], ending[1:]
    if stem.irregular == "ㄷ":
        return with_final(text, "ㄹ") + ending
    if stem.irregular == "ㅅ":
        return with_final(text, "") + ending
    if stem.irregular == "ㅂ":
        return with_final(text, "") + join("ㅇ", "ㅜ", coda) + tail
    if stem.irregular == "ㅎ" or not final:
        return with_final(text, coda) + tail
    if final == "ㄹ":
        return with_final(text, coda) + tail if coda else _without_rieul(text, tail) + tail
    return text + ending


def _attach_vowel(stem: Stem, ending: str) -> str:
    """어요, 어서, 었 ...: harmony with the stem's last vowel, and contraction with it."""
    text, coda, tail = stem.text, split(ending[0])[2], ending[1:]
    initial, vowel, final = split(text[-1])
    if stem.irregular == "ㅂ":
        return with_final(text, "") + join("ㅇ", "ㅘ" if text == "돕" else "ㅝ", coda) + tail
    if stem.irregular == "ㄷ":
        return with_final(text, "ㄹ") + join("ㅇ", _harmony(vowel), coda) + tail
    if stem.irregular == "ㅅ":
        return with_final(text, "") + join("ㅇ", _harmony(vowel), coda) + tail
    if stem.irregular == "ㅎ":
        return text[:-1] + join(initial, "ㅒ" if vowel == "ㅑ" else "ㅐ", coda) + tail
    if stem.irregular == "르":
        return with_final(text[:-1], "ㄹ") + join("ㄹ", _harmony(split(text[-2])[1]), coda) + tail
    if final:
        bright = "ㅓ" if final == "ㅆ" else _harmony(vowel)
        return text + join("ㅇ", bright, coda) + tail
    if text.endswith("하"):
        return text[:-1] + join("ㅎ", "ㅐ", coda) + tail
    if vowel == "ㅡ":
        before = split(text[-2])[1] if len(text) > 1 and text[-2] != " " else ""
        return text[:-1] + join(initial, _harmony(before), coda) + tail
    if vowel in _CONTRACTED:
        return text[:-1] + join(initial, _CONTRACTED[vowel], coda) + tail
    return text + ending


def _harmony(vowel: str) -> str:
    """The vowel of 아/어 after this one."""
    return "ㅏ" if vowel and vowel in _BRIGHT else "ㅓ"


def _attach_copula(stem: Stem, ending: str) -> str:
    """학생이에요, 의사예요, 학생이었어요, 의사였어요; 아니다 never contracts: 아니에요, 아니었어요."""
    ending = "에요" if ending == "어요" else ending
    before = stem.text[:-1]
    if stem.text.split(" ")[-1] == "아니" or final_of(before):
        return stem.text + ending
    _, vowel, coda = split(ending[0])
    return before + join("ㅇ", {"ㅔ": "ㅖ", "ㅓ": "ㅕ"}[vowel], coda) + ending[1:]

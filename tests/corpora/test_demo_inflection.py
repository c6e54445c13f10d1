"""English word forms."""

import pytest

from seq2seq.corpora.demo import inflection, lexicon


@pytest.mark.parametrize(
    ("noun", "form"),
    [
        ("book", "books"), ("watch", "watches"), ("box", "boxes"), ("diary", "diaries"), ("key", "keys"),
        ("child", "children"), ("woman", "women"), ("mouse", "mice"), ("wolf", "wolves"), ("knife", "knives"),
        ("tomato", "tomatoes"), ("photo", "photos"), ("police officer", "police officers"), ("glass", "glasses"),
    ],
)  # fmt: skip
def test_nouns_have_their_plurals(noun, form):
    assert inflection.plural(noun) == form


@pytest.mark.parametrize(
    ("phrase", "form"),
    [
        ("book", "a book"), ("apple", "an apple"), ("umbrella", "an umbrella"), ("honest man", "an honest man"),
        ("house", "a house"), ("older brother", "an older brother"),
    ],
)  # fmt: skip
def test_the_article_follows_the_sound_of_the_next_word(phrase, form):
    assert inflection.with_article(phrase) == form


@pytest.mark.parametrize(
    ("verb", "present", "past", "participle"),
    [
        ("eat", "eats", "ate", "eating"), ("go", "goes", "went", "going"), ("watch", "watches", "watched", "watching"),
        ("study", "studies", "studied", "studying"), ("play", "plays", "played", "playing"),
        ("write", "writes", "wrote", "writing"), ("swim", "swims", "swam", "swimming"),
        ("open", "opens", "opened", "opening"), ("turn off", "turns off", "turned off", "turning off"),
        ("take a walk", "takes a walk", "took a walk", "taking a walk"), ("have", "has", "had", "having"),
        ("come back", "comes back", "came back", "coming back"), ("lose", "loses", "lost", "losing"),
        ("get up", "gets up", "got up", "getting up"), ("do", "does", "did", "doing"),
        ("fly", "flies", "flew", "flying"),
    ],
)  # fmt: skip
def test_verbs_have_their_forms(verb, present, past, participle):
    assert inflection.present(verb, "it") == present
    assert inflection.present(verb, "they") == verb
    assert inflection.past(verb, "it") == past
    assert inflection.participle(verb) == participle


def test_be_agrees_in_both_tenses():
    assert [inflection.present("be", person) for person in ("I", "it", "they")] == ["am", "is", "are"]
    assert [inflection.past("be", person) for person in ("I", "it", "they")] == ["was", "was", "were"]


@pytest.mark.parametrize(
    ("adjective", "form"),
    [
        ("big", "bigger"), ("hot", "hotter"), ("clean", "cleaner"), ("cute", "cuter"), ("busy", "busier"),
        ("slow", "slower"), ("new", "newer"), ("quiet", "quieter"), ("good", "better"), ("bad", "worse"),
        ("far", "farther"), ("famous", "more famous"), ("beautiful", "more beautiful"), ("honest", "more honest"),
    ],
)  # fmt: skip
def test_adjectives_have_their_comparatives(adjective, form):
    assert inflection.comparative(adjective) == form


def test_owners_that_end_in_s_take_only_an_apostrophe():
    assert inflection.possessive("Minsu") == "Minsu's"
    assert inflection.possessive("the students") == "the students'"


def test_only_verbs_that_are_never_drawn_in_the_plain_present_look_alike_in_present_and_past():
    alike = {verb.english for verb in lexicon.VERBS.values() if inflection.past(verb.english, "they") == verb.english}
    assert alike == {"read"}

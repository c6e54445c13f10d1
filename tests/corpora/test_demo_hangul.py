"""Korean word forms against what a grammar of Korean says."""

import pytest

from seq2seq.corpora.demo.hangul import Stem, attach, final_of, join, split, with_final, with_particle


@pytest.mark.parametrize(
    ("syllable", "letters"),
    [("가", ("ㄱ", "ㅏ", "")), ("한", ("ㅎ", "ㅏ", "ㄴ")), ("없", ("ㅇ", "ㅓ", "ㅄ")), ("힣", ("ㅎ", "ㅣ", "ㅎ"))],
)
def test_a_syllable_is_split_into_its_letters_and_joined_again(syllable, letters):
    assert split(syllable) == letters
    assert join(*letters) == syllable


@pytest.mark.parametrize("text", ["a", "ㄱ", "7", "漢"])
def test_what_is_not_a_syllable_is_refused(text):
    with pytest.raises(ValueError, match="not a Hangul syllable"):
        split(text)


def test_the_final_consonant_is_that_of_the_last_syllable():
    assert final_of("학생") == "ㅇ"
    assert final_of("의사") == ""
    assert with_final("의사", "ㄹ") == "의살"
    assert with_final("연필", "") == "연피"


@pytest.mark.parametrize(
    ("particle", "after_consonant", "after_vowel"),
    [
        ("은/는", "학생은", "의사는"),
        ("이/가", "학생이", "의사가"),
        ("을/를", "학생을", "의사를"),
        ("과/와", "학생과", "의사와"),
        ("과 같이/와 같이", "학생과 같이", "의사와 같이"),
        ("으로/로", "학생으로", "의사로"),
        ("에게", "학생에게", "의사에게"),
        ("의", "학생의", "의사의"),
    ],
)
def test_the_final_consonant_chooses_the_particle(particle, after_consonant, after_vowel):
    assert with_particle("학생", particle) == after_consonant
    assert with_particle("의사", particle) == after_vowel


@pytest.mark.parametrize(
    ("noun", "form"),
    [
        ("연필", "연필로"),
        ("지하철", "지하철로"),
        ("칼", "칼로"),
        ("펜", "펜으로"),
        ("버스", "버스로"),
        ("숟가락", "숟가락으로"),
    ],
)
def test_after_rieul_the_particle_of_means_is_ro(noun, form):
    assert with_particle(noun, "으로/로") == form


def test_rieul_is_a_consonant_for_all_other_particles():
    assert with_particle("연필", "을/를") == "연필을"
    assert with_particle("연필", "은/는") == "연필은"
    assert with_particle("연필", "과/와") == "연필과"


ENDINGS = ("고", "는", "어요", "었", "을 거예요", "으면", "으세요")
VERBS = {
    Stem("먹"): ("먹고", "먹는", "먹어요", "먹었", "먹을 거예요", "먹으면", "먹으세요"),
    Stem("받"): ("받고", "받는", "받아요", "받았", "받을 거예요", "받으면", "받으세요"),
    Stem("가"): ("가고", "가는", "가요", "갔", "갈 거예요", "가면", "가세요"),
    Stem("오"): ("오고", "오는", "와요", "왔", "올 거예요", "오면", "오세요"),
    Stem("주"): ("주고", "주는", "줘요", "줬", "줄 거예요", "주면", "주세요"),
    Stem("마시"): ("마시고", "마시는", "마셔요", "마셨", "마실 거예요", "마시면", "마시세요"),
    Stem("보내"): ("보내고", "보내는", "보내요", "보냈", "보낼 거예요", "보내면", "보내세요"),
    Stem("켜"): ("켜고", "켜는", "켜요", "켰", "켤 거예요", "켜면", "켜세요"),
    Stem("되"): ("되고", "되는", "돼요", "됐", "될 거예요", "되면", "되세요"),
    Stem("쉬"): ("쉬고", "쉬는", "쉬어요", "쉬었", "쉴 거예요", "쉬면", "쉬세요"),
    Stem("공부하"): ("공부하고", "공부하는", "공부해요", "공부했", "공부할 거예요", "공부하면", "공부하세요"),
    Stem("살"): ("살고", "사는", "살아요", "살았", "살 거예요", "살면", "사세요"),
    Stem("만들"): ("만들고", "만드는", "만들어요", "만들었", "만들 거예요", "만들면", "만드세요"),
    Stem("쓰"): ("쓰고", "쓰는", "써요", "썼", "쓸 거예요", "쓰면", "쓰세요"),
    Stem("모으"): ("모으고", "모으는", "모아요", "모았", "모을 거예요", "모으면", "모으세요"),
    Stem("따르"): ("따르고", "따르는", "따라요", "따랐", "따를 거예요", "따르면", "따르세요"),
    Stem("부르", "르"): ("부르고", "부르는", "불러요", "불렀", "부를 거예요", "부르면", "부르세요"),
    Stem("고르", "르"): ("고르고", "고르는", "골라요", "골랐", "고를 거예요", "고르면", "고르세요"),
    Stem("듣", "ㄷ"): ("듣고", "듣는", "들어요", "들었", "들을 거예요", "들으면", "들으세요"),
    Stem("닫"): ("닫고", "닫는", "닫아요", "닫았", "닫을 거예요", "닫으면", "닫으세요"),
    Stem("짓", "ㅅ"): ("짓고", "짓는", "지어요", "지었", "지을 거예요", "지으면", "지으세요"),
    Stem("낫", "ㅅ"): ("낫고", "낫는", "나아요", "나았", "나을 거예요", "나으면", "나으세요"),
    Stem("씻"): ("씻고", "씻는", "씻어요", "씻었", "씻을 거예요", "씻으면", "씻으세요"),
    Stem("돕", "ㅂ"): ("돕고", "돕는", "도와요", "도왔", "도울 거예요", "도우면", "도우세요"),
    Stem("굽", "ㅂ"): ("굽고", "굽는", "구워요", "구웠", "구울 거예요", "구우면", "구우세요"),
    Stem("입"): ("입고", "입는", "입어요", "입었", "입을 거예요", "입으면", "입으세요"),
}


@pytest.mark.parametrize("stem", VERBS, ids=lambda stem: stem.text)
def test_a_verb_takes_all_its_endings(stem):
    assert tuple(attach(stem, ending) for ending in ENDINGS) == VERBS[stem]


ADJECTIVE_ENDINGS = ("고", "은", "어요", "었", "을 때", "어서")
ADJECTIVES = {
    Stem("작"): ("작고", "작은", "작아요", "작았", "작을 때", "작아서"),
    Stem("크"): ("크고", "큰", "커요", "컸", "클 때", "커서"),
    Stem("바쁘"): ("바쁘고", "바쁜", "바빠요", "바빴", "바쁠 때", "바빠서"),
    Stem("슬프"): ("슬프고", "슬픈", "슬퍼요", "슬펐", "슬플 때", "슬퍼서"),
    Stem("길"): ("길고", "긴", "길어요", "길었", "길 때", "길어서"),
    Stem("달"): ("달고", "단", "달아요", "달았", "달 때", "달아서"),
    Stem("빠르", "르"): ("빠르고", "빠른", "빨라요", "빨랐", "빠를 때", "빨라서"),
    Stem("게으르", "르"): ("게으르고", "게으른", "게을러요", "게을렀", "게으를 때", "게을러서"),
    Stem("춥", "ㅂ"): ("춥고", "추운", "추워요", "추웠", "추울 때", "추워서"),
    Stem("가깝", "ㅂ"): ("가깝고", "가까운", "가까워요", "가까웠", "가까울 때", "가까워서"),
    Stem("빨갛", "ㅎ"): ("빨갛고", "빨간", "빨개요", "빨갰", "빨갈 때", "빨개서"),
    Stem("하얗", "ㅎ"): ("하얗고", "하얀", "하얘요", "하얬", "하얄 때", "하얘서"),
    Stem("깨끗하"): ("깨끗하고", "깨끗한", "깨끗해요", "깨끗했", "깨끗할 때", "깨끗해서"),
    Stem("키가 크"): ("키가 크고", "키가 큰", "키가 커요", "키가 컸", "키가 클 때", "키가 커서"),
}


@pytest.mark.parametrize("stem", ADJECTIVES, ids=lambda stem: stem.text)
def test_an_adjective_takes_all_its_endings(stem):
    assert tuple(attach(stem, ending) for ending in ADJECTIVE_ENDINGS) == ADJECTIVES[stem]


@pytest.mark.parametrize(
    ("stem", "present", "past"),
    [
        ("학생이", "학생이에요", "학생이었"),
        ("의사이", "의사예요", "의사였"),
        ("아니", "아니에요", "아니었"),
    ],
)
def test_the_copula_contracts_after_vowels_but_its_negation_never_does(stem, present, past):
    assert attach(Stem(stem, "이"), "어요") == present
    assert attach(Stem(stem, "이"), "었") == past


def test_a_past_stem_takes_its_endings_as_a_stem_of_its_own():
    past = Stem(attach(Stem("가"), "었"))
    assert attach(past, "어요") == "갔어요"
    assert attach(past, "지만") == "갔지만"
    assert attach(past, "을 때") == "갔을 때"

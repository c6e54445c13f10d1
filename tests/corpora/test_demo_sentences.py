"""Trees said in both languages, checked by hand against both grammars."""

import pytest

from seq2seq.corpora.demo import lexicon
from seq2seq.corpora.demo.english import realise_english
from seq2seq.corpora.demo.korean import realise_korean
from seq2seq.corpora.demo.lexemes import Adverb, Role, Tense
from seq2seq.corpora.demo.lexicon import (
    ADJECTIVES,
    ADVERBS,
    BE,
    BE_AT,
    FREQUENCIES,
    HAVE,
    NOUNS,
    NUMERALS,
    POSITIONS,
    RAIN,
    SEASONS,
    TENS,
    THERE_IS,
    TIMES,
    VERBS,
)
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

PAST, PRESENT, FUTURE = Tense.PAST, Tense.PRESENT, Tense.FUTURE
PRONOUNS = {noun.english: noun for noun in (*lexicon.PRONOUNS, lexicon.YOU, lexicon.IT, lexicon.WHO, lexicon.WHAT)}
PREDICATES = {**VERBS, **ADJECTIVES, "이다": BE, "에 있다": BE_AT, "가 있다": THERE_IS, "있다": HAVE, "비가 오다": RAIN}
FIXED = {
    adverb.korean: adverb
    for adverb in (*ADVERBS.values(), *TIMES, *SEASONS, *FREQUENCIES, *lexicon.DEGREES, lexicon.NOW, lexicon.WHEN,
                   lexicon.WHERE_AT, lexicon.WHERE_TO, lexicon.WHY, lexicon.HOW)
}  # fmt: skip
ONE, TWO, THREE, FOUR, FIVE = NUMERALS[:5]
POSITION = {position.english: position for position in POSITIONS}


def np(word: str, **features: object) -> NounPhrase:
    return NounPhrase(PRONOUNS[word] if word in PRONOUNS else NOUNS[word], **features)


def phrase(value: Phrase | str) -> Phrase:
    if not isinstance(value, str):
        return value
    return FIXED[value] if value in FIXED else np(value)


def clause(subject: NounPhrase | Pair | str, predicate: str, tense: Tense = PRESENT, **parts: object) -> Clause:
    """Roles are given by their names, other features of a clause by theirs."""
    features = {name: parts.pop(name) for name in ("progressive", "mode", "negated") if name in parts}
    roles = tuple((Role[name.upper()], phrase(value)) for name, value in parts.items())
    subject = np(subject) if isinstance(subject, str) else subject
    return Clause(subject, PREDICATES[predicate], roles, tense, **features)


def say(subject, predicate, tense=PRESENT, mood=Mood.STATEMENT, **parts) -> Sentence:
    return Sentence(clause(subject, predicate, tense, **parts), mood)


def ask(subject, predicate, tense=PRESENT, **parts) -> Sentence:
    return say(subject, predicate, tense, Mood.QUESTION, **parts)


def linked(link: Link, main: Clause, other: Clause, mood: Mood = Mood.STATEMENT) -> Sentence:
    return Sentence(main, mood, link, other)


def my(word: str) -> NounPhrase:
    return np(word, owner=np("I"))


def known(word: str, subject: str, verb: str, tense: Tense) -> NounPhrase:
    """The thing that the subject does something with."""
    return np(word, relative=Relative(clause(subject, verb, tense), of_subject=False))


def who(word: str, verb: str, tense: Tense, **parts: object) -> NounPhrase:
    """The one who does something."""
    return np(word, relative=Relative(clause(np(word), verb, tense, **parts), of_subject=True))


MINSU_AND_YUNA = Pair(np("민수"), np("유나"))

PAIRS = [
    # particles after a consonant and after a vowel, the three tenses
    (say("학생", "읽다", PAST, object="책"), "학생은 책을 읽었어요.", "The student read the book."),
    (say("의사", "마시다", object="커피"), "의사는 커피를 마셔요.", "The doctor drinks coffee."),
    (
        say("민수", "만나다", FUTURE, object="유나", time="내일"),
        "민수는 내일 유나를 만날 거예요.",
        "Minsu will meet Yuna tomorrow.",
    ),
    (
        say("지훈", "가다", PAST, goal="학교", vehicle="버스"),
        "지훈은 버스로 학교에 갔어요.",
        "Jihun went to the school by bus.",
    ),
    (
        say("I", "오다", PAST, goal="서울", vehicle="지하철"),
        "저는 지하철로 서울에 왔어요.",
        "I came to Seoul by subway.",
    ),
    (
        say("she", "쓰다", PAST, object="편지", tool="연필"),
        "그녀는 연필로 편지를 썼어요.",
        "She wrote the letter with a pencil.",
    ),
    (
        say("he", "그리다", FUTURE, object="나무", tool="펜"),
        "그는 펜으로 나무를 그릴 거예요.",
        "He will draw the tree with a pen.",
    ),
    (
        say("유나", "공부하다", PAST, companion="학생", object="한국어", place="도서관"),
        "유나는 학생과 같이 도서관에서 한국어를 공부했어요.",
        "Yuna studied Korean with the student in the library.",
    ),
    (say("서연", "이야기하다", partner="의사"), "서연은 의사와 이야기해요.", "Seoyeon talks with the doctor."),
    (say("they", "돌아오다", PAST, source="공항"), "그들은 공항에서 돌아왔어요.", "They came back from the airport."),
    (
        say(MINSU_AND_YUNA, "일하다", place="은행", time="매일"),
        "민수와 유나는 매일 은행에서 일해요.",
        "Minsu and Yuna work at the bank every day.",
    ),
    (say(Pair(np("수진"), np("지훈")), "웃다", FUTURE), "수진과 지훈은 웃을 거예요.", "Sujin and Jihun will laugh."),
    # recipients, pronouns as objects, owners
    (
        say("민수", "주다", PAST, recipient="유나", object="꽃"),
        "민수는 유나에게 꽃을 줬어요.",
        "Minsu gave the flower to Yuna.",
    ),
    (
        say("she", "보여 주다", PAST, recipient=np("I"), object="사진"),
        "그녀는 저에게 사진을 보여 줬어요.",
        "She showed the photo to me.",
    ),
    (say("아빠", "부르다", PAST, object=np("we")), "아빠는 우리를 불렀어요.", "Dad called us."),
    (
        say(my("누나"), "팔다", PAST, object=np("자동차", owner=np("she"))),
        "제 누나는 그녀의 자동차를 팔았어요.",
        "My older sister sold her car.",
    ),
    (
        say("친구", "빌리다", FUTURE, object=np("우산", owner=np("민수"))),
        "친구는 민수의 우산을 빌릴 거예요.",
        "The friend will borrow Minsu's umbrella.",
    ),
    (say("we", "청소하다", object=np("집", owner=np("we"))), "우리는 우리 집을 청소해요.", "We clean our house."),
    # irregular stems: ㅂ, ㄷ, ㅅ, 르, ㅎ, ㄹ, ㅡ
    (say("엄마", "굽다", PAST, object="빵"), "엄마는 빵을 구웠어요.", "Mom baked bread."),
    (say("경찰관", "돕다", object="아이"), "경찰관은 아이를 도와요.", "The police officer helps the child."),
    (say("I", "듣다", object="음악", time="밤에"), "저는 밤에 음악을 들어요.", "I listen to music at night."),
    (say("they", "짓다", FUTURE, object="다리"), "그들은 다리를 지을 거예요.", "They will build the bridge."),
    (
        say("은지", "고르다", PAST, object=np("치마", adjective=ADJECTIVES["파랗다"])),
        "은지는 파란 치마를 골랐어요.",
        "Eunji chose the blue skirt.",
    ),
    (say(np("새", pointer=Pointer.THIS), "하얗다", degree="아주"), "이 새는 아주 하얘요.", "This bird is very white."),
    (
        say("요리사", "만들다", object="수프", time="저녁에"),
        "요리사는 저녁에 수프를 만들어요.",
        "The chef makes soup in the evening.",
    ),
    (say(np("개", plural=True), "따르다", object="소녀"), "개들은 소녀를 따라요.", "The dogs follow the girl."),
    (say("아이", "끄다", PAST, object="불"), "아이는 불을 껐어요.", "The child turned off the light."),
    # negation: short, long, suppletive; ability, wish, duty
    (
        say("고양이", "먹다", negated=True, object="사과"),
        "고양이는 사과를 안 먹어요.",
        "The cat does not eat the apple.",
    ),
    (say("준호", "운동하다", PAST, negated=True), "준호는 운동하지 않았어요.", "Junho did not exercise."),
    (
        say("she", "오다", FUTURE, negated=True, goal="시장"),
        "그녀는 시장에 안 올 거예요.",
        "She will not come to the market.",
    ),
    (say("I", "알다", negated=True, object="기자"), "저는 기자를 몰라요.", "I do not know the reporter."),
    (
        say(np("관광객", plural=True), "알다", object=np("현우")),
        "관광객들은 현우를 알아요.",
        "The tourists know Hyunwoo.",
    ),
    (say("호수", "깨끗하다", negated=True), "호수는 깨끗하지 않아요.", "The lake is not clean."),
    (say("토끼", "달리다", mode=Mode.CAN), "토끼는 달릴 수 있어요.", "The rabbit can run."),
    (
        say("he", "타다", mode=Mode.CAN, negated=True, object="자전거"),
        "그는 자전거를 못 타요.",
        "He cannot ride the bicycle.",
    ),
    (say("유나", "수영하다", PAST, mode=Mode.CAN, negated=True), "유나는 수영하지 못했어요.", "Yuna could not swim."),
    (say("I", "배우다", mode=Mode.WANT, object="영어"), "저는 영어를 배우고 싶어요.", "I want to learn English."),
    (
        say("수진", "되다", PAST, mode=Mode.WANT, complement="가수"),
        "수진은 가수가 되고 싶어 했어요.",
        "Sujin wanted to become a singer.",
    ),
    (say("we", "쉬다", mode=Mode.WANT, negated=True), "우리는 쉬고 싶지 않아요.", "We do not want to rest."),
    (say("의사", "서두르다", PAST, mode=Mode.MUST), "의사는 서둘러야 했어요.", "The doctor had to hurry."),
    # progressive, frequency, manner
    (say("아이", "자다", progressive=True, time="지금"), "아이는 지금 자고 있어요.", "The child is sleeping now."),
    (
        say(np("새", plural=True), "노래하다", PAST, progressive=True),
        "새들은 노래하고 있었어요.",
        "The birds were singing.",
    ),
    (
        say("유나", "입다", progressive=True, negated=True, object="코트"),
        "유나는 코트를 입고 있지 않아요.",
        "Yuna is not wearing the coat.",
    ),
    (say("엄마", "마시다", frequency="항상", object="차"), "엄마는 항상 차를 마셔요.", "Mom always drinks tea."),
    (
        say("군인", "걷다", PAST, manner="천천히", place="숲"),
        "군인은 숲에서 천천히 걸었어요.",
        "The soldier walked slowly in the forest.",
    ),
    # numerals and counters, quantities, demonstratives
    (say("I", "먹다", PAST, object=np("사과", quantity=THREE)), "저는 사과 세 개를 먹었어요.", "I ate three apples."),
    (
        say("학생", "빌리다", PAST, object=np("책", quantity=TWO)),
        "학생은 책 두 권을 빌렸어요.",
        "The student borrowed two books.",
    ),
    (
        say(np("학생", quantity=FIVE), "오다", PAST, goal="공원", time="어제"),
        "어제 학생 다섯 명이 공원에 왔어요.",
        "Five students came to the park yesterday.",
    ),
    (
        say("아빠", "주문하다", PAST, object=np("커피", quantity=TWO)),
        "아빠는 커피 두 잔을 주문했어요.",
        "Dad ordered two cups of coffee.",
    ),
    (
        say("she", "마시다", FUTURE, object=np("물", quantity=ONE)),
        "그녀는 물 한 잔을 마실 거예요.",
        "She will drink one glass of water.",
    ),
    (
        say("화가", "그리다", object=np("쥐", quantity=FOUR)),
        "화가는 쥐 네 마리를 그려요.",
        "The painter draws four mice.",
    ),
    (
        say(np("아이", quantity=Quantity.MANY), "웃다", PAST, manner="크게"),
        "많은 아이가 크게 웃었어요.",
        "Many children laughed loudly.",
    ),
    (
        say(np("학생", quantity=Quantity.EVERY), "읽다", PAST, object=np("소설", pointer=Pointer.THAT)),
        "모든 학생은 그 소설을 읽었어요.",
        "Every student read that novel.",
    ),
    (
        say(np("여자", pointer=Pointer.YONDER), "이다", complement="변호사"),
        "저 여자는 변호사예요.",
        "That woman over there is a lawyer.",
    ),
    (
        say(np("남자", plural=True, pointer=Pointer.THIS), "알다", object="소방관"),
        "이 남자들은 소방관을 알아요.",
        "These men know the firefighter.",
    ),
    # being something, somewhere, of an age; there being; having
    (
        say(MINSU_AND_YUNA, "이다", PAST, complement="학생"),
        "민수와 유나는 학생이었어요.",
        "Minsu and Yuna were students.",
    ),
    (
        say(my("딸"), "이다", negated=True, complement="배우"),
        "제 딸은 배우가 아니에요.",
        "My daughter is not an actor.",
    ),
    (
        say("he", "이다", complement=np("요리사", adjective=ADJECTIVES["정직하다"])),
        "그는 정직한 요리사예요.",
        "He is an honest chef.",
    ),
    (say("고양이", "이다", complement=Age(TWO)), "고양이는 두 살이에요.", "The cat is two years old."),
    (say("의사", "이다", complement=Age(TENS[1])), "의사는 서른 살이에요.", "The doctor is thirty years old."),
    (
        say("열쇠", "에 있다", site=Placed(POSITION["on"], np("책상"))),
        "열쇠는 책상 위에 있어요.",
        "The key is on the desk.",
    ),
    (
        say("they", "에 있다", PAST, negated=True, site="회사"),
        "그들은 회사에 없었어요.",
        "They were not at the company.",
    ),
    (
        say(np("고양이", quantity=FOUR), "가 있다", site=Placed(POSITION["under"], np("의자"))),
        "의자 아래에 고양이 네 마리가 있어요.",
        "There are four cats under the chair.",
    ),
    (
        say("우산", "가 있다", PAST, site=Placed(POSITION["in"], np("가방"))),
        "가방 안에 우산이 있었어요.",
        "There was an umbrella in the bag.",
    ),
    (
        say("표", "가 있다", negated=True, site=Placed(POSITION["in"], np("상자"))),
        "상자 안에 표가 없어요.",
        "There is no ticket in the box.",
    ),
    (say("I", "있다", complement=np("고양이", quantity=TWO)), "저는 고양이 두 마리가 있어요.", "I have two cats."),
    (say("은지", "있다", negated=True, complement="시간"), "은지는 시간이 없어요.", "Eunji has no time."),
    # adjectives, comparison, weather
    (
        say(np("영화", pointer=Pointer.THIS), "재미있다", PAST, degree="정말"),
        "이 영화는 정말 재미있었어요.",
        "This movie was really interesting.",
    ),
    (
        say("I", "만들다", PAST, object=np("샌드위치", adjective=ADJECTIVES["맛있다"])),
        "저는 맛있는 샌드위치를 만들었어요.",
        "I made the delicious sandwich.",
    ),
    (say("말", "빠르다", standard="소"), "말은 소보다 빨라요.", "The horse is faster than the cow."),
    (
        say("수학", "어렵다", standard="역사"),
        "수학은 역사보다 어려워요.",
        "Mathematics is more difficult than history.",
    ),
    (say("I", "슬프다", degree="아주"), "저는 아주 슬퍼요.", "I am very sad."),
    (say("날씨", "춥다", PAST, time="겨울에"), "겨울에 날씨가 추웠어요.", "The weather was cold in winter."),
    (say("it", "비가 오다", PAST, time="어젯밤에"), "어젯밤에 비가 왔어요.", "It rained last night."),
    # questions
    (ask("유나", "좋아하다", object="김치"), "유나는 김치를 좋아해요?", "Does Yuna like kimchi?"),
    (
        ask("you", "보다", PAST, object="영화", time="주말에"),
        "주말에 영화를 봤어요?",
        "Did you watch the movie on the weekend?",
    ),
    (ask("who", "열다", PAST, object="문"), "누가 문을 열었어요?", "Who opened the door?"),
    (ask("민수", "기다리다", object="who"), "민수는 누구를 기다려요?", "Who does Minsu wait for?"),
    (
        ask("she", "보내다", PAST, recipient="who", object="선물"),
        "그녀는 누구에게 선물을 보냈어요?",
        "Who did she send the gift to?",
    ),
    (
        ask("you", "먹다", FUTURE, object="what", place="식당"),
        "식당에서 무엇을 먹을 거예요?",
        "What will you eat at the restaurant?",
    ),
    (
        ask(np("친구", plural=True), "가다", FUTURE, goal="어디에"),
        "친구들은 어디에 갈 거예요?",
        "Where will the friends go?",
    ),
    (ask("they", "살다", place="어디에서"), "그들은 어디에서 살아요?", "Where do they live?"),
    (
        ask("현우", "떠나다", PAST, time="언제", object="한국"),
        "현우는 언제 한국을 떠났어요?",
        "When did Hyunwoo leave Korea?",
    ),
    (
        ask("you", "사다", PAST, negated=True, reason="왜", object="빵"),
        "왜 빵을 안 샀어요?",
        "Why did you not buy bread?",
    ),
    (
        ask("you", "오다", PAST, goal="회사", manner="어떻게"),
        "회사에 어떻게 왔어요?",
        "How did you come to the company?",
    ),
    (
        ask("엄마", "사다", PAST, object=np("가방", asks_which=True)),
        "엄마는 어느 가방을 샀어요?",
        "Which bag did Mom buy?",
    ),
    (
        ask("you", "먹다", PAST, object=np("사과", quantity=Quantity.HOW_MANY)),
        "사과를 몇 개 먹었어요?",
        "How many apples did you eat?",
    ),
    (
        ask(np("말", quantity=Quantity.HOW_MANY), "가 있다", site="공원"),
        "공원에 말이 몇 마리 있어요?",
        "How many horses are there in the park?",
    ),
    # relative clauses
    (
        say("유나", "읽다", PAST, object=known("책", "민수", "사다", PAST)),
        "유나는 민수가 산 책을 읽었어요.",
        "Yuna read the book that Minsu bought.",
    ),
    (
        say(known("음악", "I", "듣다", PRESENT), "아름답다"),
        "제가 듣는 음악은 아름다워요.",
        "The music that I listen to is beautiful.",
    ),
    (
        say(known("케이크", "은지", "만들다", FUTURE), "달다"),
        "은지가 만들 케이크는 달아요.",
        "The cake that Eunji will make is sweet.",
    ),
    (
        say(who("소년", "읽다", PRESENT, object="신문", progressive=True), "똑똑하다"),
        "신문을 읽고 있는 소년은 똑똑해요.",
        "The boy who is reading the newspaper is smart.",
    ),
    (
        say(who("가수", "살다", PRESENT, place="부산"), "유명하다"),
        "부산에서 사는 가수는 유명해요.",
        "The singer who lives in Busan is famous.",
    ),
    (
        say(who("여자", "돕다", PAST, object="농부"), "오다", PAST, goal="병원"),
        "농부를 도운 여자는 병원에 왔어요.",
        "The woman who helped the farmer came to the hospital.",
    ),
    # two clauses
    (
        linked(Link.AND, clause("민수", "읽다", PAST, object="책"), clause("유나", "듣다", PAST, object="라디오")),
        "민수는 책을 읽고 유나는 라디오를 들었어요.",
        "Minsu read the book and Yuna listened to the radio.",
    ),
    (
        linked(Link.AND, clause("I", "먹다", FUTURE, object="밥"), clause("I", "자다", FUTURE)),
        "저는 밥을 먹고 잘 거예요.",
        "I will eat rice and will sleep.",
    ),
    (
        linked(
            Link.BUT,
            clause("엄마", "마시다", PAST, object="주스"),
            clause("아빠", "마시다", PAST, negated=True, object="우유"),
        ),
        "엄마는 주스를 마셨지만 아빠는 우유를 안 마셨어요.",
        "Mom drank juice but Dad did not drink milk.",
    ),
    (
        linked(Link.BUT, clause("방", "작다"), clause("방", "깨끗하다")),
        "방은 작지만 깨끗해요.",
        "The room is small but clean.",
    ),
    (
        linked(
            Link.BECAUSE,
            clause("유나", "가다", PAST, negated=True, mode=Mode.CAN, goal="학교"),
            clause("유나", "아프다", PAST),
        ),
        "유나는 아파서 학교에 못 갔어요.",
        "Yuna could not go to the school because she was sick.",
    ),
    (
        linked(Link.BECAUSE, clause("we", "산책하다", PAST, negated=True), clause("it", "비가 오다", PAST)),
        "비가 와서 우리는 산책하지 않았어요.",
        "We did not take a walk because it rained.",
    ),
    (
        linked(Link.WHEN, clause("아이", "울다", PAST, progressive=True), clause("I", "돌아오다", PAST, source="시장")),
        "제가 시장에서 돌아왔을 때 아이는 울고 있었어요.",
        "The child was crying when I came back from the market.",
    ),
    (
        linked(Link.IF, clause("she", "쉬다", FUTURE), clause("날씨", "덥다")),
        "날씨가 더우면 그녀는 쉴 거예요.",
        "She will rest if the weather is hot.",
    ),
    (
        linked(Link.IF, clause("you", "닫다", object="창문"), clause("it", "비가 오다"), Mood.REQUEST),
        "비가 오면 창문을 닫으세요.",
        "Please close the window if it rains.",
    ),
    (
        linked(Link.BEFORE, clause("수진", "씻다", PAST, object="사과"), clause("수진", "먹다", PAST, object="빵")),
        "수진은 빵을 먹기 전에 사과를 씻었어요.",
        "Sujin washed the apple before eating bread.",
    ),
    (
        linked(
            Link.AFTER, clause("기자", "쓰다", PAST, object="보고서"), clause("기자", "만나다", PAST, object="배우")
        ),
        "기자는 배우를 만난 후에 보고서를 썼어요.",
        "The reporter wrote the report after meeting the actor.",
    ),
    (
        linked(
            Link.PURPOSE, clause("they", "가다", FUTURE, goal="부엌"), clause("they", "만들다", FUTURE, object="만두")
        ),
        "그들은 만두를 만들러 부엌에 갈 거예요.",
        "They will go to the kitchen to make the dumpling.",
    ),
    # requests and proposals
    (
        say("you", "듣다", mood=Mood.REQUEST, manner="조용히", object="이야기"),
        "이야기를 조용히 들으세요.",
        "Please listen to the story quietly.",
    ),
    (say("you", "만들다", mood=Mood.REQUEST, object="의자"), "의자를 만드세요.", "Please make the chair."),
    (
        say("you", "열다", mood=Mood.REQUEST, negated=True, object="상자"),
        "상자를 열지 마세요.",
        "Please do not open the box.",
    ),
    (
        say("you", "보다", mood=Mood.PROPOSAL, manner="같이", object="경기"),
        "경기를 같이 볼까요?",
        "Shall we watch the game together?",
    ),
]


@pytest.mark.parametrize(("sentence", "korean", "english"), PAIRS, ids=[korean for _, korean, _ in PAIRS])
def test_a_tree_is_said_in_both_languages(sentence, korean, english):
    assert realise_korean(sentence) == korean
    assert realise_english(sentence) == english


def test_every_phenomenon_has_a_hand_checked_pair():
    sentences = [sentence for sentence, _, _ in PAIRS]
    assert {sentence.mood for sentence in sentences} == set(Mood)
    assert {sentence.link for sentence in sentences} == {None, *Link}
    assert {sentence.main.mode for sentence in sentences} == set(Mode)
    assert {sentence.main.tense for sentence in sentences} == set(Tense)
    assert {role for sentence in sentences for role in sentence.main.roles} == set(Role)
    stems = {(sentence.main.predicate.irregular) for sentence in sentences}
    assert stems >= {"", "ㅂ", "ㄷ", "ㅅ", "ㅎ", "르", "이"}


def test_the_hour_is_a_time():
    assert lexicon.o_clock(THREE) == Adverb("세 시에", "at three o'clock")

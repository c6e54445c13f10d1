"""The words of the demo language: small tables, one entry for each word, written by hand for this project.

A selection such as ``"food 책"`` names kinds and single Korean words; `select` turns it into nouns.
"""

from collections.abc import Iterator
from functools import cache

from seq2seq.corpora.demo.lexemes import (
    Adjective,
    Adverb,
    Aspect,
    Counter,
    Noun,
    Numeral,
    Position,
    Predicate,
    Role,
    Tense,
    Verb,
)

OBJECT, RECIPIENT, COMPLEMENT = Role.OBJECT, Role.RECIPIENT, Role.COMPLEMENT
PARTNER, COMPANION = Role.PARTNER, Role.COMPANION
MANNER, TOOL, VEHICLE = Role.MANNER, Role.TOOL, Role.VEHICLE
SOURCE, GOAL, SITE, PLACE = Role.SOURCE, Role.GOAL, Role.SITE, Role.PLACE

NUMERALS = tuple(
    Numeral(*entry.split())
    for entry in (
        "한 one", "두 two", "세 three", "네 four", "다섯 five", "여섯 six", "일곱 seven", "여덟 eight", "아홉 nine",
        "열 ten", "열한 eleven", "열두 twelve",
    )
)  # fmt: skip
TENS = (Numeral("스무", "twenty"), Numeral("서른", "thirty"), Numeral("마흔", "forty"), Numeral("쉰", "fifty"))

_PEOPLE, _ANIMALS, _PIECES = Counter("명"), Counter("마리"), Counter("개")
_VOLUMES, _LETTERS, _SHEETS, _GARMENTS = Counter("권"), Counter("통"), Counter("장"), Counter("벌")
_MACHINES, _STICKS = Counter("대"), Counter("자루")
_CUPS, _GLASSES, _BOTTLES = Counter("잔", "cup"), Counter("잔", "glass"), Counter("병", "bottle")
_SLICES, _BOWLS = Counter("조각", "piece"), Counter("그릇", "bowl")


def _nouns(
    kind: str,
    counter: Counter | None,
    *entries: str,
    countable: bool = True,
    pronoun: str = "it",
    preposition: str = "in",
) -> Iterator[Noun]:
    for entry in entries:
        korean, english = entry.split(" ", 1)
        yield Noun(korean, english, kind, counter, countable, pronoun, preposition)


I = Noun("저", "I", "pronoun", pronoun="I")  # noqa: E741 - the English word
WE = Noun("우리", "we", "pronoun", pronoun="we")
HE = Noun("그", "he", "pronoun", pronoun="he")
SHE = Noun("그녀", "she", "pronoun", pronoun="she")
THEY = Noun("그들", "they", "pronoun", pronoun="they")
YOU = Noun("", "you", "pronoun", pronoun="you")  # dropped in questions and requests
IT = Noun("", "it", "pronoun", pronoun="it")  # of the weather
PRONOUNS = (I, WE, HE, SHE, THEY)
WHO = Noun("누구", "who", "question", pronoun="he")
WHAT = Noun("무엇", "what", "question", pronoun="it")

NOUNS: dict[str, Noun] = {
    noun.korean: noun
    for noun in (
        *_nouns("person", _PEOPLE, "학생 student", "의사 doctor", "간호사 nurse", "가수 singer", "배우 actor",
                "화가 painter", "기자 reporter", "작가 writer", "요리사 chef", "경찰관 police officer",
                "소방관 firefighter", "농부 farmer", "변호사 lawyer", "과학자 scientist",
                "군인 soldier", "친구 friend", "관광객 tourist", "외국인 foreigner", pronoun=""),
        *_nouns("person", _PEOPLE, "남자 man", "소년 boy", pronoun="he"),
        *_nouns("person", _PEOPLE, "여자 woman", "소녀 girl", pronoun="she"),
        *_nouns("person", _PEOPLE, "아이 child", pronoun=""),
        *_nouns("kin", None, "남동생 younger brother", "형 older brother", "아들 son", "삼촌 uncle", pronoun="he"),
        *_nouns("kin", None, "누나 older sister", "여동생 younger sister", "딸 daughter", "이모 aunt", pronoun="she"),
        *_nouns("name", None, "민수 Minsu", "지훈 Jihun", "현우 Hyunwoo", "준호 Junho", "아빠 Dad",
                countable=False, pronoun="he"),
        *_nouns("name", None, "유나 Yuna", "수진 Sujin", "은지 Eunji", "서연 Seoyeon", "엄마 Mom",
                countable=False, pronoun="she"),
        *_nouns("animal", _ANIMALS, "고양이 cat", "개 dog", "새 bird", "말 horse", "토끼 rabbit", "곰 bear",
                "호랑이 tiger", "원숭이 monkey", "여우 fox", "소 cow", "돼지 pig", "쥐 mouse", "오리 duck",
                "거북이 turtle", "늑대 wolf"),
        *_nouns("fruit", _PIECES, "사과 apple", "바나나 banana", "오렌지 orange", "복숭아 peach",
                "토마토 tomato", "당근 carrot", "감자 potato"),
        *_nouns("snack", _PIECES, "달걀 egg", "만두 dumpling", "샌드위치 sandwich", "햄버거 hamburger", "과자 cookie"),
        *_nouns("dish", _SLICES, "빵 bread", "치즈 cheese", "케이크 cake", countable=False),
        *_nouns("dish", _BOWLS, "밥 rice", "수프 soup", "라면 ramen", countable=False),
        *_nouns("dish", None, "고기 meat", "생선 fish", "김치 kimchi", countable=False),
        *_nouns("drink", _CUPS, "커피 coffee", "차 tea", countable=False),
        *_nouns("drink", _GLASSES, "물 water", "우유 milk", "주스 juice", countable=False),
        *_nouns("drink", _BOTTLES, "콜라 cola", "맥주 beer", countable=False),
        *_nouns("text", _VOLUMES, "책 book", "소설 novel", "잡지 magazine", "사전 dictionary"),
        *_nouns("text", _LETTERS, "편지 letter", "이메일 email"),
        *_nouns("text", None, "신문 newspaper", "일기 diary", "보고서 report"),
        *_nouns("clothes", _GARMENTS, "코트 coat", "치마 skirt", "셔츠 shirt", "원피스 dress", "스웨터 sweater"),
        *_nouns("thing", _PIECES, "가방 bag", "우산 umbrella", "시계 watch", "컵 cup", "공 ball", "열쇠 key",
                "지갑 wallet", "모자 hat", "접시 plate", "인형 doll", "선물 gift", "거울 mirror",
                "칼 knife", "숟가락 spoon"),
        *_nouns("furniture", _PIECES, "의자 chair", "책상 desk", "침대 bed", "상자 box"),
        *_nouns("paper", _SHEETS, "사진 photo", "그림 picture", "표 ticket", "지도 map"),
        *_nouns("pen", _STICKS, "연필 pencil", "펜 pen"),
        *_nouns("plant", None, "꽃 flower", "나무 tree"),
        *_nouns("machine", _MACHINES, "컴퓨터 computer", "텔레비전 television", "카메라 camera", "라디오 radio"),
        *_nouns("light", None, "불 light"),
        *_nouns("instrument", _MACHINES, "피아노 piano", "기타 guitar"),
        *_nouns("vehicle", _MACHINES, "자동차 car", "자전거 bicycle"),
        *_nouns("transport", _MACHINES, "버스 bus", "택시 taxi", "비행기 plane", "기차 train"),
        *_nouns("transport", None, "지하철 subway", "배 ship"),
        *_nouns("opening", None, "문 door", "창문 window"),
        *_nouns("building", None, "다리 bridge", "건물 building"),
        *_nouns("field", None, "한국어 Korean", "영어 English", "수학 mathematics", "역사 history", "과학 science",
                "미술 art", countable=False),
        *_nouns("audio", None, "음악 music", countable=False),
        *_nouns("audio", None, "노래 song", "이야기 story"),
        *_nouns("video", None, "영화 movie", "경기 game"),
        *_nouns("weather", None, "날씨 weather"),
        *_nouns("money", None, "돈 money", "시간 time", countable=False),
        *_nouns("site", None, "학교 school", "병원 hospital", "식당 restaurant", "은행 bank", "회사 company",
                "가게 shop", "공항 airport", "박물관 museum", "호텔 hotel", "카페 cafe", "시장 market", "역 station",
                "우체국 post office", "공장 factory", preposition="at"),
        *_nouns("room", None, "도서관 library", "교실 classroom", "부엌 kitchen", "방 room", "집 house"),
        *_nouns("outdoors", None, "공원 park", "정원 garden", "숲 forest", "마을 village"),
        *_nouns("outdoors", None, "해변 beach", preposition="on"),
        *_nouns("nature", None, "산 mountain", preposition="on"),
        *_nouns("water", None, "바다 sea", "강 river", "호수 lake"),
        *_nouns("city", None, "서울 Seoul", "부산 Busan", "한국 Korea", "일본 Japan", countable=False),
    )
}  # fmt: skip


@cache
def select(selection: str) -> tuple[Noun, ...]:
    """The nouns that a selection names, by kind or by Korean word, in the order of the lexicon."""
    names = selection.split()
    known = set(NOUNS) | {noun.kind for noun in NOUNS.values()}
    if unknown := [name for name in names if name not in known]:
        raise ValueError(f"the selection {selection!r} names {unknown}, which the lexicon does not have")
    return tuple(noun for noun in NOUNS.values() if noun.kind in names or noun.korean in names)


_GOODS = "fruit snack 책 소설 잡지 사전 신문 clothes thing furniture paper pen machine 꽃 자동차 자전거"
_FOOD = "fruit snack dish"
_BUILT = "집 학교 병원 호텔 공장 building"

ADJECTIVES: dict[str, Adjective] = {
    adjective.korean: adjective
    for adjective in (
        Adjective("크다", "big", describes="animal thing furniture fruit building room site 나무",
                  scale="size"),
        Adjective("작다", "small", describes="animal thing furniture fruit building room site", scale="size"),
        Adjective("키가 크다", "tall", describes="person kin name 나무", scale="height"),
        Adjective("힘이 세다", "strong", describes="person kin name 곰 말 호랑이 소", scale="strength", tone=1),
        Adjective("친절하다", "kind", describes="person kin name", scale="kindness", tone=1),
        Adjective("똑똑하다", "smart", describes="person kin name 개 원숭이", scale="wit", tone=1),
        Adjective("부지런하다", "diligent", describes="person kin name", scale="effort", tone=1),
        Adjective("게으르다", "lazy", "르", describes="person kin name 고양이 돼지", scale="effort", tone=-1),
        Adjective("용감하다", "brave", describes="person kin name", scale="courage", tone=1),
        Adjective("정직하다", "honest", describes="person kin name", scale="honesty", tone=1),
        Adjective("바쁘다", "busy", describes="person kin name", scale="leisure", tone=-1),
        Adjective("건강하다", "healthy", describes="person kin name animal", scale="health", tone=1),
        Adjective("행복하다", "happy", describes="person kin name", scale="mood", tone=1),
        Adjective("아프다", "sick", describes="person kin name animal", scale="health", tone=-1),
        Adjective("젊다", "young",
                  describes="의사 간호사 가수 배우 화가 기자 작가 요리사 경찰관 농부 남자 여자", scale="age"),
        Adjective("피곤하다", "tired", describes="person kin name", scale="vigour", tone=-1, feeling=True,
                  attributive=False),
        Adjective("배고프다", "hungry", describes="person kin name animal", scale="hunger", tone=-1,
                  feeling=True),
        Adjective("슬프다", "sad", describes="person kin name", scale="mood", tone=-1, feeling=True),
        Adjective("외롭다", "lonely", "ㅂ", describes="person kin name", scale="mood", tone=-1, feeling=True),
        Adjective("기쁘다", "glad", describes="person kin name", scale="mood", tone=1, feeling=True,
                  attributive=False),
        Adjective("귀엽다", "cute", "ㅂ", describes="animal 아이 인형", scale="charm", tone=1),
        Adjective("무섭다", "scary", "ㅂ", describes="곰 호랑이 늑대 영화 이야기", scale="charm", tone=-1),
        Adjective("느리다", "slow", describes="vehicle transport 소 돼지 컴퓨터", scale="speed", tone=-1),
        Adjective("빠르다", "fast", "르", describes="vehicle transport 말 토끼 여우 개 컴퓨터", scale="speed", tone=1),
        Adjective("예쁘다", "pretty", describes="clothes 가방 컵 모자 접시 인형 꽃 그림",
                  scale="looks", tone=1),
        Adjective("비싸다", "expensive", describes=f"{_GOODS} dish drink instrument", scale="price", tone=-1),
        Adjective("싸다", "cheap", describes=f"{_GOODS} dish drink instrument", scale="price", tone=1),
        Adjective("무겁다", "heavy", "ㅂ", describes="가방 furniture machine instrument 자전거 사전",
                  scale="weight", tone=-1),
        Adjective("가볍다", "light", "ㅂ", describes="가방 우산 의자 상자 카메라 컴퓨터 자전거 코트",
                  scale="weight", tone=1),
        Adjective("새", "new", describes=f"{_GOODS} instrument building", scale="age", predicative=False),
        Adjective("오래된", "old", describes="책 사진 시계 가방 지갑 나무 vehicle transport building furniture",
                  scale="age", predicative=False),
        Adjective("빨갛다", "red", "ㅎ", describes="clothes 가방 우산 컵 공 모자 꽃 자동차 자전거",
                  scale="colour"),
        Adjective("파랗다", "blue", "ㅎ", describes="clothes 가방 우산 컵 공 모자 자동차 자전거",
                  scale="colour"),
        Adjective("노랗다", "yellow", "ㅎ", describes="clothes 가방 우산 컵 공 모자 꽃 새", scale="colour"),
        Adjective("하얗다", "white", "ㅎ", describes="clothes 고양이 개 새 말 토끼 오리 컵 모자 꽃 접시",
                  scale="colour"),
        Adjective("까맣다", "black", "ㅎ", describes="clothes 고양이 개 새 말 곰 돼지 가방 우산 모자 자동차",
                  scale="colour"),
        Adjective("맛있다", "delicious", describes=f"{_FOOD} drink", scale="taste", tone=1),
        Adjective("달다", "sweet", describes="과자 케이크 사과 바나나 오렌지 복숭아 주스 커피",
                  scale="flavour"),
        Adjective("맵다", "spicy", "ㅂ", describes="김치 라면 수프 만두 고기", scale="flavour"),
        Adjective("뜨겁다", "hot", "ㅂ", describes="커피 차 물 우유 수프 라면", scale="heat"),
        Adjective("차갑다", "cold", "ㅂ", describes="커피 차 물 우유 주스 콜라 맥주", scale="heat"),
        Adjective("신선하다", "fresh", describes="fruit 빵 고기 생선 우유 달걀", scale="freshness", tone=1),
        Adjective("재미있다", "interesting", describes="책 소설 잡지 편지 일기 이야기 video field",
                  scale="interest", tone=1),
        Adjective("재미없다", "boring", describes="책 소설 잡지 보고서 이야기 video field",
                  scale="interest", tone=-1),
        Adjective("길다", "long", describes="소설 편지 이메일 보고서 이야기 영화 치마 코트 다리 강",
                  scale="length"),
        Adjective("짧다", "short", describes="소설 편지 이메일 보고서 이야기 영화 치마 연필", scale="length"),
        Adjective("어렵다", "difficult", "ㅂ", describes="field 책 소설 보고서", scale="ease", tone=-1),
        Adjective("쉽다", "easy", "ㅂ", describes="field 책 소설 보고서", scale="ease", tone=1),
        Adjective("중요하다", "important", describes="text 열쇠 field 시계 사진 경기", scale="weight"),
        Adjective("유명하다", "famous",
                  describes="의사 가수 배우 화가 작가 요리사 변호사 과학자 소설 노래 영화 그림 식당 호텔 박물관",
                  scale="fame", tone=1),
        Adjective("조용하다", "quiet", describes="도서관 교실 방 카페 호텔 outdoors 학생 아이",
                  scale="noise", tone=1),
        Adjective("시끄럽다", "noisy", "ㅂ", describes="식당 카페 시장 공항 공장 역 교실 아이 원숭이",
                  scale="noise", tone=-1),
        Adjective("깨끗하다", "clean", describes="room 식당 호텔 병원 셔츠 컵 접시 창문 호수 강",
                  scale="order", tone=1),
        Adjective("더럽다", "dirty", "ㅂ", describes="room 식당 셔츠 컵 접시 창문 강", scale="order", tone=-1),
        Adjective("아름답다", "beautiful", "ㅂ", describes="outdoors nature 바다 강 호수 음악 노래 꽃",
                  scale="looks", tone=1),
        Adjective("멀다", "far", describes="site outdoors nature 바다 강 호수", scale="distance", tone=-1,
                  attributive=False),
        Adjective("가깝다", "close", "ㅂ", describes="site outdoors nature 바다 강 호수",
                  scale="distance", tone=1, attributive=False),
        Adjective("높다", "high", describes="nature building", scale="height"),
        Adjective("덥다", "hot", "ㅂ", describes="weather", scale="weather", attributive=False),
        Adjective("춥다", "cold", "ㅂ", describes="weather", scale="weather", attributive=False),
        Adjective("좋다", "good", describes="weather 책 영화 노래 친구 카메라 컴퓨터 소설",
                  scale="weather", tone=1),
        Adjective("나쁘다", "bad", describes="weather", scale="weather", tone=-1, attributive=False),
    )
}  # fmt: skip

_INDOORS = "학교 회사 카페 도서관 교실 방 집"
_OUTSIDE = "outdoors 학교"

_EVENT, _STATE, _KNOWLEDGE = Aspect.EVENT, Aspect.STATE, Aspect.KNOWLEDGE

_NOT_KNOW = Predicate("모르다", "not know", "르")
_NOT_BE = Predicate("없다", "not be")

VERBS: dict[str, Verb] = {
    verb.korean: verb
    for verb in (
        Verb("자다", "sleep", subjects="person animal", may={PLACE: "집 방 호텔", MANNER: "잘 혼자 조용히"}),
        Verb("쉬다", "rest", may={PLACE: "집 방 호텔 카페 공원 정원 해변", MANNER: "혼자 조용히"}),
        Verb("일하다", "work", may={PLACE: "site 정원 부엌", MANNER: "열심히"}),
        Verb("놀다", "play", subjects="아이 소년 소녀 개 고양이 원숭이",
             may={PLACE: _OUTSIDE, COMPANION: "person"}),
        Verb("걷다", "walk", "ㄷ", may={PLACE: "outdoors", MANNER: "빨리 천천히 혼자 조용히"}),
        Verb("달리다", "run", subjects="person 말 개 토끼 여우",
             may={PLACE: "outdoors", MANNER: "빨리 천천히"}),
        Verb("수영하다", "swim", may={PLACE: "water", MANNER: "잘 빨리 혼자", COMPANION: "person"}),
        Verb("춤을 추다", "dance", may={PLACE: "공원 집 교실 해변", MANNER: "잘 혼자", COMPANION: "person"}),
        Verb("노래하다", "sing", subjects="person 새",
             may={PLACE: "공원 집 교실 숲", MANNER: "잘 크게 조용히"}),
        Verb("울다", "cry", deliberate=False, may={PLACE: "방 부엌 교실", MANNER: "크게 혼자 조용히"}),
        Verb("웃다", "laugh", deliberate=False, may={MANNER: "크게 조용히 혼자"}),
        Verb("운동하다", "exercise", may={PLACE: "공원 학교 집 해변", MANNER: "열심히"}),
        Verb("여행하다", "tour", needs={OBJECT: "city"},
             may={VEHICLE: "기차 버스", MANNER: "혼자", COMPANION: "person"}),
        Verb("살다", "live", subjects="person 곰 호랑이 늑대 여우", may={MANNER: "혼자"},
             needs={PLACE: "city 마을 숲"}, dated=False),
        Verb("서두르다", "hurry", "르", aspect=_EVENT),
        Verb("일어나다", "get up", needs={MANNER: "일찍 늦게"}),
        Verb("낫다", "recover", "ㅅ", subjects="person animal", deliberate=False, may={MANNER: "빨리 천천히"},
             aspect=_EVENT),
        Verb("이야기하다", "talk", needs={PARTNER: "person"}, may={PLACE: _INDOORS, MANNER: "조용히 크게"}),
        Verb("싸우다", "fight", deliberate=False, needs={PARTNER: "person"}, may={PLACE: _OUTSIDE}),
        Verb("날다", "fly", subjects="새 오리 비행기", may={MANNER: "빨리 천천히"}),
        Verb("산책하다", "take a walk", may={PLACE: "outdoors", COMPANION: "person", MANNER: "혼자"}),
        Verb("가다", "go", needs={GOAL: "site room outdoors nature water city"},
             may={VEHICLE: "vehicle transport", MANNER: "빨리 혼자 일찍", COMPANION: "person"}),
        Verb("오다", "come", needs={GOAL: "site room city 공원 마을"},
             may={VEHICLE: "vehicle transport", MANNER: "혼자 일찍 늦게"}),
        Verb("돌아오다", "come back", needs={SOURCE: "site city 도서관 공원 산 바다"},
             may={VEHICLE: "기차 버스 비행기 지하철", MANNER: "일찍 늦게 혼자"}),
        Verb("도착하다", "arrive", needs={GOAL: "site 도서관"},
             may={MANNER: "일찍 늦게", VEHICLE: "기차 버스 지하철"}, aspect=_EVENT, deliberate=False,
             prepositions={GOAL: "at"}),
        Verb("들어가다", "go", subjects="person animal", needs={GOAL: "room 숲 정원"},
             may={MANNER: "빨리 조용히 혼자"}, prepositions={GOAL: "into"}),
        Verb("앉다", "sit", subjects="person 고양이", needs={GOAL: "의자 침대 상자"}, may={MANNER: "조용히"},
             aspect=_EVENT, prepositions={GOAL: "on"}),
        Verb("떠나다", "leave", needs={OBJECT: "city 마을 집"}, may={MANNER: "일찍 혼자 조용히"},
             aspect=_EVENT),
        Verb("먹다", "eat", subjects="person 곰 원숭이 토끼 돼지 쥐", needs={OBJECT: _FOOD},
             may={PLACE: "식당 부엌 집 카페", MANNER: "빨리 천천히 혼자"}),
        Verb("마시다", "drink", needs={OBJECT: "drink"},
             may={PLACE: "카페 집 식당 회사", MANNER: "빨리 천천히"}),
        Verb("요리하다", "cook", needs={OBJECT: "고기 생선 라면 감자 달걀"},
             may={PLACE: "부엌 식당", COMPANION: "person"}),
        Verb("굽다", "bake", "ㅂ", needs={OBJECT: "빵 과자 케이크 감자"}, may={PLACE: "부엌 집"}),
        Verb("만들다", "make", needs={OBJECT: "샌드위치 햄버거 만두 김치 치즈 수프 인형 의자 책상 상자 선물"},
             may={PLACE: "부엌 집 공장", COMPANION: "person"}),
        Verb("썰다", "slice", needs={OBJECT: "빵 치즈 고기 당근 감자 토마토"}, may={TOOL: "칼"}),
        Verb("씻다", "wash", needs={OBJECT: "fruit 컵 접시"}, may={PLACE: "부엌", MANNER: "빨리"}),
        Verb("닦다", "wipe", needs={OBJECT: "거울 책상 창문 접시"}, may={MANNER: "빨리"}),
        Verb("사다", "buy", needs={OBJECT: f"{_GOODS} instrument dish"}, may={PLACE: "가게 시장 공항 서울"},
             aspect=_EVENT),
        Verb("팔다", "sell", needs={OBJECT: f"{_GOODS} instrument dish"}, may={PLACE: "가게 시장"}),
        Verb("고르다", "choose", "르", needs={OBJECT: "clothes thing text 의자 그림 사진"},
             may={PLACE: "가게", MANNER: "빨리 천천히"}, aspect=_EVENT),
        Verb("주문하다", "order", needs={OBJECT: "snack dish drink"}, may={PLACE: "식당 카페"}, aspect=_EVENT),
        Verb("준비하다", "prepare", needs={OBJECT: "선물 보고서 밥 차 커피 샌드위치 수프"},
             may={PLACE: "부엌 집 회사"}),
        Verb("읽다", "read", needs={OBJECT: "text"},
             may={PLACE: f"{_INDOORS} 공원", MANNER: "조용히 천천히 빨리"}),
        Verb("쓰다", "write", needs={OBJECT: "편지 이메일 소설 일기 보고서"},
             may={TOOL: "pen", PLACE: _INDOORS, MANNER: "빨리 천천히"}),
        Verb("번역하다", "translate", needs={OBJECT: "소설 편지 이메일 보고서"},
             may={PLACE: "회사 도서관", MANNER: "빨리 천천히"}),
        Verb("빌리다", "borrow", needs={OBJECT: "책 소설 잡지 사전 우산 자동차 자전거 카메라 돈"},
             aspect=_EVENT),
        Verb("듣다", "listen", "ㄷ", needs={OBJECT: "audio 라디오"},
             may={PLACE: "방 집 카페 공원", MANNER: "조용히 혼자"}, prepositions={OBJECT: "to"}),
        Verb("보다", "watch", needs={OBJECT: "video 텔레비전"},
             may={PLACE: "집 방 학교", MANNER: "조용히 혼자", COMPANION: "person"}),
        Verb("공부하다", "study", needs={OBJECT: "field"},
             may={PLACE: _INDOORS, MANNER: "열심히", COMPANION: "person"}),
        Verb("배우다", "learn", needs={OBJECT: "field"}, may={PLACE: "학교 도서관", MANNER: "빨리 천천히"}),
        Verb("연주하다", "play", needs={OBJECT: "instrument"},
             may={PLACE: "학교 방 집 카페", MANNER: "잘 조용히"}),
        Verb("만나다", "meet", needs={OBJECT: "person"}, may={PLACE: "site 공원 도서관"}, aspect=_EVENT),
        Verb("돕다", "help", "ㅂ", needs={OBJECT: "person"}, may={PLACE: "학교 병원 부엌 정원"}),
        Verb("기다리다", "wait", needs={OBJECT: "person 버스 기차 택시 지하철 비행기"},
             may={PLACE: "역 공항 학교 카페", MANNER: "조용히 혼자"}, prepositions={OBJECT: "for"}),
        Verb("부르다", "call", "르", needs={OBJECT: "person 개 고양이"}, may={MANNER: "크게 조용히"}),
        Verb("초대하다", "invite", needs={OBJECT: "person"}, may={GOAL: "집"}, aspect=_EVENT),
        Verb("사랑하다", "love", needs={OBJECT: "person"}, aspect=_STATE, deliberate=False, dated=False),
        Verb("믿다", "trust", needs={OBJECT: "person"}, aspect=_STATE, deliberate=False, dated=False),
        Verb("알다", "know", needs={OBJECT: "person"}, aspect=_KNOWLEDGE, deliberate=False, dated=False,
             negative=_NOT_KNOW),
        Verb("좋아하다", "like", needs={OBJECT: "person animal fruit dish drink field video 음악 꽃"},
             aspect=_STATE, deliberate=False, dated=False),
        Verb("싫어하다", "hate", needs={OBJECT: "animal fruit dish drink field"}, aspect=_STATE,
             deliberate=False, dated=False),
        Verb("찾다", "look", needs={OBJECT: "animal thing person 사전 표 식당 은행"},
             may={PLACE: "집 공원 역 숲"}, prepositions={OBJECT: "for"}),
        Verb("따르다", "follow", subjects="person 개 오리", needs={OBJECT: "person"},
             may={MANNER: "조용히 빨리"}),
        Verb("쫓다", "chase", subjects="개 고양이 늑대 여우 호랑이", needs={OBJECT: "토끼 쥐 오리 새"},
             may={PLACE: "숲 정원 공원"}),
        Verb("잡다", "catch", subjects="person 고양이 여우 늑대", needs={OBJECT: "쥐 토끼 새 오리"},
             may={PLACE: "숲 정원 공원"}, aspect=_EVENT),
        Verb("키우다", "raise", needs={OBJECT: "고양이 개 새 말 토끼 소 돼지 오리 거북이"}, dated=False,
             may={PLACE: "집 마을 정원"}),
        Verb("입다", "wear", needs={OBJECT: "clothes"}),
        Verb("벗다", "take off", needs={OBJECT: "코트 스웨터 셔츠 모자"}, may={MANNER: "빨리 천천히"},
             aspect=_EVENT),
        Verb("열다", "open", needs={OBJECT: "opening 상자 가방 선물"}, may={MANNER: "빨리 조용히"}),
        Verb("닫다", "close", needs={OBJECT: "opening 상자 가방"}, may={MANNER: "빨리 조용히"}),
        Verb("켜다", "turn on", needs={OBJECT: "불 컴퓨터 텔레비전 라디오"}, aspect=_EVENT),
        Verb("끄다", "turn off", needs={OBJECT: "불 컴퓨터 텔레비전 라디오"}, aspect=_EVENT),
        Verb("고치다", "repair", needs={OBJECT: "machine 시계 자동차 자전거 의자 문"},
             may={MANNER: "빨리 천천히 혼자", PLACE: "집 공장"}),
        Verb("타다", "ride", needs={OBJECT: "자전거 말 버스 지하철"}, may={MANNER: "혼자"}),
        Verb("운전하다", "drive", needs={OBJECT: "자동차 버스 택시"}, may={MANNER: "빨리 천천히 잘"}),
        Verb("그리다", "draw", needs={OBJECT: "그림 지도 꽃 나무 water 산 animal"},
             may={TOOL: "pen", PLACE: "공원 교실 정원", MANNER: "잘 천천히"}),
        Verb("던지다", "throw", needs={OBJECT: "공 모자 열쇠"}, may={MANNER: "빨리"}, aspect=_EVENT),
        Verb("짓다", "build", "ㅅ", dated=False, needs={OBJECT: _BUILT}, may={PLACE: "city 마을"}),
        Verb("붓다", "pour", "ㅅ", needs={OBJECT: "drink"}, may={MANNER: "천천히 빨리"}),
        Verb("심다", "plant", needs={OBJECT: "꽃 나무 감자"}, may={PLACE: "정원 공원 마을"}),
        Verb("모으다", "save", needs={OBJECT: "돈"}),
        Verb("잃어버리다", "lose", needs={OBJECT: "가방 우산 시계 열쇠 지갑 모자 표 카메라"},
             may={PLACE: "역 공항 시장 공원"}, aspect=_EVENT, deliberate=False),
        Verb("숨기다", "hide", needs={OBJECT: "편지 열쇠 지갑 선물 돈"}, aspect=_EVENT),
        Verb("나르다", "carry", "르", needs={OBJECT: "furniture 가방 컴퓨터"},
             may={MANNER: "빨리 천천히 혼자"}),
        Verb("밀다", "push", needs={OBJECT: "책상 침대 상자 자동차 자전거 문"},
             may={MANNER: "천천히 빨리 혼자"}),
        Verb("싣다", "load", "ㄷ", needs={OBJECT: "상자 책상 침대 자전거 의자", GOAL: "기차 배 버스"},
             may={MANNER: "빨리 천천히 혼자"}, prepositions={GOAL: "onto"}),
        Verb("청소하다", "clean", needs={OBJECT: "room 식당 학교 정원"}, may={MANNER: "빨리 혼자"}),
        Verb("가르치다", "teach", needs={OBJECT: "field"}, may={RECIPIENT: "person", PLACE: "학교 서울 부산"}),
        Verb("주다", "give", needs={OBJECT: "thing pen 꽃 책 사전 우유 물 사과", RECIPIENT: "person"},
             aspect=_EVENT),
        Verb("보내다", "send", needs={OBJECT: "편지 이메일 선물 꽃 사진 돈", RECIPIENT: "person"},
             aspect=_EVENT),
        Verb("보여 주다", "show", needs={OBJECT: "사진 그림 표 지도 편지", RECIPIENT: "person"}, aspect=_EVENT),
        Verb("빌려주다", "lend", needs={OBJECT: "책 사전 우산 펜 돈 자전거 카메라", RECIPIENT: "person"},
             aspect=_EVENT),
        Verb("소개하다", "introduce", needs={OBJECT: "kin name", RECIPIENT: "person"}, aspect=_EVENT),
        Verb("되다", "become",
             needs={COMPLEMENT: "가수 배우 의사 화가 기자 작가 요리사 경찰관 소방관 변호사 과학자 군인"},
             aspect=_EVENT, dated=False),
    )
}  # fmt: skip

BE = Verb("이다", "be", "이")  # somebody is something
BE_AT = Verb("있다", "be", negative=_NOT_BE)  # something is somewhere
THERE_IS = Verb("있다", "be", negative=_NOT_BE)  # somewhere there is something
HAVE = Verb("있다", "have", negative=_NOT_BE)
RAIN = Verb("비가 오다", "rain")
SNOW = Verb("눈이 오다", "snow")

_SMALL = "thing text 사진 표 지도 pen 사과 오렌지 달걀"
_FLAT = "책상 의자 침대 상자"
_LARGE = "책상 의자 침대 나무 자동차 문 집 건물 강 호수"
POSITIONS = (
    Position("위", "on", _FLAT, _SMALL),
    Position("안", "in", "상자 가방 방 집 자동차", _SMALL),
    Position("아래", "under", "책상 의자 침대 나무", f"{_SMALL} 고양이 개 쥐 토끼"),
    Position("옆", "next to", _LARGE, "animal person furniture 자전거"),
    Position("앞", "in front of", "나무 자동차 문 집 건물 학교 가게", "animal person 자전거 자동차"),
    Position("뒤", "behind", "나무 자동차 문 집 건물 학교 가게", "animal person 자전거 자동차"),
)

ADVERBS: dict[str, Adverb] = {
    adverb.korean: adverb
    for adverb in (
        Adverb("빨리", "quickly"), Adverb("천천히", "slowly"), Adverb("조용히", "quietly"), Adverb("열심히", "hard"),
        Adverb("잘", "well"), Adverb("크게", "loudly"), Adverb("혼자", "alone"), Adverb("일찍", "early"),
        Adverb("늦게", "late"), Adverb("같이", "together"),
    )
}  # fmt: skip
FREQUENCIES = (
    Adverb("항상", "always"),
    Adverb("자주", "often"),
    Adverb("가끔", "sometimes"),
    Adverb("보통", "usually"),
)
DEGREES = (Adverb("아주", "very"), Adverb("정말", "really"), Adverb("꽤", "quite"))


def _times(entries: str, *tenses: Tense) -> Iterator[Adverb]:
    for entry in entries.split(", "):
        korean, english = entry.split("=")
        yield Adverb(korean, english, frozenset(tenses))


NOW = Adverb("지금", "now", frozenset({Tense.PRESENT}))
TIMES = (
    *_times(
        "어제=yesterday, 어젯밤에=last night, 지난주에=last week, 지난달에=last month, 작년에=last year", Tense.PAST
    ),
    *_times("곧=soon, 내일=tomorrow, 다음 주에=next week, 다음 달에=next month, 내년에=next year", Tense.FUTURE),
    *_times("매일=every day, 매주=every week, 요즘=these days", Tense.PRESENT),
    *_times("아침에=in the morning, 오후에=in the afternoon, 저녁에=in the evening, 밤에=at night", *Tense),
    *_times("월요일에=on Monday, 화요일에=on Tuesday, 수요일에=on Wednesday, 목요일에=on Thursday", *Tense),
    *_times("금요일에=on Friday, 토요일에=on Saturday, 일요일에=on Sunday, 주말에=on the weekend", *Tense),
)
SEASONS = (
    Adverb("봄에", "in spring"), Adverb("여름에", "in summer"), Adverb("가을에", "in autumn"),
    Adverb("겨울에", "in winter"),
)  # fmt: skip
WHEN = Adverb("언제", "when", asks=True)
WHERE_AT = Adverb("어디에서", "where", asks=True)
WHERE_TO = Adverb("어디에", "where", asks=True)
WHY = Adverb("왜", "why", asks=True)
HOW = Adverb("어떻게", "how", asks=True)


WEATHER_VERBS = (RAIN, SNOW)
WEATHER = NOUNS["날씨"]
YOUNG = "아이 소년 소녀 남동생 여동생 아들 딸 name animal"
GROWN = (
    "의사 간호사 가수 배우 화가 기자 작가 요리사 경찰관 소방관 농부 변호사 과학자 군인 남자 여자 형 누나 삼촌 이모 name"
)
OWNED = "자동차 자전거 코트 원피스 컴퓨터 고양이 개 money 우산 표 피아노"


def o_clock(numeral: Numeral) -> Adverb:
    """At this hour."""
    return Adverb(f"{numeral.korean} 시에", f"at {numeral.english} o'clock")

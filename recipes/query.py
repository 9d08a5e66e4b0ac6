"""From what a cook types to what the search needs: constraints, free text, terms.

"desayuno saludable sin huevo en menos de 20 minutos" becomes the meal breakfast, the exclusion of egg, at most 20
minutes, and the free text "desayuno saludable". What is ruled out is kept from the free text: an encoder does not
understand negation, and would look for eggs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from recipes.constraints import Constraints
from recipes.language import detect
from recipes.lexicon import Lexicon, Mention
from recipes.text import Language, stem, tokens

_WORD_OR_BREAK = re.compile(r"[^\W_]+(?:['’](?:s|t|m|ve|re|d|ll)\b)?|[,;:.!?()]")
# A comma may separate the items of a list; a full stop and the like end it.
_BREAK = ","
_END = "."


@dataclass(frozen=True, slots=True)
class Understanding:
    """A query, understood.

    Attributes:
        free_text: the words as typed, less what is ruled out and how long it may take.
        words: the stems of the free text, without the promises in it ("vegan") where other words are left.
        unknown_exclusions: words to exclude that the lexicon does not know, as typed.
    """

    language: Language
    constraints: Constraints
    free_text: str
    words: tuple[str, ...]
    unknown_exclusions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Token:
    text: str  # as typed
    word: str  # folded
    stem: str


def understand(
    query: str, lexicon: Lexicon, *, language: Language | None = None, otherwise: Language = "es"
) -> Understanding:
    """Read *query*. *language* is guessed where it is not given, and *otherwise* where the words do not tell."""
    spoken = language or detect(query, default=otherwise)
    typed = list(_tokens(query))
    max_minutes, typed = _take_time(typed)
    reading = _Reading(typed, lexicon, spoken)
    reading.run()
    kept = [token for token, keep in zip(typed, reading.kept, strict=True) if keep and token.word not in {_BREAK, _END}]
    return Understanding(
        language=spoken,
        constraints=Constraints(
            exclude=frozenset(reading.exclude),
            exclude_words=frozenset(reading.exclude_words),
            max_minutes=max_minutes,
            include=tuple(dict.fromkeys(reading.include)),
            include_first=not reading.names_a_dish,
            meals=tuple(dict.fromkeys(reading.meals)),
        ),
        free_text=" ".join(token.text for token in kept),
        words=_looked_for(typed, reading),
        unknown_exclusions=tuple(reading.unknown),
    )


def _looked_for(typed: Sequence[_Token], reading: _Reading) -> tuple[str, ...]:
    """Stems of the free text without its promises: each recipe that is left keeps those, few say so in their names."""
    left = [place for place, token in enumerate(typed) if reading.kept[place] and token.word not in {_BREAK, _END}]
    words = [typed[place].stem for place in left if place not in reading.promised]
    return tuple(words or (typed[place].stem for place in left))


def _tokens(query: str) -> Iterator[_Token]:
    for match in _WORD_OR_BREAK.finditer(query):
        text = match.group()
        if not text[0].isalnum():
            mark = _BREAK if text == "," else _END
            yield _Token(text, mark, mark)
            continue
        parts = tokens(text)
        for index, part in enumerate(parts):
            yield _Token(text if index == 0 else "", part, stem(part))


# --- Time -----------------------------------------------------------------------------------------------------------

_NUMBERS = {
    "un": 1, "una": 1, "one": 1, "an": 1, "a": 1, "dos": 2, "two": 2, "tres": 3, "three": 3, "cuatro": 4, "four": 4,
    "cinco": 5, "five": 5, "diez": 10, "ten": 10, "quince": 15, "fifteen": 15, "veinte": 20, "twenty": 20,
    "treinta": 30, "thirty": 30, "cuarenta": 40, "forty": 40, "cincuenta": 50, "fifty": 50, "sesenta": 60, "sixty": 60,
    "noventa": 90, "ninety": 90,
}  # fmt: skip
_NUMBER = r"(?P<number>\d{1,4}|" + "|".join(sorted(_NUMBERS, key=len, reverse=True)) + ")"
_UNIT = r"(?P<unit>minutos?|minutitos?|minutes?|mins?|min|m|horas?|hours?|hrs?|hr|h)"
_LIMIT = (
    r"(?:(?:en|in|de|que|tarden?|tome|lista?s?|listos?|ready|tardar|hecha?s?|made|takes?)\s+)*"
    r"(?:menos de|menos que|no mas de|no mas que|maximo de|maximo|como maximo|como mucho|hasta|"
    r"less than|under|within|no more than|not more than|at most|up to|max|maximum|in|en|below|<)\s+"
)
_HALF = r"(?P<half>media hora|half an hour|half hour|tres cuartos de hora)"
_TIME = re.compile(
    rf"\b{_LIMIT}(?:{_NUMBER}\s+{_UNIT}|{_HALF})(?:\s+(?:o menos|or less|como maximo|maximo|max|as maximum|tops))?\b"
    rf"|\b(?P<number2>\d{{1,4}})\s+(?P<unit2>minutos?|minutes?|mins?|min)\b(?:\s+(?:o menos|or less|maximo|max|tops))?"
)


def _take_time(typed: list[_Token]) -> tuple[int | None, list[_Token]]:
    """The shortest stated time in minutes, and the tokens without the words that state it."""
    line = " ".join(token.word for token in typed)
    line = re.sub(r"(?<=\d)(?=[a-z])", "", line)
    starts = _starts(typed)
    limit: int | None = None
    dropped: set[int] = set()
    for match in _TIME.finditer(line):
        minutes = _minutes(match)
        limit = minutes if limit is None else min(limit, minutes)
        dropped.update(index for index, start in enumerate(starts) if match.start() <= start < match.end())
    return limit, [token for index, token in enumerate(typed) if index not in dropped]


def _starts(typed: Sequence[_Token]) -> list[int]:
    starts = []
    position = 0
    for token in typed:
        starts.append(position)
        position += len(token.word) + 1
    return starts


def _minutes(match: re.Match[str]) -> int:
    if half := match.group("half"):
        return 45 if half.startswith("tres") else 30
    number = match.group("number") or match.group("number2")
    unit = match.group("unit") or match.group("unit2")
    amount = _NUMBERS[number] if number in _NUMBERS else int(number)
    return max(1, amount * (60 if unit.startswith("h") else 1))


# --- Foods ----------------------------------------------------------------------------------------------------------


def _phrases(text: str) -> tuple[tuple[str, ...], ...]:
    """Phrases as folded words, the longest first."""
    found = [tuple(tokens(phrase)) for phrase in text.split("|")]
    return tuple(sorted(found, key=len, reverse=True))


_EXCLUDING = _phrases(
    "sin|sin nada de|nada de|no quiero|no quiero nada de|no tenga|no tengan|no lleve|no lleven|no contenga|"
    "no contengan|"
    "que no sea|que no sean|que no tenga|que no lleve|que no contenga|no incluya|evitar|evita|evitando|evito|excepto|"
    "salvo|menos|libre de|libres de|no puedo comer|no puede comer|no puedo tomar|no como|no come|no comen|no comemos|"
    "no tomo|no consumo|no consume|alergico a|alergica a|alergicos a|alergia a|alergia al|alergico al|alergica al|"
    "alergias a|intolerante a|intolerancia a|intolerante al|intolerancia al|no me gusta|no me gustan|no le gusta|"
    "no le gustan|no nos gusta|no nos gustan|no les gusta|no les gustan|odio|odia|odian|quitar|quitando|prohibido|"
    "no tengo|no hay|ni|no|en vez de|en lugar de|se me acabo|se me acabaron|"
    "without|without any|no|not|non|free of|free from|except|except for|excluding|minus|hold the|avoid|avoiding|avoids|"
    "don't like|don't want|don't eat|don't have|don't use|do not like|do not want|do not eat|do not have|doesn't like|"
    "doesn't eat|doesn't have|doesn't contain|doesn't include|doesn't use|doesn't involve|does not have|"
    "does not contain|does not include|does not use|don't contain|don't include|don't involve|do not contain|"
    "can't have|can't eat|can't stand|cannot have|cannot eat|cannot stand|isn't|aren't|is not|are not|allergic to|"
    "allergy to|intolerant to|intolerant of|hate|hates|dislike|dislikes|instead of|rather than|other than|besides|"
    "but not|that isn't|lacking|skip the|ran out of|run out of|leave out|leaving out|sick of|tired of|apart from|"
    "never|neither|nor"
)
_INCLUDING = _phrases(
    "con|que lleve|que lleven|que tenga|que tengan|que contenga|tengo|tenemos|me queda|me quedan|me sobra|me sobro|"
    "me sobraron|a base de|usando|utilizando|hecho con|hecha con|hechos con|aprovechar|"
    "with|using|that has|that have|which has|containing|contains|contain|that uses|i have|we have|i've got|"
    "made with|made from|made of|made using|featuring|includes|including|use up|leftover"
)
_JOINING = frozenset("y e o u ni and or nor plus mas tampoco".split())
_PASSED_OVER = frozenset(
    """el la los las un una unos unas ningun ninguna de del al lo mi mis su tipo tipos trazas traza alimentos productos
    producto cosas nada algo mucho mucha muchos muchas demasiado demasiada demasiados the a an any of my our some kind
    kinds type products product stuff too much many very really anything such as like""".split()
)
# "Nut free", "lactose intolerant", "soy allergy".
_FREE_OF = frozenset({("free",), ("less",), ("intolerant",), ("intolerance",), ("allergic",), ("allergy",)})
_WEAK_EXCLUDING = frozenset({("no",), ("not",), ("non",), ("ni",), ("never",), ("menos",), ("nor",), ("neither",)})

_MEAL_WORDS = {
    "breakfast": "desayuno desayunos desayunar breakfast breakfasts brunch",
    "lunch": "almuerzo almuerzos almorzar lunch lunches lunchtime",
    "dinner": "cena cenas cenar dinner dinners supper",
    "snack": "merienda meriendas merendar snack snacks tentempie",
    "dessert": "postre postres dessert desserts",
    "drink": "bebida bebidas drink drinks beverage",
    "starter": "entrante entrantes aperitivo aperitivos botana botanas appetizer appetizers starter",
    "side": "guarnicion guarniciones acompanamiento acompanamientos",
}
_MEAL_OF = {word: meal for meal, words in _MEAL_WORDS.items() for word in words.split()}
_MEAL_PHRASES = {
    ("para", "comer"): "lunch",
    ("para", "la", "comida"): "lunch",
    ("para", "beber"): "drink",
    ("to", "drink"): "drink",
    ("side", "dish"): "side",
}


class _Reading:
    """One pass over the tokens of a query. What it finds lies in its attributes."""

    def __init__(self, typed: Sequence[_Token], lexicon: Lexicon, language: Language) -> None:
        self.exclude: set[str] = set()
        self.exclude_words: set[str] = set()
        self.include: list[str] = []
        self.names_a_dish = False
        self.meals: list[str] = []
        self.unknown: list[str] = []
        self.kept = [True] * len(typed)
        self.promised: set[int] = set()
        self._typed = typed
        self._words = tuple(token.word for token in typed)
        self._stems = tuple(token.stem for token in typed)
        self._lexicon = lexicon
        self._language = language

    def run(self) -> None:
        """Read from left to right."""
        position = 0
        while position < len(self._typed):
            position = self._step(position)

    def _step(self, position: int) -> int:
        mention = self._mention(position)
        without = self._without(mention)
        if without:
            return self._take_promise(mention, without)
        trigger = self._phrase_at(position, _EXCLUDING)
        if trigger and (len(trigger) >= mention.end - mention.start or not mention.concepts):
            end = self._take_excluded(position, trigger)
            if end > position:
                return end
        trigger = self._phrase_at(position, _INCLUDING)
        if trigger and len(trigger) >= mention.end - mention.start:
            return self._take_included(position + len(trigger))
        if self._is_followed_by_free(mention):
            return self._take_free_of(mention)
        self.exclude.update(self._promised_within(mention))
        for place in range(position, mention.end):
            self._note_meal(place)
        self.names_a_dish = self.names_a_dish or (not self.include and self._is_dish_or_food(mention))
        return mention.end

    # A diet or a promise: "vegano", "sin gluten", "nut-free".
    def _take_promise(self, mention: Mention, without: Sequence[str]) -> int:
        self.exclude.update(without)
        is_negation = self._words[mention.start] in {"sin", "without", "no", "non", "libre"}
        if not is_negation:
            # The name of a dish may promise, too, as "hamburguesa vegetariana" does; it is still what to look for.
            if self._groups(mention) == {"words"}:
                self.promised.update(range(mention.start, mention.end))
            return mention.end
        self._drop(mention.start, mention.end)
        return self._take_more(mention.end)

    def _promised_within(self, mention: Mention) -> set[str]:
        """What the name of a food rules out itself, as "pan sin gluten" and "vegan ice cream" do."""
        if mention.end - mention.start == 1:
            return set(self._without(mention))
        ruled_out: set[str] = set()
        for start in range(mention.start, mention.end):
            for stop in range(start + 1, mention.end + 1):
                inner = self._lexicon.read(self._stems[start:stop], self._language)[0]
                if inner.end == stop - start:
                    ruled_out.update(self._without(inner))
        return ruled_out

    def _is_followed_by_free(self, mention: Mention) -> bool:
        return self._foods(mention) != () and self._words[mention.end : mention.end + 1] in _FREE_OF

    def _take_free_of(self, mention: Mention) -> int:
        self.exclude.update(self._foods(mention))
        self._drop(mention.start, mention.end + 1)
        return mention.end + 1

    def _take_excluded(self, position: int, trigger: tuple[str, ...]) -> int:
        """The list behind an excluding phrase. Gives *position* back where nothing there can be excluded."""
        start = position + len(trigger)
        weak = trigger in _WEAK_EXCLUDING
        end = self._items(start, takes_unknown=not weak and self._words[position] in {"sin", "without"})
        if end == start:
            return position
        self._drop(position, end)
        return end

    def _take_more(self, position: int) -> int:
        """A list that goes on behind a promise: "sin gluten ni huevo"."""
        after = self._skip(position, _JOINING | {_BREAK})
        if after == position or self._phrase_at(after, _INCLUDING) or not self._list_goes_on(position):
            return position
        end = self._items(after, takes_unknown=False)
        if end == after:
            return position
        self._drop(position, end)
        return end

    def _items(self, position: int, *, takes_unknown: bool) -> int:
        """Exclude the foods listed from *position* on; gives the position behind the last one."""
        end = position
        while position < len(self._typed):
            position = self._skip(position, _PASSED_OVER | _JOINING | {_BREAK, "sin", "without", "no"})
            if position >= len(self._typed) or (end > 0 and self._starts_something_else(position)):
                break
            mention = self._mention(position)
            if mention.concepts:
                taken = self._excludable(mention)
                if not taken:
                    position = mention.end
                    if not self._foods(self._mention_or_none(position)):
                        break
                    continue
                self.exclude.update(taken)
            elif takes_unknown and len(self._stems[position]) > 2 and end <= position:
                self.exclude_words.add(self._stems[position])
                self.unknown.append(self._typed[position].text)
                takes_unknown = False
            else:
                break
            position = end = self._skip_qualifier(mention.end)
            if not self._list_goes_on(position):
                break
        return end

    def _list_goes_on(self, position: int) -> bool:
        if position >= len(self._typed):
            return False
        word = self._words[position]
        if word in _JOINING or word == _BREAK:
            after = self._skip(position, _JOINING | _PASSED_OVER | {_BREAK, "sin", "without", "no"})
            # "Sin azúcar, galletas": behind a bare comma a dish is what is wanted.
            joined = not {*self._words[position:after]}.isdisjoint(_JOINING)
            mention = self._mention_or_none(after)
            return bool(self._excludable(mention) if joined else self._foods(mention))
        return bool(self._foods(self._mention_or_none(position)))

    def _skip_qualifier(self, position: int) -> int:
        """Behind an adjective that follows its noun, as in "cebolla cruda"."""
        mention = self._mention_or_none(position)
        if mention is None or not mention.concepts or self._language != "es":
            return position
        is_word = self._groups(mention) == {"words"}
        return mention.end if is_word and not self._without(mention) and mention.end - position == 1 else position

    def _excludable(self, mention: Mention | None) -> tuple[str, ...]:
        """Concepts of *mention* that can be ruled out: foods and dishes; else techniques and tastes."""
        if mention is None:
            return ()
        return self._foods(mention) or tuple(
            concept for concept in mention.concepts if self._lexicon.is_dish(concept) or concept in EXCLUDABLE_WORDS
        )

    def _take_included(self, position: int) -> int:
        while position < len(self._typed):
            after = self._skip(position, _PASSED_OVER | _JOINING | {_BREAK})
            mention = self._mention_or_none(after)
            foods = self._foods(mention)
            if mention is None or not foods or self._starts_something_else(after):
                return position
            self.include.extend(foods[:1])
            self.exclude.update(self._promised_within(mention))
            position = self._skip_qualifier(mention.end)
            if position < len(self._typed) and self._words[position] not in _JOINING | {_BREAK}:
                return position
        return position

    def _is_dish_or_food(self, mention: Mention) -> bool:
        return any(self._lexicon.is_food(concept) or self._lexicon.is_dish(concept) for concept in mention.concepts)

    def _starts_something_else(self, position: int) -> bool:
        """A list does not run on into "… con arroz" or "… para cenar"."""
        word = self._words[position]
        return word in {"con", "with", "using", "para", "for", "pero", "but", "que", "en", "in", "and", "that"} or bool(
            self._phrase_at(position, _INCLUDING)
        )

    def _note_meal(self, position: int) -> None:
        if meal := _MEAL_OF.get(self._words[position]):
            self.meals.append(meal)
        for phrase, meal in _MEAL_PHRASES.items():
            if self._words[position : position + len(phrase)] == phrase:
                self.meals.append(meal)

    def _mention(self, position: int) -> Mention:
        stop = position + 1
        while stop < len(self._words) and self._words[stop] not in {_BREAK, _END} and stop - position < 8:
            stop += 1
        first = self._lexicon.read(self._stems[position:stop], self._language)[0]
        return Mention(first.concepts, first.stems, position, position + first.end)

    def _mention_or_none(self, position: int) -> Mention | None:
        return self._mention(position) if position < len(self._typed) else None

    def _foods(self, mention: Mention | None) -> tuple[str, ...]:
        return () if mention is None else self._lexicon.foods(mention)

    def _groups(self, mention: Mention) -> set[str]:
        return {self._lexicon.concepts[concept].group for concept in mention.concepts}

    def _without(self, mention: Mention) -> tuple[str, ...]:
        return tuple(excluded for concept in mention.concepts for excluded in self._lexicon.concepts[concept].without)

    def _phrase_at(self, position: int, phrases: Sequence[tuple[str, ...]]) -> tuple[str, ...] | None:
        for phrase in phrases:
            if self._words[position : position + len(phrase)] == phrase:
                return phrase
        return None

    def _skip(self, position: int, words: frozenset[str] | set[str]) -> int:
        while position < len(self._words) and self._words[position] in words:
            position += 1
        return position

    def _drop(self, start: int, end: int) -> None:
        for position in range(start, end):
            self.kept[position] = False


# Techniques, tastes and tools that a cook rules out: "postre sin horno", "not spicy".
EXCLUDABLE_WORDS = frozenset({"spicy", "fried", "deep_fried", "oven", "baked", "microwave_oven", "sweet"})

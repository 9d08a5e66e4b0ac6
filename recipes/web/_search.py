"""The search form: read from an address, written back into one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from starlette.datastructures import QueryParams

from recipes.catalog.recipe import DIETS, MAX_MINUTES, MEALS
from recipes.constraints import Filters

MAX_QUERY_LENGTH = 500
MAX_FOODS_LENGTH = 200
STEPS = (3, 6, 12, 20)
TIMES = (15, 30, 45, 60, 90, 120)


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a search: a key of ``problems`` in the strings, and what it tells."""

    key: str
    value: str = ""
    n: int = 0
    longest: int = 0

    @property
    def status(self) -> int:
        """The HTTP status of a page that shows it."""
        return 400 if self.key == "empty" else 422


@dataclass(frozen=True, slots=True)
class Search:
    """What the form holds, as typed. *n* is always one of :data:`STEPS`."""

    q: str = ""
    n: int = STEPS[0]
    tiempo: str = ""
    dieta: tuple[str, ...] = ()
    comida: tuple[str, ...] = ()
    sin: str = ""
    con: str = ""

    @property
    def n_filters(self) -> int:
        """How many filters are set."""
        return len(self.dieta) + len(self.comida) + sum(map(bool, (self.tiempo, self.sin, self.con)))

    @property
    def next_n(self) -> int | None:
        """How many recipes "more" shows, or None at the end."""
        return next((step for step in STEPS if step > self.n), None)

    @property
    def times(self) -> Sequence[int]:
        """Times to offer, the chosen one among them."""
        chosen = {int(self.tiempo)} if _is_time(self.tiempo) else set()
        return sorted({*TIMES, *chosen})

    def problems(self) -> list[Problem]:
        """Why this cannot be searched for; empty where it can.

        A filter that is not understood is a problem and never passed over: an ignored diet would reach a plate.
        """
        found = []
        if not self.q:
            found.append(Problem("empty"))
        if len(self.q) > MAX_QUERY_LENGTH:
            found.append(Problem("too_long", n=len(self.q), longest=MAX_QUERY_LENGTH))
        if self.tiempo and not _is_time(self.tiempo):
            found.append(Problem("time", longest=MAX_MINUTES))
        if max(len(self.sin), len(self.con)) > MAX_FOODS_LENGTH:
            found.append(Problem("foods", longest=MAX_FOODS_LENGTH))
        found += [Problem("diet", value=value[:40]) for value in self.dieta if value not in DIETS]
        found += [Problem("meal", value=value[:40]) for value in self.comida if value not in MEALS]
        return found

    def filters(self) -> Filters:
        """The filters, of a search without problems."""
        return Filters(
            max_minutes=int(self.tiempo) if self.tiempo else None,
            diets=self.dieta,
            include=_listed(self.con),
            exclude=_listed(self.sin),
            meals=self.comida,
        )

    def without(self, *names: str) -> Search:
        """The same search with the fields *names* empty."""
        empty = Search()
        return replace(self, **{name: getattr(empty, name) for name in names})

    def params(self) -> list[tuple[str, str]]:
        """For an address: only what differs from an empty form."""
        pairs = [("q", self.q), *(("dieta", diet) for diet in self.dieta), *(("comida", meal) for meal in self.comida)]
        pairs += [("tiempo", self.tiempo), ("sin", self.sin), ("con", self.con)]
        if self.n != STEPS[0]:
            pairs.append(("n", str(self.n)))
        return [(name, value) for name, value in pairs if value]


def read_search(params: QueryParams) -> Search:
    """The form as it came. A number of recipes that is not offered becomes the next one that is."""
    return Search(
        q=_line(params.get("q", "")),
        n=_step(params.get("n", "")),
        tiempo=_line(params.get("tiempo", "")),
        dieta=_chosen(params.getlist("dieta")),
        comida=_chosen(params.getlist("comida")),
        sin=_line(params.get("sin", "")),
        con=_line(params.get("con", "")),
    )


def _line(text: str) -> str:
    return " ".join(text.replace("\0", " ").split())


def _chosen(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(line for value in values if (line := _line(value))))


def _listed(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _step(text: str) -> int:
    asked = int(text) if text.isascii() and text.isdigit() and len(text) < 4 else STEPS[0]
    return next((step for step in STEPS if step >= asked), STEPS[-1])


def _is_time(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 5 and 1 <= int(text) <= MAX_MINUTES

"""Answers of a recommender: as many items as were asked for, different, readable, in the right language, allowed.

Nothing here knows what an item is. :class:`AnswerLayout` names the fields, and whoever knows the constraints hands in
one small function for each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mlops.validation.schema import is_number
from mlops.validation.violations import Violation, shown

Keeps = Callable[[Mapping[str, Any]], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerLayout:
    """Where an answer has what. The defaults are those of ``POST /recommend``.

    Attributes:
        items: list of what was recommended.
        item_id, title: of an item.
        texts: fields of an item that must hold text, or a list of texts, and not be empty.
        language: of an item.
        position: of an item, from 1 in the order of the list.
        score: of an item.
        notice: a sentence to the reader, or null; it may say why there are fewer items.
    """

    items: str = "recetas"
    item_id: str = "id"
    title: str = "nombre"
    texts: Sequence[str] = ("nombre", "ingredientes", "instrucciones")
    language: str = "idioma"
    position: str = "posición"
    score: str = "puntuación"
    notice: str = "aviso"


_RECOMMEND = AnswerLayout()
_NO_CONSTRAINTS: Mapping[str, Keeps] = {}


def validate_answer(
    answer: Mapping[str, Any],
    *,
    n_items: int = 3,
    language: str | None = None,
    constraints: Mapping[str, Keeps] = _NO_CONSTRAINTS,
    layout: AnswerLayout = _RECOMMEND,
) -> list[Violation]:
    """What is wrong with one *answer*; rows are the items, from 0.

    Args:
        n_items: as asked for. Fewer are right where the answer has a notice: two recipes are better than a wrong third.
        language: that was asked for; None takes any.
        constraints: what each item must keep, by name, such as ``{"45 minutes": lambda item: item["minutos"] <= 45}``.
            One that raises is not kept.
        layout: the names of the fields.

    Raises:
        ValueError: *n_items* is below 1.
    """
    if n_items < 1:
        raise ValueError(f"n_items must be at least 1, got {n_items}")
    items = answer.get(layout.items)
    if not isinstance(items, list) or not all(isinstance(item, Mapping) for item in items):
        return [Violation(None, layout.items, "type", shown(items), "must be a list of objects")]
    found = list(_of_number(items, answer, n_items, layout))
    found += _of_difference(items, layout)
    for row, item in enumerate(items):
        found += _of_item(row, item, language, layout)
        found += _of_constraints(row, item, constraints, layout)
    return found


def _of_number(
    items: Sequence[Any], answer: Mapping[str, Any], n_items: int, layout: AnswerLayout
) -> Iterator[Violation]:
    if len(items) > n_items:
        yield Violation(None, layout.items, "number", len(items), f"must be at most {n_items}")
    if len(items) < n_items and not answer.get(layout.notice):
        yield Violation(None, layout.items, "number", len(items), f"must be {n_items}, or {layout.notice} must say why")


def _of_difference(items: Sequence[Mapping[str, Any]], layout: AnswerLayout) -> Iterator[Violation]:
    for name in (layout.item_id, layout.title):
        seen: set[str] = set()
        for row, item in enumerate(items):
            value = str(item.get(name)).casefold().strip()
            if item.get(name) is not None and value in seen:
                yield Violation(row, name, "distinct", shown(item[name]), "must differ from the items before it")
            seen.add(value)


def _of_item(row: int, item: Mapping[str, Any], language: str | None, layout: AnswerLayout) -> Iterator[Violation]:
    for name in (layout.item_id, *layout.texts):
        if not _has_text(item.get(name)):
            yield Violation(row, name, "empty", shown(item.get(name)), "must hold text")
    spoken = item.get(layout.language)
    if language is not None and spoken != language:
        yield Violation(row, layout.language, "language", shown(spoken), f"must be {language}")
    if layout.position in item and item[layout.position] != row + 1:
        yield Violation(row, layout.position, "position", shown(item[layout.position]), f"must be {row + 1}")
    if layout.score in item and not is_number(item[layout.score]):
        yield Violation(row, layout.score, "score", shown(item[layout.score]), "must be a finite number")


def _of_constraints(
    row: int, item: Mapping[str, Any], constraints: Mapping[str, Keeps], layout: AnswerLayout
) -> Iterator[Violation]:
    for name, keeps in constraints.items():
        if not _is_kept(keeps, item):
            yield Violation(row, name, "constraint", shown(item.get(layout.title)), f"must keep {name}")


def _is_kept(keeps: Keeps, item: Mapping[str, Any]) -> bool:
    try:
        return keeps(item)
    except Exception:
        # What a constraint cannot read, it cannot have allowed; a cook who excluded nuts must not pay for it.
        return False


def _has_text(value: Any) -> bool:
    if isinstance(value, str):
        return bool(value.strip())
    return isinstance(value, list | tuple) and len(value) > 0 and all(map(_has_text, value))

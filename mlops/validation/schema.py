"""Schemas: JSON Schema 2020-12, compiled once, that converts nothing.

Three points on which the standard is silent, or its usual library lax: NaN and infinity are no numbers, since JSON has
none; ``format: date-time`` is checked, and needs a time zone; a missing or surplus property is a violation of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import Any

import orjson

from mlops.errors import BadSchema, UnreadableData

DIALECT = "https://json-schema.org/draft/2020-12/schema"
RULES_KEYWORD = "x-data-rules"
ANNOTATIONS = frozenset({"title", "description", "examples", "default", "deprecated", "$comment"})


@dataclass(frozen=True)
class Schema:
    """A JSON Schema whose ``$defs`` describe a row of each kind of data.

    Attributes:
        document: the whole schema.
        name: of the file, for messages.
    """

    document: Mapping[str, Any]
    name: str = "schema"

    @cached_property
    def parts(self) -> list[str]:
        """Names of the definitions that describe rows: those with ``x-data-rules``."""
        definitions = self.document.get("$defs", {})
        return [name for name, definition in definitions.items() if RULES_KEYWORD in definition]

    def part(self, name: str) -> Mapping[str, Any]:
        """The definition *name*.

        Raises:
            BadSchema: there is none.
        """
        if name not in self.parts:
            raise BadSchema(f"{self.name} has the parts {', '.join(self.parts)}; asked for {name!r}")
        definition: Mapping[str, Any] = self.document["$defs"][name]
        return definition

    def fitting_part(self, columns: Iterable[str]) -> str:
        """The part that has most columns in common with *columns*.

        Raises:
            UnreadableData: none has any, or two have as many.
        """
        names = set(columns)
        alike = {part: _likeness(names, set(self.part(part).get("properties", {}))) for part in self.parts}
        ranked = sorted(alike, key=lambda part: -alike[part])
        if not ranked or alike[ranked[0]] == 0 or (len(ranked) > 1 and alike[ranked[0]] == alike[ranked[1]]):
            parts = ", ".join(self.parts)
            raise UnreadableData(f"these columns fit no part of {self.name} better than others; name one of {parts}")
        return ranked[0]

    def resolved(self, definition: Any) -> Any:
        """*definition*, or what it refers to within this document."""
        while isinstance(definition, Mapping) and "$ref" in definition:
            name = str(definition["$ref"]).removeprefix("#/$defs/")
            beside = {key: value for key, value in definition.items() if key not in {"$ref", *ANNOTATIONS}}
            definition = self.document["$defs"][name]
            if beside:
                return {"allOf": [beside, definition]}
        return definition

    def validator(self, part: str) -> Any:
        """A compiled validator of one row of *part*."""
        return self._compiled.evolve(schema=self.part(part))

    def accepts_null(self, definition: Any) -> bool:
        """Whether null is a value of *definition*."""
        if isinstance(definition, bool):
            return definition
        # By identity: a definition may be large, and a cell that is null comes often.
        known = self._null_answers.get(id(definition))
        if known is None or known[0] is not definition:
            known = definition, self._compiled.evolve(schema=definition).is_valid(None)
            self._null_answers[id(definition)] = known
        return known[1]

    @cached_property
    def _null_answers(self) -> dict[int, tuple[Any, bool]]:
        return {}

    @cached_property
    def _compiled(self) -> Any:
        return _validator_class()(self.document, format_checker=_formats())


def load_schema(path: Path | None = None) -> Schema:
    """The schema at *path*; without one, the schema of this package.

    Raises:
        BadSchema: it is not a valid JSON Schema 2020-12 with parts.
    """
    source = path or resources.files("mlops").joinpath("data_schema.json")
    name = path.name if path else "data_schema.json"
    try:
        document = orjson.loads(source.read_bytes())
    except orjson.JSONDecodeError as error:
        raise BadSchema(f"{name} is not JSON: {error}") from error
    return checked_schema(document, name=name)


def checked_schema(document: Any, *, name: str = "schema") -> Schema:
    """*document* as a schema.

    Raises:
        BadSchema: it is not a valid JSON Schema 2020-12, or describes no rows.
    """
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import SchemaError

    try:
        Draft202012Validator.check_schema(document)
    except SchemaError as error:
        raise BadSchema(f"{name} is no JSON Schema at {error.json_path}: {error.message[:200]}") from error
    schema = Schema(document, name) if isinstance(document, Mapping) else None
    if schema is None or not schema.parts:
        raise BadSchema(f"{name} has no definition under $defs with {RULES_KEYWORD!r}, so that it describes no rows")
    if document.get("$schema", DIALECT) != DIALECT:
        raise BadSchema(f"{name} must be of the dialect {DIALECT}, got {document['$schema']!r}")
    known = {f"#/$defs/{definition}" for definition in document["$defs"]}
    for reference in _references(document):
        if reference not in known:
            raise BadSchema(f"{name} refers to {reference!r}; known are {', '.join(sorted(known))}")
    return schema


def _references(document: Any) -> Iterator[str]:
    if isinstance(document, Mapping):
        for key, value in document.items():
            if key == "$ref":
                yield str(value)
            yield from _references(value)
    elif isinstance(document, list):
        for value in document:
            yield from _references(value)


def is_date_time(value: object) -> bool:
    """Whether a text is a time with its zone, RFC 3339. What is no text is none of this rule's business."""
    if not isinstance(value, str):
        return True
    try:
        return "T" in value.upper() and datetime.fromisoformat(value).tzinfo is not None
    except ValueError:
        return False


def is_number(value: object) -> bool:
    """Whether *value* is a JSON number: finite, and no truth value."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return isinstance(value, int) or abs(value) < float("inf")


def surplus(instance: Mapping[str, Any], definition: Mapping[str, Any]) -> Iterator[str]:
    """Properties of *instance* that neither ``properties`` nor ``patternProperties`` know."""
    patterns = definition.get("patternProperties", {})
    for name in instance:
        if name not in definition.get("properties", {}) and not any(re.search(one, name) for one in patterns):
            yield name


def _likeness(first: set[str], second: set[str]) -> float:
    return len(first & second) / max(1, len(first | second))


def _formats() -> Any:
    from jsonschema import FormatChecker

    formats = FormatChecker(formats=())
    formats.checks("date-time")(is_date_time)
    return formats


def _validator_class() -> Any:
    from jsonschema import Draft202012Validator
    from jsonschema.validators import extend

    base = Draft202012Validator
    types = base.TYPE_CHECKER.redefine("number", lambda _, value: is_number(value)).redefine(
        "integer", lambda _, value: is_number(value) and value == int(value)
    )
    own = {"required": _required, "additionalProperties": _additional_properties}
    return extend(base, validators=own, type_checker=types)


def _required(_: Any, names: list[str], instance: Any, __: Any) -> Iterator[Any]:
    from jsonschema.exceptions import ValidationError

    for name in names if isinstance(instance, dict) else ():
        if name not in instance:
            yield ValidationError("is required", path=[name], instance=None)


def _additional_properties(validator: Any, allowed: Any, instance: Any, definition: Any) -> Iterator[Any]:
    from jsonschema.exceptions import ValidationError

    for name in surplus(instance, definition) if isinstance(instance, dict) else ():
        if allowed is False:
            yield ValidationError("is not a known property", path=[name], instance=instance[name])
        else:
            yield from validator.descend(instance[name], allowed, path=name)

"""Write the pages of docs/reference that follow from the code: all but the one of file formats.

    make docs

A test compares the pages with what this makes, so that each setting, command, endpoint, error, metric and public name
is documented where it is defined.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
import tempfile
import types
import typing
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer
from pydantic.fields import FieldInfo
from typer.models import ArgumentInfo, OptionInfo
from typer.utils import get_params_from_function

import mlops
import recipes
from mlops.cli import app as mlops_commands
from mlops.cli import exits
from mlops.config import Settings as ToolkitSettings
from mlops.errors import MlopsError
from recipes.api import app as service_app
from recipes.cli import app as recipes_commands
from recipes.config import Settings
from recipes.measures import MEASURES
from recipes.service import Service

FOLDER = Path(__file__).parent / "reference"
_MADE = "<!-- Made from the code by `make docs`: change the code, then run it again. -->\n\n"
_NONE = "–"
_LONGEST_DEFAULT = 60


# --- settings


def settings_page() -> str:
    """Each variable of the environment: what it takes, what it is without being set, what it means."""
    toolkit, own = ToolkitSettings.model_fields, Settings.model_fields
    parts = [
        "# Settings",
        "Read once at the start from the environment and from a file `.env` in the working directory; the environment "
        "wins. An empty value means the default. What cannot be used stops the start with one line that names the "
        "variable. `recipes config` shows what is in force, secrets left out; [.env.example](../../.env.example) is a "
        "file to begin with. `yes` under *secret*: the value is shown and logged nowhere.",
        "## Of the toolkit",
        _settings_table(toolkit),
        "## Of the recommender",
        _settings_table({name: field for name, field in own.items() if name not in toolkit}),
    ]
    return _page(parts)


def _settings_table(fields: dict[str, FieldInfo]) -> str:
    rows = (
        (
            f"`{name.upper()}`",
            _takes(field),
            _NONE if field.default in (None, "") else f"`{field.default}`",
            "yes" if "SecretStr" in str(field.annotation) else "",
            field.description or "",
        )
        for name, field in fields.items()
    )
    return _table(("variable", "takes", "default", "secret", "meaning"), rows)


_WORDS_OF_TYPES = {int: "whole number", float: "number", bool: "true or false", Path: "path"}
_WORDS_OF_BOUNDS = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below"}


def _takes(field: FieldInfo) -> str:
    choices = typing.get_args(field.annotation) if typing.get_origin(field.annotation) is typing.Literal else ()
    if choices:
        return ", ".join(f"`{choice}`" for choice in choices)
    # Bounds stand beside the type: Annotated[int, Field(ge=1)].
    bounds = [
        f"{words} {getattr(part, name):,}"
        for part in field.metadata
        for name, words in _WORDS_OF_BOUNDS.items()
        if getattr(part, name, None) is not None
    ]
    word = _WORDS_OF_TYPES.get(typing.cast(type, field.annotation), "text")
    return ", ".join([word, *bounds])


# --- commands


def cli_page() -> str:
    """Each command of both programs, with its arguments and options."""
    codes = _table(("exit code", "meaning"), ((str(code), meaning) for code, meaning in exits.MEANINGS.items()))
    parts = [
        "# Commands",
        "`--help` tells the same of each command. Both programs read the [settings](settings.md) and work on what lies "
        "under `DATA_DIR`, or in the database of `DATABASE_URL`, whether a service runs or not.",
        "## How `mlops` ends",
        codes,
        "`evaluate`, `compare`, `drift` and `validate` judge: what they say below about how they end holds for them. "
        "`recipes` ends with 0, 1 and 2 as above, and with 130 where it was interrupted.",
        "## mlops",
        *_commands("mlops", mlops_commands),
        "## recipes",
        *_commands("recipes", recipes_commands),
    ]
    return _page(parts)


@dataclass(frozen=True, slots=True)
class _Parameter:
    """An argument or option as it is typed, and what is said of it."""

    typed: str
    in_usage: str
    help: str


def _commands(typed: str, app: typer.Typer) -> Iterator[str]:
    for command in app.registered_commands:
        if command.callback is not None:
            yield _command(f"{typed} {command.name or command.callback.__name__.replace('_', '-')}", command.callback)
    for group in app.registered_groups:
        if group.typer_instance is not None:
            yield from _commands(f"{typed} {group.name}", group.typer_instance)


def _command(typed: str, callback: Callable[..., Any]) -> str:
    parameters = _parameters(callback)
    usage = " ".join([typed, *(one.in_usage for one in parameters)])
    parts = [f"### `{typed}`", _plain(inspect.getdoc(callback) or ""), f"```text\n{usage}\n```"]
    if parameters:
        parts.append(_table(("", ""), ((f"`{one.typed}`", one.help) for one in parameters)))
    return "\n\n".join(part for part in parts if part)


def _parameters(callback: Callable[..., Any]) -> list[_Parameter]:
    """Those of a command, arguments first."""
    found = [
        _parameter(one.name, one.annotation, one.default)
        for one in get_params_from_function(callback).values()
        if isinstance(one.default, OptionInfo | ArgumentInfo)
    ]
    return sorted(found, key=lambda one: one.typed.startswith("-"))


def _parameter(name: str, kind: Any, info: OptionInfo | ArgumentInfo) -> _Parameter:
    needed = info.default is ...
    told = ("Needed. " if needed else "") + _cell(info.help or "") + _default_of(info)
    if isinstance(info, ArgumentInfo):
        typed = info.metavar or name.upper()
        return _Parameter(typed, typed if needed else f"[{typed}]", told)
    names = info.param_decls or (f"--{name.replace('_', '-')}",)
    value = "" if bool in _alternatives(kind) else f" {info.metavar or _value_word(kind)}"
    once = f"{names[0]}{value}"
    return _Parameter(", ".join(names) + value, once if needed else f"[{once}]", told)


def _default_of(info: OptionInfo | ArgumentInfo) -> str:
    is_told = info.show_default is not False and info.default not in (..., None, False, "", ())
    if not is_told or len(str(info.default)) > _LONGEST_DEFAULT:
        return ""
    return f" Default: `{info.default}`."


def _alternatives(kind: Any) -> tuple[Any, ...]:
    return typing.get_args(kind) if isinstance(kind, types.UnionType) else (kind,)


def _value_word(kind: Any) -> str:
    kinds = [one for one in _alternatives(kind) if one is not type(None)]
    if typing.get_origin(kinds[0]) is typing.Literal:
        return "|".join(str(choice) for choice in typing.get_args(kinds[0]))
    return {int: "N", float: "NUMBER", Path: "PATH"}.get(kinds[0], "TEXT")


def _plain(docstring: str) -> str:
    """What a docstring tells a user: without the parts for programmers, and without the marks of its markup."""
    told = re.split(r"\n(?:Args|Raises|Returns):\n", docstring)[0]
    named = re.sub(r":\w+:`~?([^`<]*?)(?: <[^`]*>)?`", r"`\1`", told)
    return named.replace("``", "`").replace("\b\n", "").strip()


# --- endpoints


def http_page() -> str:
    """Each endpoint of the service, as its OpenAPI document has it."""
    paths = _openapi()["paths"]
    groups: dict[str, list[tuple[str, ...]]] = {}
    for path, methods in paths.items():
        for method, operation in methods.items():
            group = next(iter(operation.get("tags", ())), "recipes and health")
            groups.setdefault(group, []).append(_endpoint(method, path, operation))
    header = ("endpoint", "", "key", "answers")
    parts = [
        "# Endpoints",
        "What each takes and answers is told in [http.md](../http.md); `GET /openapi.json` has every field. *key*: the "
        "scope that a request needs as soon as there is an API key ([access.md](../access.md)); *read* is asked for "
        "only where `REQUIRE_KEY_TO_READ=true`. Errors are problem documents; [errors.md](errors.md) says which error "
        "has which status.",
        *(f"## {group.capitalize()}\n\n{_table(header, rows)}" for group, rows in groups.items()),
    ]
    return _page(parts)


def _endpoint(method: str, path: str, operation: dict[str, Any]) -> tuple[str, ...]:
    answers = sorted(operation["responses"])
    key = "operate" if operation.get("security") else "read" if "401" in answers else ""
    summary = operation["summary"]
    told = _cell(f"{summary}{'' if summary.endswith('?') else '.'} {operation.get('description', '')}")
    return f"`{method.upper()} {path}`", told, key, " ".join(answers)


def _openapi() -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings.model_construct(data_dir=Path(folder))
        service = Service(settings)
        try:
            return service_app.create_app(settings, service=service).openapi()
        finally:
            service.close()


# --- errors


def errors_page() -> str:
    """Each error, with the HTTP status and the exit code that become of it."""
    _import_everything()
    parts = [
        "# Errors",
        "Whatever the packages raise on purpose is an `MlopsError`. Its message names the field, the value and what "
        "would be right. Over HTTP it becomes a problem document with this status; a command of `mlops` prints it as "
        "one line and ends with this code (see [cli.md](cli.md)), one of `recipes` with 1. Errors without a status "
        "happen where no request leads. Indented is what is a kind of the one above.",
        _table(("error", "meaning", "HTTP", "exit"), _errors(MlopsError, depth=0)),
    ]
    return _page(parts)


def _import_everything() -> None:
    for package in (mlops, recipes):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            # A private module may be of a process of its own, with imports that take seconds.
            if "._" not in module.name:
                importlib.import_module(module.name)


def _errors(kind: type[Exception], *, depth: int) -> Iterator[tuple[str, ...]]:
    statuses = service_app.STATUSES
    status = next((str(statuses[one]) for one in kind.__mro__ if one in statuses), "")
    indent = "&nbsp;&nbsp;" * depth
    told = _cell(_plain(inspect.getdoc(kind) or ""))
    yield f"{indent}`{kind.__name__}`", told, status, str(exits.exit_code_of(kind))
    ours = [
        one
        for one in kind.__subclasses__()
        if one.__module__.split(".")[0] in ("mlops", "recipes") and not one.__name__.startswith("_")
    ]
    for one in sorted(ours, key=lambda one: (one.__module__, one.__name__)):
        yield from _errors(one, depth=depth + 1)


# --- metrics


def metrics_page() -> str:
    """Each metric that the service records."""
    rows = (
        (f"`{name}`", about.kind, about.unit, _cell(about.help), f"`{_SERIES[about.kind].format(name)}`")
        for name, about in MEASURES.items()
    )
    parts = [
        "# Metrics",
        "What the service records of itself. A program's own stand beside them: `metrics_collector.describe` says what "
        "they are. [monitoring.md](../monitoring.md) tells how to read them, [prometheus.md](../prometheus.md) which "
        "alerts rest on them.",
        _table(("metric", "kind", "unit", "meaning", "in Prometheus"), rows),
    ]
    return _page(parts)


_SERIES = {"distribution": "{}_bucket, _sum, _count", "counter": "{}_total", "gauge": "{}"}


# --- Python


def python_page() -> str:
    """Each public name of the toolkit: classes with their methods, functions, ready-made objects."""
    found = {name: getattr(mlops, name) for name in mlops.__all__ if name not in OBJECTS}
    parts = [
        "# Python",
        "What `from mlops import …` gives: signatures, and the first line of what each says of itself. `help()` has "
        "the rest: units, edge cases, errors. Subpackages have more, which the guides name.",
        "## Ready-made objects",
        "Made from the [settings](settings.md) of the environment when they are first asked for.",
        _table(("object", "what it is"), ((f"`{name}`", told) for name, told in OBJECTS.items())),
        "## Functions",
        _table(
            ("function", ""),
            ((f"`{name}{_signature(one)}`", _summary(one)) for name, one in found.items() if inspect.isfunction(one)),
        ),
        *(_class(name, one) for name, one in found.items() if inspect.isclass(one)),
    ]
    return _page(parts)


# Looking at them would make them; a test sees that they are what is said here.
OBJECTS = {
    "config": "`Settings`: the settings, read once",
    "model_registry": "`ModelRegistry`: the registry of models",
    "metrics_collector": "`MetricsCollector`: metrics, written and read",
    "anomaly_detector": "`AnomalyDetector`: what stands out",
    "health_monitor": "`HealthMonitor`: how the system is",
    "retraining_orchestrator": "`RetrainingOrchestrator`: trainings, from need to promotion",
    "auto_scheduler": "`AutomaticRetrainingScheduler`: checks, and trains what needs it",
    "retrain_config": "`RetrainingConfig`: when models need training",
    "app_logger": "`Logger`: of the application",
    "mlops_logger": "`Logger`: of the toolkit",
    "monitoring_logger": "`Logger`: of monitoring",
    "model_logger": "`Logger`: of trainings",
    "retraining_logger": "`Logger`: of retraining",
}


def _class(name: str, kind: type) -> str:
    rows = [row for member, what in inspect.getmembers_static(kind) for row in _member(member, what)]
    parts = [f"## {name}", _summary(kind), f"```text\n{name}{_signature(kind)}\n```"]
    return "\n\n".join([*parts, _table(("", ""), rows)] if rows else parts)


def _member(name: str, what: Any) -> Iterator[tuple[str, str]]:
    if isinstance(what, property):
        what, shown = what.fget, name
    else:
        what = getattr(what, "__func__", what)
        shown = f"{name}{_signature(what)}" if inspect.isfunction(what) else name
    is_ours = inspect.isfunction(what) and what.__module__.startswith("mlops.")
    if is_ours and not name.startswith("_") and what.__doc__:
        yield f"`{shown}`", _summary(what)


@dataclass(frozen=True, slots=True)
class _Text:
    """Stands in a signature as what it says."""

    text: str

    def __repr__(self) -> str:
        return self.text


def _signature(what: Any) -> str:
    signature = inspect.signature(what)
    parameters = [_shown(one) for name, one in signature.parameters.items() if name not in ("self", "cls")]
    returns = signature.return_annotation
    if inspect.isclass(what) or returns is inspect.Signature.empty:
        return str(signature.replace(parameters=parameters, return_annotation=inspect.Signature.empty))
    return str(signature.replace(parameters=parameters, return_annotation=_Text(str(returns))))


def _shown(parameter: inspect.Parameter) -> inspect.Parameter:
    """With its annotation as it is written, and of a default without a text of its own that there is one."""
    empty = inspect.Parameter.empty
    if parameter.annotation is not empty:
        parameter = parameter.replace(annotation=_Text(str(parameter.annotation)))
    has_no_text = parameter.default is not empty and "<" in repr(parameter.default)
    return parameter.replace(default=_Text("…")) if has_no_text else parameter


def _summary(what: Any) -> str:
    return _cell(_plain(inspect.getdoc(what) or "").split("\n\n")[0])


# --- Markdown


def _page(parts: Iterable[str]) -> str:
    return _MADE + "\n\n".join(parts) + "\n"


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = (header, ["---"] * len(header), *rows)
    # A `|` would end its cell, in code too.
    return "\n".join("| " + " | ".join(cell.replace("|", r"\|") for cell in line) + " |" for line in lines)


def _cell(text: str) -> str:
    return " ".join(text.split())


PAGES: dict[str, Callable[[], str]] = {
    "settings.md": settings_page,
    "cli.md": cli_page,
    "http.md": http_page,
    "errors.md": errors_page,
    "metrics.md": metrics_page,
    "python.md": python_page,
}


def main() -> None:
    """Write every page."""
    FOLDER.mkdir(exist_ok=True)
    for name, make in PAGES.items():
        (FOLDER / name).write_text(make(), "utf-8")


if __name__ == "__main__":
    main()

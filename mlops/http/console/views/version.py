"""One version of a model: what it is made of, how good it is, what happened to it; beside others, if asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mlops.errors import ArtefactError, UnknownVersion
from mlops.http.console.ask import Ask
from mlops.http.console.evidence import evidence_blocks
from mlops.http.console.parts import Parts
from mlops.http.console.shown import MODEL, as_kept, job_link, rollout_link, state, version_link, why
from mlops.http.console.view import Choice, Choices, ConsoleBlock, Details, Panel, View
from mlops.http.console.views._metrics import decided_first, decided_metrics
from mlops.http.console.views.model_actions import version_actions
from mlops.http.console.views.models import known_model, move_row
from mlops.model_registry import ModelVersion
from mlops.model_registry.records import Move
from mlops.reports import Badge, Facts, Link, Prose, Said, Table
from mlops.reports.page import Cell
from mlops.rollout.state import Bar, Rollout
from mlops.sentences import say
from mlops.tracking.curves import JOB_TAG

WITH = "con"
_MOST_COMPARED = 3
_OFFERED = 6
_MOVES = 50


def version(parts: Parts, ask: Ask) -> View:
    """The version that the address names.

    Raises:
        UnknownModel, UnknownVersion: there is none.
    """
    t = ask.words
    model_id = known_model(parts, ask.path_params["model_id"])
    one = _known(parts, model_id, ask.path_params["version"])
    champion = parts.registry.get_production_model(model_id)
    others = _others(parts, ask, one)
    rollout = parts.rollouts.status(model_id)
    panels = [
        Panel("version", t("models.what_it_is"), _what(parts, ask, one, champion, rollout), width="half"),
        Panel("lineage", t("models.lineage"), _lineage(ask, one), width="half"),
        Panel("compare", t("models.compare"), _compared(parts, ask, one, champion, others)),
        Panel("artefact", t("models.artefact"), _artefact(parts, ask, one)),
        Panel("moves", t("models.moves_of", version=one.version), _moves(parts, ask, one)),
    ]
    return View(
        f"{model_id} {one.version}",
        lead=_lead(ask, one, champion, rollout),
        verdict=state(ask, "version", one.status),
        panels=panels,
        trail=[Link(t("menu.models"), ask.link("modelos", **{MODEL: model_id}))],
    )


def _lead(ask: Ask, one: ModelVersion, champion: ModelVersion | None, rollout: Rollout | None) -> str:
    t = ask.words
    if champion is None:
        serves = t("models.lead_none", model=one.model_id, version="")
    elif champion.version == one.version:
        serves = t("models.is_champion", model=one.model_id)
    else:
        serves = t("models.lead", model=one.model_id, version=champion.version)
    if rollout is None or rollout.challenger != one.version:
        return serves
    comes = t(f"rollouts.is.{rollout.status}", challenger=rollout.challenger, champion=rollout.champion or "–")
    return f"{serves} {comes}"


def _known(parts: Parts, model_id: str, name: str) -> ModelVersion:
    one = parts.registry.get_model(model_id, name)
    if one is None:
        raise UnknownVersion(say("{model!s} has no version {version}", model=model_id, version=name))
    return one


def _what(
    parts: Parts, ask: Ask, one: ModelVersion, champion: ModelVersion | None, rollout: Rollout | None
) -> Sequence[ConsoleBlock]:
    waiting = next(
        (each for each in parts.registry.approvals(one.model_id, "pending", limit=100) if each.version == one.version),
        None,
    )
    bar = _bar_of(parts, one)
    facts = Facts(
        [
            ("status", state(ask, "version", one.status)),
            *_rollout(ask, one, rollout),
            ("model_type", one["model_type"]),
            ("description", why(one["description"], automatic=False)),
            ("registered_at", one.registered_at),
            ("deployed_at", one.deployed_at),
            ("tags", _text(one["tags"]) or None),
            ("barred", None if bar is None else Badge(ask.words("models.is_barred"), "bad")),
            ("barred_because", None if bar is None else why(bar.because, automatic=False)),
            ("waits", None if waiting is None else Badge(ask.words("models.waits"), "note")),
            ("requested_by", None if waiting is None else waiting.requested_by),
        ]
    )
    return [facts, *version_actions(parts, ask, one, champion, waiting=waiting, bar=bar, rollout=rollout)]


def _rollout(ask: Ask, one: ModelVersion, rollout: Rollout | None) -> list[tuple[str, Cell]]:
    """The rollout under way: of this version, or of another, as long as that keeps this one from a rollout."""
    if rollout is None:
        return []
    if rollout.challenger == one.version:
        return [
            ("rollout", rollout_link(ask, rollout.rollout_id)),
            ("stage", state(ask, "rollout", rollout.status)),
            ("share", ask.words.share(rollout.share)),
        ]
    if one.status not in {"training", "validation"}:
        return []
    text = f"#{rollout.rollout_id}: {rollout.challenger}"
    return [("rollout_of_another", Link(text, rollout_link(ask, rollout.rollout_id).href))]


def _bar_of(parts: Parts, one: ModelVersion) -> Bar | None:
    """The bar on it, or on a version with the same files."""
    same = (
        each
        for each in parts.rollouts.bars(one.model_id)
        if each.version == one.version or (one.artefact is not None and each.artefact == one.artefact)
    )
    return next(same, None)


def _lineage(ask: Ask, one: ModelVersion) -> Sequence[ConsoleBlock]:
    lineage: Mapping[str, Any] = one["lineage"] or {}
    tags: Any = one["tags"]
    job = tags.get(JOB_TAG) if isinstance(tags, Mapping) else None
    parent = one["parent_version"]
    rows: list[tuple[str, Cell]] = [
        ("parent_version", None if parent is None else version_link(ask, one.model_id, parent)),
        ("data_fingerprint", lineage.get("data_fingerprint")),
        ("code_version", lineage.get("code_version")),
        ("seed", lineage.get("seed")),
        ("job", job_link(ask, job) if isinstance(job, int) else None),
    ]
    known = [row for row in rows if row[1] is not None]
    return [Facts(known)] if known else [Prose(ask.words("models.no_lineage"))]


def _others(parts: Parts, ask: Ask, one: ModelVersion) -> list[ModelVersion]:
    """The versions that the address asks for beside this one, three at most."""
    names = [name for name in dict.fromkeys(ask.params.get(WITH, "").split(",")) if name and name != one.version]
    return [_known(parts, one.model_id, name) for name in names[:_MOST_COMPARED]]


def _compared(
    parts: Parts, ask: Ask, one: ModelVersion, champion: ModelVersion | None, others: Sequence[ModelVersion]
) -> Sequence[ConsoleBlock]:
    t = ask.words
    blocks: list[ConsoleBlock] = [Choices(t("models.beside"), _offered(parts, one, champion, others))]
    all_of_them = [one, *others]
    values = dict(_side_by_side([each["metrics"] for each in all_of_them]))
    metrics = [(name, values[name]) for name in decided_first(values, decided_metrics(parts, one.model_id))]
    parameters = _side_by_side([_flat(each["parameters"]) for each in all_of_them])
    names = [each.version for each in all_of_them]
    if metrics:
        blocks.append(_table("metric", names, metrics, ask, caption=t("models.metrics"), with_difference=True))
    if parameters:
        blocks.append(_table("parameter", names, parameters, ask, caption=t("models.parameters")))
    return blocks if metrics or parameters else [*blocks, Prose(t("models.no_figures"))]


def _offered(
    parts: Parts, one: ModelVersion, champion: ModelVersion | None, others: Sequence[ModelVersion]
) -> Sequence[Choice]:
    """Versions to put beside this one; those that are there can be taken away."""
    beside = [each.version for each in others]
    older = [each.version for each in parts.registry.list_models(one.model_id, limit=_OFFERED, before=one.version)]
    near = [None if champion is None else champion.version, one["parent_version"], *older]
    offered = [name for name in dict.fromkeys([*beside, *near]) if name is not None and name != one.version]
    return [
        Choice(name, {WITH: ",".join(_toggled(beside, name)) or None}, name in beside)
        for name in offered[: max(_OFFERED, len(beside))]
    ]


def _toggled(beside: Sequence[str], name: str) -> list[str]:
    if name in beside:
        return [each for each in beside if each != name]
    # A fourth takes the place of the oldest: a table of more columns nobody reads.
    return [*beside, name][-_MOST_COMPARED:]


def _side_by_side(columns: Sequence[Mapping[str, Any]]) -> list[tuple[str, list[Any]]]:
    names = dict.fromkeys(name for column in columns for name in column)
    return [(name, [column.get(name) for column in columns]) for name in names]


def _table(
    head: str,
    names: Sequence[str],
    rows: Sequence[tuple[str, list[Any]]],
    ask: Ask,
    *,
    caption: str,
    with_difference: bool = False,
) -> Table:
    """Values by name; beside others, how this one differs from the first of them, or that it does."""
    has_others = len(names) > 1
    shown: list[list[Cell]] = [
        [name, *map(_cell, values), *([_difference(values, ask, with_difference)] if has_others else [])]
        for name, values in rows
    ]
    return Table([head, *names, *(["difference"] if has_others else [])], shown, caption)


def _difference(values: Sequence[Any], ask: Ask, with_difference: bool) -> Cell:
    first, second = values[0], values[1]
    if with_difference and _is_number(first) and _is_number(second):
        return float(first) - float(second)
    return Badge(ask.words("models.differs"), "note") if any(each != first for each in values[1:]) else None


def _artefact(parts: Parts, ask: Ask, one: ModelVersion) -> Sequence[ConsoleBlock]:
    t = ask.words
    try:
        manifest = parts.registry.manifest(one)
    except ArtefactError as error:
        return [Badge(t("models.artefact_broken"), "bad"), Said(str(error))]
    if manifest is None:
        return [Prose(t("models.no_artefact"))]
    facts = Facts(
        [
            ("artefact", one.artefact),
            ("n_files", len(manifest.files)),
            ("n_bytes", sum(each.size for each in manifest.files)),
        ]
    )
    rows: list[list[Cell]] = [[each.path, each.size, each.sha256] for each in manifest.files[:200]]
    return [facts, Details(t("models.files"), [Table(["file", "n_bytes", "sha256"], rows)])]


def _moves(parts: Parts, ask: Ask, one: ModelVersion) -> Sequence[ConsoleBlock]:
    found = parts.registry.moves(one.model_id, one.version, limit=_MOVES)[::-1]
    blocks: list[ConsoleBlock] = [
        Table(["at", "move", "version", "actor", "reason"], [move_row(ask, each) for each in found])
    ]
    return [
        *blocks,
        *(_evidence(ask, each) for each in found if each.evidence is not None and each.to_status != "validation"),
    ]


def _evidence(ask: Ask, move: Move) -> Details:
    t = ask.words
    move_words = state(ask, "move", move.to_status if move.kind == "moved" else move.kind).text
    return Details(t("models.evidence_of", move=move_words, at=t.time(move.at)), evidence_blocks(move.evidence, ask))


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            found |= _flat(value, f"{prefix}{name}.")
        else:
            found[f"{prefix}{name}"] = value
    return found


def _cell(value: Any) -> Cell:
    return as_kept(value) if isinstance(value, str | int | float | None) else _text(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _text(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name}={each}" for name, each in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)

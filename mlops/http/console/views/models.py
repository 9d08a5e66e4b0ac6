"""Modelos: which version answers, all versions with their metrics, what waits, every move."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mlops.errors import UnknownModel
from mlops.http.console.ask import Ask
from mlops.http.console.evidence import evidence_blocks
from mlops.http.console.parts import Parts
from mlops.http.console.shown import MODEL, chosen_model, state, version_link, who, why
from mlops.http.console.view import Action, Actions, Choice, Choices, ConsoleBlock, Details, Pager, Panel, View
from mlops.http.console.views._metrics import decided_metrics, metric_names
from mlops.http.console.views.model_actions import approval_actions, freeze_action, roll_back
from mlops.model_registry import ModelVersion
from mlops.model_registry.records import Approval, Freeze, Move
from mlops.model_registry.states import STATUSES
from mlops.reports import Badge, Facts, Link, Prose, Table
from mlops.reports.page import Cell
from mlops.rollout.state import Rollout
from mlops.sentences import say

_PAGE = 50
_MOVES = 25
_METRICS_SHOWN = 6
_MOST_APPROVALS = 20


def models(parts: Parts, ask: Ask) -> View:
    """All models in one line each; of the chosen one its champion, versions, requests and moves."""
    t = ask.words
    model_id = chosen_model(parts, ask)
    if model_id is None:
        return View(t("menu.models"), panels=[Panel("models", t("models.all"), [Prose(t("models.none"))])])
    champion = parts.registry.get_production_model(model_id)
    decided = decided_metrics(parts, model_id)
    panels = [
        *_all_models(parts, ask),
        Panel(
            "champion",
            t("models.champion", model=model_id),
            champion_blocks(parts, ask, model_id, champion, promotion_of(parts, champion), decided),
        ),
        *_requests(parts, ask, model_id),
        Panel("versions", t("models.versions", model=model_id), _versions(parts, ask, model_id, decided)),
        Panel("moves", t("models.moves", model=model_id), _moves(parts, ask, model_id)),
    ]
    key = "models.lead_none" if champion is None else "models.lead"
    lead = t(key, model=model_id, version="" if champion is None else champion.version)
    return View(t("menu.models"), lead=lead, panels=panels)


def champion_blocks(
    parts: Parts,
    ask: Ask,
    model_id: str,
    champion: ModelVersion | None,
    move: Move | None,
    decided: Sequence[str],
    *,
    with_evidence: bool = True,
) -> Sequence[ConsoleBlock]:
    """What is in production of *model_id*: since when, by whom and why (by *move*); what can be done at once.

    Args:
        decided: its metrics that stand first, see :func:`~mlops.http.console.views._metrics.decided_metrics`.
    """
    t = ask.words
    freeze = freeze_of(parts, model_id)
    items: list[Action] = [
        *(() if champion is None else roll_back(parts, ask, champion, parts.rollouts.status(model_id))),
        freeze_action(ask, model_id, freeze),
    ]
    if champion is None:
        return [Prose(t("models.no_champion")), *_frozen(ask, freeze), Actions(items)]
    facts = _champion_facts(parts, ask, champion, move, decided)
    blocks: list[ConsoleBlock] = [facts, *_frozen(ask, freeze), Actions(items)]
    if with_evidence and move is not None and move.evidence is not None:
        blocks.append(Details(t("models.rests_on"), evidence_blocks(move.evidence, ask)))
    return blocks


def promotion_of(parts: Parts, one: ModelVersion | None) -> Move | None:
    """The move that put *one* into production last, None where it is not among its newest."""
    if one is None:
        return None
    found = reversed(parts.registry.moves(one.model_id, one.version, limit=20))
    return next((each for each in found if each.to_status == "production" and each.outcome == "done"), None)


def freeze_of(parts: Parts, model_id: str) -> Freeze | None:
    """The freeze that keeps programs from moving versions of *model_id*."""
    freezes = parts.registry.freezes()
    return freezes.get("*") or freezes.get(model_id)


def serving_badge(parts: Parts, ask: Ask, champion: ModelVersion) -> Badge:
    """Whether this process answers with the version that the registry has in production."""
    serving = parts.serving(champion.model_id)
    if serving is None:
        return Badge(ask.words("models.serves_none"), "plain")
    if serving == champion.version:
        return Badge(ask.words("models.serves_it", version=serving), "good")
    return Badge(ask.words("models.serves_other", version=serving), "bad")


def move_row(ask: Ask, move: Move) -> list[Cell]:
    """A move in one line."""
    return [
        move.at,
        move_badge(ask, move),
        version_link(ask, move.model_id, move.version),
        who(ask, move.actor, automatic=move.automatic),
        why(move.because, automatic=move.automatic),
    ]


def move_badge(ask: Ask, move: Move) -> Badge:
    """What a move was: where to, or that it failed."""
    if move.outcome == "failed":
        return state(ask, "move", "failed")
    return state(ask, "move", move.to_status if move.kind == "moved" else move.kind)


def _all_models(parts: Parts, ask: Ask) -> Sequence[Panel]:
    t = ask.words
    known = list(parts.model_ids())
    if len(known) < 2:
        return []
    by_id = {each.model_id: each for each in parts.registry.models()}
    rows: list[list[Cell]] = [
        [
            Link(each.model_id, ask.link("modelos", modelo=each.model_id)),
            each.production,
            each.newest,
            each.n_versions,
            each.is_frozen,
            each.changed_at,
        ]
        for each in (by_id[name] for name in known if name in by_id)
    ]
    columns = ["model", "production", "newest", "n_versions", "is_frozen", "changed_at"]
    return [Panel("models", t("models.all"), [Table(columns, rows)])]


def _champion_facts(parts: Parts, ask: Ask, champion: ModelVersion, move: Move | None, decided: Sequence[str]) -> Facts:
    rows: list[tuple[str, Cell]] = [
        ("version", version_link(ask, champion.model_id, champion.version)),
        ("serving", serving_badge(parts, ask, champion)),
        ("deployed_at", champion.deployed_at),
    ]
    if move is not None:
        rows += [
            ("actor", who(ask, move.actor, automatic=move.automatic)),
            ("reason", why(move.because, automatic=move.automatic)),
        ]
    metrics: Mapping[str, float] = champion["metrics"]
    names = metric_names([champion], decided, most=_METRICS_SHOWN)
    return Facts([*rows, *((name, metrics[name]) for name in names)])


def _frozen(ask: Ask, freeze: Freeze | None) -> Sequence[ConsoleBlock]:
    if freeze is None:
        return []
    t = ask.words
    because = t.told(freeze.because, is_said=False)
    sentence = t("models.frozen", by=freeze.frozen_by, at=t.time(freeze.frozen_at), because=because)
    return [Badge(t("models.is_frozen"), "note"), Prose(sentence)]


def _requests(parts: Parts, ask: Ask, model_id: str) -> Sequence[Panel]:
    t = ask.words
    found = parts.registry.approvals(model_id, "pending", limit=_MOST_APPROVALS)
    rollout = parts.rollouts.status(model_id)
    return [
        Panel(
            f"request-{each.approval_id}",
            t("models.request", version=each.version),
            request_blocks(ask, each, rollout),
        )
        for each in found
    ]


def request_blocks(ask: Ask, waiting: Approval, rollout: Rollout | None) -> Sequence[ConsoleBlock]:
    """A promotion that waits for a person: from what to what, why, what it rests on, the decision."""
    facts = Facts(
        [
            ("challenger", version_link(ask, waiting.model_id, waiting.version)),
            ("champion", waiting.champion),
            ("requested_by", waiting.requested_by),
            ("requested_at", waiting.requested_at),
            ("reason", why(waiting.because, automatic=False)),
        ]
    )
    blocks: list[ConsoleBlock] = [facts, approval_actions(ask, waiting, rollout)]
    if waiting.evidence is not None:
        blocks.append(Details(ask.words("models.rests_on"), evidence_blocks(waiting.evidence, ask)))
    return blocks


def _versions(parts: Parts, ask: Ask, model_id: str, decided: Sequence[str]) -> Sequence[ConsoleBlock]:
    t = ask.words
    status = ask.choice("estado", dict.fromkeys(["all", *STATUSES]), "all")
    wanted = None if status == "all" else status
    found = parts.registry.list_models(model_id, wanted, limit=_PAGE + 1, before=ask.params.get("antes"))
    page = found[:_PAGE]
    options = [
        Choice(t(f"states.version.{each}"), {"estado": each, "antes": None}, each == status)
        for each in ("all", *STATUSES)
    ]
    blocks: list[ConsoleBlock] = [Choices(t("models.status"), options)]
    if not page:
        return [*blocks, Prose(t("models.no_versions"))]
    metrics = metric_names(page, decided, most=_METRICS_SHOWN)
    rows: list[list[Cell]] = [
        [
            version_link(ask, model_id, one.version),
            state(ask, "version", one.status),
            one.registered_at,
            one.deployed_at,
            *(one["metrics"].get(name) for name in metrics),
        ]
        for one in page
    ]
    caption = t("models.metrics_caption") if metrics else ""
    blocks.append(Table(["version", "status", "registered_at", "deployed_at", *metrics], rows, caption))
    if len(found) > _PAGE:
        blocks.append(Pager({"antes": page[-1].version, MODEL: model_id}))
    return blocks


def _moves(parts: Parts, ask: Ask, model_id: str) -> Sequence[ConsoleBlock]:
    before = ask.number("movimientos")
    found = parts.registry.moves(model_id, limit=_MOVES + 1, before=before)[::-1]
    page = found[:_MOVES]
    if not page:
        return [Prose(ask.words("models.no_moves"))]
    table = Table(["at", "move", "version", "actor", "reason"], [move_row(ask, each) for each in page])
    if len(found) <= _MOVES:
        return [table]
    return [table, Pager({"movimientos": str(page[-1].move_id), MODEL: model_id})]


def known_model(parts: Parts, model_id: str) -> str:
    """*model_id*, of which something was registered.

    Raises:
        UnknownModel: nothing was.
    """
    if model_id not in parts.registry.model_ids():
        raise UnknownModel(say("nothing of a model {model!r} was ever registered", model=model_id))
    return model_id

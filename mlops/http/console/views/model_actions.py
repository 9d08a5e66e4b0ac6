"""What can be done with versions of a model: every sentence names what moves from where to where."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from mlops.http.console.ask import Ask
from mlops.http.console.parts import Parts
from mlops.http.console.shown import plan_sentence
from mlops.http.console.view import Action, Actions, ConsoleBlock
from mlops.model_registry import ModelVersion
from mlops.model_registry.records import Approval, Freeze
from mlops.rollout.state import Bar, Rollout


def version_actions(
    parts: Parts,
    ask: Ask,
    one: ModelVersion,
    champion: ModelVersion | None,
    *,
    waiting: Approval | None,
    bar: Bar | None,
    rollout: Rollout | None,
) -> Sequence[ConsoleBlock]:
    """What can be done with *one*, where *champion* is in production and *waiting* asks for its promotion.

    Args:
        rollout: of the model, the one under way: another cannot begin, and some moves end it.
    """
    items: list[Action] = []
    if waiting is not None:
        items += _on_request(ask, waiting, rollout)
    if one.status in {"training", "validation"}:
        if waiting is None:
            items.append(_promote(parts, ask, one, champion, rollout))
        if champion is not None and bar is None and rollout is None:
            items.append(_roll_out(parts, ask, one, champion))
        if one.status == "training":
            items.append(_act(ask, one, "validate"))
        items.append(_archive(ask, one, rollout))
    if one.status == "production":
        items += [*roll_back(parts, ask, one, rollout), _retire(ask, one, rollout)]
    if one.status == "archived" and one.deployed_at is not None:
        items.append(_bring_back(ask, one, champion, rollout))
    if bar is not None:
        items.append(unbar(ask, bar))
    return [Actions(items)] if items else []


def roll_back(parts: Parts, ask: Ask, champion: ModelVersion, rollout: Rollout | None) -> list[Action]:
    """Going back from *champion*, where there is a version to go back to."""
    before = parts.registry.versions_before(champion.model_id, limit=1)
    return [_back(ask, champion, before[0], rollout)] if before else []


def approval_actions(ask: Ask, waiting: Approval, rollout: Rollout | None) -> Actions:
    """Approving or rejecting a promotion that waits."""
    return Actions(_on_request(ask, waiting, rollout))


def freeze_action(ask: Ask, model_id: str, freeze: Freeze | None) -> Action:
    """Switching automatic moves of *model_id* off; or on, where *freeze* is in force."""
    t = ask.words
    if freeze is None:
        return Action("freeze", "/freeze", t("models.will_freeze", model=model_id), {"model_id": model_id})
    scope = None if freeze.scope == "*" else freeze.scope
    sentence = t("models.will_unfreeze_all") if scope is None else t("models.will_unfreeze", model=scope)
    return Action("unfreeze", "/unfreeze", sentence, {} if scope is None else {"model_id": scope})


def unbar(ask: Ask, bar: Bar) -> Action:
    """Letting a version that was rolled back be rolled out again."""
    sentence = ask.words("models.will_unbar", model=bar.model_id, version=bar.version)
    return Action("unbar", f"/models/{bar.model_id}/versions/{bar.version}/unbar", sentence)


def _on_request(ask: Ask, waiting: Approval, rollout: Rollout | None) -> list[Action]:
    t = ask.words
    address = f"/models/{waiting.model_id}/versions/{waiting.version}"
    names = {"model": waiting.model_id, "version": waiting.version, "champion": waiting.champion or t("models.nothing")}
    body = {"request": waiting.approval_id}
    sentence = _and_rollout(ask, t("models.will_approve", **names), rollout, champion=waiting.version)
    return [
        Action("approve", f"{address}/approve", sentence, body, tone="good"),
        Action("reject", f"{address}/reject", t("models.will_reject", **names), body),
    ]


def _promote(
    parts: Parts, ask: Ask, one: ModelVersion, champion: ModelVersion | None, rollout: Rollout | None
) -> Action:
    t = ask.words
    key = "models.will_promote_first" if champion is None else "models.will_promote"
    before = "" if champion is None else champion.version
    sentence = t(key, model=one.model_id, version=one.version, champion=before)
    sentence = _and_rollout(ask, sentence, rollout, champion=one.version)
    if parts.registry.approval.needs(one.model_id):
        sentence = f"{sentence} {t('models.needs_approval')}"
    body = {"expected": None if champion is None else champion.version}
    return Action("promote", f"/models/{one.model_id}/versions/{one.version}/promote", sentence, body, tone="good")


def _roll_out(parts: Parts, ask: Ask, one: ModelVersion, champion: ModelVersion) -> Action:
    plan = plan_sentence(ask, parts.plan, champion=champion.version)
    names = {"model": one.model_id, "version": one.version, "champion": champion.version}
    sentence = ask.words("models.will_roll_out", **names, plan=plan)
    return Action("roll_out", f"/models/{one.model_id}/rollout/start", sentence, {"version": one.version})


def _archive(ask: Ask, one: ModelVersion, rollout: Rollout | None) -> Action:
    archive = _act(ask, one, "archive")
    if rollout is None or rollout.challenger != one.version:
        return archive
    return replace(archive, sentence=f"{archive.sentence} {_rollout_ends(ask, rollout)}", tone="bad")


def _back(ask: Ask, champion: ModelVersion, to: ModelVersion, rollout: Rollout | None) -> Action:
    sentence = ask.words("models.will_roll_back", model=to.model_id, version=to.version, champion=champion.version)
    sentence = _and_rollout(ask, sentence, rollout, champion=to.version)
    body = {"to": to.version, "expected": champion.version}
    return Action("rollback", f"/models/{to.model_id}/rollback", sentence, body, tone="bad")


def _bring_back(ask: Ask, one: ModelVersion, champion: ModelVersion | None, rollout: Rollout | None) -> Action:
    if champion is not None:
        return _back(ask, champion, one, rollout)
    sentence = ask.words("models.will_bring_back", model=one.model_id, version=one.version)
    return Action("rollback", f"/models/{one.model_id}/rollback", sentence, {"to": one.version, "expected": None})


def _retire(ask: Ask, one: ModelVersion, rollout: Rollout | None) -> Action:
    sentence = ask.words("models.will_retire", model=one.model_id, version=one.version)
    sentence = _and_rollout(ask, sentence, rollout, champion=None)
    return Action(
        "retire", f"/models/{one.model_id}/versions/{one.version}/archive", sentence, {"retire": True}, tone="bad"
    )


def _act(ask: Ask, one: ModelVersion, name: str) -> Action:
    sentence = ask.words(f"models.will_{name}", model=one.model_id, version=one.version)
    return Action(name, f"/models/{one.model_id}/versions/{one.version}/{name}", sentence)


def _and_rollout(ask: Ask, sentence: str, rollout: Rollout | None, *, champion: str | None) -> str:
    """*sentence*, and what becomes of the rollout under way once *champion* is in production; None: no version is."""
    if rollout is None:
        return sentence
    if champion == rollout.challenger:
        return f"{sentence} {_of_rollout(ask, 'rollout_skips', rollout)}"
    return f"{sentence} {_rollout_ends(ask, rollout)}"


def _rollout_ends(ask: Ask, rollout: Rollout) -> str:
    # A challenger that is taken out of production while it is watched counts as rolled back.
    return _of_rollout(ask, "rollout_ends_barred" if rollout.status == "watch" else "rollout_ends", rollout)


def _of_rollout(ask: Ask, key: str, rollout: Rollout) -> str:
    return ask.words(f"models.{key}", rollout=rollout.rollout_id, challenger=rollout.challenger)

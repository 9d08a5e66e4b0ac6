"""The nine stages of a demonstration. Each says what was observed by asking the service, or raises StageFailed."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from typing import Any

from mlops.model_registry import ModelMetadata
from mlops.sentences import say
from recipes.demo.errors import Refused, StageFailed
from recipes.demo.story import NIGHT_HOUR, Story
from recipes.ranker import MODEL_ID
from recipes.ranker.learned import LearnedBlend

# The first week of questions is what later ones are compared with, and a day more shows that nothing is found then.
QUIET_DAYS = 8
ATTEMPTS = 5
_DAY = 24
_TRAINING_SECONDS = 180.0
_WATCH_SECONDS = 15.0
_OPEN = ("shadow", "canary", "watch")
# A person who optimised for speed, and forgot what was asked: the quickest recipe that keeps the rules comes first.
BAD_WEIGHTS: Mapping[str, float] = {"quickness": 1.0}
# Half of the cooks at once, and two days, so that the guard can be sure of it before the stage is over.
BAD_PLAN: Mapping[str, Any] = {"shadow_seconds": 0.0, "shares": [0.5], "hold_seconds": 3 * 86_400.0}

Observed = Generator[str, None, str]
Stage = Callable[[Story], Observed]
"""Yields what was observed on the way, and returns how it ended."""


def traffic(story: Story) -> Observed:
    """Cooks ask and react for eight days, and nothing alarms."""
    tally = story.fresh_tally()
    while (story.cooks.day, story.cooks.hour) < (QUIET_DAYS, _DAY):
        story.live_an_hour()
    if tally.n_failed or not tally.n_asked:
        raise StageFailed(f"{tally.n_failed} of {tally.n_asked} questions and their reactions got an error")
    metrics = story.client.get(f"/metrics?window_minutes={QUIET_DAYS * _DAY * 60}")["metrics"]
    yield (
        f"/metrics: {metrics['api_latency_ms']['count']:,} requests in {QUIET_DAYS} days, "
        f"p95 {metrics['api_latency_ms']['p95']:.0f} ms, {metrics['error_rate']['mean']:.1%} errors"
    )
    drifted = _drifted(story.check())
    if drifted or story.alerts("data_drift"):
        raise StageFailed(f"drift was found before anything had changed: {drifted}")
    version = story.model()["serving"]
    return (
        f"{version} answered {tally.n_asked:,} questions of simulated cooks, {tally.n_clicked / tally.n_asked:.0%} of "
        f"the lists were clicked; the drift check finds nothing"
    )


def drift(story: Story) -> Observed:
    """Tastes and questions change, and the service's own drift check finds it."""
    tally = story.fresh_tally()
    story.cooks.questions.in_a_hurry_from = story.cooks.day + 1
    found: dict[str, Any] = {}

    def is_found() -> bool:
        found.update(story.check())
        return bool(_drifted(found))

    story.live_until(is_found, hours=2 * _DAY, otherwise=lambda: "the drift check finds nothing")
    story.keep_drift_check()
    yield (
        f"from now on many simulated cooks are in a hurry ({tally.n_in_a_hurry} of {tally.n_asked} so far), and all "
        "like other things than before"
    )
    return f"the drift check finds it: {_shown(_drifted(found))}"


def alarm(story: Story) -> Observed:
    """The watch makes an alert of it."""
    story.live_until(lambda: bool(story.alerts("data_drift")), hours=_DAY, otherwise=lambda: "there is no alert")
    alert = story.alerts("data_drift")[0]
    yield f"/alerts: {alert['key']}, seen {alert['count']} times since {alert['fired_at'][:16]}"
    return f"alert {alert['alert_id']} is {alert['state']} ({alert['severity']}): {alert['sentence']}"


def retraining(story: Story) -> Observed:
    """At night the need is checked, and a job trains a version in a process of its own; again, where it has to."""
    for attempt in range(1, ATTEMPTS + 1):
        story.live_an_hour()
        while story.cooks.hour != NIGHT_HOUR:
            story.live_an_hour()
        job_id = story.schedule()
        if job_id is None:
            need = story.check()
            raise StageFailed(f"the nightly check makes no job: {' '.join(need['reasons'] + need['hindrances'])}")
        begun = _job(story, job_id)
        yield f"the nightly check makes job {job_id}: {begun['because']}"
        job = _ended(story, job_id)
        if job["challenger"] is None:
            raise StageFailed(f"job {job_id} is {job['state']}: {job['reason']}")
        trained = (
            f"job {job_id} trained {job['challenger']} in a process of its own, "
            f"data {job['data_fingerprint'][:12]}, {job['result']['metrics']['train_impressions']:,.0f} recipes shown"
        )
        if job["evidence"]["passed"]:
            return trained
        yield trained
        yield f"the gate keeps {job['champion']}: {job['reason']}"
        if attempt < ATTEMPTS:
            yield "so the loop goes on, and tries again the next night"
    return f"{ATTEMPTS} trainings came to their end"


def gate(story: Story) -> Observed:
    """What the gates say of champion and challenger on the same holdout."""
    job = _newest_job(story)
    for verdict in job["evidence"]["verdicts"]:
        yield f"{verdict['gate']} {verdict['outcome']}: {verdict['sentence']}"
    if not job["evidence"]["passed"]:
        raise StageFailed(f"the gate keeps {job['champion']} after {ATTEMPTS} trainings: {job['reason']}")
    return f"{job['challenger']} passed against {job['champion']}; job {job['job_id']} is {job['outcome']}"


def canary(story: Story) -> Observed:
    """The new version answers aside, then a share of the cooks, watched by the guards."""
    begun = story.newest_rollout()
    challenger = _newest_job(story)["challenger"]
    if begun is None or begun["challenger"] != challenger:
        raise StageFailed(f"no rollout of {challenger} began")
    tally, told = story.fresh_tally(), 0
    for _ in range(8 * _DAY):
        found = story.rollout(begun["rollout_id"])
        for event in found["events"][told:]:
            yield f"{event['kind']}: {event['sentence']}"
        told = len(found["events"])
        if found["status"] not in ("shadow", "canary"):
            break
        story.live_an_hour()
    if found["status"] not in ("watch", "promoted"):
        raise StageFailed(f"rollout {found['rollout_id']} is {found['status']}: {found['because']}")
    n = tally.versions[challenger]
    if not n:
        raise StageFailed(f"{challenger} answered nobody in its canary")
    return f"{challenger} answered {n} of {tally.n_asked} simulated cooks on the way, and no guard alarmed"


def promotion(story: Story) -> Observed:
    """It is in production, still watched, and at last it stays."""
    begun = story.newest_rollout()
    if begun is None:
        raise StageFailed("there is no rollout")
    number, challenger = begun["rollout_id"], begun["challenger"]
    story.live_until(
        lambda: story.rollout(number)["status"] not in _OPEN,
        hours=4 * _DAY,
        otherwise=lambda: f"rollout {number} is still {story.rollout(number)['status']}",
    )
    found, model = story.rollout(number), story.model()
    if found["status"] != "promoted" or model["champion"]["version"] != challenger:
        raise StageFailed(f"rollout {number} is {found['status']}: {found['because']}")
    yield found["events"][-1]["sentence"]
    return f"read back: {_read_back(story, challenger)}"


def bad_model(story: Story) -> Observed:
    """A version that is bad on purpose is registered, and somebody lets it out to half of the cooks."""
    registry = story.service.registry
    version = registry.next_version(MODEL_ID, "minor")
    metadata = ModelMetadata(
        MODEL_ID,
        version,
        # As its moves are: by the clock of this machine it would be registered after it was taken back.
        timestamp=story.service.clock(),
        description=say("Bad on purpose, for the demonstration: the quickest recipe first, whatever was asked."),
    )
    registry.register(
        metadata,
        artefact=LearnedBlend(version, BAD_WEIGHTS).files(),
        because=say("for the demonstration: a version that forgets what was asked"),
        actor="demo",
    )
    yield f"{version} is registered: the quickest recipe first, whatever was asked"
    begun, warning = _let_out(story, version)
    if warning is not None:
        yield f"the service warns, and somebody insists (force): {warning}"
    tally = story.fresh_tally()
    story.live_until(
        lambda: tally.versions[version] > 0, hours=_DAY, otherwise=lambda: f"nobody is answered by {version}"
    )
    return (
        f"rollout {begun['rollout_id']} is in {begun['status']} at {begun['share']:.0%}; "
        f"{version} answered {tally.versions[version]} of {tally.n_asked} simulated cooks"
    )


def rollback(story: Story) -> Observed:
    """A guard alarms, the version is taken back and barred, and what serves is read back."""
    begun = story.newest_rollout()
    if begun is None:
        raise StageFailed("there is no rollout")
    number, bad, good = begun["rollout_id"], begun["challenger"], begun["champion"]
    story.live_until(
        lambda: story.rollout(number)["status"] not in _OPEN,
        hours=6 * _DAY,
        otherwise=lambda: f"no guard alarmed; rollout {number} is still {story.rollout(number)['status']}",
    )
    # What follows from its end is done by the next steps.
    story.wait_for(
        lambda: bool(story.rollout(number)["settled"]) and bool(story.alerts("rollout")),
        seconds=_WATCH_SECONDS,
        otherwise=lambda: f"rollout {number} is not settled, or no alert tells of it",
    )
    found = story.rollout(number)
    if found["status"] != "rolled_back":
        raise StageFailed(f"rollout {number} is {found['status']}: {found['because']}")
    for event in found["events"]:
        if event["kind"] in ("rolled_back", "verified", "not_verified"):
            yield f"{event['kind']}: {event['sentence']}"
    barred = [bar["version"] for bar in story.client.get(f"/models/{MODEL_ID}/rollouts")["barred"]]
    if bad not in barred:
        raise StageFailed(f"{bad} is not barred; barred are {barred}")
    alert = story.alerts("rollout")[0]
    yield f"alert {alert['alert_id']} ({alert['severity']}) tells of it, and {bad} is barred"
    return f"read back: {_read_back(story, good)}"


STAGES: Mapping[str, Stage] = {
    "Traffic": traffic,
    "Drift": drift,
    "Alarm": alarm,
    "Retraining": retraining,
    "Gate": gate,
    "Canary": canary,
    "Promotion": promotion,
    "A bad version": bad_model,
    "Rollback": rollback,
}


def _read_back(story: Story, version: str) -> str:
    """What is in production, what the process serves, and who answers the next cooks; all of it has to be *version*."""
    story.wait_for(
        lambda: story.model()["serving"] == version and story.client.get("/health")["rollout"] is None,
        seconds=_WATCH_SECONDS,
        otherwise=lambda: f"the service answers with {story.model()['serving']}, or follows the rollout still",
    )
    answering = story.versions_answering(10)
    production = story.client.get(f"/models/{MODEL_ID}/production")["version"]
    if answering != {version} or production != version:
        raise StageFailed(f"{production} is in production, and cooks are answered by {', '.join(sorted(answering))}")
    return f"{version} is in production, serves, and answered the next simulated cooks"


def _let_out(story: Story, version: str) -> tuple[dict[str, Any], str | None]:
    """The rollout of a bad *version*, and the warning that had to be overruled.

    What was explored sometimes tells beforehand that it is worse, and then the service refuses what nobody forces.
    """
    path = f"/models/{MODEL_ID}/rollout/start"
    body = {"version": version, "reason": say("demonstration of a bad version"), "plan": dict(BAD_PLAN)}
    try:
        return story.client.post(path, body), None
    except Refused as refusal:
        return story.client.post(path, {**body, "force": True}), str(refusal)


def _drifted(need: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [column for column in need["figures"].get("drift") or () if column["drifted"]]


def _shown(columns: list[dict[str, Any]]) -> str:
    return ", ".join(f"{one['column']} {one['score']:.2f} (limit {one['threshold']:.2f})" for one in columns)


def _job(story: Story, job_id: int) -> dict[str, Any]:
    found: dict[str, Any] = story.client.get(f"/retrain/jobs/{job_id}")
    return found


def _newest_job(story: Story) -> dict[str, Any]:
    newest = story.client.get(f"/retrain/jobs?model_id={MODEL_ID}&limit=1")["jobs"]
    if not newest:
        raise StageFailed("there is no job")
    return _job(story, newest[0]["job_id"])


def _ended(story: Story, job_id: int) -> dict[str, Any]:
    """The job when it is over. Nobody asks meanwhile, and the clock runs as any clock."""
    story.wait_for(
        lambda: _job(story, job_id)["state"] in ("completed", "failed", "skipped", "cancelled"),
        seconds=_TRAINING_SECONDS,
        otherwise=lambda: f"job {job_id} is still {_job(story, job_id)['state']}",
    )
    return _job(story, job_id)

"""Is it any good: the newest estimate with its band, and what the version in production rests on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from mlops.http.console.ask import Ask
from mlops.http.console.evidence import evidence_blocks
from mlops.http.console.parts import Gauge, Headline, Parts
from mlops.http.console.shown import job_link, state, version_link
from mlops.http.console.view import ConsoleBlock, Details
from mlops.model_registry.records import Move
from mlops.reports import Badge, Bounds, Chart, Facts, Prose, Said, sequence_chart

_JOBS_SEARCHED = 20
_DAYS = 7
_STEP_SECONDS = 6 * 3600
_FRESH = timedelta(days=1)


def quality_blocks(parts: Parts, ask: Ask, model_id: str, promotion: Move | None) -> Sequence[ConsoleBlock]:
    t = ask.words
    headline = parts.headline
    blocks: list[ConsoleBlock] = []
    if headline is None or headline.model_id != model_id:
        blocks.append(Prose(t("overview.no_headline")))
    else:
        blocks += _headline(parts, ask, headline)
    if promotion is None or promotion.evidence is None:
        blocks.append(Prose(t("overview.no_comparison")))
    else:
        blocks += _comparison(ask, promotion)
    return [*blocks, *_last_compared(parts, ask, model_id)]


def _last_compared(parts: Parts, ask: Ask, model_id: str) -> Sequence[ConsoleBlock]:
    """The last version that a training has compared with the champion, and what came of it."""
    jobs = parts.retraining.list_jobs(model_id, limit=_JOBS_SEARCHED, brief=True)
    job = next((each for each in jobs if each.challenger is not None), None)
    if job is None or job.challenger is None:
        return []
    outcome = state(ask, "job", job.state) if job.outcome is None else state(ask, "outcome", job.outcome)
    facts = Facts(
        [
            ("last_compared", version_link(ask, model_id, job.challenger)),
            ("job", job_link(ask, job.job_id)),
            ("outcome", outcome),
        ]
    )
    return [facts, Said(job.reason)] if job.reason and not job.is_open else [facts]


def _headline(parts: Parts, ask: Ask, headline: Headline) -> Sequence[ConsoleBlock]:
    """The newest estimate with its band, what was observed, and the band of the last days."""
    t = ask.words
    name = headline.names[ask.language]
    newest = {key: _newest(parts, gauge) for key, gauge in _gauges(headline).items()}
    rate = newest["rate"]
    if rate is None:
        return [Prose(t("overview.no_estimate", name=name))]
    at, value = rate
    low, high = newest["low"], newest["high"]
    band = None if low is None or high is None else t("evidence.span", low=t.share(low[1]), high=t.share(high[1]))
    observed = newest.get("observed")
    facts = Facts(
        [
            ("measure", name),
            ("estimate", t.share(value)),
            ("band", band),
            ("observed", None if observed is None else t.share(observed[1])),
            ("estimated_at", at),
            ("is_old", Badge(t("overview.old"), "note") if ask.now - at > _FRESH else None),
        ]
    )
    return [facts, *_chart(parts, ask, headline, name)]


def _gauges(headline: Headline) -> dict[str, Gauge]:
    known = {"rate": headline.rate, "low": headline.low, "high": headline.high, "observed": headline.observed}
    return {key: gauge for key, gauge in known.items() if gauge is not None}


def _newest(parts: Parts, gauge: Gauge) -> tuple[datetime, float] | None:
    labels = dict(gauge.labels)
    points = parts.metrics.get_latest(gauge.name, 100)
    return next(((each.at, each.value) for each in points if dict(each.labels) == labels), None)


def _chart(parts: Parts, ask: Ask, headline: Headline, name: str) -> Iterator[Chart]:
    since = ask.now - timedelta(days=_DAYS)
    low, high = (
        {
            each.since: each.stats["mean"]
            for each in parts.metrics.history(gauge.name, since=since, step_seconds=_STEP_SECONDS, labels=gauge.labels)
        }
        for gauge in (headline.low, headline.high)
    )
    points = [Bounds(at, low[at], high[at]) for at in sorted(low.keys() & high.keys())]
    if len(points) > 1:
        t = ask.words
        drawing = sequence_chart(points, title=t("overview.band_chart", name=name), height=130, show=t.share)
        yield Chart(drawing, t("overview.band_chart", name=name))


def _comparison(ask: Ask, move: Move) -> Sequence[ConsoleBlock]:
    """What the promotion of the version in production rested on: verdict first, the figures folded away."""
    t = ask.words
    evidence: Mapping[str, Any] = move.evidence if isinstance(move.evidence, Mapping) else {}
    gates = evidence.get("verdicts") or evidence.get("gates") or ()
    guards = evidence.get("guards") or ()
    passed = sum(each.get("outcome") == "passed" for each in gates)
    facts = Facts(
        [
            ("compared_at", move.at),
            ("gates_passed", t("overview.of", n=passed, all=len(gates)) if gates else None),
            (
                "guards_calm",
                t("overview.of", n=sum(not each["breached"] for each in guards), all=len(guards)) if guards else None,
            ),
            ("verdict", state(ask, "verdict", str(evidence["verdict"])) if "verdict" in evidence else None),
        ]
    )
    return [facts, Details(t("models.rests_on"), evidence_blocks(move.evidence, ask))]

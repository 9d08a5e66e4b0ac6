"""Is it well: what is wrong in plain words, how answers go, and the worst alerts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mlops.http.console.ask import Ask
from mlops.http.console.view import ConsoleBlock
from mlops.monitoring.alert_records import SEVERITIES, Alert
from mlops.reports import Badge, Facts, Link, Prose, Said, Table
from mlops.reports.page import Row, Tone

_ALERTS = 5
_SEVERITY_TONES: Mapping[str, Tone] = {"critical": "bad", "warning": "note"}


def health_blocks(ask: Ask, health: Mapping[str, Any], found: Sequence[Alert]) -> Sequence[ConsoleBlock]:
    t = ask.words
    reasons = list(_reasons(ask, health))
    blocks: list[ConsoleBlock] = [Prose(t("overview.well"))] if not reasons and health.get("status") == "ok" else []
    if reasons:
        blocks.append(Table(["what_is_wrong", "in_detail"], reasons))
    return [*blocks, *_traffic(ask, health.get("api") or {}), *_alerts(ask, found)]


def _reasons(ask: Ask, health: Mapping[str, Any]) -> Iterator[Row]:
    """What is wrong in the page's language, beside the sentence that the service has for it."""
    t = ask.words
    problems: Mapping[str, str] = health.get("problems") or {}
    told = [str(each) for each in health.get("reasons") or ()]
    for part, problem in problems.items():
        words = t.get(f"overview.parts.{part}", "") or t("overview.parts.other", part=part)
        yield [words, Said(problem)]
    known = {f"{part}: {problem}" for part, problem in problems.items()}
    api: Mapping[str, Any] = health.get("api") or {}
    lines: Mapping[str, float] = api.get("thresholds") or {}
    said = [*(api.get("problems") or ())]
    for sentence in said:
        # The health monitor has two sentences: the first speaks of failures, where these are too many.
        rate, line = api.get("error_rate"), lines.get("error_rate")
        is_failing = sentence == said[0] and rate is not None and line is not None and rate > line
        words = (
            t("overview.failing", share=t.share(rate or 0.0), line=t.share(line or 0.0))
            if is_failing
            else t("overview.slow", line=t.number(lines.get("latency_ms", 0.0)))
        )
        yield [words, Said(str(sentence))]
    for sentence in told:
        if sentence not in known and sentence not in said:
            yield [t("overview.parts.unnamed"), Said(sentence)]


def _traffic(ask: Ask, api: Mapping[str, Any]) -> Sequence[ConsoleBlock]:
    t = ask.words
    if not api:
        return []
    latency: Mapping[str, float] = api.get("latency_ms") or {}
    quiet = [Prose(t("overview.quiet"))] if api.get("status") == "no data" else []
    rate = api.get("error_rate")
    return [
        *quiet,
        Facts(
            [
                ("window_minutes", api.get("window_minutes")),
                ("request_count", api.get("request_count")),
                ("error_rate", None if rate is None else t.share(rate)),
                ("p95_ms", latency.get("p95")),
            ]
        ),
    ]


def _alerts(ask: Ask, found: Sequence[Alert]) -> Sequence[ConsoleBlock]:
    t = ask.words
    if not found:
        return [Prose(t("alerts.none_open"))]
    counted = Counter(each.severity for each in found)
    worst_first = sorted(found, key=lambda each: (-SEVERITIES.index(each.severity), -each.alert_id))
    facts = Facts([(f"n_{severity}", counted[severity] or None) for severity in reversed(SEVERITIES)])
    rows: list[Row] = [
        [
            Link(f"#{each.alert_id}", ask.link("alertas", str(each.alert_id))),
            Badge(t(f"alerts.severities.{each.severity}"), _SEVERITY_TONES.get(each.severity, "plain")),
            each.rule,
            Said(each.sentence),
            each.fired_at,
        ]
        for each in worst_first[:_ALERTS]
    ]
    return [facts, Table(["alert", "severity", "rule", "sentence", "fired_at"], rows, t("overview.worst_alerts"))]

"""What is looked at again and again: a rule is a name and a check, and a watch evaluates a list of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from mlops.errors import StoreUnavailable
from mlops.monitoring.alert_records import Severity
from mlops.monitoring.hour_of_week import UsualHours
from mlops.monitoring.protocol import Metrics
from mlops.monitoring.slo import Burn, Slo, burns
from mlops.monitoring.thresholds import Thresholds
from mlops.sentences import listed, say
from mlops.store import Database

# Rules of rates look at so much, and say nothing of fewer requests.
WINDOW_MINUTES = 5.0
FEWEST_REQUESTS = 20
# One-sided: of a service exactly on the line, one look in a hundred finds it above.
ALPHA = 0.01


@dataclass(frozen=True, slots=True)
class Finding:
    """Something is wrong: the alert that it makes."""

    sentence: str
    severity: Severity = "warning"
    labels: Mapping[str, str] = field(default_factory=dict)
    evidence: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class NoData:
    """Nothing can be told: the alert of the rule, if one is open, stays as it is."""

    reason: str


Check = Callable[[Metrics, datetime], Finding | NoData | None]


@dataclass(frozen=True, slots=True)
class Rule:
    """A check by name. None says that all is well.

    Attributes:
        name: of the rule, and of its alerts.
        symptom_of: rules that explain this one. While one of them finds something, and for half an hour after, this one
            makes no alert: one failure makes one alert. They stand before it in a list of rules.
    """

    name: str
    check: Check
    symptom_of: tuple[str, ...] = ()


def default_rules(thresholds: Thresholds | None = None, *, database: Database | None = None) -> list[Rule]:
    """The rules of a service that records ``api_latency_ms``, ``error_rate``, ``slow_rate`` and counts of mishaps.

    docs/alerts.md says what each of these measures has to hold.

    Args:
        database: whose being away is a rule of its own, and explains most others.
    """
    # That module needs what is defined here.
    from mlops.monitoring.anomaly_rules import unusual

    lines = thresholds or Thresholds()
    base = () if database is None else (DATABASE_AWAY,)
    rules = [] if database is None else [Rule(DATABASE_AWAY, database_answers(database))]
    availability = Slo("availability", "error_rate", lines.slo_availability)
    latency = Slo("latency", "slow_rate", lines.slo_latency_share)
    hours = None if database is None else UsualHours(database)
    unusual_latency = unusual("api_latency_ms", stat="p95", log_scale=True, hours=hours, least=FEWEST_REQUESTS)
    unusual_traffic = unusual("api_latency_ms", stat="count", log_scale=True, hours=hours, least=FEWEST_REQUESTS)
    return [
        *rules,
        Rule("error_rate", error_rate_above(lines.error_rate), base),
        Rule("latency", latency_above(lines.latency_ms), base),
        Rule("slo_availability", budget_burns(availability), (*base, "error_rate")),
        Rule("slo_latency", budget_burns(latency), (*base, "latency")),
        Rule("latency_unusual", unusual_latency, (*base, "latency", "slo_latency")),
        Rule("traffic_unusual", unusual_traffic, base),
        Rule("dropped", counted("dropped_count", say("were dropped"), by="queue"), base),
        Rule("label_overflow", counted("label_overflow_count", say("points had a label too many"), severity="info")),
        Rule("metric_writes", counted("metric_write_failures", say("writes of metrics failed or were torn")), base),
        Rule(
            "answer_problems",
            counted("answer_problem_count", say("answers broke a rule"), severity="critical", by="kind"),
        ),
    ]


DATABASE_AWAY = "database_away"


def database_answers(database: Database) -> Check:
    """Whether the state database gives a sign of life."""

    def check(_metrics: Metrics, _now: datetime) -> Finding | None:
        try:
            database.check()
        except StoreUnavailable as error:
            return Finding(str(error), severity="critical")
        return None

    return check


def latency_above(
    threshold_ms: float, *, metric: str = "api_latency_ms", window_minutes: float = WINDOW_MINUTES
) -> Check:
    """Whether the 95th percentile of the last minutes is above *threshold_ms*. Fewer than 20 requests: no data."""

    def check(metrics: Metrics, now: datetime) -> Finding | NoData | None:
        stats = metrics.get_stats(metric, window_minutes, until=now)
        n = int(stats.get("count", 0))
        if n < FEWEST_REQUESTS:
            return NoData(f"{n} requests in {window_minutes:g} minutes; it takes {FEWEST_REQUESTS}")
        if stats["p95"] <= threshold_ms:
            return None
        return Finding(
            say(
                "5 % of {n:d} requests in {minutes:g} minutes took longer than {p95:.0f} ms; the line is {line:g} ms",
                n=n,
                minutes=window_minutes,
                p95=stats["p95"],
                line=threshold_ms,
            ),
            severity="critical",
            evidence={"metric": metric, "window_minutes": window_minutes, "threshold_ms": threshold_ms, **stats},
        )

    return check


def error_rate_above(
    threshold: float, *, metric: str = "error_rate", window_minutes: float = WINDOW_MINUTES, alpha: float = ALPHA
) -> Check:
    """Whether more requests fail than *threshold* (share), beyond what chance explains. Fewer than 20: no data.

    By the lower end of the exact binomial interval (Clopper & Pearson 1934), one-sided at *alpha*.

    Args:
        metric: one point for each request, 1.0 where it failed and 0.0 where not.
    """

    def check(metrics: Metrics, now: datetime) -> Finding | NoData | None:
        stats = metrics.get_stats(metric, window_minutes, until=now)
        n = int(stats.get("count", 0))
        if n < FEWEST_REQUESTS:
            return NoData(f"{n} requests in {window_minutes:g} minutes; it takes {FEWEST_REQUESTS}")
        failed = round(stats["mean"] * n)
        least = lowest_share(failed, n, alpha=alpha)
        if least <= threshold:
            return None
        return Finding(
            say(
                "{failed:d} of {n:d} requests in {minutes:g} minutes failed ({share:.1%}, at least {least:.1%}); "
                "the line is {line:.1%}",
                failed=failed,
                n=n,
                minutes=window_minutes,
                share=failed / n,
                least=least,
                line=threshold,
            ),
            severity="critical",
            evidence={
                "metric": metric, "n": n, "failed": failed, "error_rate": failed / n, "at_least": least,
                "alpha": alpha, "threshold": threshold, "window_minutes": window_minutes,
            },
        )  # fmt: skip

    return check


def lowest_share(k: int, n: int, *, alpha: float = ALPHA) -> float:
    """The lower end of the exact one-sided interval of a share (Clopper & Pearson 1934), *k* of *n* seen; 0.0 for 0."""
    # SciPy is heavy, and most of this package works without it.
    from scipy.special import betaincinv

    return 0.0 if k == 0 else float(betaincinv(k, n - k + 1, alpha))


def budget_burns(slo: Slo) -> Check:
    """Whether the error budget of *slo* burns too fast in one of the pairs of windows: the fastest one is told."""

    def check(metrics: Metrics, now: datetime) -> Finding | NoData | None:
        found = burns(metrics, slo, now)
        burning = [burn for burn in found if burn.verdict == "burning"]
        if burning:
            return _burning(slo, burning[0])
        if all(burn.verdict == "no data" for burn in found):
            return NoData(f"too few requests to tell how fast the budget of {slo.name} burns")
        return None

    return check


def _burning(slo: Slo, burn: Burn) -> Finding:
    window = burn.window
    return Finding(
        say(
            "the error budget of {name!s} (objective {objective:.3%}) burns {long:.1f} times too fast over "
            "{long_minutes:g} minutes and {short:.1f} times over {short_minutes:g}; the line is {factor:g}",
            name=slo.name,
            objective=slo.objective,
            long=burn.long,
            long_minutes=window.long_minutes,
            short=burn.short,
            short_minutes=window.short_minutes,
            factor=window.factor,
        ),
        severity="critical" if window.severity == "critical" else "warning",
        evidence={
            "metric": slo.metric, "objective": slo.objective, "factor": window.factor,
            "long_minutes": window.long_minutes, "long_burn": burn.long, "n_long": burn.n_long,
            "short_minutes": window.short_minutes, "short_burn": burn.short, "n_short": burn.n_short,
        },
    )  # fmt: skip


def counted(
    metric: str,
    what: str,
    *,
    severity: Severity = "warning",
    by: str | None = None,
    window_minutes: float = WINDOW_MINUTES,
) -> Check:
    """Whether anything was counted in the last minutes: whatever should never happen.

    Args:
        metric: a counter: each point says how many were added since the one before. Without a point: all is well.
        what: ends the sentence that a number begins, such as ``were dropped``.
        by: the label that tells apart where it happened.
    """

    def check(metrics: Metrics, now: datetime) -> Finding | None:
        n = _total(metrics.get_stats(metric, window_minutes, until=now))
        if n <= 0:
            return None
        parts = {} if by is None else metrics.stats_by(metric, by, window_minutes, until=now)
        shares = {name: total for name, stats in parts.items() if (total := _total(stats)) > 0}
        return Finding(
            _counted_so_far(n, what, window_minutes, shares),
            severity=severity,
            evidence={"metric": metric, "n": n, "window_minutes": window_minutes, "by": shares},
        )

    return check


def _counted_so_far(n: float, what: str, minutes: float, shares: Mapping[str, float]) -> str:
    if not shares:
        return say("{n:g} {what} in {minutes:g} minutes", n=n, what=what, minutes=minutes)
    parts = listed(f"{name}: {total:g}" for name, total in sorted(shares.items()))
    return say("{n:g} {what} in {minutes:g} minutes ({parts})", n=n, what=what, minutes=minutes, parts=parts)


def _total(stats: Mapping[str, float]) -> float:
    return round(stats["mean"] * stats["count"], 6) if stats else 0.0


def checked_order(rules: Sequence[Rule]) -> list[Rule]:
    """*rules*, each after those that explain it.

    Raises:
        ValueError: a name comes twice, or one is a symptom of a rule that does not stand before it.
    """
    names: set[str] = set()
    for rule in rules:
        if rule.name in names:
            raise ValueError(f"there are two rules {rule.name!r}")
        if missing := set(rule.symptom_of) - names:
            raise ValueError(f"{rule.name} is a symptom of {', '.join(sorted(missing))}, which must stand before it")
        names.add(rule.name)
    return list(rules)

"""What is kept of alerts: records, and how they are named."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, get_args

import orjson

Severity = Literal["info", "warning", "critical"]
SEVERITIES: tuple[Severity, ...] = get_args(Severity)
State = Literal["firing", "acknowledged", "resolved"]
STATES: tuple[State, ...] = get_args(State)

_LONGEST_SENTENCE = 500


def key_of(rule: str, labels: Mapping[str, str] | None = None) -> str:
    """What tells alerts apart: ``error_rate``, or ``error_rate{version=1.0.1}`` where a rule has labels."""
    if not labels:
        return rule
    return f"{rule}{{{','.join(f'{name}={labels[name]}' for name in sorted(labels))}}}"


def is_worse(severity: Severity, than: Severity) -> bool:
    """Whether *severity* stands above *than*: critical above warning above info."""
    return SEVERITIES.index(severity) > SEVERITIES.index(than)


@dataclass(frozen=True, slots=True)
class Firing:
    """Something that is wrong now.

    Attributes:
        rule: the name of what found it.
        sentence: that explains it; cut after 500 characters.
        severity: ``info``, ``warning`` or ``critical``.
        labels: what it is about; a rule has one open alert for each set of labels.
        evidence: figures and facts, as plain values; what JSON has no word for is kept as text.
        count: how often it was seen.
        uid: of the alert, if this opens one. It stays the same however often this is tried to be written.

    Raises:
        ValueError: *severity* is unknown, or *rule* or *sentence* is blank.
    """

    rule: str
    sentence: str
    severity: Severity = "warning"
    labels: Mapping[str, str] = field(default_factory=dict)
    evidence: Mapping[str, Any] = field(default_factory=dict)
    count: int = 1
    uid: str = field(default_factory=lambda: uuid.uuid4().hex)

    def __post_init__(self) -> None:
        if self.severity not in SEVERITIES:
            raise ValueError(f"severity must be one of {', '.join(SEVERITIES)}, got {self.severity!r}")
        if not self.rule.strip() or not self.sentence.strip():
            raise ValueError(f"an alert needs a rule and a sentence, got {self.rule!r} and {self.sentence!r}")

    @property
    def key(self) -> str:
        """What tells it from others. See :func:`key_of`."""
        return key_of(self.rule, self.labels)

    def values(self) -> dict[str, Any]:
        """What a repeat of it says anew, as columns."""
        return {
            "severity": self.severity,
            "sentence": one_line(self.sentence, longest=_LONGEST_SENTENCE),
            "evidence": plain(self.evidence),
        }


@dataclass(frozen=True, slots=True)
class Alert:
    """An alert as it is kept.

    Attributes:
        state: ``firing``, ``acknowledged`` (somebody looks after it) or ``resolved``.
        severity: the highest since it was opened.
        opening: how often it was opened, 1 or more: within the cool-down, or when it gets worse, it is opened again.
        count: how often it was seen, all openings together.
        quiet_until: until then nobody is told that it was opened again; None where it was opened once.
    """

    alert_id: int
    key: str
    rule: str
    severity: Severity
    state: State
    sentence: str
    labels: Mapping[str, str]
    evidence: Mapping[str, Any]
    uid: str
    opening: int
    count: int
    fired_at: datetime
    last_seen_at: datetime
    quiet_until: datetime | None
    acknowledged_at: datetime | None
    acknowledged_by: str | None
    acknowledged_because: str | None
    resolved_at: datetime | None
    resolved_by: str | None
    resolved_because: str | None

    @property
    def is_open(self) -> bool:
        """Whether it is not resolved."""
        return self.state != "resolved"

    def to_dict(self) -> dict[str, Any]:
        """As plain values, times as ISO 8601 text."""
        return _as_plain_dict(self)


@dataclass(frozen=True, slots=True)
class Mute:
    """Until when nobody is told of alerts of *scope*, a key or a rule."""

    mute_id: int
    scope: str
    muted_at: datetime
    until: datetime
    muted_by: str
    because: str

    def to_dict(self) -> dict[str, Any]:
        """As plain values, times as ISO 8601 text."""
        return _as_plain_dict(self)


def _as_plain_dict(record: Alert | Mute) -> dict[str, Any]:
    values = {name: getattr(record, name) for name in record.__slots__}
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in values.items()}


def one_line(text: str, *, longest: int) -> str:
    """*text* on one line that every database can keep, no longer than *longest* characters."""
    line = " ".join(text.split()).replace("\0", "").encode(errors="replace").decode()
    return line if len(line) <= longest else f"{line[: longest - 1]}…"


def plain(value: Mapping[str, Any]) -> dict[str, Any]:
    """*value* as JSON would give it back: keys and unknown things as text, NaN and infinities as None."""
    options = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS
    found: dict[str, Any] = orjson.loads(orjson.dumps(dict(value), default=str, option=options))
    return found

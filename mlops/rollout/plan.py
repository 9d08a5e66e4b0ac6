"""How a challenger is to be brought in: for how long in shadow, at which shares, watched by what."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from datetime import timedelta
from typing import Any, Literal, get_args

from mlops.errors import BadPlan
from mlops.rollout.guards import ALWAYS, Guard, guards_named
from mlops.sentences import listed, say

Default = Literal["keep_champion", "promote"]

_UNITS = {"s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)([smhd])", re.ASCII)
_LONGEST_SECONDS = 366 * 86_400.0
_MOST_REQUESTS = 1_000_000_000
# Of requests, unless another is named: enough to see a difference within hours, and most lists stay as they were.
INTERLEAVE_SHARE = 0.2


def seconds_from(text: str, *, field: str = "duration") -> float:
    """Seconds of a text such as ``90s``, ``30m``, ``1.5h`` or ``2d``; ``0`` for none.

    Raises:
        BadPlan: *text* is none; the message names *field*.
    """
    found = _DURATION.fullmatch(text.strip())
    if text.strip() == "0":
        return 0.0
    if found is None:
        raise BadPlan(f"{field} must be a duration such as 90s, 30m, 2h or 1d, got {text!r}")
    return float(found[1]) * _UNITS[found[2]]


def shares_from(text: str, *, field: str = "canary") -> tuple[float, ...]:
    """Shares between 0 and 1 of a text such as ``5%,25%,50%`` or ``0.05,0.25``.

    Raises:
        BadPlan: a part is no number; the message names *field*.
    """
    return tuple(_share_from(part.strip(), field) for part in text.split(","))


def _share_from(text: str, field: str) -> float:
    try:
        return float(text[:-1]) / 100 if text.endswith("%") else float(text)
    except ValueError:
        raise BadPlan(f"{field} must be shares such as 5%,25%,50%, got {text!r}") from None


def interleave_from(text: str, *, field: str = "interleave") -> tuple[float, float | None]:
    """Seconds and share of requests of a text such as ``2h:20%``, or of ``2h``, which leaves the share open.

    Raises:
        BadPlan: a part is none; the message names *field*.
    """
    seconds, sign, share = text.partition(":")
    return seconds_from(seconds, field=field), _share_from(share.strip(), field) if sign else None


@dataclass(frozen=True, slots=True)
class RolloutPlan:
    """What is to happen, fixed when the rollout starts.

    Attributes:
        shadow_seconds: how long the challenger only answers aside; 0: not at all.
        interleave_seconds: how long some lists are drafted from both rankings, for models that rank; 0: not at all.
        interleave_share: of requests that get such a list, more than 0 and at most 1.
        shares: of users that get the challenger, growing, each between 0 and 1.
        hold_seconds: how long each share is held, at least.
        guards: names, with a margin where it is not the usual one: ``error_rate:0.2``.
        target: a guard that has to show "not worse" before the challenger is promoted; None: no guard has alarmed.
        alpha: probability of rolling back, ever, a challenger that is not worse. All guards share it.
        max_seconds: after which *default* is decided, whatever is known.
        default: what is decided then.
        watch_seconds: how long a promoted challenger is watched, and rolled back where a guard alarms.
        least_requests: that the challenger must have answered before a stage ends: quiet traffic proves nothing. Of
            interleaved lists, so many must be old enough to have been clicked.

    Raises:
        BadPlan: a value lies outside of what is allowed, or the stages take longer than *max_seconds*.
        UnknownGuard: a guard has a name that there is not.
    """

    shadow_seconds: float = 3_600.0
    shares: tuple[float, ...] = (0.05, 0.25, 0.5)
    hold_seconds: float = 7_200.0
    guards: tuple[str, ...] = ("error_rate", "p95_latency", "click_rate")
    target: str | None = None
    alpha: float = 0.05
    max_seconds: float = 172_800.0
    default: Default = "keep_champion"
    watch_seconds: float = 3_600.0
    least_requests: int = 100
    interleave_seconds: float = 0.0
    interleave_share: float = INTERLEAVE_SHARE

    def __post_init__(self) -> None:
        _check_shares(self.shares)
        for field in ("shadow_seconds", "interleave_seconds", "hold_seconds", "max_seconds", "watch_seconds"):
            value = getattr(self, field)
            if not 0 <= value <= _LONGEST_SECONDS:
                raise BadPlan(say("{field!s} must be between 0 and a year, got {value}", field=field, value=value))
        if not 0 < self.interleave_share <= 1:
            share = self.interleave_share
            raise BadPlan(say("interleave_share must be more than 0 and at most 1, got {share}", share=share))
        if not 0 < self.alpha <= 0.5:
            raise BadPlan(say("alpha must be more than 0 and at most 0.5, got {alpha}", alpha=self.alpha))
        if self.default not in get_args(Default):
            known = listed(get_args(Default))
            raise BadPlan(say("default must be one of {known:s}, got {value!r}", known=known, value=self.default))
        if not 0 <= self.least_requests <= _MOST_REQUESTS:
            raise BadPlan(
                say(
                    "least_requests must be between 0 and {most}, got {value}",
                    most=_MOST_REQUESTS,
                    value=self.least_requests,
                )
            )
        self._check_length()
        self._check_target(self.watched)

    def _check_length(self) -> None:
        needed = self.shadow_seconds + self.interleave_seconds + len(self.shares) * self.hold_seconds
        if needed > self.max_seconds:
            raise BadPlan(
                say(
                    "max_seconds must be at least {needed:g}, what the stages take, got {value:g}",
                    needed=needed,
                    value=self.max_seconds,
                )
            )

    def _check_target(self, guards: Iterable[Guard]) -> None:
        if not self.interleave_seconds and "preference" in {guard.name for guard in guards}:
            raise BadPlan(say("the guard preference needs a stage of interleaved lists: interleave_seconds is 0"))
        rates = [guard.name for guard in guards if guard.kind != "streak" and "canary" in guard.stages]
        if self.target is not None and self.target not in rates:
            raise BadPlan(
                say("target must be one of the guards {known:s}, got {value!r}", known=listed(rates), value=self.target)
            )

    @property
    def watched(self) -> tuple[Guard, ...]:
        """The guards, those that are always watched among them."""
        return guards_named(self.guards, always=(*(("preference",) if self.interleave_seconds else ()), *ALWAYS))

    @property
    def alpha_each(self) -> float:
        """What each test may use up of :attr:`alpha` (Bonferroni); a streak is no test."""
        return self.alpha / sum(guard.kind != "streak" for guard in self.watched)

    @property
    def max_length(self) -> timedelta:
        """:attr:`max_seconds`."""
        return timedelta(seconds=self.max_seconds)

    def to_dict(self) -> dict[str, Any]:
        """As plain values, for JSON."""
        return {**asdict(self), "shares": list(self.shares), "guards": list(self.guards)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> RolloutPlan:
        """The plan that :meth:`to_dict` wrote; what is missing has its default.

        Raises:
            BadPlan: a field is unknown, or a value cannot be used.
        """
        unknown = sorted(set(values) - {field.name for field in fields(cls)})
        if unknown:
            raise BadPlan(say("a plan has no field {field!r}", field=unknown[0]))
        try:
            lists = {name: tuple(values[name]) for name in ("shares", "guards") if name in values}
            return cls(**{**values, **lists})
        except (TypeError, AttributeError) as error:
            raise BadPlan(
                say("a field of the plan has a value of another kind than it takes: {error}", error=error)
            ) from error


def _check_shares(shares: tuple[float, ...]) -> None:
    if not shares or not all(0 < share < 1 for share in shares) or list(shares) != sorted(set(shares)):
        shown = ",".join(f"{share:g}" for share in shares) or "none"
        raise BadPlan(
            say("shares must grow, each between 0 and 1 (100 % is the promotion), got {shown:s}", shown=shown)
        )

"""What a drift check answers. Each result brings what is needed to believe it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from mlops.drift.options import DriftOptions
from mlops.sentences import listed, say

SCHEMA_VERSION = 1

Verdict = Literal["drifted", "stable", "not enough data"]
ReportVerdict = Literal["drift", "no drift", "not enough data"]
FindingKind = Literal[
    "missing column", "new column", "type changed", "became constant", "no values", "new values", "not judged"
]
# The others are worth knowing, and no reason for an alarm.
_PROBLEMS: frozenset[FindingKind] = frozenset({"missing column", "type changed", "became constant", "no values"})


@dataclass(frozen=True, slots=True)
class Distribution:
    """What is needed to draw both sides; no data, and as small for many rows as for few.

    Attributes:
        bins: n + 1 rising edges for numbers, whose first and last bin take what lies beyond; n labels for categories.
        reference, current: share of each bin, 0 to 1.
    """

    bins: tuple[float, ...] | tuple[str, ...]
    reference: tuple[float, ...]
    current: tuple[float, ...]

    def to_dict(self) -> dict[str, Any]:
        """As plain data."""
        return {"bins": list(self.bins), "reference": list(self.reference), "current": list(self.current)}

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Distribution:
        """The opposite of :meth:`to_dict`."""
        return cls(tuple(fields["bins"]), tuple(fields["reference"]), tuple(fields["current"]))


@dataclass(frozen=True, slots=True)
class DriftResult:
    """One comparison: how much changed, and whether chance explains it.

    Attributes:
        column: its name, or that of a figure such as "empty results".
        kind: what was compared: numeric, categorical, missing, text, embedding, share, coverage.
        measure: what *score* is.
        score: the effect, 0 where nothing changed; None where there is not enough data.
        threshold: the least score that counts as drift.
        test: what *p* comes from.
        p: probability of data at least this different without any drift; None where there is not enough data.
        adjusted_p: *p* after the correction over the family of this check; equal to it before.
        alpha: the most that *adjusted_p* may be for a drift.
        n_reference, n_current: values on either side, without missing ones.
        details: further figures, by name.
        distribution: of a numeric or categorical column; None for others and where nothing was compared.
    """

    column: str
    kind: str
    measure: str
    score: float | None
    threshold: float
    test: str
    p: float | None
    adjusted_p: float | None
    alpha: float
    n_reference: int
    n_current: int
    details: Mapping[str, float] = field(default_factory=dict)
    distribution: Distribution | None = None

    @property
    def drifted(self) -> bool:
        """Whether the effect counts and chance does not explain it."""
        if self.score is None or self.adjusted_p is None:
            return False
        return self.score >= self.threshold and self.adjusted_p <= self.alpha

    @property
    def verdict(self) -> Verdict:
        """In words."""
        if self.p is None:
            return "not enough data"
        return "drifted" if self.drifted else "stable"

    @property
    def sentence(self) -> str:
        """The verdict and its reasons, for a person."""
        rows = f"{self.n_current:,} values against {self.n_reference:,}"
        if self.score is None or self.adjusted_p is None:
            return f"{self.column} cannot be judged: not enough data, {rows}."
        figures = f"{self.measure} {self.score:.3g}, adjusted p {self.adjusted_p:.2g}, {rows}"
        if self.drifted:
            return f"{self.column} drifted: {figures}."
        if self.adjusted_p <= self.alpha:
            return f"{self.column} changed by less than {self.threshold:g}, too little to matter: {figures}."
        return f"{self.column} is stable: {figures}."

    def to_dict(self) -> dict[str, Any]:
        """As plain data."""
        names = ("column", "kind", "verdict", "drifted", "measure", "score", "threshold", "test", "p", "adjusted_p")
        rest = ("alpha", "n_reference", "n_current", "sentence")
        drawn = self.distribution.to_dict() if self.distribution else None
        fields = {name: getattr(self, name) for name in (*names, *rest)}
        return fields | {"details": dict(self.details), "distribution": drawn}

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> DriftResult:
        """The opposite of :meth:`to_dict`; what follows from other fields is not read."""
        names = (
            "column", "kind", "measure", "score", "threshold", "test", "p", "adjusted_p", "alpha", "n_reference",
            "n_current", "details",
        )  # fmt: skip
        drawn = fields["distribution"]
        distribution = None if drawn is None else Distribution.from_dict(drawn)
        return cls(**{name: fields[name] for name in names}, distribution=distribution)


@dataclass(frozen=True, slots=True)
class Finding:
    """Something about a column that no test is needed for."""

    column: str
    kind: FindingKind
    sentence: str

    @property
    def is_problem(self) -> bool:
        """Whether a model that needs this column is in trouble."""
        return self.kind in _PROBLEMS

    def to_dict(self) -> dict[str, Any]:
        """As plain data."""
        return {"column": self.column, "kind": self.kind, "is_problem": self.is_problem, "sentence": self.sentence}


@dataclass(frozen=True, slots=True)
class DriftReport:
    """One check: the results in the order of the columns, and the findings."""

    results: Sequence[DriftResult]
    findings: Sequence[Finding]
    options: DriftOptions
    n_reference: int
    n_current: int

    @property
    def columns_with_drift(self) -> list[str]:
        """Names of what drifted, and of columns with a problem; each once."""
        return [*self.drifted_columns, *self.problem_columns]

    @property
    def compared_columns(self) -> list[str]:
        """Names of what there was enough data to compare, each once, however many ways it was compared in."""
        return list(dict.fromkeys(result.column for result in self.results if result.p is not None))

    @property
    def drifted_columns(self) -> list[str]:
        """Those of :attr:`compared_columns` that drifted."""
        return list(dict.fromkeys(result.column for result in self.results if result.drifted))

    @property
    def problem_columns(self) -> list[str]:
        """Names of columns that did not drift and have a problem, such as one that is missing; each once."""
        with_problem = dict.fromkeys(finding.column for finding in self.findings if finding.is_problem)
        return [name for name in with_problem if name not in set(self.drifted_columns)]

    @property
    def drifted(self) -> bool:
        """Whether there is anything to look after."""
        return bool(self.columns_with_drift)

    @property
    def verdict(self) -> ReportVerdict:
        """In words."""
        if self.drifted:
            return "drift"
        judged = any(result.verdict != "not enough data" for result in self.results)
        return "no drift" if judged else "not enough data"

    @property
    def sentence(self) -> str:
        """The verdict in one sentence."""
        rows = say("{now:,} rows against {before:,}", now=self.n_current, before=self.n_reference)
        if self.verdict == "not enough data":
            return say("Nothing can be said: not enough data, {rows}.", rows=rows)
        drifted, n, problems = self.drifted_columns, len(self.compared_columns), self.problem_columns
        told = (
            say(
                "Drift in {n:d} of {of:d} columns ({rows}): {columns}.",
                n=len(drifted),
                of=n,
                rows=rows,
                columns=_shown(drifted),
            )
            if drifted
            else say("Drift in none of {of:d} columns ({rows}).", of=n, rows=rows)
        )
        if not problems:
            return told
        return f"{told[:-1]}; {say('missing or of another form: {columns:s}.', columns=_shown(problems))}"

    def to_dict(self) -> dict[str, Any]:
        """As plain data, ready for JSON."""
        options = self.options
        return {
            "schema_version": SCHEMA_VERSION,
            "verdict": self.verdict,
            "drift_detected": self.drifted,
            "columns_with_drift": self.columns_with_drift,
            "sentence": self.sentence,
            "n_reference": self.n_reference,
            "n_current": self.n_current,
            "threshold": options.threshold,
            "alpha": options.alpha,
            "minimum_n": options.minimum_n,
            "correction": options.correction,
            "results": [result.to_dict() for result in self.results],
            "findings": [finding.to_dict() for finding in self.findings],
        }

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> DriftReport:
        """A report as :meth:`to_dict` wrote it. Of its options those that it states are known."""
        stated = {name: fields[name] for name in ("threshold", "alpha", "minimum_n", "correction")}
        return cls(
            [DriftResult.from_dict(each) for each in fields["results"]],
            [Finding(each["column"], each["kind"], each["sentence"]) for each in fields["findings"]],
            DriftOptions(**stated),
            fields["n_reference"],
            fields["n_current"],
        )


def _shown(names: Sequence[str]) -> str:
    return listed([*names[:5], *(["…"] if len(names) > 5 else [])])


def without_enough_data(
    column: str, kind: str, *, measure: str, test: str, options: DriftOptions, n_reference: int, n_current: int
) -> DriftResult:
    """The result of a comparison that was not made."""
    return DriftResult(
        column=column, kind=kind, measure=measure, score=None, threshold=options.threshold, test=test, p=None,
        adjusted_p=None, alpha=options.alpha, n_reference=n_reference, n_current=n_current,
    )  # fmt: skip

"""The evaluation of one version, kept: JSON with a schema version, and the same as a page."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from mlops.clock import in_utc, utc_now
from mlops.evaluation.comparison import Comparison
from mlops.evaluation.errors import BadInput, BadReport
from mlops.evaluation.gates import GateVerdict
from mlops.evaluation.pages import comparisons_section, gates_section, values_section, verdict_badge
from mlops.evaluation.results import MetricResult
from mlops.files import write_whole
from mlops.reports import Badge, Section, render_page

SCHEMA_VERSION = 1


class EvaluationReport:
    """What is known about one version of a model: metrics, validations, comparisons, gates.

    ``save`` writes JSON, and one HTML page beside it; ``load`` reads the JSON of this release and of earlier ones.
    """

    def __init__(self, model_id: str, version: str, *, created_at: datetime | None = None) -> None:
        """An empty report.

        Args:
            model_id: of the model.
            version: of the model, such as ``1.1.0``.
            created_at: aware. Default: now.
        Raises:
            BadInput: *created_at* has no time zone.
        """
        if created_at is not None and created_at.tzinfo is None:
            raise BadInput(f"created_at must have a time zone, got {created_at.isoformat()}")
        self.model_id = model_id
        self.version = version
        self.created_at = in_utc(created_at or utc_now())
        self.metrics: dict[str, dict[str, Any]] = {}
        self.validations: dict[str, dict[str, Any]] = {}
        self.comparisons: list[dict[str, Any]] = []
        self.gates: list[dict[str, Any]] = []

    def add_metrics(self, name: str | Mapping[str, Any], metrics: Mapping[str, Any] | None = None) -> None:
        """Add metrics, as ``add_metrics("ranking", {...})`` or ``add_metrics({...})``.

        Args:
            name: of the group; a second group of that name adds to the first.
            metrics: numbers, texts or :class:`~mlops.evaluation.results.MetricResult` by name, or a mapping of these.
        Raises:
            BadInput: a value cannot be written as JSON; NaN and infinity cannot.
        """
        _add(self.metrics, "metrics", name, metrics)

    def add_validation(self, name: str | Mapping[str, Any], results: Mapping[str, Any] | None = None) -> None:
        """Add what a validation found, as ``add_validation("output", {"valid": True, "issues": []})``.

        Raises:
            BadInput: as :meth:`add_metrics`.
        """
        _add(self.validations, "validation", name, results)

    def add_comparison(self, comparison: Comparison, *, label: str | None = None) -> None:
        """Add a comparison with another version; *label* says which."""
        self.comparisons.append({**_plain_mapping(comparison.to_dict(), "comparison"), "label": label})

    def add_gates(self, verdicts: Sequence[GateVerdict]) -> None:
        """Add the verdicts of gates."""
        self.gates.extend(_plain_mapping(verdict.to_dict(), verdict.gate) for verdict in verdicts)

    def to_dict(self) -> dict[str, Any]:
        """The report as JSON has it; changing it does not change the report."""
        written = {
            "schema_version": SCHEMA_VERSION,
            "model_id": self.model_id,
            "version": self.version,
            "created_at": self.created_at.isoformat(),
            "metrics": self.metrics,
            "validations": self.validations,
            "comparisons": self.comparisons,
            "gates": self.gates,
        }
        copied: dict[str, Any] = json.loads(json.dumps(written))
        return copied

    def to_html(self) -> str:
        """The report as one self-contained page."""
        sections: list[Section] = []
        if self.gates:
            sections.append(gates_section(self.gates))
        if self.comparisons:
            sections.append(comparisons_section(self.comparisons))
        sections += [values_section(f"Metrics: {name}", values) for name, values in self.metrics.items()]
        sections += [values_section(f"Validation: {name}", values) for name, values in self.validations.items()]
        return render_page(
            f"Evaluation of {self.model_id} {self.version}", sections, verdict=self._badge(), made_at=self.created_at
        )

    def save(self, path: str | Path) -> Path:
        """Write the JSON to *path*, and the page beside it under the same name with ``.html``.

        Args:
            path: a file, or a folder, in which the file is called ``{model_id}_{version}.json``. What is missing of
                the folders is made; a file that is there is replaced as a whole.
        Returns:
            Where the JSON is.
        """
        target = Path(path)
        if target.is_dir() or not target.suffix:
            target = target / f"{self.model_id}_{self.version}.json"
        if target.suffix != ".json":
            raise BadInput(f"path must end with .json or be a folder, got {target}")
        target.parent.mkdir(parents=True, exist_ok=True)
        write_whole(target.with_suffix(".html"), self.to_html().encode())
        write_whole(target, (json.dumps(self.to_dict(), indent=2, ensure_ascii=False) + "\n").encode())
        return target

    @classmethod
    def load(cls, path: str | Path) -> EvaluationReport:
        """The report that was saved as JSON at *path*, by this release or an earlier one.

        Raises:
            BadReport: it is no report, or one of a later release.
            OSError: the file cannot be read.
        """
        text = Path(path).read_text("utf-8")
        try:
            written = json.loads(text)
            return cls._from_dict(written)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise BadReport(f"{path} is no evaluation report: {type(error).__name__}: {error}") from error
        except BadReport as error:
            raise BadReport(f"{path}: {error}") from error

    @classmethod
    def _from_dict(cls, written: Mapping[str, Any]) -> EvaluationReport:
        schema_version = written["schema_version"]
        if schema_version != SCHEMA_VERSION:
            raise BadReport(
                f"it has schema version {schema_version}, this release reads {SCHEMA_VERSION}; "
                "it was written by a later release"
            )
        report = cls(written["model_id"], written["version"], created_at=datetime.fromisoformat(written["created_at"]))
        for name in ("metrics", "validations"):
            getattr(report, name).update({group: dict(values) for group, values in written[name].items()})
        for name in ("comparisons", "gates"):
            getattr(report, name).extend(dict(entry) for entry in written[name])
        return report

    def _badge(self) -> Badge | None:
        if not self.gates:
            return None
        outcomes = {gate["outcome"] for gate in self.gates}
        return verdict_badge(next(one for one in ("failed", "cannot tell", "passed") if one in outcomes))


def _add(
    groups: dict[str, dict[str, Any]], default: str, name: str | Mapping[str, Any], values: Mapping[str, Any] | None
) -> None:
    if isinstance(name, Mapping) and values is not None:
        raise BadInput("give a name and a mapping, or one mapping")
    group, added = (default, name) if isinstance(name, Mapping) else (name, values)
    if not isinstance(added, Mapping):
        raise BadInput(f"{group} needs a mapping, got {type(added).__name__}")
    groups.setdefault(group, {}).update(_plain_mapping(added, group))


def _plain_mapping(values: Mapping[str, Any], where: str) -> dict[str, Any]:
    return {str(key): _plain(value, f"{where}.{key}") for key, value in values.items()}


def _plain(value: Any, where: str) -> Any:
    """*value* as JSON can hold it."""
    if isinstance(value, MetricResult):
        return value.to_dict()
    if isinstance(value, np.generic | np.ndarray):
        value = value.tolist()
    if isinstance(value, Mapping):
        return _plain_mapping(value, where)
    if isinstance(value, list | tuple):
        return [_plain(one, f"{where}[{at}]") for at, one in enumerate(value)]
    if isinstance(value, float) and not math.isfinite(value):
        raise BadInput(f"{where} is {value}, which JSON cannot hold; leave it out or write None")
    if isinstance(value, datetime):
        return value.isoformat()
    if value is None or isinstance(value, str | bool | int | float):
        return value
    raise BadInput(f"{where} is a {type(value).__name__}, which JSON cannot hold")

"""Which metrics of a version stand first: those that evaluations and gates decide on, then figures of its training."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from mlops.http.console.parts import Parts
from mlops.model_registry import ModelVersion

_JOBS_SEARCHED = 20
# What a gate is about, by its name: "beats(ndcg@3)".
_GATED = re.compile(r"\((.+)\)")


def decided_metrics(parts: Parts, model_id: str) -> Sequence[str]:
    """Names of what the newest comparison with a champion measured on the holdout, those that gates hold it to first.

    Empty where none of the newest trainings of *model_id* came to a version.
    """
    jobs = parts.retraining.list_jobs(model_id, limit=_JOBS_SEARCHED, brief=True)
    newest = next((each for each in jobs if each.challenger is not None), None)
    if newest is None:
        return []
    evidence = parts.retraining.book.get(newest.job_id).evidence or {}
    measured = _measured(evidence)
    gated = [found[1] for each in evidence.get("verdicts", ()) if (found := _GATED.search(each["gate"]))]
    return list(dict.fromkeys([*(name for name in gated if name in measured), *measured]))


def metric_names(versions: Sequence[ModelVersion], decided: Sequence[str], *, most: int) -> list[str]:
    """Names of metrics of *versions*, at most *most*: *decided* first, then those that most of the versions have."""
    counted = Counter(name for one in versions for name in one["metrics"])
    others = sorted(counted.keys() - set(decided), key=lambda name: (-counted[name], name))
    return [*(name for name in decided if name in counted), *others][:most]


def decided_first(names: Iterable[str], decided: Sequence[str]) -> list[str]:
    """*names*, those in *decided* first and in its order."""
    known = list(names)
    return [*(name for name in decided if name in known), *(name for name in known if name not in decided)]


def _measured(evidence: Mapping[str, Any]) -> list[str]:
    challenger: Mapping[str, Any] = (evidence.get("comparison") or {}).get("challenger") or {}
    return [*(each["metric"] for each in challenger.get("metrics", ())), *challenger.get("figures", {})]

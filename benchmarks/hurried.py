"""``uvicorn hurried:app``: the service, whose background work comes ``SOAK_HURRY`` times as often, for ``soak.py``."""

import os

from mlops.monitoring import segments
from recipes import insight, service

_TIMES = float(os.environ["SOAK_HURRY"])

service.LEARN_SECONDS /= _TIMES
insight.DAYS_SECONDS /= _TIMES
insight.DRIFT_SECONDS /= _TIMES
insight.LOOK_SECONDS /= _TIMES
segments.SegmentWriter.__init__.__kwdefaults__["max_age"] /= _TIMES

from app import app  # noqa: E402

__all__ = ["app"]

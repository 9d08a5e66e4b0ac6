"""What can go wrong in a demonstration.

DemoError
├── DemoFailed      it cannot be shown at all
│   └── Refused     the service says no
└── StageFailed     something of the story did not come about
"""

from __future__ import annotations

from mlops.errors import MlopsError


class DemoError(MlopsError):
    """Base of all that a demonstration raises."""


class DemoFailed(DemoError):
    """It cannot be shown at all: no port, or a service that does not start."""


class Refused(DemoFailed):
    """The service refuses what it is asked for; the message is its reason."""


class StageFailed(DemoError):
    """Something of the story did not come about; the message says what was observed instead."""

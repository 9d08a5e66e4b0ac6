"""The operator's console: pages that tell how the models are, and forms that move them. Needs FastAPI.

:func:`mount` adds it to any application that has the endpoints of :mod:`mlops.http`: every action of a page is a
request to one of those, with the permission and the record that a program's request has.
"""

from mlops.http.console.ask import Ask
from mlops.http.console.mounting import mount
from mlops.http.console.parts import Extra, Gauge, Headline, Parts
from mlops.http.console.view import (
    Action,
    Actions,
    Choice,
    Choices,
    Details,
    Pager,
    Panel,
    View,
)

__all__ = [
    "Action",
    "Actions",
    "Ask",
    "Choice",
    "Choices",
    "Details",
    "Extra",
    "Gauge",
    "Headline",
    "Pager",
    "Panel",
    "Parts",
    "View",
    "mount",
]

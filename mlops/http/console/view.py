"""What a page of the console shows, before it is HTML, JSON or CSV.

A view is made of the blocks of :mod:`mlops.reports` and of those below. Columns of tables and names of facts are
*keys*: words of the page's language in HTML (``columns.KEY``), the keys themselves in JSON and CSV, for programs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from mlops.reports import Badge, Link
from mlops.reports.page import Block


@dataclass(frozen=True, slots=True)
class Choice:
    """One of several ways to see a page. *params* are those of its address that differ; None takes one away."""

    label: str
    params: Mapping[str, str | None]
    is_current: bool


@dataclass(frozen=True, slots=True)
class Choices:
    """Ways to see a page, as links in a row; *name* says what is chosen, such as the window."""

    name: str
    options: Sequence[Choice]


@dataclass(frozen=True, slots=True)
class Pager:
    """The way to older rows; *params* as in :class:`Choice`."""

    params: Mapping[str, str | None]


@dataclass(frozen=True, slots=True)
class Action:
    """Something to do, confirmed in a dialog, and sent as JSON to an endpoint of the API.

    Attributes:
        name: its key in the words: ``actions.NAME`` is its button.
        url: path of the endpoint.
        sentence: what will happen, with the versions that the page shows.
        body: what is sent beside the reason, such as the champion that the page showed: where it is another one
            meanwhile, the endpoint refuses.
        asks_reason: whether the person has to give one.
        tone: ``bad`` for what is hard to undo.
        accepted: said where the endpoint answers 202; default: that it waits for another person's approval.
    """

    name: str
    url: str
    sentence: str
    body: Mapping[str, Any] = field(default_factory=dict)
    asks_reason: bool = True
    tone: Literal["plain", "good", "bad"] = "plain"
    accepted: str = ""


@dataclass(frozen=True, slots=True)
class Actions:
    """What can be done here. Shown to who may operate."""

    items: Sequence[Action]


@dataclass(frozen=True, slots=True)
class Details:
    """Blocks that are folded away under a line."""

    summary: str
    blocks: Sequence[ConsoleBlock]


ConsoleBlock = Block | Choices | Pager | Actions | Details


@dataclass(frozen=True, slots=True)
class Panel:
    """A heading and what stands under it.

    Attributes:
        name: a key, unique on the page: its anchor, and the name of its table in CSV and JSON.
        width: ``half`` where two may stand beside each other on a wide screen.
    """

    name: str
    heading: str
    blocks: Sequence[ConsoleBlock]
    width: Literal["full", "half"] = "full"


@dataclass(frozen=True, slots=True)
class View:
    """A page.

    Attributes:
        title: its heading.
        lead: it in one sentence.
        verdict: beside the heading.
        panels: from top to bottom.
        trail: the pages above it, outermost first, without itself.
    """

    title: str
    lead: str = ""
    verdict: Badge | None = None
    panels: Sequence[Panel] = ()
    trail: Sequence[Link] = ()

    def with_panels(self, more: Sequence[Panel]) -> View:
        """This page with *more* below what it has."""
        return replace(self, panels=[*self.panels, *more])

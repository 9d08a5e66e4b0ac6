"""How far something is, as a bar."""

from __future__ import annotations

from markupsafe import Markup, escape

from mlops.reports._svg import check_drawable, coordinate, svg
from mlops.reports.errors import BadChart

_WIDTH, _HEIGHT, _LABEL = 160, 14, 44


def progress_bar(share: float, *, title: str, label: str = "") -> Markup:
    """A bar that is filled to *share*, 0 to 1; *title* says it in words, *label* stands beside it.

    Raises:
        BadChart: *share* is outside of 0 to 1.
    """
    check_drawable(title, [share])
    if not 0 <= share <= 1:
        raise BadChart(f"progress bar {title!r} needs a share of 0 to 1, got {share}")
    parts = [
        f'<rect class="track" x="0" y="1" width="{_WIDTH}" height="{_HEIGHT - 2}" rx="5"/>',
        f'<rect class="marked" x="0" y="1" width="{coordinate(share * _WIDTH)}" height="{_HEIGHT - 2}" rx="5"/>',
    ]
    if label:
        parts.append(f'<text class="value" x="{_WIDTH + 8}" y="{_HEIGHT / 2:g}" dy=".35em">{escape(label)}</text>')
    return svg(_HEIGHT, title, "", parts, width=_WIDTH + (_LABEL if label else 0))

"""HTML reports: one self-contained page of sections, with charts as inline SVG."""

from mlops.reports._svg import Drawing
from mlops.reports.errors import BadChart, ReportError
from mlops.reports.figures import shown_number, shown_p_value, shown_share, shown_time
from mlops.reports.over_time import Happening, Limit, Plot, Trace, time_chart, time_columns
from mlops.reports.page import (
    Badge,
    Chart,
    Facts,
    Legend,
    Link,
    Prose,
    PValue,
    Said,
    Section,
    Share,
    Table,
    render_page,
    save_page,
)
from mlops.reports.progress import progress_bar
from mlops.reports.sequence import Bounds, sequence_chart
from mlops.reports.spots import MOST_SPOTS, Landmark, Spot, spot_map
from mlops.reports.svg import Interval, bar_chart, bar_pair, histogram_pair, interval_plot, line_chart
from mlops.reports.timeline import Line, Mark, timeline_chart

__all__ = [
    "MOST_SPOTS",
    "BadChart",
    "Badge",
    "Bounds",
    "Chart",
    "Drawing",
    "Facts",
    "Happening",
    "Interval",
    "Landmark",
    "Legend",
    "Limit",
    "Line",
    "Link",
    "Mark",
    "PValue",
    "Plot",
    "Prose",
    "ReportError",
    "Said",
    "Section",
    "Share",
    "Spot",
    "Table",
    "Trace",
    "bar_chart",
    "bar_pair",
    "histogram_pair",
    "interval_plot",
    "line_chart",
    "progress_bar",
    "render_page",
    "save_page",
    "sequence_chart",
    "shown_number",
    "shown_p_value",
    "shown_share",
    "shown_time",
    "spot_map",
    "time_chart",
    "time_columns",
    "timeline_chart",
]

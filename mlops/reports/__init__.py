"""HTML reports: one self-contained page of sections, with charts as inline SVG."""

from mlops.reports.errors import BadChart, ReportError
from mlops.reports.figures import shown_number, shown_share, shown_time
from mlops.reports.page import Badge, Chart, Facts, Legend, Link, Prose, Said, Section, Table, render_page, save_page
from mlops.reports.progress import progress_bar
from mlops.reports.sequence import Bounds, sequence_chart
from mlops.reports.svg import Interval, bar_chart, bar_pair, histogram_pair, interval_plot, line_chart
from mlops.reports.timeline import Line, Mark, timeline_chart

__all__ = [
    "BadChart",
    "Badge",
    "Bounds",
    "Chart",
    "Facts",
    "Interval",
    "Legend",
    "Line",
    "Link",
    "Mark",
    "Prose",
    "ReportError",
    "Said",
    "Section",
    "Table",
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
    "shown_share",
    "shown_time",
    "timeline_chart",
]

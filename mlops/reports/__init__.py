"""HTML reports: one self-contained page of sections, with charts as inline SVG."""

from mlops.reports.errors import BadChart, ReportError
from mlops.reports.figures import shown_number, shown_share, shown_time
from mlops.reports.page import Badge, Chart, Facts, Legend, Link, Prose, Said, Section, Table, render_page, save_page
from mlops.reports.svg import Interval, bar_chart, bar_pair, histogram_pair, interval_plot, line_chart
from mlops.reports.timeline import Line, Mark, timeline_chart

__all__ = [
    "BadChart",
    "Badge",
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
    "render_page",
    "save_page",
    "shown_number",
    "shown_share",
    "shown_time",
    "timeline_chart",
]

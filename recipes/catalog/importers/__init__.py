"""Reading recipes that others wrote: one module per layout, one loop that saves what they give."""

from recipes.catalog.importers.importing import ImportProgress, ImportReport, import_file, import_ratings
from recipes.catalog.importers.layouts import LAYOUTS, Layout

__all__ = ["LAYOUTS", "ImportProgress", "ImportReport", "Layout", "import_file", "import_ratings"]

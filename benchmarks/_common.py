"""What the benchmarks share: the data folder, the machine in one line, Markdown tables."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).parent.parent


def parser(description: str) -> argparse.ArgumentParser:
    """The options that every benchmark has."""
    options = argparse.ArgumentParser(description=description)
    default = Path(os.environ.get("RECIPES_DATA_DIR", REPOSITORY.parent / "shared" / "data"))
    options.add_argument("--data", type=Path, default=default, help="folder of real recipes, see benchmarks/README.md")
    options.add_argument("--json", type=Path, help="also write the figures to this file")
    return options


def need(path: Path) -> Path:
    """*path*, or the end of the benchmark with a reason."""
    if not path.exists():
        print(f"skipped: {path} is missing; this benchmark measures on real recipes, see benchmarks/README.md")
        sys.exit(0)
    return path


def machine() -> str:
    """The machine in one line."""
    return f"{os.cpu_count()} cores, Python {platform.python_version()}, {platform.system()} {platform.machine()}"


def table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A Markdown table."""
    lines = ["| " + " | ".join(columns) + " |", "|" + " --- |" * len(columns)]
    lines += ["| " + " | ".join(str(cell) for cell in row) + " |" for row in rows]
    return "\n".join(lines)


def finish(figures: Mapping[str, Any], path: Path | None) -> None:
    """Write *figures* where they were asked for."""
    if path is not None:
        path.write_text(json.dumps(figures, indent=2, ensure_ascii=False) + "\n", "utf-8")

"""What docs/alerts.md prints works, and what it says of rules is so."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from mlops import cli
from mlops.config import Settings
from mlops.monitoring.alerts import Firing, open_alert_book
from mlops.monitoring.rules import default_rules
from mlops.store import Database
from tests.commands import typed

GUIDE = Path(__file__).parent.parent.parent / "docs" / "alerts.md"


def test_the_printed_commands_work_one_after_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    book = open_alert_book(Settings(_env_file=None, data_dir=tmp_path))  # type: ignore[call-arg]
    book.fire(Firing("latency", "it is slow"))
    (block,) = re.findall(r"^```bash\n(.*?)^```", GUIDE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    for command in block.splitlines():
        ended = typed(cli.main, *shlex.split(command), monkeypatch=monkeypatch, capsys=capsys, DATA_DIR=str(tmp_path))
        assert ended.code == 0, f"{command}: {ended.err}"
    assert (book.get(1).state, book.mutes()) == ("resolved", [])
    book.database.close()


def test_every_rule_and_setting_is_documented(sqlite_database: Database) -> None:
    text = GUIDE.read_text("utf-8")
    for rule in default_rules(database=sqlite_database):
        assert f"| `{rule.name}` |" in text
    for name in Settings.model_fields:
        if name.startswith(("alert_", "slo_", "watch_")):
            assert f"`{name.upper()}`" in text

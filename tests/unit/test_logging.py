"""Logging: who logs what where, as which line, and what never gets into it."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import structlog
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.sdk.trace import TracerProvider

from mlops import get_logger, setup_logging
from mlops.config import Settings
from mlops.logging_config import REDACTED, Redactor, log_state, tear_down_logging
from mlops.logging_config.entries import entry_of, line_of
from mlops.logging_config.handlers import file_of

REPOSITORY = Path(__file__).parent.parent.parent
TODAY = f"{datetime.now(UTC):%Y%m%d}"
SECRET = "correct-horse-battery"
SetUp = Callable[..., Callable[..., list[dict[str, Any]]]]


@pytest.fixture
def set_up(tmp_path: Path) -> Iterator[SetUp]:
    """Sets up logging under a folder of the test's own; the result reads the lines of a file."""

    def make(**values: Any) -> Callable[..., list[dict[str, Any]]]:
        arguments = {name: values.pop(name) for name in ("also", "hash_query") if name in values}
        ours = Settings(_env_file=None, data_dir=tmp_path, **values)  # type: ignore[arg-type]
        setup_logging(ours, console=False, **arguments)
        return lambda name="app": [json.loads(line) for line in _lines(tmp_path / "logs", name)]

    yield make
    tear_down_logging()


def _lines(folder: Path, name: str) -> list[str]:
    return [line for path in sorted(folder.glob(f"{name}_*.log")) for line in path.read_text("utf-8").splitlines()]


def _python(program: str, folder: Path, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        cwd=folder,
        env={"PYTHONPATH": str(REPOSITORY), **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout + done.stderr


# --- Setting up -----------------------------------------------------------------------------------------------------


def test_importing_configures_nothing_and_the_owners_lines_make_their_files(tmp_path: Path) -> None:
    program = """
import logging
from mlops import app_logger, get_logger, mlops_logger, model_logger, monitoring_logger, retraining_logger
assert not logging.root.handlers and logging.root.level == logging.WARNING
import pathlib
assert not list(pathlib.Path().iterdir())
app_logger.info("Application started")
for logger in (mlops_logger, monitoring_logger, model_logger, retraining_logger):
    logger.info("%s speaks", logger.name)
get_logger(__name__).log_with_context(level="INFO", msg="with context", extra_data={"recipe": 7})
"""
    assert _python(program, tmp_path) == ""
    written = {path.name: path.read_text() for path in (tmp_path / "logs").glob("*.log")}
    names = ("app", "mlops", "model_training", "monitoring", "retraining")
    assert sorted(written) == [f"{name}_{TODAY}.log" for name in names]
    first, last = map(json.loads, written[f"app_{TODAY}.log"].splitlines())
    assert (first["event"], first["level"], first["logger"]) == ("Application started", "info", "app")
    assert (last["event"], last["recipe"], last["logger"]) == ("with context", 7, "__main__")


def test_a_program_that_set_up_logging_itself_is_left_alone(tmp_path: Path) -> None:
    program = """
import logging
logging.basicConfig(level="INFO", format="%(name)s %(message)s")
from mlops import app_logger
app_logger.info("Application started", api_key="s3cret", recipe=7)
"""
    assert _python(program, tmp_path) == f"app Application started api_key='{REDACTED}' recipe=7\n"
    assert not (tmp_path / "logs").exists()


def test_a_wrong_setting_does_not_fail_who_logs(tmp_path: Path) -> None:
    program = "from mlops import app_logger; app_logger.info('a'); app_logger.error('b')"
    output = _python(program, tmp_path, LOG_LEVEL="loud")
    assert "LOG_LEVEL cannot be" in output
    assert output.splitlines()[-1] == "b"


def test_setting_up_twice_writes_each_line_once_and_taking_it_back_restores_everything(set_up: SetUp) -> None:
    names = ("", "app", "mlops", "uvicorn", "uvicorn.access")
    before = [(logger.level, logger.propagate, list(logger.handlers)) for logger in map(logging.getLogger, names)]
    set_up()
    lines = set_up(log_level="ERROR")
    get_logger("app").warning("not heard")
    get_logger("app").error("heard")
    assert [line["event"] for line in lines()] == ["heard"]
    tear_down_logging()
    after = [(logger.level, logger.propagate, list(logger.handlers)) for logger in map(logging.getLogger, names)]
    assert after == before


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("app", "app"), ("recipes.service", "app"), ("__main__", "app"), ("uvicorn.error", "app"), ("mlops", "mlops"),
        ("mlops.store", "mlops"), ("mlops.monitoring.alerts", "monitoring"), ("mlops.retraining", "retraining"),
        ("recipes.training.als", "model_training"), ("model_training", "model_training"),
    ],
)  # fmt: skip
def test_each_part_of_the_program_has_its_file(name: str, file: str) -> None:
    assert file_of(name) == file


def test_records_of_the_standard_library_flow_into_the_same_files(set_up: SetUp) -> None:
    lines = set_up(also=("recipes",))
    logging.getLogger("recipes.translation").info("%s of %d done", "half", 7, extra={"language": "es"})
    logging.getLogger("mlops.store").warning("slow")
    logging.getLogger("somebody.else").info("chatter")
    logging.getLogger("somebody.else").warning("trouble")
    translated, trouble = lines()
    assert (translated["event"], translated["language"], translated["level"]) == ("half of 7 done", "es", "info")
    assert trouble["event"] == "trouble"
    assert [line["event"] for line in lines("mlops")] == ["slow"]


def test_arguments_that_do_not_fit_the_message_are_logged_beside_it(set_up: SetUp) -> None:
    lines = set_up()
    get_logger("app").warning("trouble %s", "a", "b")
    record = logging.LogRecord("app", logging.WARNING, "", 0, "trouble %s", ("a", "b"), None)
    assert entry_of(record)["event"] == lines()[0]["event"] == "trouble %s ('a', 'b')"


def test_uvicorns_lines_come_along_and_its_access_log_is_silent(set_up: SetUp, tmp_path: Path) -> None:
    from uvicorn.config import Config

    tear_down_logging()
    Config("app:app").configure_logging()
    lines = set_up()
    logging.getLogger("uvicorn.error").info("Application startup complete.")
    access = logging.getLogger("uvicorn.access")
    assert not access.hasHandlers()  # so that uvicorn does not even make the line
    assert [line["logger"] for line in lines()] == ["uvicorn.error"]


@pytest.mark.parametrize("level", ["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"])
def test_a_level_lets_pass_what_is_as_bad_or_worse(level: str, set_up: SetUp) -> None:
    lines = set_up(log_level=level)
    log = get_logger("app")
    for name in ("debug", "info", "warning", "error", "critical"):
        getattr(log, name)(name)
        log.log(name, name)
        log.log(logging.getLevelNamesMapping()[name.upper()], name)
        log.log_with_context(level=name, msg=name)
    order = ["debug", "info", "warning", "error", "critical"]
    passed = order[order.index(level.lower()) :]
    assert [(line["level"], line["event"]) for line in lines()] == [(name, name) for name in passed for _ in range(4)]


def test_an_unknown_level_is_named() -> None:
    with pytest.raises(ValueError, match="there is no log level 'loud'"):
        get_logger("app").log_with_context(level="loud", msg="x")


# --- Lines ----------------------------------------------------------------------------------------------------------


def test_a_line_has_the_time_in_utc_and_bound_fields_and_own_fields_win(set_up: SetUp) -> None:
    lines = set_up()
    before = datetime.now(UTC)
    log = get_logger("app").bind(version="1.2.0", mode="hybrid")
    log.info("asked", mode="words", level="forged", timestamp="forged")
    (line,) = lines()
    assert before <= datetime.fromisoformat(line["timestamp"]) <= datetime.now(UTC)
    assert line["timestamp"].endswith("Z")
    assert (line["version"], line["mode"], line["level"], line["level_"]) == ("1.2.0", "words", "info", "forged")
    assert list(line)[:4] == ["timestamp", "level", "logger", "event"]


def test_an_exception_is_structure_without_locals(set_up: SetUp) -> None:
    lines = set_up()
    try:
        local_variable = SECRET
        try:
            raise KeyError("inner")
        except KeyError as error:
            raise ValueError(f"password={local_variable}") from error
    except ValueError:
        get_logger("app").exception("failed")
        logging.getLogger("app").error("failed", exc_info=True)
    ours, standard = lines()
    assert ours["exception"] == standard["exception"]
    outer, inner = ours["exception"]
    assert (outer["type"], outer["message"]) == ("ValueError", f"password={REDACTED}")
    assert (inner["type"], inner["is_cause"]) == ("KeyError", True)
    assert outer["frames"][-1]["function"] == "test_an_exception_is_structure_without_locals"
    assert SECRET not in json.dumps(ours)


class _WithoutText:
    def __repr__(self) -> str:
        raise RuntimeError("no text")


def test_what_json_has_no_word_for_is_logged_all_the_same(set_up: SetUp) -> None:
    lines = set_up()
    circle: dict[str, Any] = {}
    circle["self"] = circle
    get_logger("app").info(
        "odd", array=np.array([1.5, 2.0]), number=np.float64(0.25), big=2**70, huge=10**5000, circle=circle,
        numbers={7: "seven"}, mixed={1, 2}, path=Path("a/b"), half="\ud800", none=_WithoutText(), nan=float("nan"),
    )  # fmt: skip
    (line,) = lines()
    assert (line["array"], line["number"], line["big"], line["numbers"]) == (
        [1.5, 2.0],
        0.25,
        str(2**70),
        {"7": "seven"},
    )
    assert (line["mixed"], line["path"], line["half"], line["nan"]) == ([1, 2], "a/b", "?", None)
    assert "RuntimeError" in line["none"]
    assert log_state().n_lost == 0


def test_ids_of_an_active_span_are_on_the_line(set_up: SetUp) -> None:
    lines = set_up()
    with TracerProvider().get_tracer("test").start_as_current_span("asking") as span:
        get_logger("app").info("inside")
    get_logger("app").info("outside")
    inside, outside = lines()
    assert int(inside["trace_id"], 16) == span.get_span_context().trace_id
    assert int(inside["span_id"], 16) == span.get_span_context().span_id
    assert "trace_id" not in outside


def test_tasks_and_threads_have_contexts_of_their_own(set_up: SetUp) -> None:
    lines = set_up()

    async def task(number: int) -> None:
        with structlog.contextvars.bound_contextvars(task=number):
            await asyncio.sleep(0)
            get_logger("app").info("in a task", expected=number)

    async def tasks() -> None:
        await asyncio.gather(*map(task, range(10)))

    def thread(number: int) -> None:
        structlog.contextvars.bind_contextvars(task=number)
        logging.getLogger("app").info("in a thread", extra={"expected": number})

    asyncio.run(tasks())
    threads = [threading.Thread(target=thread, args=(100 + number,)) for number in range(10)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len(lines()) == 20
    assert all(line["task"] == line["expected"] for line in lines())


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("stream", [io.StringIO(), _Terminal()])
def test_the_console_is_for_programs_or_for_people(stream: io.StringIO, set_up: SetUp, tmp_path: Path) -> None:
    ours = Settings(_env_file=None, data_dir=tmp_path)  # type: ignore[call-arg]
    setup_logging(ours, files=False, stream=stream)
    try:
        raise RuntimeError("no")
    except RuntimeError:
        get_logger("app").exception("asked", token=SECRET, n=3)
    shown = re.sub(r"\x1b\[[0-9;]*m", "", stream.getvalue())
    assert SECRET not in shown
    assert "asked" in shown
    assert "RuntimeError" in shown
    assert shown.startswith("{") != stream.isatty()
    assert not (tmp_path / "logs").exists()


# --- Redaction ------------------------------------------------------------------------------------------------------

SECRET_KEYS = ["api_key", "X-API-Key", "apiKey", "OPENAI_API_KEY", "token", "access_token", "Authorization", "cookie",
               "Set-Cookie", "password", "db_passwd", "client_secret", "credential", "contraseña", "email"]  # fmt: skip
_letters = st.text("abcdefXYZ0123456789", min_size=22, max_size=43)
_hidden = _letters.map(lambda text: f"Zq{text}")
# How a secret looks where nobody called it one; {} is what must not be seen.
SHAPES = [
    "Bearer {}", "Authorization: Basic {}", "Basic {}=", "api_key={}", "token: {}", "password='{}'",
    '{{"secret": "{}"}}', "postgresql://cook:{}@host/db", "https://{}:x@host", "sk-{}", "ghp_{}", "hf_{}0000000000",
    "xoxb-{}", "eyJhbGciOi.{}.sig", "mlops_0123456789abcdef_{}", "{}@kitchen.example.org", "GET /?q={}&n=3",
    "Cookie: session={}", "-----BEGIN RSA PRIVATE KEY-----\n{}\n-----END RSA PRIVATE KEY-----",
]  # fmt: skip
_words = st.text("abc def.,:;=/?&{}[]\"'\n\\", max_size=20)


@settings(deadline=None)
@given(key=st.sampled_from(SECRET_KEYS), value=_hidden, depth=st.integers(0, 3), in_list=st.booleans())
def test_no_value_under_the_name_of_a_secret_is_logged(key: str, value: str, depth: int, in_list: bool) -> None:
    entry: dict[str, Any] = {key: [value] if in_list else value}
    for _ in range(depth):
        entry = {"inner": entry} if depth % 2 else {"inner": [entry]}
    line = line_of({"event": "x", **entry}, Redactor())
    assert value.encode() not in line
    assert REDACTED.encode() in line


@settings(deadline=None)
@given(
    shape=st.sampled_from(SHAPES), value=_hidden, before=_words, after=_words, key=st.sampled_from(["event", "note"])
)
def test_nothing_that_looks_like_a_secret_is_logged(shape: str, value: str, before: str, after: str, key: str) -> None:
    text = f"{before} {shape.format(value)} {after}"
    line = line_of({"event": "x", "list": [{key: text}], key: text}, Redactor())
    assert value.encode() not in line


@settings(deadline=None)
@given(
    st.dictionaries(
        st.sampled_from([*SECRET_KEYS, "event", "n", "q", "query", "note", "status"]),
        st.recursive(
            st.none() | st.integers(-9, 9) | st.text(max_size=12) | st.sampled_from(SHAPES),
            lambda inner: (
                st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["a", "query", "token"]), inner)
            ),
            max_leaves=4,
        ),
    )
)
def test_a_line_that_is_passed_without_cleaning_needs_none(entry: dict[str, Any]) -> None:
    redactor = Redactor(hash_query=lambda query: "h")
    assert json.loads(line_of(entry, redactor)) == json.loads(json.dumps(redactor.clean(entry)))


@pytest.mark.parametrize("keeps", [False, True])
@pytest.mark.parametrize("key", ["query", "q", "consulta", "search_query", "query_text"])
def test_a_query_is_its_hash_and_length_unless_asked_for(key: str, keeps: bool, set_up: SetUp) -> None:
    lines = set_up(log_query_text=keeps, hash_query=lambda query: f"hash of {len(query)}")
    get_logger("app").info("asked", **{key: "sopa de ajo"})
    expected = {"hash": "hash of 11", "length": 11, **({"text": "sopa de ajo"} if keeps else {})}
    assert lines()[0][key] == expected


def test_equal_queries_have_equal_hashes_which_nobody_can_try_out() -> None:
    first, second = Redactor(), Redactor()
    assert first.clean({"q": "ajo"}) == first.clean({"q": "ajo"}) != first.clean({"q": "ajos"})
    assert first.clean({"q": "ajo"}) != second.clean({"q": "ajo"})


def test_secrets_of_the_settings_are_logged_nowhere(set_up: SetUp) -> None:
    lines = set_up(artifact_signing_key='pepper "and" salt')
    get_logger("app").info('it is pepper "and" salt', plain='pepper "and" salt')
    assert (lines()[0]["event"], lines()[0]["plain"]) == (f"it is {REDACTED}", REDACTED)


def test_what_is_no_secret_is_logged_as_it_is(set_up: SetUp) -> None:
    lines = set_up()
    fields = {
        "n_tokens": 512, "has_token": True, "tokenizer": "wordpiece", "n_queries": 3, "author": "ana", "key": "cache-7",
        "url": "http://localhost:8000/health", "path": "/models/{model_id}", "note": "basic ingredients: 4 tomatoes",
        "latency_ms": 12.5, "password": None,
    }  # fmt: skip
    get_logger("app").info("model_swapped", **fields)
    assert fields.items() <= lines()[0].items()

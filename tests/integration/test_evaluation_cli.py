"""``mlops evaluate`` and ``mlops compare`` as typed: what they print, what they write, how they end."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import typer
from typer.testing import CliRunner

from mlops.cli.evaluation import compare, evaluate, read_table
from mlops.evaluation import BadInput
from tests.commands import Ended, Run

N_QUERIES = 60


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command over an app that holds nothing else."""
    app = typer.Typer()
    app.command()(evaluate)
    app.command()(compare)

    def run(*arguments: object) -> Ended:
        result = CliRunner(env={"COLUMNS": "200"}).invoke(app, [str(argument) for argument in arguments])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Ended(result.exit_code, result.stdout, result.stderr)

    return run


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """Qrels in two languages, a run that finds the right item at rank 2, one at rank 1, and one between by chance."""
    queries = np.arange(N_QUERIES)
    gains = pd.DataFrame({"query_id": queries, "item_id": 1, "gain": 1})
    gains["idioma"] = np.where(queries % 3 == 0, "en", "es")
    gains.to_parquet(tmp_path / "qrels.parquet")
    flips = np.random.default_rng(0).permutation(N_QUERIES) % 2
    for name, score in {"old": 0.0, "new": 2.0, "chance": flips * 2.0, "other": (1 - flips) * 2.0}.items():
        right = pd.DataFrame({"query_id": queries, "item_id": 1, "score": score})
        wrong = pd.DataFrame({"query_id": queries, "item_id": 2, "score": 1.0})
        pd.concat([right, wrong]).to_parquet(tmp_path / f"{name}.parquet")
    return tmp_path


def _evaluate(run: Run, files: Path, *more: object, name: str = "old.parquet") -> Ended:
    return run("evaluate", "--run", files / name, "--qrels", files / "qrels.parquet", *more)


def _compare(run: Run, files: Path, champion: str, challenger: str, *more: object) -> Ended:
    paths = ("--champion", files / f"{champion}.parquet", "--challenger", files / f"{challenger}.parquet")
    return run("compare", *paths, "--qrels", files / "qrels.parquet", *more)


# evaluate


def test_evaluate_prints_means_counts_and_conventions(run: Run, files: Path) -> None:
    ended = _evaluate(run, files, "--metrics", "mrr, recall@1")
    assert ended.code == 0
    assert "0.5000" in ended.out
    assert "60" in ended.out
    assert "recall@1: share of all relevant items" in ended.out


def test_evaluate_by_a_column_has_a_table_for_each_metric(run: Run, files: Path) -> None:
    body = _evaluate(run, files, "--metrics", "mrr", "--by", "idioma", "--json").json
    slices = body["by"]["idioma"]["mrr"]
    assert {label: (part["mean"], part["n_queries"]) for label, part in slices.items()} == {
        "en": (0.5, 20),
        "es": (0.5, 40),
    }
    assert body["metrics"]["mrr"]["n_queries"] == 60
    printed = _evaluate(run, files, "--metrics", "mrr", "--by", "idioma").out
    assert "idioma" in printed
    assert "es" in printed


def test_evaluate_writes_a_page(run: Run, files: Path) -> None:
    page = files / "new" / "page.html"
    ended = _evaluate(run, files, "--by", "idioma", "--report", page, "--json")
    assert ended.json["metrics"]["ndcg@10"]["mean"] == pytest.approx(0.63093, abs=1e-5)
    text = page.read_text("utf-8")
    for words in ("Evaluation of old.parquet", "By idioma", "<svg", "gain linear"):
        assert words in text
    assert len(text) < 30_000


def test_a_page_of_many_slices_shows_the_largest(run: Run, files: Path) -> None:
    frame = pd.read_parquet(files / "qrels.parquet")
    frame["user"] = [f"u{max(at, 5)}" for at in range(N_QUERIES)]
    frame.to_parquet(files / "qrels.parquet")
    body = _evaluate(run, files, "--metrics", "mrr", "--by", "user", "--report", files / "p.html", "--json").json
    assert len(body["by"]["user"]["mrr"]) == 55
    page = (files / "p.html").read_text("utf-8")
    assert "the 50 of 55 slices with the most queries" in page
    assert 'scope="row">u5<' in page


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("--metrics", "ndgc@10"), "unknown metric 'ndgc@10'"),
        (("--metrics", " , "), "metrics is empty"),
        (("--by", "language"), "neither qrels nor run has a column language"),
    ],
)
def test_evaluate_says_in_one_line_what_it_cannot_do(
    run: Run, files: Path, options: tuple[str, ...], reason: str
) -> None:
    ended = _evaluate(run, files, *options)
    assert (ended.code, ended.out) == (2, "")
    assert reason in ended.err
    assert ended.err.count("\n") == 1


def test_a_run_without_any_relevant_item_cannot_be_judged(run: Run, files: Path) -> None:
    pd.DataFrame({"query_id": [1], "item_id": [1], "gain": [0]}).to_parquet(files / "qrels.parquet")
    ended = _evaluate(run, files)
    assert ended.code == 2
    assert "none of the 60 queries has a relevant item" in ended.err


def test_missing_and_broken_files_cannot_be_judged(run: Run, files: Path) -> None:
    (files / "broken.parquet").write_text("no parquet")
    (files / "run.txt").write_text("")
    for name, reason in {
        "none.parquet": "none.parquet",
        "broken.parquet": "cannot be read as .parquet",
        "run.txt": "must be one of .parquet, .csv, .jsonl",
        "qrels.parquet": "run has no column score",
    }.items():
        ended = _evaluate(run, files, name=name)
        assert ended.code == 2
        assert reason in ended.err


def test_csv_and_json_lines_are_read_as_parquet_is(run: Run, files: Path) -> None:
    frame = pd.read_parquet(files / "old.parquet")
    frame.to_csv(files / "old.csv", index=False)
    frame.to_json(files / "old.jsonl", orient="records", lines=True)
    for name in ("old.csv", "old.jsonl"):
        assert read_table(files / name).num_rows == 2 * N_QUERIES
        assert _evaluate(run, files, "--metrics", "mrr", "--json", name=name).json["metrics"]["mrr"]["mean"] == 0.5


# compare


@pytest.mark.parametrize(
    ("champion", "challenger", "options", "code", "verdict"),
    [
        ("old", "new", (), 0, "better"),
        ("new", "old", (), 1, "worse"),
        ("old", "old", (), 1, "not worse"),
        ("chance", "other", (), 2, "cannot tell"),
        ("chance", "other", ("--margin", "0.3"), 1, "not worse"),
    ],
)
def test_compare_ends_with_the_code_of_its_verdict(
    run: Run, files: Path, champion: str, challenger: str, options: tuple[str, ...], code: int, verdict: str
) -> None:
    ended = _compare(run, files, champion, challenger, "--metric", "mrr", *options)
    assert ended.code == code
    assert verdict in ended.out
    assert f"{challenger}.parquet: {verdict.capitalize()}: mrr" in ended.out


def test_compare_prints_json_and_writes_a_page(run: Run, files: Path) -> None:
    page = files / "page.html"
    ended = _compare(run, files, "old", "new", "--json", "--report", page, "--seed", 7, "--method", "bca")
    (comparison,) = ended.json["comparisons"]
    assert ended.json["verdict"] == comparison["verdict"] == "better"
    assert (comparison["metric"], comparison["n_units"]) == ("ndcg@10", 60)
    assert (comparison["seed"], comparison["method"]) == (7, "bca")
    text = page.read_text("utf-8")
    for words in ("compared with old.parquet", "new.parquet", "better", "<svg", "Holm"):
        assert words in text


def test_the_best_of_several_challengers_decides(run: Run, files: Path) -> None:
    more = ("--challenger", files / "new.parquet", "--json")
    ended = _compare(run, files, "old", "old", *more)
    assert ended.code == 0
    assert [one["verdict"] for one in ended.json["comparisons"]] == ["not worse", "better"]
    assert ended.json["comparisons"][1]["p_adjusted"] > ended.json["comparisons"][1]["p_value"]


def test_looks_at_the_holdout_are_counted_under_the_name_of_a_decision(
    run: Run, files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{files}/state.db")
    looks = [
        _compare(run, files, "old", "new", "--json", "--decision", name).json["comparisons"][0]["n_looks"]
        for name in ("1.1.0", "1.2.0", "1.2.0")
    ]
    assert looks == [1, 2, 2]
    assert _compare(run, files, "old", "new", "--json").json["comparisons"][0]["n_looks"] is None


@pytest.mark.parametrize(
    ("options", "reason"), [(("--method", "basic"), "'basic'"), (("--alpha", "2"), "alpha"), (("--metric", "x"), "x")]
)
def test_compare_says_in_one_line_what_it_cannot_do(
    run: Run, files: Path, options: tuple[str, ...], reason: str
) -> None:
    ended = _compare(run, files, "old", "new", *options)
    assert (ended.code, ended.out) == (2, "")
    assert reason in ended.err


def test_files_of_other_kinds_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"a.txt must be one of .parquet"):
        read_table(tmp_path / "a.txt")

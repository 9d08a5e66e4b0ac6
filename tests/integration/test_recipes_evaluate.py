"""``recipes evaluate`` over the starter catalogue: what it measures, what it decides, how it ends."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from mlops import ModelMetadata
from mlops.errors import UnknownVersion
from mlops.evaluation import HoldoutLooks, keeps_golden
from recipes import cli, schema
from recipes import service as service_module
from recipes.answer import Ask
from recipes.encoder import UseEncoder
from recipes.errors import IndexUnavailable, NothingToEvaluate, RankerFailed
from recipes.evaluation.answers import AnswerReader, evaluate_queries
from recipes.evaluation.interactions import LEAST_DEPTH
from recipes.evaluation.items import Items
from recipes.evaluation.query_sets import JudgedQuery, QuerySet, golden_queries
from recipes.evaluation.versions import decide, evaluate_version, gather, load_version
from recipes.ranker import MODEL_ID, HybridRanker
from recipes.recommender import Recommender
from recipes.service import Service
from tests.commands import Ended, Run, typed
from tests.twins import Switch
from tests.unit.test_sentences import ALL

# The weights of 1.0.0 turned upside down: what fits the query counts nothing, what is liked everything.
UPSIDE_DOWN = HybridRanker("1.1.0", 0.0, 1.0)
A_LITTLE_DIFFERENT = HybridRanker("1.2.0", 0.69, 0.31)
NO_RANKER = {"ranker.json": b'{"kind": "other"}'}


@pytest.fixture(scope="module")
def data_dir(
    tmp_path_factory: pytest.TempPathFactory,
    copy_starter: Callable[[Path], Path],
    use_encoder: UseEncoder,
    make_settings: Any,
) -> Path:
    """The starter catalogue, 1.0.0 in production, three other versions registered."""
    folder = copy_starter(tmp_path_factory.mktemp("evaluate") / "data")
    service = Service(make_settings(folder), encoder=use_encoder, records=False)
    service.prepare()
    for ranker in (UPSIDE_DOWN, A_LITTLE_DIFFERENT):
        service.registry.register(ModelMetadata(MODEL_ID, ranker.version), artefact=ranker.files())
    service.registry.register(ModelMetadata(MODEL_ID, "1.3.0"), artefact=NO_RANKER)
    service.close()
    return folder


@pytest.fixture(scope="module")
def service(data_dir: Path, use_encoder: UseEncoder, make_settings: Any) -> Iterator[Service]:
    service = Service(make_settings(data_dir), encoder=use_encoder, records=False)
    service.prepare()
    assert service.check() == {}
    yield service
    service.close()


@pytest.fixture
def run(
    data_dir: Path, use_encoder: UseEncoder, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    """Types ``recipes evaluate …``; the encoder is loaded already."""
    monkeypatch.setattr(service_module, "encoder_for", lambda settings: use_encoder)

    def run(*arguments: object) -> Ended:
        monkeypatch.setenv("DATA_DIR", str(data_dir))
        monkeypatch.setenv("MLFLOW_TRACKING_URI", "off")
        return typed(cli.main, "recipes", "evaluate", *arguments, monkeypatch=monkeypatch, capsys=capsys)

    return run


def the(ended: Ended, source: str, *, version: int = 0) -> Any:
    """What a JSON answer says of one source."""
    [found] = [one for one in ended.json["versions"][version]["sources"] if one["source"] == source]
    return found


def test_the_first_version_answers_every_golden_query_and_breaks_no_rule(service: Service) -> None:
    sources = gather(service, queries=None, interactions_file=None)
    [golden] = evaluate_version(service, load_version(service.registry, None), sources)
    assert golden.version == "1.0.0"
    assert [query for query, is_right in golden.golden.items() if not is_right] == []
    assert len(golden.golden) >= 30
    assert golden.problems == []
    assert golden.figures["violations"] == 0
    assert golden.figures["in_language"] == 1


def test_weights_upside_down_are_found_worse_on_the_golden_queries(service: Service) -> None:
    sources = gather(service, queries=None, interactions_file=None)
    good, bad = (evaluate_version(service, load_version(service.registry, one), sources) for one in (None, "1.1.0"))
    decision = decide(good, bad, looks=HoldoutLooks(service.database), decision_id="test")
    assert decision.comparisons["golden"].verdict == "worse"
    assert decision.outcome == "not better"
    assert [gate.outcome for gate in decision.gates if gate.gate == "keeps_golden"] == ["failed"]
    back = decide(bad, good, looks=HoldoutLooks(service.database), decision_id="test")
    assert (back.comparisons["golden"].verdict, back.outcome) == ("better", "better")


def test_a_version_that_loses_a_golden_query_is_not_better_however_good_it_is(service: Service) -> None:
    sources = gather(service, queries=None, interactions_file=None)
    bad = evaluate_version(service, UPSIDE_DOWN, sources)
    [good] = evaluate_version(service, HybridRanker(), sources)
    kept = next(query for query, is_right in bad[0].golden.items() if is_right)
    lossy = replace(good, version="1.4.0", golden={**good.golden, kept: False})
    decision = decide(bad, [lossy], looks=HoldoutLooks(service.database), decision_id="test")
    assert decision.comparisons["golden"].verdict == "better"
    assert decision.outcome == "not better"
    assert keeps_golden()(lossy.for_gates, bad[0].for_gates).outcome == "failed"


def test_an_evaluation_leaves_no_trace_of_its_questions(service: Service) -> None:
    sources = gather(service, queries=None, interactions_file=None)
    heard: list[Any] = []
    recommender = Recommender(
        catalogue=service.catalogue, encoder=service.encoder, lexicon=service.lexicon, index=service.recommender.index,
        on_answer=heard.append,
    )  # fmt: skip
    recommender.refresh()
    reader = AnswerReader(service.lexicon)
    few = QuerySet("few", sources.query_sets["golden"].queries[:3])
    evaluate_queries(recommender, UPSIDE_DOWN, few, items=sources.items, reader=reader, source="queries")
    assert heard == []
    assert recommender.ranker.version == "1.0.0"
    with service.database.reading() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(schema.answers)).scalar_one() == 0


def test_what_cooks_would_be_shown_is_what_is_measured(service: Service) -> None:
    judged = JudgedQuery("ceviche de camarones", {"ceviche-de-camaron": 1.0})
    shown = service.recommender.answer(Ask(judged.query)).shown
    only = replace(judged, relevant={shown[2].stored.recipe.recipe_id: 1.0})
    measured = evaluate_queries(
        service.recommender, service.recommender.ranker, QuerySet("one", [only]), items=Items.of(service.database),
        reader=AnswerReader(service.lexicon), source="queries", metrics=["mrr"],
    )  # fmt: skip
    assert measured.metrics["mrr"].mean == pytest.approx(1 / 3)
    assert measured.figures["coverage"] == pytest.approx(3 / len(Items.of(service.database)))


def test_a_rule_that_the_query_set_states_is_checked_in_the_recipes_themselves(service: Service) -> None:
    queries = [
        JudgedQuery("tortilla de patatas", {"tortilla-de-patatas": 1.0}, without=("egg",)),
        JudgedQuery("paella", {"paella-valenciana": 1.0}, max_minutes=20),
    ]
    measured = evaluate_queries(
        service.recommender, service.recommender.ranker, QuerySet("two", queries), items=Items.of(service.database),
        reader=AnswerReader(service.lexicon), source="golden",
    )  # fmt: skip
    assert measured.problems is not None
    assert any("tortilla-de-patatas, which contains what it rules out" in one for one in measured.problems)
    assert any("paella-valenciana, which takes 110 minutes" in one for one in measured.problems)
    read = {ALL(problem) for problem in measured.problems}
    assert "'paella' recibió paella-valenciana, que tarda 110 minutos" in read
    said = "'tortilla de patatas' recibió tortilla-de-patatas, que contiene lo que la consulta excluye"
    assert said in read
    assert set(measured.golden.values()) == {False}
    assert measured.figures["violations"] == len(measured.problems)


def test_a_search_that_does_not_work_as_usual_judges_nobody(service: Service, use_encoder: UseEncoder) -> None:
    switch = Switch(use_encoder)
    recommender = Recommender(
        catalogue=service.catalogue, encoder=switch, lexicon=service.lexicon, index=service.recommender.index
    )
    switch.is_on = False
    golden = golden_queries(service.lexicon, recipe_ids=Items.of(service.database).rows)
    with pytest.raises(IndexUnavailable, match="does not work as usual"):
        evaluate_queries(
            recommender, HybridRanker(), golden, items=Items.of(service.database),
            reader=AnswerReader(service.lexicon), source="golden",
        )  # fmt: skip


def test_unknown_versions_and_damaged_ones_are_named(service: Service) -> None:
    with pytest.raises(UnknownVersion, match=r"versions 1\.0\.0, 1\.1\.0, .*; asked for 9\.9\.9"):
        load_version(service.registry, "9.9.9")
    with pytest.raises(RankerFailed, match="kind"):
        load_version(service.registry, "1.3.0")


def test_by_default_the_version_in_production_is_measured_by_three_slices(run: Run) -> None:
    ended = run("--json")
    assert ended.code == 0
    [version] = ended.json["versions"]
    assert version["version"] == "1.0.0"
    golden = the(ended, "golden")
    assert list(golden["metrics"]) == ["ndcg@3", "mrr", "recall@10", "hit_rate@3"]
    assert list(golden["by"]) == ["idioma", "exclusion", "time_limit"]
    sizes = [part["n_queries"] for part in golden["by"]["exclusion"]["mrr"].values()]
    assert sum(sizes) == golden["metrics"]["mrr"]["n_queries"]
    assert {"coverage", "diversity", "gini_of_exposure", "p50_ms", "p95_ms"} <= {
        name for name, value in golden["figures"].items() if value is not None
    }
    assert "decision" not in ended.json


def test_tables_show_metrics_figures_and_slices(run: Run) -> None:
    ended = run("--version", "1.0.0", "--by", "idioma", "--metrics", "mrr,ndcg@5")
    assert ended.code == 0
    for part in ("golden", "mrr", "ndcg@5", "violations", "as they must be", "41 of 41", "idioma"):
        assert part in ended.out


@pytest.mark.parametrize(
    ("arguments", "code", "outcome"),
    [
        (("--version", "1.1.0", "--against", "1.0.0"), 1, "not better"),
        (("--version", "1.0.0", "--against", "1.1.0"), 0, "better"),
        (("--version", "1.2.0", "--against", "1.0.0"), 1, "not better"),
    ],
)
def test_the_exit_code_says_whether_the_version_is_better(run: Run, arguments, code, outcome) -> None:
    ended = run(*arguments, "--json", "--decision", "the same one")
    assert (ended.code, ended.json["decision"]["outcome"]) == (code, outcome)


def test_too_few_queries_cannot_tell(run: Run, tmp_path: Path) -> None:
    path = write(tmp_path / "q.jsonl", [{"query": "sopa de ajo", "relevant": ["sopa-de-ajo"]}])
    ended = run("--version", "1.2.0", "--against", "1.0.0", "--queries", path, "--json")
    assert (ended.code, ended.json["decision"]["outcome"]) == (2, "cannot tell")
    assert list(ended.json["decision"]["comparisons"]) == ["queries", "golden"]


def test_an_error_while_comparing_is_no_verdict_and_one_line(run: Run) -> None:
    ended = run("--version", "9.9.9", "--against", "1.0.0")
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith("error: hybrid_ranker has the versions")
    assert run("--version", "9.9.9").code == 1


def test_settings_that_cannot_be_used_are_no_verdict_either(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENCODER", "nonsense")
    assert run("--version", "1.1.0", "--against", "1.0.0").code == 2
    assert run().code == 1


def test_a_margin_below_zero_is_refused_by_name(run: Run) -> None:
    ended = run("--version", "1.2.0", "--against", "1.0.0", "--margin", "-1")
    assert (ended.code, "margin must be 0 or more" in ended.err) == (2, True)


def test_a_version_is_not_compared_with_itself(run: Run) -> None:
    ended = run("--against", "1.0.0")
    assert ended.code == 2
    assert "another version than 1.0.0" in ended.err


def test_looks_at_a_holdout_are_counted_by_decision_whatever_the_order_of_its_queries(service: Service) -> None:
    queries = [JudgedQuery(f"sopa {number}", {"sopa-de-ajo": 1.0}) for number in range(20)]
    items, reader, looks = Items.of(service.database), AnswerReader(service.lexicon), HoldoutLooks(service.database)

    def n_looks(decision: str | None, asked: list[JudgedQuery]) -> int | None:
        old, new = (
            evaluate_queries(
                service.recommender, ranker, QuerySet("soups", asked), items=items, reader=reader, source="queries"
            )
            for ranker in (HybridRanker(), A_LITTLE_DIFFERENT)
        )
        return decide([old], [new], looks=looks, decision_id=decision).comparisons["queries"].n_looks

    assert [n_looks(decision, queries) for decision in ("a", "a", None)] == [1, 1, 2]
    assert n_looks(None, queries[::-1]) == 2
    assert n_looks("b", queries[::-1]) == 3


def test_a_file_of_queries_has_slices_of_its_own_and_golden_ones_stay(run: Run, tmp_path: Path) -> None:
    rows = [
        {"query": "sopa de ajo", "relevant": {"sopa-de-ajo": 2}, "canal": "voz"},
        {"query": "garlic soup", "relevant": ["sopa-de-ajo"], "idioma": "en", "canal": "web"},
    ]
    ended = run("--queries", write(tmp_path / "q.jsonl", rows), "--by", "canal", "--by", "idioma", "--json")
    assert [one["source"] for one in ended.json["versions"][0]["sources"]] == ["queries", "golden"]
    by = the(ended, "queries")["by"]
    assert {name: sorted(parts["mrr"]) for name, parts in by.items()} == {
        "canal": ["voz", "web"],
        "idioma": ["en", "es"],
    }
    assert list(the(ended, "golden")["by"]) == ["idioma"]


def test_faults_of_files_and_options_end_with_one_line(run: Run, tmp_path: Path) -> None:
    ended = run("--queries", write(tmp_path / "q.jsonl", [{"query": "sopa", "relevant": ["nada"]}]))
    assert ended.code == 1
    assert ended.err == "error: q.jsonl, line 1: relevant: no recipe of the catalogue has the id 'nada'\n"
    assert run("--queries", tmp_path / "gone.jsonl").code == 1
    unknown = run("--metrics", "beauty")
    assert (unknown.code, "beauty" in unknown.err) == (1, True)
    slice_ = run("--by", "canal")
    assert slice_.code == 2
    assert "idioma, exclusion, time_limit" in slice_.err


def test_interactions_are_measured_by_popularity_alone_and_compared(run: Run, tmp_path: Path) -> None:
    rows = ["user_id,recipe_id,rating,date"]
    rows += [f"u{n},{('sopa-de-ajo,1', 'gazpacho-andaluz,5')[n % 2]},2020-01-{n % 28 + 1:02}" for n in range(120)]
    rows += [f"v{n},gazpacho-andaluz,5,2021-01-{n % 28 + 1:02}" for n in range(30)]
    path = tmp_path / "i.csv"
    path.write_text("\n".join(rows) + "\n")
    ended = run("--interactions", path, "--version", "1.2.0", "--against", "1.0.0", "--json")
    found = the(ended, "interactions")
    assert found["metrics"]["ndcg@10"]["n_queries"] == 30
    assert found["metrics"]["ndcg@10"]["mean"] > 0.6
    assert "popularity alone" in found["about"]
    assert f"first {LEAST_DEPTH} recipes" in found["about"]
    # Both weigh popularity, so that both rank alike without a query.
    assert ended.json["decision"]["comparisons"]["interactions"]["effect"] == 0


def test_the_page_says_the_same_and_fetches_nothing(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "pages" / "page.html"
    ended = run("--version", "1.1.0", "--against", "1.0.0", "--report", path)
    assert ended.code == 1
    page = path.read_text("utf-8")
    assert len(page) < 300_000
    for part in ("1.1.0", "1.0.0: golden", "not better", "keeps_golden", "exclusion", "gini_of_exposure", "Not as it"):
        assert part in page
    assert "<script" not in page
    assert "src=" not in page


def test_feedback_of_our_own_is_a_source_of_its_own(
    run: Run, data_dir: Path, make_settings: Any, use_encoder: UseEncoder
) -> None:
    from recipes.feedback import Feedback

    service = Service(make_settings(data_dir), encoder=use_encoder)
    service.prepare()
    for query in ("mushroom risotto", "tofu curry", "salt cod"):
        answer = service.recommender.answer(Ask(query, language="en"))
        service.feedback.record(Feedback(answer.request_id, answer.shown[0].stored.recipe.recipe_id, "cook"))
    service.close()
    try:
        found = the(run("--json"), "feedback")
    finally:
        forget_answers(data_dir, make_settings)
    left_out = sum(int(value) for name, value in found["figures"].items() if name.startswith("left_out"))
    assert found["metrics"]["ndcg@3"]["n_queries"] + left_out == 3
    # The version that answered then, ordering anew what it had ordered, finds what was cooked in its first place.
    assert found["metrics"]["mrr"]["mean"] == pytest.approx(1.0)
    assert "favours the version that answered then" in found["about"]


def test_a_catalogue_without_golden_recipes_or_feedback_has_nothing_to_evaluate(
    tmp_path: Path, use_encoder: UseEncoder, make_settings: Any, make_recipe: Callable[..., Any]
) -> None:
    service = Service(make_settings(tmp_path), encoder=use_encoder, records=False)
    try:
        service.database.upgrade(schema.MIGRATIONS)
        service.catalogue.save([make_recipe()])
        with pytest.raises(NothingToEvaluate, match="--queries FILE"):
            gather(service, queries=None, interactions_file=None)
    finally:
        service.close()


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("\n".join(map(json.dumps, rows)) + "\n")
    return path


def forget_answers(data_dir: Path, make_settings: Any) -> None:
    service = Service(make_settings(data_dir), records=False)
    with service.database.writing() as connection:
        for table in (schema.feedback_events, schema.impressions, schema.answers):
            connection.execute(table.delete())
    service.close()

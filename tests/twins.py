"""Small, deterministic stand-ins that several suites share: an encoder, a translator, an endpoint, a lexicon."""

from __future__ import annotations

import json
import threading
import zlib
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np

from recipes.catalog import RecipeText
from recipes.encoder.base import Encoder, Vectors, unit_length
from recipes.errors import EncoderUnavailable
from recipes.lexicon import Concept, Lexicon
from recipes.text import Language, stems


class HashingEncoder:
    """Bags of stems as vectors: texts that share words lie close together. Counts what it is asked."""

    def __init__(self, name: str = "hashing", *, dimensions: int = 32) -> None:
        self.name = name
        self.dimensions = dimensions
        self.texts: list[str] = []

    @property
    def n_encoded(self) -> int:
        return len(self.texts)

    def encode(self, texts: Sequence[str]) -> Vectors:
        self.texts.extend(texts)
        return embed(texts, self.dimensions)


def embed(texts: Sequence[str], dimensions: int) -> Vectors:
    """The vectors of :class:`HashingEncoder`."""
    vectors = np.zeros((len(texts), dimensions), dtype=np.float32)
    for row, text in enumerate(texts):
        for word in stems(text):
            vectors[row] += np.random.default_rng(zlib.crc32(word.encode())).normal(size=dimensions)
    return unit_length(vectors)


class Switch:
    """Another encoder with a switch. Counts what it is asked."""

    def __init__(self, encoder: Encoder) -> None:
        self.name = encoder.name
        self.dimensions = encoder.dimensions
        self.is_on = True
        self.n_calls = 0
        self._encoder = encoder

    def encode(self, texts: Sequence[str]) -> Vectors:
        self.n_calls += 1
        if not self.is_on:
            raise EncoderUnavailable("it is switched off")
        return self._encoder.encode(texts)


class DictionaryTranslator:
    """Translates word by word and leaves alone what it does not know."""

    def __init__(self, words: dict[str, str]) -> None:
        self._words = words

    def translate(self, text: RecipeText, *, source: Language, target: Language) -> RecipeText:
        return replace(
            text,
            name=self.line(text.name),
            description=self.line(text.description),
            ingredients=tuple(map(self.line, text.ingredients)),
            steps=tuple(map(self.line, text.steps)),
        )

    def line(self, line: str) -> str:
        return " ".join(self._words.get(word.lower(), word) for word in line.split())


@dataclass(frozen=True)
class Received:
    """A request that an :class:`OpenAIStub` got."""

    path: str
    authorization: str | None
    body: dict[str, Any]


Answer = tuple[int, Any]  # status, and JSON or the bytes to send as they are


class OpenAIStub:
    """An HTTP server on loopback that answers like the OpenAI embeddings and chat endpoints.

    ``script`` holds answers for the next requests, each an :data:`Answer` or a function of the request's body; None, or
    an empty script, is the usual answer. Embeddings are those of :func:`embed`, not of unit length, in reverse order.
    A chat answer is the recipe as *translator* has it.
    """

    def __init__(self, translator: DictionaryTranslator | None = None, *, dimensions: int = 24) -> None:
        self.translator = translator or DictionaryTranslator({})
        self.dimensions = dimensions
        self.script: list[Answer | Callable[[dict[str, Any]], Answer] | None] = []
        self.received: list[Received] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler_for(self))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()
        self.base_url = f"http://127.0.0.1:{self._server.server_port}/v1"

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def answer(self, received: Received) -> Answer:
        self.received.append(received)
        planned = self.script.pop(0) if self.script else None
        if callable(planned):
            return planned(received.body)
        return planned or self.usual_answer(received)

    def usual_answer(self, received: Received) -> Answer:
        if received.path == "/v1/embeddings":
            return 200, self.embeddings(received.body)
        if received.path == "/v1/chat/completions":
            return 200, self.completion(received.body)
        return 404, {"error": {"message": f"unknown path {received.path}"}}

    def embeddings(self, body: dict[str, Any]) -> dict[str, Any]:
        vectors = 3 * embed(body["input"], self.dimensions)
        rows = [
            {"object": "embedding", "index": index, "embedding": vector.tolist()}
            for index, vector in enumerate(vectors)
        ]
        return {"object": "list", "model": body["model"], "data": rows[::-1]}

    def completion(self, body: dict[str, Any]) -> dict[str, Any]:
        recipe = json.loads(body["messages"][-1]["content"])
        text = RecipeText(recipe["name"], recipe["description"], tuple(recipe["ingredients"]), tuple(recipe["steps"]))
        translated = self.translator.translate(text, source="en", target="es")
        return chat_answer(
            {
                "name": translated.name,
                "description": translated.description,
                "ingredients": translated.ingredients,
                "steps": translated.steps,
            }
        )


def chat_answer(content: Any) -> dict[str, Any]:
    """What the chat endpoint answers when the model says *content*."""
    text = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)
    return {"object": "chat.completion", "choices": [{"index": 0, "message": {"role": "assistant", "content": text}}]}


def _handler_for(stub: OpenAIStub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            status, content = stub.answer(Received(self.path, self.headers["authorization"], body))
            sent = content if isinstance(content, bytes) else json.dumps(content).encode()
            # The client may have stopped to wait.
            with suppress(ConnectionError):
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(sent)))
                self.end_headers()
                self.wfile.write(sent)

        def log_message(self, *_: Any) -> None:
            pass

    return Handler


def tiny_lexicon(*more: Concept) -> Lexicon:
    """A dozen foods and dishes; *more* are added, or take the place of those of the same name."""
    concepts = {concept.name: concept for concept in (*_CONCEPTS, *more)}
    return Lexicon(concepts.values())


def concept(name: str, es: str, en: str, *, group: str = "plants", broader: str = "", contains: str = "") -> Concept:
    """A concept; *es* and *en* hold forms between commas, *broader* and *contains* names between spaces."""
    forms = [tuple(form.strip() for form in forms.split(",")) for forms in (es, en)]
    return Concept(name, group, forms[0], forms[1], tuple(broader.split()), tuple(contains.split()))


_CONCEPTS = (
    concept("animal_product", "producto animal", "animal product", group="roots"),
    concept("dairy", "lácteo", "dairy", group="roots", broader="animal_product"),
    concept("egg", "huevo", "egg", group="animal", broader="animal_product"),
    concept("milk", "leche", "milk", group="animal", broader="dairy"),
    concept("cheese", "queso", "cheese", group="animal", broader="dairy"),
    concept("chicken", "pollo", "chicken", group="animal", broader="animal_product"),
    concept("tomato", "tomate", "tomato"),
    concept("onion", "cebolla", "onion"),
    concept("rice", "arroz", "rice"),
    concept("potato", "papa, patata", "potato"),
    concept("soup", "sopa", "soup", group="dishes"),
    concept("salad", "ensalada", "salad", group="dishes"),
    concept("cake", "pastel", "cake", group="dishes"),
)

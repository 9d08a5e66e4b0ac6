"""An application with the registry's endpoints, for tests: its registry, its keys, and requests to it."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

import httpx
import uvicorn
from fastapi import FastAPI

from mlops import ModelMetadata, ModelRegistry
from mlops.access import KeyRing
from mlops.artefacts import MemoryArtefacts
from mlops.clock import Clock, utc_now
from mlops.http import models, problems
from mlops.http.access import Access
from mlops.http.limits import BodyLimit
from mlops.model_registry import ApprovalPolicy
from mlops.store import Database

JSON = {"content-type": "application/json"}
VERSIONS = ("1.0.0", "1.0.1", "1.0.2")


class ModelsApp:
    """*model_id* has three versions, of which 1.0.0 is in production; ``other`` has one, in training.

    With *is_empty* there is no model at all.
    """

    def __init__(
        self,
        database: Database,
        *,
        approval: ApprovalPolicy | None = None,
        require_key_to_read: bool = False,
        clock: Clock = utc_now,
        model_id: str = "ranker",
        is_empty: bool = False,
    ) -> None:
        self.model_id = model_id
        self.registry = ModelRegistry(database, artefacts=MemoryArtefacts(), actor="ana", clock=clock)
        if not is_empty:
            self._register()
        self.registry.approval = approval or ApprovalPolicy()
        self.keys = KeyRing(database, clock=clock)
        self.serves: dict[str, str] = {}
        self.app = FastAPI()
        problems.install(self.app, models.STATUSES)
        access = Access(self.keys, require_key_to_read=require_key_to_read)
        self.app.include_router(models.router(self.registry, access, serving=self.serves.get))
        self.app.add_middleware(BodyLimit, max_bytes=65_536)

    def _register(self) -> None:
        for version in VERSIONS:
            metadata = ModelMetadata(self.model_id, version, metrics={"ndcg@3": 0.4}, tags=["nightly"])
            self.registry.register(metadata, artefact={"weights.txt": version.encode()})
        self.registry.promote(self.model_id, "1.0.0", because="first")
        self.registry.register(ModelMetadata("other", "1.0.0"))

    def send(self, method: str, path: str, *, client: str = "127.0.0.1", **request: Any) -> httpx.Response:
        """The answer to a request from *client*, addressed to localhost."""

        async def run() -> httpx.Response:
            transport = httpx.ASGITransport(self.app, raise_app_exceptions=False, client=(client, 50_000))
            async with httpx.AsyncClient(transport=transport, base_url="http://localhost:8000") as requests:
                return await requests.request(method, path, **request)

        return asyncio.run(run())

    def get(self, path: str, *, status: int = 200, **request: Any) -> Any:
        """The JSON answer to a GET, which has to have *status*."""
        return _checked(self.send("GET", path, **request), status)

    def post(self, path: str, body: object = None, *, status: int = 200, **request: Any) -> Any:
        """The JSON answer to a POST of *body* (default: a reason), which has to have *status*."""
        answer = self.send("POST", path, json={"reason": "better"} if body is None else body, **request)
        return _checked(answer, status)

    @property
    def champion(self) -> str | None:
        """The version in production."""
        found = self.registry.get_production_model(self.model_id)
        return None if found is None else found.version


class Running:
    """A server on a free port of this machine, in a thread."""

    def __init__(self, app: Any) -> None:
        config = uvicorn.Config(app, port=0, log_level="error", lifespan="off")
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run)
        self._thread.start()
        deadline = time.monotonic() + 20
        while not self._server.started:
            assert time.monotonic() < deadline, "the server did not start"
            time.sleep(0.01)
        self.port: int = self._server.servers[0].sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join(timeout=20)


def _checked(answer: httpx.Response, status: int) -> Any:
    assert answer.status_code == status, answer.text
    document = answer.json()
    if status >= 400:
        assert answer.headers["content-type"] == "application/problem+json"
        assert document["status"] == status
        assert "Traceback" not in answer.text
    return document

"""The floor under any FastAPI service: one endpoint that answers fixed bytes."""

import os

from fastapi import FastAPI, Response

app = FastAPI()
_BODY = b'{"x":"' + b"a" * (int(os.environ.get("FLOOR_BYTES", "4000")) - 8) + b'"}'


@app.post("/recommend")
async def recommend() -> Response:
    """The fixed answer."""
    return Response(_BODY, media_type="application/json")


@app.get("/health/ready")
async def ready() -> Response:
    """Always."""
    return Response(b"{}", media_type="application/json")

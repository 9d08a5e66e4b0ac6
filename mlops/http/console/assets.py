"""The console's own files: style, script, icon. Loaded once; a browser may keep them, for their address names them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

ADDRESS = "/consola/archivos"

_FOLDER = Path(__file__).parent / "static"
_KINDS = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_ONE_YEAR_SECONDS = 365 * 24 * 3600


@dataclass(frozen=True, slots=True)
class Asset:
    """A file as it is served; its address holds the hash of its content."""

    content: bytes
    kind: str
    address: str
    tag: str


def load_assets() -> Mapping[str, Asset]:
    """The files by name. The style of drawings is the one that reports have inline."""
    charts = resources.files("mlops.reports") / "templates" / "charts.css"
    contents = {file.name: file.read_bytes() for file in sorted(_FOLDER.iterdir())}
    contents["charts.css"] = charts.read_bytes()
    return {name: _asset(name, content) for name, content in contents.items()}


def answer(asset: Asset, request: Request) -> Response:
    """*asset*, to be kept for a year where its address has the right hash, and asked for anew otherwise."""
    is_hashed = request.query_params.get("v") == asset.tag
    headers = {
        "Cache-Control": f"public, max-age={_ONE_YEAR_SECONDS}, immutable" if is_hashed else "no-cache",
        "ETag": f'"{asset.tag}"',
        "X-Content-Type-Options": "nosniff",
    }
    if request.headers.get("if-none-match") == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    return Response(asset.content, media_type=asset.kind, headers=headers)


def _asset(name: str, content: bytes) -> Asset:
    tag = hashlib.blake2b(content, digest_size=6).hexdigest()
    return Asset(content, _KINDS[Path(name).suffix], f"{ADDRESS}/{name}?v={tag}", tag)

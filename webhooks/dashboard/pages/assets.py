"""The style sheet, the script and the icon, under names that change with their content."""

from __future__ import annotations

import gzip
import hashlib
from functools import cache
from pathlib import Path

from flask import Response
from werkzeug.exceptions import NotFound

from webhooks.dashboard.visit import Visit

FOLDER = Path(__file__).parents[1] / "static"
TYPES = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}
YEAR_SECONDS = 31_536_000


def show(visit: Visit, name: str) -> Response:
    """Return a file. Browsers keep it for a year."""
    content = _files().get(name)
    if content is None:
        raise NotFound
    packed = "gzip" in visit.request.headers.get("Accept-Encoding", "")
    response = Response(content[packed], content_type=TYPES[Path(name).suffix])
    response.headers["Vary"] = "Accept-Encoding"
    if packed:
        response.headers["Content-Encoding"] = "gzip"
    response.headers["Cache-Control"] = f"public, max-age={YEAR_SECONDS}, immutable"
    return response


def asset_path(file: str) -> str:
    """Return the path of a file of the folder `static`."""
    return f"/assets/{_names()[file]}"


@cache
def _names() -> dict[str, str]:
    files = [path for path in FOLDER.iterdir() if path.suffix in TYPES]
    digests = {path: hashlib.sha256(path.read_bytes()).hexdigest()[:12] for path in files}
    return {path.name: f"{path.stem}.{digest}{path.suffix}" for path, digest in digests.items()}


@cache
def _files() -> dict[str, tuple[bytes, bytes]]:
    """Return the content of each file, as it is and compressed. They hold no secret, so compression reveals none."""
    contents = {name: (FOLDER / file).read_bytes() for file, name in _names().items()}
    return {name: (content, gzip.compress(content, mtime=0)) for name, content in contents.items()}

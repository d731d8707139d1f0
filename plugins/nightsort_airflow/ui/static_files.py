"""
Style sheets, scripts and icons, under paths that change with their content: browsers keep them for ever.

Plotly's JavaScript is served from inside its PyPI package: no foreign code lies in this tree, and its pin is
hashed like every other.
"""

from __future__ import annotations

import gzip
import hashlib
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

from starlette.responses import PlainTextResponse, Response

if TYPE_CHECKING:
    from starlette.requests import Request

_FOLDER: Final = Path(__file__).with_name("static")
PLOTLY: Final = "plotly.min.js"
_TYPES: Final = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_FOR_EVER: Final = {"Cache-Control": "private, max-age=31536000, immutable"}
ICONS: Final = ("icon.svg", "icon-dark.svg")
"""Served under their plain names too: Airflow's menu names them before the app is built."""


def static_path(name: str) -> str:
    """
    Return the path of a file below the app.

    :param name: the file's name.
    """
    return f"/static/{_edition(name)}/{name}"


def serve_static(request: Request) -> Response:
    """Answer with a file, compressed if the browser takes that."""
    name = request.path_params["name"]
    if name not in _names() or request.path_params["edition"] != _edition(name):
        return PlainTextResponse("There is no such file.", 404)
    media_type = f"{_TYPES[Path(name).suffix]}; charset=utf-8"
    headers = {**_FOR_EVER, "Vary": "Accept-Encoding"}
    if "gzip" in request.headers.get("Accept-Encoding", ""):
        return Response(
            _compressed(name), headers={**headers, "Content-Encoding": "gzip"}, media_type=media_type
        )
    return Response(static_file(name).read_bytes(), headers=headers, media_type=media_type)


def serve_icon(request: Request) -> Response:
    """Answer with an icon of Airflow's menu."""
    name = request.url.path.rpartition("/")[2]
    headers = {"Cache-Control": "private, max-age=86400"}
    return Response(static_file(name).read_bytes(), headers=headers, media_type=_TYPES[".svg"])


@cache
def _names() -> frozenset[str]:
    return frozenset({file.name for file in _FOLDER.iterdir() if file.suffix in _TYPES} | {PLOTLY})


@cache
def _edition(name: str) -> str:
    """Return what changes when the file does."""
    if name == PLOTLY:
        return version("plotly")
    return hashlib.sha256(static_file(name).read_bytes()).hexdigest()[:12]


@cache
def _compressed(name: str) -> bytes:
    return gzip.compress(static_file(name).read_bytes(), 9, mtime=0)


def static_file(name: str) -> Path:
    """
    Return where a file lies: in this package, or in Plotly's.

    :param name: the file's name.
    """
    if name != PLOTLY:
        return _FOLDER / name
    # Found without an import: the package itself is not needed to serve one of its files.
    spec = find_spec("plotly")
    if spec is None or not spec.submodule_search_locations:
        raise FileNotFoundError("the package plotly is not installed: install nightsort[airflow]")
    return Path(spec.submodule_search_locations[0]) / "package_data" / PLOTLY

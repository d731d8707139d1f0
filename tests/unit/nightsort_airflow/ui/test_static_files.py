from __future__ import annotations

import gzip
from importlib.metadata import version

from nightsort_airflow.ui import static_files


def test_plotly_comes_from_its_own_package_and_its_path_has_its_version() -> None:
    assert static_files.static_path("plotly.min.js") == f"/static/{version('plotly')}/plotly.min.js"
    file = static_files.static_file("plotly.min.js")
    assert "site-packages" in str(file)
    assert b"Licensed under the MIT license" in file.read_bytes()[:1000]


def test_no_foreign_code_lies_in_the_tree() -> None:
    ours = [file for file in static_files._FOLDER.iterdir() if file.suffix == ".js"]
    assert ours
    for file in ours:
        assert len(file.read_text().splitlines()) < 250, file
        assert max(map(len, file.read_text().splitlines())) < 180, f"{file} looks minified"


def test_a_compressed_file_is_the_file() -> None:
    whole = static_files.static_file("app.css").read_bytes()
    assert gzip.decompress(static_files._compressed("app.css")) == whole

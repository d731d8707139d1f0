from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest
from starlette.requests import Request

from nightsort_airflow.ui import rendering
from nightsort_airflow.ui.addresses import Addresses
from nightsort_airflow.ui.rendering import as_json, page, render

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("text", ["</script>", "<!--", "a & b", "\u2028\u2029", 'quote " and \\'])
def test_data_in_a_page_cannot_end_their_element_and_stay_what_they_are(text: str) -> None:
    written = as_json({text: [text]})
    assert not {"<", ">", "&", "\u2028"} & set(written)
    assert json.loads(written) == {text: [text]}


def test_a_page_escapes_what_it_shows() -> None:
    scope = {
        "type": "http",
        "method": "GET",
        "path": "/",
        "query_string": b"",
        "headers": [],
        "root_path": "/nightsort",
    }
    answer = page(Request(scope), "foreign", title="<b>", dag="<script>")
    html = bytes(answer.body).decode()
    assert "<script>" not in html.replace('<script src="', "").replace("<script defer", "")
    assert "<code>&lt;script&gt;</code>" in html
    assert "<title>&lt;b&gt;" in html


def test_the_templates_of_a_later_version_are_not_read_by_an_api_server_that_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = shutil.copytree(rendering._TEMPLATES, tmp_path / "templates")
    monkeypatch.setattr(rendering, "_TEMPLATES", folder)
    rendering._environment.cache_clear()
    try:
        render("foreign", Addresses("/nightsort"), title="x", dag="x")
        for file in folder.iterdir():
            file.write_text("{{ x | filter_of_a_later_version }}")
        for template in ("foreign", "trouble"):
            html = render(template, Addresses("/nightsort"), title="x", dag="x", kind="page", what="")
            assert "All classifiers" in html
    finally:
        rendering._environment.cache_clear()

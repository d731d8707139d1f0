from __future__ import annotations

import json

import pytest
from starlette.requests import Request

from nightsort_airflow.ui.rendering import as_json, page


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

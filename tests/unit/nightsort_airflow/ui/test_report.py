"""Whole files are in tests/integration/test_ui_downloads.py."""

from __future__ import annotations

from nightsort_airflow.ui.report import _LINK_TO_NOWHERE


def test_a_link_to_a_page_that_a_file_does_not_have_is_its_text() -> None:
    run = '<a href="https://h/dags/d" data-out>run</a>'
    html = f'a <a class="id" href="nowhere:/classifiers/x">v1 <b>x</b></a>, {run}'
    assert _LINK_TO_NOWHERE.sub(r"\1", html) == f"a v1 <b>x</b>, {run}"

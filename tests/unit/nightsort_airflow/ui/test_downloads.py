"""Whole files are in tests/integration/test_ui_downloads.py."""

from __future__ import annotations

import pytest

from nightsort_airflow.ui.downloads import _file_name


@pytest.mark.parametrize(
    ("parts", "name"),
    [
        (("tickets", "20261101", "rejects", "csv"), "tickets-20261101-rejects.csv"),
        (('a"b\r\n/../c', "1", "predictions", "parquet"), "a_b_.._c-1-predictions.parquet"),
    ],
)
def test_a_files_name_can_end_no_header(parts: tuple[str, ...], name: str) -> None:
    assert _file_name(*parts) == name

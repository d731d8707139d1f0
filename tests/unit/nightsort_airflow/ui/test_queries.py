"""The statements run against real tables in tests/integration/test_ui_pages.py."""

from __future__ import annotations

import inspect
import re

from nightsort_airflow.ui import queries


def test_no_page_reads_the_table_of_predictions_and_no_value_is_written_into_a_statement() -> None:
    source = inspect.getsource(queries)
    assert "nightsort.predictions" not in source
    statements = re.findall(r'f"""', source)
    assert statements == []

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from starlette.requests import Request

from nightsort_airflow.ui.application import RETRY_SECONDS, answered
from nightsort_airflow.ui.site import NotFoundError, TablesError


def request() -> Request:
    return Request({"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": []})


@pytest.mark.parametrize(
    ("error", "status", "told"),
    [
        (NotFoundError(), 404, "There is no such page"),
        (NotFoundError("night", "tickets"), 404, "There is no such night"),
        (TablesError("their_db", "old_tables"), 503, "<code>their_db</code>: The tables are missing"),
        (TablesError("their_db", "unknown_connection"), 503, "Airflow has no connection of this name"),
        (TablesError("their_db", "no_rights"), 503, "grant USAGE on the schema"),
        (TablesError("their_db", "slow"), 503, "The database took too long"),
        (TablesError("their_db", "busy"), 503, "Too many pages are asked for"),
        (TablesError("their_db", "unreachable"), 503, "The tables cannot be reached"),
        (ValueError("SECRET"), 500, "This page failed"),
    ],
)
def test_whatever_happens_there_is_a_page_without_the_text_of_the_error(
    error: Exception, status: int, told: str, capfd: pytest.CaptureFixture[str]
) -> None:
    def fails(_: Any) -> Any:
        raise error

    answer = answered(fails)(request())
    assert answer.status_code == status
    assert told in bytes(answer.body).decode()
    passes = "took too long" in told or "Too many" in told
    assert answer.headers.get("Retry-After") == (str(RETRY_SECONDS) if passes else None)
    assert "SECRET" not in bytes(answer.body).decode() + "".join(capfd.readouterr())


def test_nothing_of_the_app_is_imported_before_the_first_request() -> None:
    """Every worker, the DAG processor and the triggerer import the plugin too."""
    script = (
        "import sys; import nightsort_airflow.airflow_plugin; "
        "print([name for name in sys.modules if name.startswith('nightsort_airflow.ui')], "
        "'fastapi' in sys.modules, 'psycopg' in sys.modules, 'plotly' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    *_, told = done.stdout.strip().splitlines()
    assert told == "['nightsort_airflow.ui', 'nightsort_airflow.ui.menu'] False False False"

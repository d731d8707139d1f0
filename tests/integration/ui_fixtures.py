"""Clients of the pages: over the months of nights that all tests share, or over nights of a test's own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.ui_client import pages, write_specs
from tests.made_nights import FIRST_NIGHT, MadeNights

if TYPE_CHECKING:
    from pathlib import Path

    import psycopg
    from starlette.testclient import TestClient


@pytest.fixture
def specs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = write_specs(tmp_path / "specs", "tickets", "reviews", "mails", "chats")
    monkeypatch.setenv("NIGHTSORT_SPECS", str(folder))
    return folder


@pytest.fixture
def client(months: str, specs: Path) -> TestClient:
    return pages(months)


@pytest.fixture
def own(database: psycopg.Connection[Any], empty_database: str, specs: Path) -> TestClient:
    """A client of a database that a test fills itself."""
    return pages(empty_database)


@pytest.fixture
def with_predictions(own: TestClient, database: Any) -> TestClient:
    made = MadeNights(database, "tickets")
    made.train("v1f2e3d4c5b6a")
    key = made.night(FIRST_NIGHT, documents=4, failed=1, rejects={"blank": 1})
    rows = [
        ("b", 0, "=cmd|' /C calc'!A0", "classified", "a,b", 0.5, ["a,b", "c"], [0.5, 0.25], ["a,b"], None),
        ("b", 1, "T-2", "classified", "ü", 1.0, ["ü"], [1.0], ["ü"], None),
        ("b", 2, "T-3", "failed", None, None, None, None, None, "missing_from_output"),
        ("rejects", 0, None, "rejected", None, None, None, None, None, "blank"),
    ]
    for row in rows:
        database.execute(
            "INSERT INTO nightsort.predictions (classifier, run_key, day, version, batch, line, document_id,"
            " status, label, score, labels, scores, accepted, reason)"
            " VALUES ('tickets', %s, %s, 'v1', %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
            (key, FIRST_NIGHT, *row),
        )
    return own

"""What the pages of the UI offer as files: predictions, rejects, and a night as one file."""

from __future__ import annotations

import asyncio
import csv
import io
import json
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
import pytest

from nightsort.exports import EXPORT_SCHEMA
from nightsort.tables.retention import drop_run, find_runs
from tests.integration.ui_client import NOW, Found, look
from tests.integration.ui_fixtures import own, specs, with_predictions

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.testclient import TestClient

__all__ = ["own", "specs", "with_predictions"]

pytestmark = pytest.mark.integration


def test_predictions_and_rejects_as_csv_that_a_spreadsheet_does_not_run(with_predictions: TestClient) -> None:
    answer = with_predictions.get("/nightsort/classifiers/tickets/nights/20261101/predictions.csv")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="tickets-20261101-predictions.csv"'
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [row["document_id"] for row in rows] == ["'=cmd|' /C calc'!A0", "T-2", "T-3"]
    assert [row["label"] for row in rows] == ["a,b", "ü", ""]
    assert json.loads(rows[0]["labels"]) == ["a,b", "c"]
    rejects = with_predictions.get("/nightsort/classifiers/tickets/nights/20261101/rejects.csv").text
    assert list(csv.DictReader(io.StringIO(rejects))) == [
        {"document_id": "", "reason": "blank", "batch": "rejects", "line": "0"}
    ]


def test_a_night_whose_predictions_were_dropped_says_so_and_offers_no_files(
    with_predictions: TestClient, database: Any
) -> None:
    night = "/classifiers/tickets/nights/20261101"
    assert f"/nightsort{night}/predictions.csv" in look(with_predictions, night).links
    for run in find_runs(database, before=NOW.date()):
        drop_run(database, run)
    shown = look(with_predictions, night)
    assert "4 came in = 2 classified + 1 failed + 1 rejected" in shown.text
    assert "The predictions of this night were deleted" in shown.text
    assert "No document has a label" not in shown.text
    assert [link for link in shown.links if link.endswith((".csv", ".parquet"))] == []


def test_predictions_as_parquet_are_exact(with_predictions: TestClient) -> None:
    answer = with_predictions.get("/nightsort/classifiers/tickets/nights/20261101/predictions.parquet")
    table = pq.read_table(io.BytesIO(answer.content))
    assert table.column_names == EXPORT_SCHEMA.names
    assert table["document_id"].to_pylist() == ["=cmd|' /C calc'!A0", "T-2", "T-3"]
    assert table["scores"].to_pylist() == [[0.5, 0.25], [1.0], None]
    empty = with_predictions.get("/nightsort/classifiers/tickets/nights/20261101/predictions.txt")
    assert empty.status_code == 404


def test_downloads_are_few_at_a_time_and_leave_nothing_behind(with_predictions: TestClient) -> None:
    from nightsort_airflow.ui import downloads

    path = "/nightsort/classifiers/tickets/nights/20261101/predictions.csv"
    with downloads._AT_ONCE, downloads._AT_ONCE:
        assert with_predictions.get(path).status_code == 503
    for _ in range(5):
        assert with_predictions.get(path).status_code == 200


async def ask(client: TestClient, path: str, receive: Any, send: Any) -> None:
    """Ask as a server does, so that a test decides what the reader does."""
    scope = {
        "type": "http", "asgi": {"version": "3.0", "spec_version": "2.3"}, "http_version": "1.1",
        "method": "GET", "scheme": "http", "path": path, "raw_path": path.encode(), "root_path": "",
        "query_string": b"", "headers": [(b"authorization", b"Bearer a-token")], "server": ("airflow", 80),
    }  # fmt: skip
    await client.app(scope, receive, send)


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_download_whose_reader_is_gone_before_it_begins_gives_its_place_back(
    with_predictions: TestClient, suffix: str
) -> None:
    path = f"/nightsort/classifiers/tickets/nights/20261101/predictions.{suffix}"

    async def gone() -> dict[str, str]:
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        await asyncio.sleep(0)

    for _ in range(3):
        asyncio.run(ask(with_predictions, path, gone, send))
    assert with_predictions.get(path).status_code == 200


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_download_whose_reader_takes_nothing_ends(
    with_predictions: TestClient, suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = f"/nightsort/classifiers/tickets/nights/20261101/predictions.{suffix}"

    async def never(*_: Any) -> None:
        await asyncio.Event().wait()

    with monkeypatch.context() as changed:
        changed.setattr("nightsort_airflow.ui.downloads.DOWNLOAD_SECONDS", 1)
        for _ in range(3):
            with pytest.raises(asyncio.TimeoutError):
                asyncio.run(ask(with_predictions, path, never, never))
    assert with_predictions.get(path).status_code == 200


def test_a_night_as_one_file_loads_nothing_and_has_the_same_numbers(
    months: str, specs: Path, tmp_path: Path
) -> None:
    from typer.testing import CliRunner

    import nightsort.__main__  # noqa: F401 (adds the command)
    from nightsort.cli.command import app

    file = tmp_path / "night.html"
    arguments = [
        "report",
        "tickets",
        "2026-11-30",
        "--html",
        str(file),
        "--airflow-url",
        "https://airflow.example.com/",
    ]
    done = CliRunner().invoke(app, [*arguments, months])
    assert done.exit_code == 0, done.output
    html = file.read_text(encoding="utf-8")
    shown = Found(html)
    assert "3,120 came in = 3,106 classified + 0 failed + 14 rejected" in shown.text
    assert shown.sources == []
    assert "nowhere:" not in html
    assert any(
        link.startswith("https://airflow.example.com/dags/classify_tickets/runs/") for link in shown.links
    )
    assert "Plotly" in html
    assert "run in airflow" in shown.text.lower()
    place = arguments.index("--airflow-url")
    done = CliRunner().invoke(app, [*arguments[:place], months])
    assert done.exit_code == 0, done.output
    text = Found(file.read_text(encoding="utf-8")).text
    assert "run in airflow" not in text.lower(), "words of a link without the link"

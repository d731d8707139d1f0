"""The pages of the UI: what nobody may see or do, and what no text in them does."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from psycopg.types.json import Jsonb

from tests.integration.ui_client import NIGHT, ROUTE_VALUES, SCRIPT, Found, look, pages
from tests.integration.ui_fixtures import client, own, specs
from tests.made_nights import FIRST_NIGHT, MadeNights

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.testclient import TestClient

__all__ = ["client", "own", "specs"]

pytestmark = pytest.mark.integration


@pytest.mark.parametrize(
    "broken",
    [
        "notifiers:\n- import_path: tests.file_notifier.FileNotifier\n  arguments:\n    webhook_url: https://h/SECRET\n",
        "notifiers: [{import_path: x.Y, arguments: {token: SECRET}}]\n",
        "notifiers: {password: SECRET}\n",
        "incoming: {uri: 'postgresql://user:SECRET@host/db', format: csv}\n",
        "database:\n  password: |\n    SECRET\n  mode [\n",
        "smtp: &x SECRET\ntoken: *x\n",
    ],
)
def test_a_secret_in_a_spec_is_not_shown(client: TestClient, specs: Path, broken: str) -> None:
    with (specs / "mails.yaml").open("a") as file:
        file.write(broken)
    for path in ("/", "/classifiers/mails"):
        shown = look(client, path).text
        assert "SECRET" not in shown
        assert "spec is broken" in shown or "import_path" in shown or path != "/"


def test_labels_ids_and_messages_are_shown_as_text(own: TestClient, database: Any) -> None:
    made = MadeNights(database, "tickets", [SCRIPT, "</script><b>x", "ok"])
    made.train("v1f2e3d4c5b6a")
    key = made.night(FIRST_NIGHT, state="failed", message=SCRIPT, rejects={SCRIPT: 3})
    for path in (
        "/",
        "/classifiers/tickets",
        f"/classifiers/tickets/nights/{key}",
        "/classifiers/tickets/drift",
    ):
        html = own.get(f"/nightsort{path}").text
        assert SCRIPT not in html, path
        assert "</script><b>x" not in html, path
    assert SCRIPT in look(own, f"/classifiers/tickets/nights/{key}").text, "as text"


def test_a_label_turns_no_number_beside_it_around(own: TestClient, database: Any) -> None:
    label = "\u202eabc"
    made = MadeNights(database, "tickets", [label, "b"])
    made.train("v1f2e3d4c5b6a")
    html = own.get(f"/nightsort/classifiers/tickets/nights/{made.night(FIRST_NIGHT)}").text
    shown = re.sub(r"<script.*?</script>", "", html, flags=re.DOTALL)
    assert f"<bdi>{label}</bdi> 0.1" in shown, "a less likely label, and its score outside"
    assert len(re.findall(label, shown)) == len(re.findall(f'(?:<bdi>|dir="auto" value="|">){label}', shown))


def test_the_data_of_charts_are_json_that_no_script_runs(client: TestClient) -> None:
    html = client.get(f"/nightsort{NIGHT}").text
    found = re.findall(r'<script type="application/json" id="([^"]+)">(.*?)</script>', html, re.DOTALL)
    assert {name for name, _ in found} >= {"label-chart-data", "score-chart-data", "score-choices"}
    for _, content in found:
        json.loads(content)
    inline = re.findall(r"<script(?![^>]*(?:src=|application/json))", html)
    assert inline == []


def test_nothing_is_loaded_from_elsewhere(client: TestClient) -> None:
    for path in ("/", NIGHT, "/classifiers/tickets", "/classifiers/tickets/drift"):
        sources = look(client, path).sources
        assert sources
        assert [source for source in sources if not source.startswith("/nightsort/")] == []


def test_static_files_are_kept_for_ever_under_a_path_that_changes_with_them(client: TestClient) -> None:
    for source in look(client, NIGHT).sources:
        answer = client.get(source)
        assert answer.status_code == 200, source
        assert answer.headers["Cache-Control"] == "private, max-age=31536000, immutable"
    plotly = next(source for source in look(client, NIGHT).sources if "plotly" in source)
    compressed = client.get(plotly, headers={"Accept-Encoding": "gzip"})
    assert compressed.headers["Content-Encoding"] == "gzip"
    assert int(compressed.headers["Content-Length"]) < 2_000_000
    assert client.get("/nightsort/static/old/app.css").status_code == 404
    assert client.get("/nightsort/static/x/..%2F..%2Fapplication.py").status_code == 404


def all_paths(client: TestClient) -> list[str]:
    """Every route of the app, mounts included, with values for its parameters."""
    app = client.app.routes[0].app.app  # type: ignore[attr-defined]
    return [re.sub(r"\{(\w+)\}", lambda found: ROUTE_VALUES[found[1]], route.path) for route in app.routes]


def test_nothing_is_there_without_a_login_and_every_answer_has_the_headers(client: TestClient) -> None:
    paths = [*all_paths(client), *look(client, NIGHT).sources, "/no/such/page"]
    assert len(paths) > 15
    for path in paths:
        whole = path if path.startswith("/nightsort") else f"/nightsort{path}"
        for method in ("GET", "HEAD", "POST", "OPTIONS"):
            answer = client.request(method, whole, headers={"Authorization": ""})
            assert answer.status_code == 401, (method, path)
        headers = client.get(whole).headers
        assert "script-src 'self'" in headers["Content-Security-Policy"], path
        assert "unsafe-eval" not in headers["Content-Security-Policy"], path
        assert headers["X-Content-Type-Options"] == "nosniff", path
        assert headers["Cache-Control"].startswith("private"), path


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_no_route_changes_anything(client: TestClient, method: str) -> None:
    for path in all_paths(client):
        assert client.request(method, f"/nightsort{path}").status_code == 405


def test_below_a_sub_path_every_address_begins_with_it(months: str, specs: Path) -> None:
    client = pages(months, prefix="/data/airflow/nightsort")
    for path in ("/", NIGHT, "/classifiers/tickets"):
        answer = client.get(f"/data/airflow/nightsort{path}")
        assert answer.status_code == 200
        found = Found(answer.text)
        ours = [link for link in [*found.links, *found.sources] if not link.startswith(("https://", "#"))]
        assert [link for link in ours if not link.startswith("/data/airflow/")] == []
        assert any(link.startswith("/data/airflow/dags/") for link in ours)
        assert client.get(found.sources[0]).status_code == 200


def test_a_classifier_that_is_not_there_looks_like_one_that_one_may_not_see(client: TestClient) -> None:
    for path in ("/classifiers/nobody", "/classifiers/nobody/nights/20261130", "/no"):
        assert "There is no such page" in look(client, path, 404).text


def test_a_reader_without_rights_gets_no_page_and_no_file_of_a_classifier(
    months: str, specs: Path, client: TestClient
) -> None:
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser

    async def guest(_: str | None) -> Any:
        return SimpleAuthManagerUser(username="guest", role=None)

    asking = pages(months, who=guest)
    paths = [path for path in all_paths(client) if path.startswith("/classifiers/")]
    assert f"{NIGHT}/predictions.csv" in paths
    for path in [*paths, f"{NIGHT}/rejects.parquet"]:
        assert client.get(f"/nightsort{path}").status_code == 200, path
        for method in ("GET", "HEAD"):
            assert asking.request(method, f"/nightsort{path}").status_code == 404, path
    for path in ("/dag?dag_id=classify_tickets", "/run?dag_id=classify_tickets&run_id=1"):
        assert "Not a Nightsort DAG" in look(asking, path).text
    assert "No classifier yet" in look(asking, "/").text


def test_an_error_says_nothing_of_what_was_read(
    own: TestClient, database: Any, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    made = MadeNights(database, "tickets")
    made.train("v1f2e3d4c5b6a")
    database.execute("UPDATE nightsort.classifier_versions SET labels = %s", (Jsonb(["SECRET TEXT"]),))
    shown = look(own, "/classifiers/tickets", 500)
    assert "This page failed" in shown.text
    out, err = capfd.readouterr()
    assert "SECRET" not in shown.text + caplog.text + out + err

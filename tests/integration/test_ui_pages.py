"""Each page of the UI, over the real tables: what it shows, and where it leads."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from nightsort.opening.bill import Change
from nightsort.opening.record import Record
from nightsort.tables.endpoint_hours import save_opening
from tests.integration.ui_client import NIGHT, NOW, SCRIPT, look
from tests.integration.ui_fixtures import client, own, specs
from tests.made_nights import FIRST_NIGHT, MadeNights, batch_name, job_id

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.testclient import TestClient

__all__ = ["client", "own", "specs"]

pytestmark = pytest.mark.integration


def test_the_overview_has_what_needs_a_person_first_with_reason_and_links(client: TestClient) -> None:
    shown = look(client, "/")
    places = [shown.text.index(f" {name} ") for name in ("reviews", "mails", "tickets", "chats")]
    assert places == sorted(places)
    assert "4,021 of 4,021 documents are missing" in shown.text
    assert any("/dags/classify_reviews/runs/" in link for link in shown.links)
    assert any(link.startswith("https://console.aws.amazon.com/comprehend") for link in shown.links)
    assert "30 of 900 documents that were sent have no label (3.3%)" in shown.text
    assert "No version yet: start the DAG train_chats." in shown.text
    assert "macro F1" in shown.text


def test_an_overview_of_nothing_says_how_to_begin(own: TestClient, specs: Path) -> None:
    for file in specs.iterdir():
        file.unlink()
    assert "No classifier yet" in look(own, "/").text
    assert "nightsort init" in look(own, "/").text


def test_a_night_shows_its_sums_reasons_labels_scores_jobs_and_files(client: TestClient) -> None:
    shown = look(client, NIGHT)
    assert "3,120 came in = 3,106 classified + 0 failed + 14 rejected" in shown.text
    assert "The sums add up." in shown.text
    assert "invalid_utf8" in shown.text
    assert "encoding: cp1252" in shown.text, "the remedy of a reason"
    assert re.search(r"invalid_utf8 rejected 9 [^|]+ T-\d{6} ", shown.text), "an example of a reason"
    assert "Beside 28 nights of the same version before" in shown.text
    assert shown.text.count("are distributed otherwise than in the 28 nights before") == 1, "once"
    assert "Most changed: billing" in shown.text
    assert "The 50 documents with the lowest scores" in shown.text
    assert job_id(batch_name("tickets", "20261130")) in shown.text
    assert "Forecast" in shown.text
    assert f"/nightsort{NIGHT}/predictions.parquet" in shown.links
    assert "/nightsort/classifiers/tickets/nights/20261129" in shown.links


def test_a_night_of_an_earlier_version_shows_what_it_has(own: TestClient, database: Any) -> None:
    made = MadeNights(database, "tickets")
    made.train("v1f2e3d4c5b6a")
    key = made.night(FIRST_NIGHT, failed=3, rejects={"blank": 2}, statistics=False, forecast_usd=None)
    shown = look(own, f"/classifiers/tickets/nights/{key}")
    assert "No statistics of this night" in shown.text
    assert "missing_from_output failed 3" in shown.text
    assert "blank rejected 2" in shown.text


def test_a_night_whose_documents_are_missing_says_so(client: TestClient) -> None:
    shown = look(client, "/classifiers/reviews/nights/20261130")
    assert "4,021 came in = 0 classified + 0 failed + 0 rejected + 4,021 missing" in shown.text
    assert "The sums do not add up" in shown.text


def test_a_classifier_shows_its_versions_with_decisions_matrix_and_weakest_labels(client: TestClient) -> None:
    shown = look(client, "/classifiers/tickets")
    assert "Active version v5e0c41d97ab2" in shown.text
    assert "Gain too small on the same test set" in shown.text
    assert "against v77a40e9b12cf" in shown.text
    assert "test set 5b1f0c2e" in shown.text
    assert "Most confused" in shown.text
    assert "Labels, the weakest first" in shown.text
    assert "min_documents_per_label" not in shown.text
    assert "labelled: uri: s3://nightsort/tickets/labelled/" in shown.text, "the spec"


def test_a_classifier_says_what_its_last_night_needs(client: TestClient) -> None:
    shown = look(client, "/classifiers/reviews")
    assert "4,021 of 4,021 documents are missing" in shown.text
    assert any(link.startswith("https://console.aws.amazon.com/comprehend") for link in shown.links)
    assert "next run" in shown.text


def test_a_classifier_shows_its_endpoint_with_what_it_costs(own: TestClient, database: Any) -> None:
    MadeNights(database, "tickets").train("v1f2e3d4c5b6a")
    assert "Endpoint" not in look(own, "/classifiers/tickets").text
    two = NOW - timedelta(hours=2)
    model = "arn:aws:comprehend:us-east-1:123456789012:document-classifier/tickets/version/v1f2e3d4c5b6a"
    day_before = two - timedelta(days=1)
    for opened, closed in ((day_before, day_before + timedelta(hours=1)), (two, None)):
        save_opening(
            database,
            Record(
                "tickets", "arn:e", opened, "by its hours", (Change(opened, 1, model),), closed or NOW,
                usage={opened + timedelta(minutes=9): 0.5}, closed_at=closed,
                closing_why=f"nobody asked {SCRIPT}",
            ),
        )  # fmt: skip
    shown = look(own, "/classifiers/tickets")
    assert "Endpoint open" in shown.text
    assert "with 1 inference unit, version v1f2e3d4c5b6a . Today it cost 3.60 USD." in shown.text
    assert "1 h 00 min" in shown.text
    assert "1.80 USD" in shown.text
    assert f"nobody asked {SCRIPT}" in shown.text
    of_today = look(own, "/").text
    assert "tickets endpoint opening, 1 unit; today 3.60 USD" in of_today
    assert "3.60 USD all for the endpoint" in of_today


def test_another_version_has_an_address_of_its_own(client: TestClient) -> None:
    shown = look(client, "/classifiers/tickets/versions/v90b6e1d27f35")
    assert "Version v90b6e1d27f35 not promoted" in shown.text


def test_a_broken_spec_is_on_the_overview_and_on_its_classifiers_page(
    client: TestClient, specs: Path
) -> None:
    (specs / "mails.yaml").write_text("name: mails\nmode: MULTI_CLAS\n")
    assert "spec is broken" in look(client, "/").text
    shown = look(client, "/classifiers/mails").text
    assert "The spec is broken." in shown
    assert '"MULTI_CLAS" is not a value for mode' in shown


@pytest.mark.parametrize("name", ['"a\\0b"', '"\\uD800"', "a/b", '".."', '""', f'"{SCRIPT}"'])
@pytest.mark.parametrize("file", ["odd.yaml", "odd\udce9.yaml"])
def test_a_spec_with_an_impossible_name_has_a_row_and_a_page_and_costs_no_other(
    client: TestClient, specs: Path, name: str, file: str
) -> None:
    (specs / file).write_text(f"name: {name}\nmode: MULTI_CLASS\n")
    shown = look(client, "/")
    assert "macro F1" in shown.text, "the others"
    (link,) = (link for link in shown.links if "/classifiers/odd" in link)
    assert "The spec is broken." in look(client, link.removeprefix("/nightsort")).text


def test_the_page_of_drift_states_the_rule_and_the_numbers(client: TestClient) -> None:
    shown = look(client, "/classifiers/tickets/drift")
    assert "2 nights flagged" in shown.text
    assert "A night with fewer than 200 documents is not judged" in shown.text
    assert "2026-11-19 The labels of" in shown.text


def test_the_tabs_lead_a_run_and_a_dag_to_their_pages_and_say_when_they_are_foreign(
    client: TestClient,
) -> None:
    run = "dag_id=classify_tickets&run_id=scheduled__2026-12-01T02%3A00%3A00%2B00%3A00"
    assert client.get(f"/nightsort/run?{run}").headers["Location"] == f"/nightsort{NIGHT}"
    assert (
        client.get("/nightsort/run?dag_id=train_tickets&run_id=x")
        .headers["Location"]
        .endswith("/classifiers/tickets")
    )
    assert (
        client.get("/nightsort/dag?dag_id=train_tickets").headers["Location"].endswith("/classifiers/tickets")
    )
    assert "Not a Nightsort DAG" in look(client, "/dag?dag_id=somebody_elses").text
    assert "Not a Nightsort DAG" in look(client, "/run?dag_id=classify_unknown&run_id=1").text
    assert "No night of this run" in look(client, "/run?dag_id=classify_chats&run_id=1").text

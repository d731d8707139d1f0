from __future__ import annotations

from typing import TYPE_CHECKING

from nightsort_airflow.dag_docs import classify_doc, train_doc
from tests.unit.nightsort_airflow.airflow_specs import local_spec

if TYPE_CHECKING:
    from pathlib import Path


def test_the_pages_say_what_the_spec_says(tmp_path: Path) -> None:
    spec = local_spec(
        tmp_path,
        schedule="0 2 * * *",
        timezone="Europe/Berlin",
        budget={"run_usd": 12.5, "training_usd": 7, "when_over": "ask"},
        promotion={"metric": "micro_f1", "least_gain": 0.02},
        training_warnings="fail",
    )
    train, classify = train_doc(spec), classify_doc(spec)
    for text in (
        "Who answers a ticket?",
        "`micro_f1`",
        "0.02",
        "fails the run",
        "3.00 USD per hour",
        "stops the training",
        "Above 7.00 USD",
        "`approve_cost`",
    ):
        assert text in train
    for text in (
        "`0 2 * * *` (Europe/Berlin)",
        "Above 12.50 USD",
        "has 12 hours",
        "`approve_cost`",
        "train_tickets",
        "0.0015 USD",
        "`nightsort_db`",
    ):
        assert text in classify


def test_the_pages_name_who_may_approve(tmp_path: Path) -> None:
    approvers = ["ada", {"name": "grace", "id": "7"}]
    spec = local_spec(tmp_path, budget={"when_over": "ask", "approvers": approvers})
    for page in (train_doc(spec), classify_doc(spec)):
        assert "ada or grace, but not who triggered the run, is asked under *Required Actions*" in page


def test_the_pages_change_with_the_spec(tmp_path: Path) -> None:
    spec = local_spec(
        tmp_path,
        budget={"run_usd": None},
        stop_training_on_kill=False,
        mode="MULTI_LABEL",
        labelled={"sql": "select label, text from t", "conn_id": "warehouse"},
    )
    assert "continues and is billed" in train_doc(spec)
    assert "connection `warehouse`" in train_doc(spec)
    assert "select" not in train_doc(spec)
    assert "No limit is set" in classify_doc(spec)
    assert "only by hand" in classify_doc(spec)
    assert "Any number of labels" in classify_doc(spec)


def test_a_description_of_several_lines_does_not_break_the_page(tmp_path: Path) -> None:
    page = train_doc(local_spec(tmp_path, description="One\n  two\n"))
    assert "One two. One label" in page
    assert not [line for line in page.splitlines() if line.startswith(" ")]

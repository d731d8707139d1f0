"""A run has its row from its beginning, and the row says what became of it, whatever that is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import tests.airflow_environment  # noqa: F401 - before Airflow
from tests.integration.operator_trips import DAY, Trip, make_trip

# isort: split
from nightsort.classifier_spec.model import Budget, Quality
from nightsort_airflow.assets import predictions_asset
from nightsort_airflow.exceptions import (
    BadInputError,
    BudgetExceededError,
    NoActiveVersionError,
    RunIncompleteError,
)
from nightsort_airflow.operators.approval import REFUSAL_KEY
from nightsort_airflow.operators.reconcile import ReconcileRunOperator
from tests.integration.operator_runs import OperatorRun

if TYPE_CHECKING:
    from tests.integration.local_aws_server import LocalAwsServer

pytestmark = pytest.mark.integration


@pytest.fixture
def trip(
    aws: LocalAwsServer, empty_database: str, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Trip:
    return make_trip(aws, empty_database, monkeypatch, request.node.name)


@pytest.fixture
def trained(trip: Trip) -> Trip:
    trip.label(40)
    trip.bring(5)
    trip.train()
    return trip


def run_row(trip: Trip) -> dict[str, Any]:
    ((row,),) = trip.query("SELECT to_jsonb(run) FROM nightsort.classification_runs AS run")
    found: dict[str, Any] = row
    return found


def test_a_run_that_has_begun_is_running_and_names_its_dag_run(trained: Trip) -> None:
    trained.prepare(OperatorRun(run_id="scheduled__2026-11-19"))
    row = run_row(trained)
    assert (row["state"], row["message"], row["finished_at"]) == ("running", None, None)
    assert (row["dag_id"], row["run_id"]) == ("classify_trip", "scheduled__2026-11-19")
    assert row["started_at"] is not None
    assert (row["day"], row["documents_in"], row["classified"]) == (DAY, 0, 0)


def test_a_complete_run_names_its_dag_run_too(trained: Trip) -> None:
    trained.classify(OperatorRun(run_id="manual__7"))
    row = run_row(trained)
    assert (row["state"], row["run_id"]) == ("complete", "manual__7")
    assert row["finished_at"] is not None


def test_the_day_again_is_running_and_keeps_its_counts_until_there_are_new_ones(trained: Trip) -> None:
    trained.classify(OperatorRun(run_id="first"))
    trained.prepare(OperatorRun(run_id="second"))
    row = run_row(trained)
    assert (row["state"], row["run_id"], row["classified"]) == ("running", "second", 5)
    assert row["finished_at"] is None


def test_without_an_active_version_the_row_says_which_dag_to_run(trip: Trip) -> None:
    trip.bring(5)
    with pytest.raises(NoActiveVersionError):
        trip.prepare(OperatorRun())
    row = run_row(trip)
    assert row["state"] == "failed"
    assert f"Run the DAG train_{trip.spec.name}" in row["message"]
    assert row["finished_at"] is not None


def test_a_night_over_budget_says_so_in_its_row(trained: Trip) -> None:
    trained.spec = trained.spec.model_copy(update={"budget": Budget(run_usd=0.001)})
    with pytest.raises(BudgetExceededError):
        trained.prepare(OperatorRun())
    row = run_row(trained)
    assert row["state"] == "failed"
    assert "above the budget of 0.0010 USD per run" in row["message"]


def test_a_source_that_cannot_be_read_is_named_without_a_word_of_its_text(trained: Trip) -> None:
    trained.put(f"incoming/{DAY}/b.parquet.jsonl", '{"id": "secret id", "no_text": "a secret"}\n' * 2)
    trained.spec = trained.spec.model_copy(
        update={"incoming": trained.spec.incoming.model_copy(update={"format": "parquet"})}
    )
    with pytest.raises(BadInputError):
        trained.prepare(OperatorRun())
    row = run_row(trained)
    assert row["state"] == "failed"
    assert row["message"].startswith("Cannot prepare the batches of run 20261118: ")
    assert "secret" not in row["message"]


def test_an_unexpected_error_is_named_by_its_kind_alone(
    trained: Trip, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ValueError("the text of a document")

    monkeypatch.setattr("nightsort.batches.prepare.prepare_batches", broken)
    with pytest.raises(ValueError, match="the text of a document"):
        trained.prepare(OperatorRun())
    row = run_row(trained)
    assert (row["state"], row["message"]) == ("failed", "ValueError: see the log of prepare_batches")


def test_a_second_try_that_succeeds_takes_the_failure_away(trained: Trip) -> None:
    spec = trained.spec
    trained.spec = spec.model_copy(update={"budget": Budget(run_usd=0.001)})
    run = OperatorRun()
    with pytest.raises(BudgetExceededError):
        trained.prepare(run)
    trained.spec = spec
    trained.prepare(run)
    assert (run_row(trained)["state"], run_row(trained)["message"]) == ("running", None)


def test_the_last_task_says_why_nothing_was_sent(trip: Trip) -> None:
    trip.bring(5)
    run = OperatorRun()
    with pytest.raises(NoActiveVersionError):
        trip.prepare(run)
    with pytest.raises(
        RunIncompleteError,
        match=r"Nothing was sent, because prepare_batches did not succeed: .* has no active version yet",
    ):
        trip.reconcile(run)
    assert "no active version" in run_row(trip)["message"]


def test_a_run_whose_first_task_was_killed_does_not_stay_running(trained: Trip) -> None:
    killed = OperatorRun()
    trained.prepare(killed)
    killed.xcoms.clear()
    with pytest.raises(RunIncompleteError, match="prepare_batches did not succeed: see its log"):
        trained.reconcile(killed)
    row = run_row(trained)
    assert row["state"] == "failed"
    assert row["message"] == "Nothing was sent, because prepare_batches did not succeed: see its log."


def reconcile_after_approval(trip: Trip) -> ReconcileRunOperator:
    return ReconcileRunOperator(
        task_id="reconcile_run",
        spec=trip.spec,
        prepare_task_id="prepare_batches",
        job_task_ids=["classify_batch.start_job"],
        load_task_ids=["classify_batch.load_predictions"],
        retry_task_id="prepare_retries",
        approve_task_id="approve_cost",
    )


@pytest.mark.parametrize(
    ("refusal", "told"),
    [(None, "see its log"), ("ada rejected the cost to classify a day of trip",) * 2],
    ids=["nobody knows why", "rejected"],
)
def test_a_cost_that_nobody_approved_is_the_reason_in_the_row(
    trained: Trip, refusal: str | None, told: str
) -> None:
    run = OperatorRun()
    trained.prepare(run)
    if refusal:
        run.context("approve_cost")["ti"].xcom_push(REFUSAL_KEY, refusal)
    with pytest.raises(RunIncompleteError, match="because approve_cost did not succeed"):
        run.execute(reconcile_after_approval(trained))
    row = run_row(trained)
    assert (row["state"], row["message"]) == (
        "failed",
        f"Nothing was sent, because approve_cost did not succeed: {told}.",
    )
    assert (row["approved_by"], row["approved_at"]) == (None, None)


def test_the_row_says_who_approved_and_a_later_run_that_asks_nobody_keeps_it(trained: Trip) -> None:
    approvals = (
        {
            "asked": True,
            "approved_by": "ada",
            "approved_at": "2026-11-18T02:15:00+00:00",
            "approved_usd": 1.0,
        },
        {"asked": False, "approved_by": None},
        {"asked": True, "approved_by": "grace", "approved_at": "2026-11-19T08:00:00+00:00"},
    )
    rows = []
    for number, approval in enumerate(approvals):
        run = OperatorRun(run_id=f"manual__{number}")
        trained.classify(run)
        run.context("approve_cost")["ti"].xcom_push("return_value", approval)
        run.execute(reconcile_after_approval(trained))
        rows.append(run_row(trained))
    assert [row["state"] for row in rows] == ["complete"] * 3
    assert [row["approved_by"] for row in rows] == ["ada", "ada", "grace"]
    assert [row["approved_at"][:16] for row in rows] == [
        "2026-11-18T02:15",
        "2026-11-18T02:15",
        "2026-11-19T08:00",
    ]


class TestRejects:
    def bring_blanks(self, trip: Trip) -> None:
        blanks = "".join(f'{{"id": "b{n}", "text": " "}}\n' for n in range(6))
        trip.put(f"incoming/{DAY}/blanks.jsonl", blanks)

    def test_a_night_of_more_rejects_than_the_spec_allows_is_loaded_and_red(self, trained: Trip) -> None:
        self.bring_blanks(trained)
        with pytest.raises(RunIncompleteError) as raised:
            trained.classify()
        told = "Rejected: 7 of 12 documents (58.3%), more than quality.max_rejected_share (50.0%) allows: "
        assert str(raised.value).startswith(f"{told}blank 7. The text is empty or has no visible character; ")
        assert "leave the document out. Correct the source" in str(raised.value)
        assert "/runs/20261118/rejects.jsonl" in str(raised.value)
        row = run_row(trained)
        assert (row["state"], row["classified"], row["rejected"]) == ("failed", 5, 7)
        assert row["message"] == str(raised.value).removesuffix(".")
        assert len(trained.table()) == 12

    def test_a_night_of_nothing_but_rejects_is_red(self, trained: Trip) -> None:
        trained.put(f"incoming/{DAY}/a.jsonl", '{"id": "blank", "text": " "}\n')
        with pytest.raises(RunIncompleteError, match=r"Rejected: 1 of 1 document \(100\.0%\)"):
            trained.classify()
        assert run_row(trained)["state"] == "failed"

    def test_as_many_as_the_spec_allows_are_no_problem(self, trained: Trip) -> None:
        self.bring_blanks(trained)
        trained.spec = trained.spec.model_copy(update={"quality": Quality(max_rejected_share=0.6)})
        assert trained.classify()["warning"] is None
        assert run_row(trained)["state"] == "complete"

    def test_with_warn_the_notifiers_are_called_and_the_night_is_green(
        self, trained: Trip, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        told: list[Any] = []
        monkeypatch.setattr(
            "nightsort_airflow.operators.reconcile.notify_warning",
            lambda spec, _, warning: told.append((spec.name, warning)),
        )
        self.bring_blanks(trained)
        trained.spec = trained.spec.model_copy(update={"quality": Quality(when_over="warn")})
        run = OperatorRun()
        warning = trained.classify(run)["warning"]
        assert told == [(trained.spec.name, warning)]
        assert (run_row(trained)["state"], run_row(trained)["message"]) == ("complete", warning)
        assert run.events[predictions_asset(trained.spec.name)].extra["rejected"] == 7

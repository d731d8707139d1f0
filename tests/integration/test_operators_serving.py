"""An endpoint's life by the tasks of ``serve_<name>``, on a local Comprehend and a real PostgreSQL."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest

import tests.airflow_environment  # noqa: F401 - before Airflow
from tests.integration.classification_data import create_request, csv_bytes, labelled_rows
from tests.integration.local_aws_server import LocalAwsServer, wait_for_classifier
from tests.integration.operator_trips import Trip, make_trip

# isort: split
import psycopg
from airflow.sdk.exceptions import AirflowSkipException, TaskDeferred

from nightsort.classifier_spec.real_time import RealTime
from nightsort.opening.record import BY_OTHERS
from nightsort.tables.endpoint_hours import latest_opening
from nightsort.tables.schema import ensure_schema
from nightsort.tables.versions import ClassifierVersion, promote, record_version
from nightsort_airflow.exceptions import EndpointBrokenError
from nightsort_airflow.hooks.comprehend import ComprehendClassificationHook
from nightsort_airflow.hooks.endpoint_service import EndpointService
from nightsort_airflow.operators.serving import (
    CloseEndpointOperator,
    OpenEndpointOperator,
    WatchEndpointOperator,
)
from tests.integration.operator_runs import OperatorRun

if TYPE_CHECKING:
    from collections.abc import Callable

    from nightsort.opening.record import Record

pytestmark = pytest.mark.integration

ALWAYS = RealTime.model_validate({"hours": "always", "budget_usd_day": None, "idle_minutes": None})
NEVER_NOW = {"budget_usd_day": None, "idle_minutes": None}


class ServeRun(OperatorRun):
    """A run of ``serve_<name>``.

    :param run_id: Airflow's.
    :param kind: its type.
    """

    def __init__(self, run_id: str, kind: str = "scheduled") -> None:
        super().__init__(run_id=run_id)
        self.kind = kind

    def context(self, *arguments: Any, **named: Any) -> Any:
        context = super().context(*arguments, **named)
        context["dag_run"].run_type = self.kind
        return context


class Served(Trip):
    """A trip whose classifier has an endpoint."""

    def open(self, run: ServeRun, **given: str) -> Any:
        return run.execute(OpenEndpointOperator(task_id="open_endpoint", spec=self.spec, **given))

    def watch_once(self, run: ServeRun) -> Any:
        watch = WatchEndpointOperator(task_id="watch_endpoint", spec=self.spec)
        return watch.execute(run.context("watch_endpoint"))

    def close(self, run: ServeRun) -> Any:
        return run.execute(CloseEndpointOperator(task_id="close_endpoint", spec=self.spec))

    def promote(self, arn: str) -> None:
        version = ClassifierVersion(self.spec.name, arn.rpartition("/")[2], arn, "MULTI_CLASS", "en")
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            ensure_schema(connection)
            record_version(connection, version)
            promote(connection, classifier=self.spec.name, version=version.version)

    def row(self) -> Record:
        with psycopg.connect(self.dsn, autocommit=True) as connection:
            found = latest_opening(connection, self.spec.name)
        assert found is not None
        return found

    def status(self) -> str | None:
        seen = EndpointService(self.spec).look()
        return None if seen is None else seen.endpoint.status

    def serves(self) -> str:
        seen = EndpointService(self.spec).look()
        assert seen is not None
        return seen.endpoint.model_arn


def outside_of_now() -> RealTime:
    """Hours of one day that is neither today nor tomorrow."""
    day = (datetime.now(timezone.utc) + timedelta(days=3)).strftime("%a").lower()
    return RealTime.model_validate({"hours": "08:00-18:00", "days": day, **NEVER_NOW})


@pytest.fixture(scope="module")
def models(aws: LocalAwsServer) -> dict[str, str]:
    """ARNs of two versions, and of an encrypted one that no endpoint without a role can serve."""
    comprehend = aws.client("comprehend")
    aws.client("s3").create_bucket(Bucket="served")
    aws.client("s3").put_object(Bucket="served", Key="a.csv", Body=csv_bytes(labelled_rows(12)))
    arns = {}
    for name, key in (
        ("one", {}),
        ("two", {}),
        ("sealed", {"ModelKmsKeyId": "1234abcd-12ab-34cd-56ef-1234567890ab"}),
    ):
        request = create_request(f"served-{name}", "s3://served/a.csv", **key)
        arns[name] = comprehend.create_document_classifier(**request)["DocumentClassifierArn"]
    for arn in arns.values():
        wait_for_classifier(comprehend, arn)
    return arns


@pytest.fixture
def served(
    aws: LocalAwsServer, empty_database: str, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest,
    models: dict[str, str],
) -> Served:  # fmt: skip
    monkeypatch.setenv("NIGHTSORT_POLL_SECONDS", "1")
    trip = make_trip(aws, empty_database, monkeypatch, request.node.name)
    trip = Served(trip.aws, trip.dsn, trip.spec.model_copy(update={"real_time": ALWAYS}))
    trip.promote(models["one"])
    return trip


def test_it_is_opened_moved_and_closed_and_the_row_says_when_why_and_for_how_much(
    served: Served, models: dict[str, str]
) -> None:
    morning, promotion = ServeRun("morning"), ServeRun("promotion", "asset_triggered")
    opened = served.open(morning)
    assert (opened["open"], opened["model_arn"], opened["inference_units"]) == (True, models["one"], 1)
    with pytest.raises(TaskDeferred):
        served.watch_once(morning)
    served.promote(models["two"])
    assert served.open(promotion)["model_arn"] == models["two"]
    # The newest run holds it: the one before ends, and closes nothing.
    assert served.watch_once(morning)["open"]
    served.close(morning)
    assert served.status() == "IN_SERVICE"
    served.close(promotion)
    assert served.status() is None
    row = served.row()
    assert (row.opened_why, row.closing_why) == ("by its hours", "its run ended early")
    assert [change.model_arn for change in row.changes] == [models["one"], models["two"]]
    ((cost,),) = served.query("SELECT cost_usd FROM nightsort.endpoint_hours")
    assert float(cost) == 0.03


def test_outside_of_its_hours_only_a_person_opens_it(served: Served) -> None:
    served.spec = served.spec.model_copy(update={"real_time": outside_of_now()})
    for kind in ("scheduled", "asset_triggered"):
        with pytest.raises(AirflowSkipException, match="outside of its hours"):
            served.open(ServeRun(kind, kind))
    assert served.status() is None
    by_hand = ServeRun("by hand", "manual")
    opened = served.open(by_hand, open_hours="0.5")
    until = datetime.fromisoformat(opened["until"]) - datetime.now(timezone.utc)
    assert timedelta(minutes=28) < until <= timedelta(minutes=30)
    with pytest.raises(AirflowSkipException, match="closed by hand"):
        served.open(ServeRun("close", "manual"), close="True")
    assert served.status() is None
    assert served.row().closing_why == "closed by hand"


def test_after_a_promotion_nothing_is_opened(served: Served) -> None:
    with pytest.raises(AirflowSkipException, match="closed until it is opened again"):
        served.open(ServeRun("promotion", "asset_triggered"))
    assert served.status() is None


def test_the_next_run_closes_what_a_dead_one_left(served: Served) -> None:
    served.open(ServeRun("morning"))
    served.spec = served.spec.model_copy(update={"real_time": outside_of_now()})
    with pytest.raises(AirflowSkipException, match="outside of its hours"):
        served.open(ServeRun("evening"))
    assert served.status() is None
    assert served.row().closing_why == f"outside of its hours, {outside_of_now().opening_hours('UTC')}"


def test_a_version_that_cannot_be_served_gives_way_to_the_former_one(
    served: Served, models: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    served.open(ServeRun("morning"))
    served.promote(models["sealed"])
    run = ServeRun("promotion", "asset_triggered")
    assert served.open(run)["model_arn"] == models["one"]
    assert "Comprehend cannot serve the active version" in capsys.readouterr().out
    assert served.row().refused_model == models["sealed"]
    served.close(run)


def test_a_version_that_cannot_be_opened_fails_and_leaves_nothing(
    served: Served, models: dict[str, str]
) -> None:
    served.promote(models["sealed"])
    run = ServeRun("morning")
    with pytest.raises(EndpointBrokenError, match=r"was deleted\. Train again or promote another version"):
        served.open(run)
    served.close(run)
    assert served.status() is None


def test_units_follow_the_load_while_it_is_open(aws: LocalAwsServer, served: Served) -> None:
    scaled = RealTime.model_validate({"hours": "always", "autoscale": {"max": 3}, **NEVER_NOW})
    served.spec = served.spec.model_copy(update={"real_time": scaled})
    scaling, run = aws.client("application-autoscaling"), ServeRun("morning")
    arn = EndpointService(served.spec).arn

    def targets() -> list[tuple[int, int]]:
        found = scaling.describe_scalable_targets(ServiceNamespace="comprehend", ResourceIds=[arn])
        return [(target["MinCapacity"], target["MaxCapacity"]) for target in found["ScalableTargets"]]

    served.open(run)
    assert targets() == [(1, 3)]
    (policy,) = scaling.describe_scaling_policies(ServiceNamespace="comprehend", ResourceId=arn)[
        "ScalingPolicies"
    ]
    assert policy["TargetTrackingScalingPolicyConfiguration"]["TargetValue"] == 70.0
    served.close(run)
    assert targets() == []


def test_what_is_asked_is_in_the_row_and_keeps_it_open(aws: LocalAwsServer, served: Served) -> None:
    run = ServeRun("morning")
    served.open(run)
    arn = EndpointService(served.spec).arn
    aws.client("comprehend").classify_document(Text="alpha " * 100, EndpointArn=arn)
    with pytest.raises(TaskDeferred):
        served.watch_once(run)
    assert sum(served.row().usage.values()) == pytest.approx(600 / 6000)
    assert served.row().last_asked_at is not None
    served.close(run)


class Died(BaseException):
    """The end of a worker, which nothing in the task can catch."""


CALLS = ["create_endpoint", "update_endpoint", "delete_endpoint", "find_endpoint"]


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("call", CALLS)
def test_whoever_dies_around_a_call_leaves_what_should_be(
    served: Served, models: dict[str, str], monkeypatch: pytest.MonkeyPatch, call: str, when: str
) -> None:
    """Each task dies once at the call; the next try makes true what should be."""
    real = getattr(ComprehendClassificationHook, call)
    dead: set[str] = set()
    now = ""

    def dies_once(self: ComprehendClassificationHook, *arguments: Any, **named: Any) -> Any:
        done = real(self, *arguments, **named) if when == "after" or now in dead else None
        if now not in dead:
            dead.add(now)
            raise Died
        return done

    monkeypatch.setattr(ComprehendClassificationHook, call, dies_once)
    run, promotion = ServeRun("morning"), ServeRun("promotion", "asset_triggered")

    def tried(name: str, task: Callable[[], Any]) -> Any:
        nonlocal now
        now = name
        try:
            return task()
        except Died:
            return task()

    assert tried("open", lambda: served.open(run))["model_arn"] == models["one"]
    served.promote(models["two"])
    assert tried("move", lambda: served.open(promotion))["model_arn"] == models["two"]
    tried("close", lambda: served.close(promotion))
    now = "look"
    dead.add(now)
    assert served.status() is None
    assert dead - {"look"} == {"open", "move", "close"} if call == "find_endpoint" else len(dead) == 2
    # One opening, whose row has its whole life.
    rows = served.query("SELECT closed_at - opened_at < interval '60 s' FROM nightsort.endpoint_hours")
    assert rows == [(True,)]
    assert served.row().opened_why == (
        "by its hours" if (call, when) != ("create_endpoint", "after") else BY_OTHERS
    )


def test_answers_that_are_lost_cost_nothing(aws: LocalAwsServer, served: Served) -> None:
    run = ServeRun("morning")
    with ExitStack() as stack:
        faults = [
            stack.enter_context(aws.control.injected("reset_after", operation=operation))
            for operation in ("CreateEndpoint", "DeleteEndpoint")
        ]
        served.open(run)
        served.close(run)
        assert [aws.control.struck(fault) for fault in faults] == [1, 1]
    assert served.status() is None

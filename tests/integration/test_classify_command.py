"""``nightsort classify`` says what the endpoint says, one line a text, in their order."""

from __future__ import annotations

import json
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

import tests.airflow_environment  # noqa: F401 - before Airflow
from tests.integration.local_aws_server import wait_until
from tests.integration.serve_world import ServeWorld, serve_world

# isort: split
from nightsort.classifier_spec.finding import find_spec
from nightsort.classifier_spec.real_time import RealTime
from nightsort.errors import NightsortError
from nightsort.opening.keeper import Visit, attend
from nightsort.tables.endpoint_hours import TablesBook, endpoint_alone
from nightsort_airflow.hooks.database import NightsortDatabaseHook
from nightsort_airflow.hooks.endpoint_service import EndpointService
from nightsort_airflow.serving import command
from nightsort_airflow.serving.endpoint import LocalEndpoint, ServedEndpoint

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nightsort.classifier_spec.model import ClassifierSpec
    from nightsort.opening.keeper import Outcome
    from tests.integration.local_aws_server import LocalAwsServer

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def world(
    aws: LocalAwsServer, postgres_dsn: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ServeWorld]:
    with serve_world(aws, postgres_dsn, tmp_path_factory.mktemp("commanded")) as made:
        yield made


@pytest.fixture
def spec(world: ServeWorld, monkeypatch: pytest.MonkeyPatch) -> ClassifierSpec:
    """The spec, with its connections in this process: the command itself takes seconds to import Airflow."""
    for name, value in world.environment.items():
        if name.startswith(("AIRFLOW_CONN_", "NIGHTSORT_")):
            monkeypatch.setenv(name, value)
    return find_spec(world.name, world.environment)


def asked(spec: ClassifierSpec, *texts: str | bytes) -> list[dict[str, Any]]:
    """What the command writes as JSON."""
    lines: list[str] = []
    command.classify(spec, texts, lines.append, as_json=True)
    return [json.loads(line) for line in lines]


def test_before_the_first_training_it_says_what_to_do(world: ServeWorld, spec: ClassifierSpec) -> None:
    with pytest.raises(NightsortError, match="run the DAG train_tickets") as caught:
        asked(spec, "hotel")
    with psycopg.connect(world.dsn, autocommit=True) as connection:
        locks = (
            "SELECT count(*) FROM pg_locks JOIN pg_database ON pg_database.oid = database "
            "WHERE locktype = 'advisory' AND datname = current_database()"
        )
        wait_until(lambda: connection.execute(locks).fetchone() == (0,), f"no user after {caught.value}")


def test_on_the_local_stack_the_endpoint_is_there_for_the_command(world: ServeWorld) -> None:
    world.train("v1")
    ended = world.run("classify", "tickets", "-", given="a refund of my payment\n\n")
    assert ended.returncode == 1, ended.stderr
    first, second = ended.stdout.splitlines()
    label, score, version = first.split()
    assert (label, version) == ("BILLING", "v1")
    assert 0.5 < float(score) <= 1
    assert second == "-  the text has no visible character"
    wait_until(lambda: world.endpoints() == [], "the end of what was opened")


def test_texts_keep_their_order(world: ServeWorld, spec: ClassifierSpec) -> None:
    found = asked(spec, "hotel", b"payment", b"\xff", "hotel")
    assert [each.get("label") for each in found] == ["TRAVEL", "BILLING", None, "TRAVEL"]
    assert found[2] == {"reason": "is not UTF-8"}
    assert found[0]["labels"][0] == {"label": "TRAVEL", "score": found[0]["score"]}
    assert found[0]["version"] == "v1"


def test_of_two_commands_the_last_one_closes_the_endpoint(world: ServeWorld, spec: ClassifierSpec) -> None:
    """The one that opened it ends while the other has a text to come."""
    first_ended, lines = threading.Event(), list[str]()
    pending: list[Future[int]] = []

    def of_the_second() -> Iterator[str]:
        yield "hotel"
        assert first_ended.wait(240)
        yield "payment"

    def of_the_first() -> Iterator[str]:
        yield "hotel"
        pending.append(threads.submit(command.classify, spec, of_the_second(), lines.append, as_json=True))
        wait_until(lambda: bool(lines) or pending[0].done(), "the second command's first answer")

    with ThreadPoolExecutor(1) as threads:
        try:
            assert command.classify(spec, of_the_first(), list[str]().append, as_json=True) == 0
        finally:
            first_ended.set()
        assert pending[0].result() == 0
    assert [json.loads(line)["label"] for line in lines] == ["TRAVEL", "BILLING"]
    wait_until(lambda: world.endpoints() == [], "the end of what was opened")


def test_what_a_killed_command_left_open_is_closed_by_the_next(
    world: ServeWorld, spec: ClassifierSpec
) -> None:
    served = ServedEndpoint(spec)
    killed = LocalEndpoint(served)
    killed.open()
    with psycopg.connect(world.dsn, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    killed.close()
    assert world.status(served.arn) == "IN_SERVICE", (
        "without the database it cannot know whether another one uses it"
    )
    assert asked(spec, "hotel")[0]["label"] == "TRAVEL"
    wait_until(lambda: world.endpoints() == [], "the end of what was left")


def test_an_endpoint_that_a_run_of_the_dag_took_over_stays_open(
    world: ServeWorld, spec: ClassifierSpec
) -> None:
    """A person opens the endpoint by the DAG while a command has it open."""

    def texts() -> Iterator[str]:
        yield "hotel"
        outcome = taken_over(spec)
        assert outcome.record is not None
        assert (outcome.record.held_by, outcome.opened) == ("by hand", False)
        yield "hotel"

    assert command.classify(spec, texts(), list[str]().append, as_json=True) == 0
    arn = ServedEndpoint(spec).arn
    assert world.status(arn) == "IN_SERVICE"
    # Nobody's any more: the run has closed it, and a command has opened another one.
    assert taken_over(spec, close="closed by hand").endpoint is not None
    wait_until(lambda: world.endpoints() == [], "the end of the run's endpoint")
    assert asked(spec, "hotel")[0]["label"] == "TRAVEL"
    wait_until(lambda: world.endpoints() == [], "the end of the command's endpoint")


def taken_over(spec: ClassifierSpec, close: str | None = None) -> Outcome:
    """Look after the endpoint as a run of ``serve_<name>`` does."""
    service = EndpointService(spec)
    with NightsortDatabaseHook(spec.db_conn_id).connect() as connection:
        connection.autocommit = True
        with endpoint_alone(connection, spec.name):
            return attend(
                service,
                TablesBook(connection, spec.name),
                RealTime.model_validate({"hours": "always", "budget_usd_day": None}),
                "UTC",
                Visit("by hand", may_open=True, close=close),
                classifier=spec.name,
                endpoint_arn=service.arn,
                clock=lambda: datetime.now(timezone.utc),
            )


def test_an_endpoint_that_is_open_is_used_at_its_pace_and_stays_open(
    world: ServeWorld, spec: ClassifierSpec
) -> None:
    arn = world.open(world.train("v2", active=False), units=4)
    world.aws.control.set_behaviour(rate_limits=True)
    try:
        found = asked(spec, *["hotel"] * 10)
    finally:
        world.aws.control.set_behaviour(rate_limits=False)
    assert [each["version"] for each in found] == ["v2"] * 10
    assert world.status(arn) == "IN_SERVICE"
    world.close(arn)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("tickets",), "Give a text"),
        (("nobody", "text"), "nobody: is neither"),
        (("tickets", "--file", "/no/file"), "does not exist"),
        (("tickets", "--file", "."), "is a directory"),
    ],
)
def test_what_cannot_be_asked(world: ServeWorld, arguments: tuple[str, ...], message: str) -> None:
    ended = world.run("classify", *arguments)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert message in ended.stderr
    assert "Traceback" not in ended.stderr


def test_closing_endpoints_prints_no_line_of_a_log(world: ServeWorld) -> None:
    keys = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_DEFAULT_REGION": "us-east-1"}
    ended = world.run("close-endpoints", AWS_ENDPOINT_URL=world.aws.url, **keys)
    assert ended.stdout == "No endpoint of Nightsort is open in this account and region.\n"
    assert (ended.returncode, ended.stderr) == (0, "")

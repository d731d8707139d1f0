"""Endpoints by operators, on a Comprehend that answers as AWS does: whatever dies, there is one endpoint, and
at the end none, or the one that should be there."""

from __future__ import annotations

import asyncio
import uuid
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk.exceptions import AirflowFailException, TaskDeferred

import tests.airflow_environment  # noqa: F401 - before Airflow
from tests.integration.classification_data import create_request, csv_bytes, labelled_rows, put
from tests.integration.local_aws_server import (
    LocalAwsServer,
    aws_connection,
    local_aws,
    wait_for_classifier,
    wait_until,
)

# isort: split
from nightsort.naming import CLASSIFIER_TAG, endpoint_arn
from nightsort_airflow.exceptions import EndpointBrokenError, EndpointNameTakenError
from nightsort_airflow.hooks.comprehend import ComprehendClassificationHook
from nightsort_airflow.hooks.endpoints import scalable
from nightsort_airflow.operators.comprehend import (
    ComprehendCreateEndpointOperator,
    ComprehendDeleteEndpointOperator,
    ComprehendUpdateEndpointOperator,
)
from nightsort_airflow.sensors.comprehend import ComprehendEndpointReadySensor
from tests.integration.operator_runs import OperatorRun

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.integration

QUICKLY = 0.2
"""Seconds between two polls: an endpoint of the local AWS comes and goes in that time."""


@pytest.fixture(scope="module")
def aws() -> Iterator[LocalAwsServer]:
    with local_aws() as server:
        yield server


@pytest.fixture(autouse=True)
def connection(aws: LocalAwsServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The Airflow connection alone leads to the local AWS, as on a real deployment."""
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", aws_connection(aws.url))


@pytest.fixture(scope="module")
def models(aws: LocalAwsServer) -> tuple[str, str]:
    """Two versions of one classifier."""
    uri, comprehend = put(aws, "served/training.csv", csv_bytes(labelled_rows(12))), aws.client("comprehend")
    arns = [
        comprehend.create_document_classifier(**create_request("served", uri, VersionName=version))[
            "DocumentClassifierArn"
        ]
        for version in ("v1", "v2")
    ]
    assert [wait_for_classifier(comprehend, arn)["Status"] for arn in arns] == ["TRAINED"] * 2
    return arns[0], arns[1]


@pytest.fixture
def name() -> str:
    return f"nightsort-{uuid.uuid4().hex[:8]}"


def opening(model: str, name: str, **overrides: Any) -> ComprehendCreateEndpointOperator:
    arguments: dict[str, Any] = {
        "task_id": "open",
        "endpoint_name": name,
        "model_arn": model,
        "deferrable": True,
        "waiter_delay": QUICKLY,
        **overrides,
    }
    return ComprehendCreateEndpointOperator(**arguments)


def changing(arn: str, **overrides: Any) -> ComprehendUpdateEndpointOperator:
    arguments: dict[str, Any] = {
        "task_id": "change",
        "endpoint_arn": arn,
        "deferrable": True,
        "waiter_delay": QUICKLY,
        **overrides,
    }
    return ComprehendUpdateEndpointOperator(**arguments)


def closing(arn: str, **overrides: Any) -> ComprehendDeleteEndpointOperator:
    arguments: dict[str, Any] = {
        "task_id": "close",
        "endpoint_arn": arn,
        "deferrable": True,
        "waiter_delay": QUICKLY,
        **overrides,
    }
    return ComprehendDeleteEndpointOperator(**arguments)


def found(aws: LocalAwsServer, arn: str) -> list[dict[str, Any]]:
    listed = aws.client("comprehend").list_endpoints(MaxResults=500)["EndpointPropertiesList"]
    return [endpoint for endpoint in listed if endpoint["EndpointArn"] == arn]


def served(aws: LocalAwsServer, arn: str) -> tuple[str, str, int]:
    (endpoint,) = found(aws, arn)
    return endpoint["Status"], endpoint["ModelArn"], endpoint["CurrentInferenceUnits"]


def closed(run: OperatorRun, aws: LocalAwsServer, arn: str) -> None:
    run.execute(closing(arn))
    assert found(aws, arn) == []


def hook() -> ComprehendClassificationHook:
    return ComprehendClassificationHook(aws_conn_id="aws_default")


@pytest.mark.parametrize("deferrable", [True, False])
def test_an_endpoint_is_opened_changed_back_and_closed(
    aws: LocalAwsServer, models: tuple[str, str], name: str, deferrable: bool
) -> None:
    run, (old, new) = OperatorRun(), models
    opened = run.execute(opening(old, name, deferrable=deferrable))
    arn = opened["endpoint_arn"]
    assert arn == endpoint_arn(old, name)
    assert served(aws, arn) == ("IN_SERVICE", old, 1)
    ready = ComprehendEndpointReadySensor(task_id="ready", endpoint_arn=arn, deferrable=deferrable)
    assert run.execute(ready) == opened
    change = changing(arn, desired_model_arn=new, desired_inference_units=2, deferrable=deferrable)
    changed = run.execute(change)
    assert served(aws, arn) == ("IN_SERVICE", new, 2)
    assert (changed["previous_model_arn"], changed["previous_inference_units"]) == (old, 1)
    back = changing(arn, desired_model_arn=changed["previous_model_arn"], deferrable=deferrable)
    assert run.execute(back)["model_arn"] == old
    assert served(aws, arn) == ("IN_SERVICE", old, 2)
    gone = run.execute(closing(arn, deferrable=deferrable))
    assert (gone["deleted"], gone["model_arn"], gone["inference_units"]) == (True, old, 2)
    assert found(aws, arn) == []
    assert not OperatorRun().execute(closing(arn, deferrable=deferrable))["deleted"]


def test_an_endpoint_that_is_closed_is_not_scaled_any_more(
    aws: LocalAwsServer, models: tuple[str, str], name: str
) -> None:
    run = OperatorRun()
    arn = run.execute(opening(models[0], name))["endpoint_arn"]
    scaling = aws.client("application-autoscaling")
    scaling.register_scalable_target(**scalable(arn), MinCapacity=1, MaxCapacity=4)
    assert hook().scaled() == [arn]
    closed(run, aws, arn)
    assert hook().scaled() == []


def test_the_same_name_is_one_endpoint_for_whoever_asks_for_it(
    aws: LocalAwsServer, models: tuple[str, str], name: str
) -> None:
    run = OperatorRun()
    each = [OperatorRun().execute(opening(models[0], name)) for _ in range(3)]
    assert each[0] == each[1] == each[2]
    arn = each[0]["endpoint_arn"]
    with pytest.raises(EndpointNameTakenError, match="served/version/v1 with 1 inference unit"):
        run.execute(opening(models[1], name))
    run.execute(opening(models[1], name, when_different="update", desired_inference_units=3))
    run.execute(opening(models[0], name, when_different="update_model"))
    assert served(aws, arn) == ("IN_SERVICE", models[0], 3)
    closed(run, aws, arn)


def test_an_endpoint_is_opened_again_after_it_was_closed_also_while_it_is_still_going(
    aws: LocalAwsServer, models: tuple[str, str], name: str
) -> None:
    """A token that AWS remembers must not answer for the endpoint that was deleted."""
    run = OperatorRun()
    first = run.execute(opening(models[0], name))
    run.execute(closing(first["endpoint_arn"], wait_for_completion=False))
    again = run.execute(opening(models[0], name))
    assert again["status"] == "IN_SERVICE"
    assert again["created_at"] > first["created_at"]
    closed(run, aws, first["endpoint_arn"])


def test_ours_are_listed_with_their_classifier_and_nobody_elses(
    aws: LocalAwsServer, models: tuple[str, str], name: str
) -> None:
    run = OperatorRun()
    tags = {"Tags": [{"Key": CLASSIFIER_TAG, "Value": "tickets"}]}
    ours = run.execute(opening(models[0], name, endpoint_kwargs=tags))["endpoint_arn"]
    others = [
        run.execute(opening(models[0], f"{name}-untagged"))["endpoint_arn"],
        run.execute(opening(models[0], name.removeprefix("nightsort-"), endpoint_kwargs=tags))[
            "endpoint_arn"
        ],
    ]
    (listed,) = [each for each in hook().our_endpoints()[0] if name in each.state.name]
    assert (listed.state.arn, listed.classifier, listed.state.is_ready) == (ours, "tickets", True)
    for arn in [ours, *others]:
        closed(run, aws, arn)


# --- whatever dies ------------------------------------------------------------------------------------------


class DeathError(Exception):
    """The end of a process."""


def dies_after(operator: Any, call: str) -> None:
    """The process dies when AWS has taken the call, before anything else."""
    client = operator.hook.client
    real = getattr(client, call)

    def last(**request: Any) -> Any:
        real(**request)
        raise DeathError

    setattr(client, call, last)


def dies_before(operator: Any, call: str) -> None:
    """The process dies before it makes the call."""

    def never(**_: Any) -> Any:
        raise DeathError

    setattr(operator.hook.client, call, never)


def dies_waiting(run: OperatorRun, operator: Any) -> None:
    """The triggerer, or what it would resume, is gone; or the wait was over already."""
    with suppress(TaskDeferred):
        operator.execute(run.context(operator.task_id, f"{operator.task_id}[None]"))


def dies(run: OperatorRun, operator: Any, kill: Callable[[Any, str], None], call: str) -> None:
    kill(operator, call)
    with pytest.raises(DeathError):
        run.execute(operator)


@pytest.mark.parametrize("kill", [dies_before, dies_after])
def test_whoever_dies_around_the_opening_leaves_one_endpoint(
    aws: LocalAwsServer, models: tuple[str, str], name: str, kill: Callable[[Any, str], None]
) -> None:
    run, arn = OperatorRun(), endpoint_arn(models[0], name)
    dies(run, opening(models[0], name), kill, "create_endpoint")
    dies_waiting(run, opening(models[0], name))
    assert run.execute(opening(models[0], name))["status"] == "IN_SERVICE"
    assert len(found(aws, arn)) == 1
    closed(run, aws, arn)


@pytest.mark.parametrize("kill", [dies_before, dies_after])
def test_whoever_dies_around_a_change_leaves_what_was_asked_for(
    aws: LocalAwsServer, models: tuple[str, str], name: str, kill: Callable[[Any, str], None]
) -> None:
    run = OperatorRun()
    arn = run.execute(opening(models[0], name))["endpoint_arn"]
    dies(run, changing(arn, desired_model_arn=models[1]), kill, "update_endpoint")
    again = run.execute(changing(arn, desired_model_arn=models[1]))
    assert served(aws, arn) == ("IN_SERVICE", models[1], 1)
    assert again["previous_model_arn"] == models[0], "the way back is known, whatever died"
    closed(run, aws, arn)


@pytest.mark.parametrize("kill", [dies_before, dies_after])
def test_whoever_dies_around_the_closing_leaves_none(
    aws: LocalAwsServer, models: tuple[str, str], name: str, kill: Callable[[Any, str], None]
) -> None:
    run = OperatorRun()
    arn = run.execute(opening(models[0], name))["endpoint_arn"]
    dies(run, closing(arn), kill, "delete_endpoint")
    assert run.execute(closing(arn))["deleted"]
    assert found(aws, arn) == []


def test_answers_that_are_lost_cost_nothing(aws: LocalAwsServer, models: tuple[str, str], name: str) -> None:
    """botocore repeats the calls, which AWS has taken."""
    run = OperatorRun()
    with ExitStack() as stack:
        faults = [
            stack.enter_context(aws.control.injected("reset_after", operation=operation))
            for operation in ("CreateEndpoint", "UpdateEndpoint", "DeleteEndpoint")
        ]
        arn = run.execute(opening(models[0], name))["endpoint_arn"]
        run.execute(changing(arn, desired_model_arn=models[1]))
        assert served(aws, arn) == ("IN_SERVICE", models[1], 1)
        closed(run, aws, arn)
        assert [aws.control.struck(fault) for fault in faults] == [1, 1, 1]


def test_a_busy_aws_is_asked_again(aws: LocalAwsServer, models: tuple[str, str], name: str) -> None:
    run = OperatorRun()
    with ExitStack() as stack:
        for operation in ("CreateEndpoint", "DescribeEndpoint", "UpdateEndpoint", "DeleteEndpoint"):
            busy = aws.control.injected("error", operation=operation, code="TooManyRequestsException")
            stack.enter_context(busy)
        arn = run.execute(opening(models[0], name))["endpoint_arn"]
        run.execute(changing(arn, desired_inference_units=2))
        closed(run, aws, arn)


@pytest.fixture
def slow_endpoints(aws: LocalAwsServer) -> Iterator[None]:
    """Endpoints take as long to come as they like."""
    aws.control.set_behaviour(delays={"endpoint_seconds": 600})
    yield
    aws.control.set_behaviour(delays={"endpoint_seconds": 0.2})


def test_killed_while_it_is_created_the_endpoint_goes_and_a_second_run_opens_it(
    aws: LocalAwsServer, models: tuple[str, str], name: str, slow_endpoints: None
) -> None:
    run, task = OperatorRun(), opening(models[0], name)
    arn = endpoint_arn(models[0], name)
    with pytest.raises(TaskDeferred) as deferred:
        task.execute(run.context("open"))

    async def killed() -> None:
        kill = asyncio.ensure_future(deferred.value.trigger.on_kill())
        # A created endpoint may be deleted.
        await asyncio.to_thread(aws.control.set_behaviour, delays={"endpoint_seconds": 0.2})
        await kill

    asyncio.run(killed())
    wait_until(lambda: found(aws, arn) == [], "the endpoint to go")
    assert run.execute(opening(models[0], name))["status"] == "IN_SERVICE"
    closed(run, aws, arn)


def test_a_full_quota_is_told_with_its_remedy_and_leaves_no_endpoint(
    aws: LocalAwsServer, models: tuple[str, str], name: str
) -> None:
    with pytest.raises(AirflowFailException, match=r"at most 10 inference units\. The account's quota"):
        OperatorRun().execute(opening(models[0], name, desired_inference_units=11))
    assert found(aws, endpoint_arn(models[0], name)) == []


def test_a_model_that_is_not_there_is_told_with_its_remedy(
    aws: LocalAwsServer, models: tuple[str, str], name: str
) -> None:
    gone = f"{models[0]}-gone"
    with pytest.raises(AirflowFailException, match="use a classifier version that is there"):
        OperatorRun().execute(opening(gone, name))
    run = OperatorRun()
    arn = run.execute(opening(models[0], name))["endpoint_arn"]
    with pytest.raises(AirflowFailException, match="use a classifier version that is there"):
        run.execute(changing(arn, desired_model_arn=gone))
    assert served(aws, arn) == ("IN_SERVICE", models[0], 1)
    closed(run, aws, arn)
    with pytest.raises(EndpointBrokenError, match="There is no such endpoint"):
        run.execute(changing(arn, desired_inference_units=2))
    with pytest.raises(EndpointBrokenError, match="open it first"):
        run.execute(ComprehendEndpointReadySensor(task_id="ready", endpoint_arn=arn, deferrable=True))


@pytest.fixture(scope="module")
def encrypted(aws: LocalAwsServer) -> str:
    """A model that no endpoint can serve without a role."""
    uri, comprehend = put(aws, "key/training.csv", csv_bytes(labelled_rows(12))), aws.client("comprehend")
    request = create_request("encrypted", uri, ModelKmsKeyId="1234abcd-12ab-34cd-56ef-1234567890ab")
    model = comprehend.create_document_classifier(**request)["DocumentClassifierArn"]
    assert wait_for_classifier(comprehend, model)["Status"] == "TRAINED"
    return str(model)


def test_an_encrypted_model_without_a_role_fails_and_leaves_no_endpoint(
    aws: LocalAwsServer, encrypted: str, name: str
) -> None:
    with pytest.raises(EndpointBrokenError, match=r"KMS_ACCESS_DENIED.*Give a DataAccessRoleArn"):
        OperatorRun().execute(opening(encrypted, name))
    wait_until(lambda: found(aws, endpoint_arn(encrypted, name)) == [], "the endpoint to go")


def test_an_endpoint_that_has_failed_and_is_replaced_leaves_no_scaling_to_the_next_one(
    aws: LocalAwsServer, models: tuple[str, str], encrypted: str, name: str
) -> None:
    run = OperatorRun()
    comprehend, scaling = aws.client("comprehend"), aws.client("application-autoscaling")
    request = {"EndpointName": name, "ModelArn": encrypted, "DesiredInferenceUnits": 1}
    arn = comprehend.create_endpoint(**request)["EndpointArn"]
    wait_until(lambda: found(aws, arn)[0]["Status"] == "FAILED", "the endpoint to fail")
    scaling.register_scalable_target(**scalable(arn), MinCapacity=1, MaxCapacity=4)
    assert run.execute(opening(models[0], name))["status"] == "IN_SERVICE"
    assert hook().scaled() == []
    closed(run, aws, arn)

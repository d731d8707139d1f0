from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException, TaskDeferred
from botocore.exceptions import ClientError
from botocore.stub import ANY

from nightsort_airflow.exceptions import (
    EndpointBrokenError,
    EndpointFailedError,
    EndpointGoneError,
    EndpointNameTakenError,
    EndpointUnfinishedError,
    EndpointUpdateFailedError,
)
from nightsort_airflow.operators.comprehend import ComprehendCreateEndpointOperator
from nightsort_airflow.triggers.endpoints import (
    ComprehendEndpointDeletedTrigger,
    ComprehendEndpointReadyTrigger,
)
from tests.unit.nightsort_airflow.operators.comprehend.endpoint_answers import (
    ARN,
    MODEL,
    NEWER,
    SERVES_V1,
    described,
)

READY = {"status": "success", "endpoint_arn": ARN}


def operator(**overrides: Any) -> ComprehendCreateEndpointOperator:
    arguments: dict[str, Any] = {
        "task_id": "open",
        "aws_conn_id": None,
        "region_name": "eu-west-1",
        "endpoint_name": "nightsort-tickets",
        "model_arn": MODEL,
        "deferrable": True,
        "waiter_delay": 1,
        "waiter_max_attempts": 1,
        **overrides,
    }
    return ComprehendCreateEndpointOperator(**arguments)


def created(script: Any, **more: Any) -> None:
    request = {
        "ClientRequestToken": ANY,
        "EndpointName": "nightsort-tickets",
        "ModelArn": MODEL,
        "DesiredInferenceUnits": 1,
        **more,
    }
    script.add_response("create_endpoint", {"EndpointArn": ARN}, request)


def waits(task: ComprehendCreateEndpointOperator, context: Any, *resumed: Any, **kwargs: Any) -> Any:
    """Run the task, or resume it, to its next wait."""
    with pytest.raises(TaskDeferred) as deferred:
        task.execute_complete(context, *resumed, **kwargs) if resumed else task.execute(context)
    return deferred.value


def test_an_endpoint_is_created_waited_for_in_the_triggerer_and_described(
    context: dict[str, Any], answers: Any
) -> None:
    tags = [{"Key": "team", "Value": "support"}]
    task = operator(endpoint_kwargs={"Tags": tags})
    script = answers(task.hook)
    described(script, None)
    created(script, Tags=tags)
    described(script, "CREATING")
    wait = waits(task, context)
    assert isinstance(wait.trigger, ComprehendEndpointReadyTrigger)
    assert (wait.trigger.endpoint_arn, wait.trigger.delete_on_kill) == (ARN, True)
    resumed = operator()
    described(answers(resumed.hook), "IN_SERVICE")
    assert resumed.execute_complete(context, READY, **wait.kwargs) == SERVES_V1  # type: ignore[arg-type]


@pytest.mark.parametrize("status", ["CREATING", "UPDATING"])
def test_an_endpoint_that_comes_up_is_taken_over_and_nothing_is_opened(
    context: dict[str, Any], answers: Any, status: str
) -> None:
    task = operator()
    described(answers(task.hook), status)
    trigger = waits(task, context).trigger
    assert isinstance(trigger, ComprehendEndpointReadyTrigger)
    assert trigger.delete_on_kill == (status == "CREATING"), "an endpoint that answers is left alone"


@pytest.mark.parametrize("deferrable", [True, False])
def test_an_endpoint_in_service_is_taken_over_at_once(
    context: dict[str, Any], answers: Any, deferrable: bool
) -> None:
    task = operator(deferrable=deferrable)
    described(answers(task.hook), "IN_SERVICE")
    assert task.execute(context) == SERVES_V1  # type: ignore[arg-type]


def test_without_waiting_the_created_endpoint_is_described(context: dict[str, Any], answers: Any) -> None:
    task = operator(wait_for_completion=False)
    script = answers(task.hook)
    described(script, None)
    created(script)
    described(script, "CREATING")
    assert task.execute(context) == {**SERVES_V1, "status": "CREATING"}  # type: ignore[arg-type]


def test_one_object_may_be_executed_again_as_dag_test_does(context: dict[str, Any], answers: Any) -> None:
    task = operator()
    script = answers(task.hook)
    for _ in range(2):
        described(script, None)
        created(script)
        described(script, "CREATING")
        assert waits(task, context).kwargs == {"waited": ["created"]}


def test_a_name_that_a_twin_took_between_two_calls_is_taken_over(
    context: dict[str, Any], answers: Any
) -> None:
    """Also our own call whose answer was lost, where AWS forgot the token."""
    task = operator()
    script = answers(task.hook)
    described(script, None)
    script.add_client_error("create_endpoint", "ResourceInUseException")
    described(script, "CREATING")
    assert waits(task, context)


def test_a_name_that_is_taken_and_cannot_be_described_is_asked_for_again(
    context: dict[str, Any], answers: Any
) -> None:
    task = operator()
    script = answers(task.hook)
    described(script, None)
    script.add_client_error("create_endpoint", "ResourceInUseException")
    described(script, None)
    with pytest.raises(EndpointGoneError, match="retry asks again"):
        task.execute(context)  # type: ignore[arg-type]


def test_an_endpoint_that_is_deleted_is_awaited_and_created_anew(
    context: dict[str, Any], answers: Any
) -> None:
    task = operator()
    described(answers(task.hook), "DELETING")
    wait = waits(task, context)
    assert isinstance(wait.trigger, ComprehendEndpointDeletedTrigger)
    resumed = operator()
    script = answers(resumed.hook)
    described(script, None)
    created(script)
    described(script, "CREATING")
    again = waits(resumed, context, READY, **wait.kwargs)
    assert isinstance(again.trigger, ComprehendEndpointReadyTrigger)


def test_an_endpoint_that_had_failed_before_is_deleted_and_created_anew(
    context: dict[str, Any], answers: Any
) -> None:
    task = operator()
    script = answers(task.hook)
    described(script, "FAILED", Message="INTERNAL_ERROR: x.")
    script.add_response("delete_endpoint", {}, {"EndpointArn": ARN})
    described(script, "DELETING")
    assert isinstance(waits(task, context).trigger, ComprehendEndpointDeletedTrigger)


def test_the_endpoint_of_this_task_that_fails_is_deleted_and_a_retry_creates_it(
    context: dict[str, Any], answers: Any
) -> None:
    task = operator()
    script = answers(task.hook)
    described(script, "FAILED", Message="INTERNAL_ERROR: x.")
    script.add_response("delete_endpoint", {}, {"EndpointArn": ARN})
    with pytest.raises(EndpointFailedError, match=r"FAILED: INTERNAL_ERROR: x\. It is deleted; a retry"):
        task.execute_complete(context, {"status": "error"}, waited=["created"])  # type: ignore[arg-type]


def test_an_endpoint_that_lacked_a_right_is_deleted_and_not_tried_again(
    context: dict[str, Any], answers: Any
) -> None:
    task = operator()
    script = answers(task.hook)
    described(script, "FAILED", Message="KMS_ACCESS_DENIED: The model is encrypted.")
    script.add_response("delete_endpoint", {}, {"EndpointArn": ARN})
    with pytest.raises(EndpointBrokenError, match=r"Give a DataAccessRoleArn .*clear the task"):
        task.execute_complete(context, {"status": "error"}, waited=["created"])  # type: ignore[arg-type]


def test_a_wait_that_was_too_short_fails_the_try_and_opens_nothing(
    context: dict[str, Any], answers: Any
) -> None:
    task = operator()
    described(answers(task.hook), "CREATING")
    event = {"status": "error", "message": "It has not ended after 1 polls."}
    with pytest.raises(EndpointUnfinishedError, match=r"not created yet.*same endpoint. It has not ended"):
        task.execute_complete(context, event, waited=["created"])  # type: ignore[arg-type]


def test_an_endpoint_that_somebody_deleted_meanwhile_fails_the_try(
    context: dict[str, Any], answers: Any
) -> None:
    task = operator()
    described(answers(task.hook), None)
    with pytest.raises(EndpointGoneError, match=r"somebody deleted it. A retry creates it"):
        task.execute_complete(context, {"status": "error"}, waited=["created"])  # type: ignore[arg-type]


@pytest.mark.parametrize("other", [{"model": NEWER}, {"units": 2}], ids=["model", "units"])
@pytest.mark.parametrize("status", ["IN_SERVICE", "CREATING"])
def test_an_endpoint_that_serves_something_else_is_a_clear_error(
    context: dict[str, Any], answers: Any, other: dict[str, Any], status: str
) -> None:
    task = operator()
    described(answers(task.hook), status, **other)
    with pytest.raises(EndpointNameTakenError, match=r"serves something else: tickets/version/v. with . inf"):
        task.execute(context)  # type: ignore[arg-type]


def test_an_endpoint_that_serves_something_else_is_updated_where_that_is_wanted(
    context: dict[str, Any], answers: Any
) -> None:
    task = operator(when_different="update")
    script = answers(task.hook)
    described(script, "IN_SERVICE", NEWER, 2)
    script.add_response(
        "update_endpoint",
        {},
        {"EndpointArn": ARN, "DesiredModelArn": MODEL, "DesiredInferenceUnits": 1},
    )
    wait = waits(task, context)
    assert not wait.trigger.delete_on_kill
    resumed = operator(when_different="update")
    described(answers(resumed.hook), "IN_SERVICE")
    assert resumed.execute_complete(context, READY, **wait.kwargs) == SERVES_V1  # type: ignore[arg-type]


def test_units_are_left_to_auto_scaling_where_that_is_wanted(context: dict[str, Any], answers: Any) -> None:
    task = operator(when_different="update_model")
    described(answers(task.hook), "IN_SERVICE", units=3)
    assert task.execute(context)["inference_units"] == 3  # type: ignore[arg-type]
    task = operator(when_different="update_model")
    script = answers(task.hook)
    described(script, "IN_SERVICE", NEWER, 3)
    script.add_response("update_endpoint", {}, {"EndpointArn": ARN, "DesiredModelArn": MODEL})
    assert waits(task, context)


def test_an_update_waits_for_the_change_that_is_under_way(context: dict[str, Any], answers: Any) -> None:
    task = operator(when_different="update")
    described(answers(task.hook), "UPDATING", DesiredModelArn=NEWER)
    wait = waits(task, context)
    resumed = operator(when_different="update")
    script = answers(resumed.hook)
    described(script, "IN_SERVICE", NEWER)
    script.add_response("update_endpoint", {})
    assert waits(resumed, context, READY, **wait.kwargs)


def test_an_update_that_failed_says_what_is_served(context: dict[str, Any], answers: Any) -> None:
    task = operator(when_different="update")
    described(answers(task.hook), "IN_SERVICE", NEWER, 2, Message="No capacity.")
    with pytest.raises(
        EndpointUpdateFailedError, match=r"No capacity\. It still serves tickets/version/v2 with 2 inference"
    ):
        task.execute_complete(context, READY, waited=["updated"])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("code", "remedy"),
    [
        ("ResourceLimitExceededException", "delete endpoints that nobody uses"),
        ("ResourceNotFoundException", "use a classifier version that is there"),
        ("ResourceUnavailableException", "use a version that is TRAINED"),
        ("AccessDeniedException", "docs/iam/README.md"),
        ("TooManyTagsException", "at most 50 tags"),
    ],
)
def test_what_no_retry_cures_fails_the_task_with_its_remedy(
    context: dict[str, Any], answers: Any, code: str, remedy: str
) -> None:
    task = operator()
    script = answers(task.hook)
    described(script, None)
    script.add_client_error("create_endpoint", code)
    with pytest.raises(AirflowFailException, match=f"Cannot open the endpoint nightsort-tickets.*{remedy}"):
        task.execute(context)  # type: ignore[arg-type]


def test_a_throttled_call_is_left_to_the_retry(context: dict[str, Any], answers: Any) -> None:
    task = operator()
    script = answers(task.hook)
    described(script, None)
    script.add_client_error("create_endpoint", "TooManyRequestsException")
    with pytest.raises(ClientError, match="TooManyRequests"):
        task.execute(context)  # type: ignore[arg-type]


def sent_token(context: dict[str, Any], answers: Any, **overrides: Any) -> str:
    task, sent = operator(wait_for_completion=False, **overrides), []
    script = answers(task.hook)
    task.hook.client.meta.events.register(
        "provide-client-params.comprehend.CreateEndpoint",
        lambda params, **_: sent.append(params["ClientRequestToken"]),
    )
    described(script, None)
    script.add_response("create_endpoint", {"EndpointArn": ARN})
    described(script, "CREATING", units=int(task.desired_inference_units))
    task.execute(context)  # type: ignore[arg-type]
    return str(sent[0])


def test_a_token_is_of_one_try_for_a_deleted_endpoint_must_not_answer_it(
    context: dict[str, Any], answers: Any
) -> None:
    def token(number: int, **overrides: Any) -> str:
        ti = SimpleNamespace(
            id=f"0198-{number}", try_number=number, stats_tags={}, xcom_push=lambda **_: None
        )
        return sent_token({**context, "ti": ti}, answers, **overrides)

    assert len(token(1)) == 64
    assert token(1) == token(1)
    assert len({token(1), token(2), token(1, desired_inference_units=2)}) == 3


def killed_while_waiting(
    answers: Any, context: Any, monkeypatch: pytest.MonkeyPatch, code: str = "", **overrides: Any
) -> None:
    """Wait here, and be killed meanwhile."""
    task = operator(deferrable=False, **overrides)
    script = answers(task.hook)
    described(script, "CREATING")

    def die(*_: Any, **__: Any) -> None:
        if task.delete_on_kill:
            if code:
                script.add_client_error("delete_endpoint", code)
            else:
                script.add_response("delete_endpoint", {}, {"EndpointArn": ARN})
        task.on_kill()
        raise SystemExit

    monkeypatch.setattr(task.hook, "wait", die)
    with pytest.raises(SystemExit):
        task.execute(context)


def test_killed_before_it_is_in_service_the_task_deletes_the_endpoint(
    context: dict[str, Any], answers: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    killed_while_waiting(answers, context, monkeypatch)
    assert "Asked Comprehend to delete the endpoint" in capsys.readouterr().out


def test_what_cannot_be_deleted_yet_is_said_to_stay_open(
    context: dict[str, Any], answers: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    killed_while_waiting(answers, context, monkeypatch, "ResourceInUseException")
    assert "The endpoint is open and billed by the second" in capsys.readouterr().out


def test_a_kill_deletes_nothing_where_that_is_not_wanted(
    context: dict[str, Any], answers: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A call that the script does not have fails."""
    killed_while_waiting(answers, context, monkeypatch, delete_on_kill=False)


def test_the_link_leads_to_the_endpoints_of_the_console(
    context: dict[str, Any], answers: Any, real_endpoint: None
) -> None:
    task = operator()
    described(answers(task.hook), "IN_SERVICE")
    task.execute(context)  # type: ignore[arg-type]
    assert context["ti"].pushed["_link_ComprehendEndpointLink"].endswith("region=eu-west-1#endpoints")

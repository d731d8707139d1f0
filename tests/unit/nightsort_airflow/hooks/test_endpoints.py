from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from botocore.exceptions import ClientError

from nightsort.naming import CLASSIFIER_TAG
from nightsort_airflow.exceptions import EndpointStateUnknownError
from nightsort_airflow.hooks.comprehend import ComprehendClassificationHook

MODEL = "arn:aws:comprehend:eu-west-1:123456789012:document-classifier/tickets/version/v1"
ENDPOINTS = "arn:aws:comprehend:eu-west-1:123456789012:document-classifier-endpoint"
ARN = f"{ENDPOINTS}/nightsort-tickets"
CREATED = dt.datetime(2026, 11, 18, 8, 0, tzinfo=dt.timezone.utc)


@pytest.fixture
def hook() -> ComprehendClassificationHook:
    return ComprehendClassificationHook(aws_conn_id=None, region_name="eu-west-1")


def endpoint(status: str = "IN_SERVICE", arn: str = ARN, **more: Any) -> dict[str, Any]:
    return {
        "EndpointArn": arn,
        "Status": status,
        "ModelArn": MODEL,
        "DesiredModelArn": MODEL,
        "DesiredInferenceUnits": 1,
        "CurrentInferenceUnits": 1,
        "CreationTime": CREATED,
        **more,
    }


def test_an_endpoint_is_read_with_what_it_serves_and_what_it_will(
    hook: ComprehendClassificationHook, answers: Any
) -> None:
    properties = endpoint("UPDATING", DesiredModelArn=f"{MODEL}-g2", DesiredInferenceUnits=3)
    answers(hook).add_response("describe_endpoint", {"EndpointProperties": properties}, {"EndpointArn": ARN})
    found = hook.find_endpoint(ARN)
    assert found is not None
    assert (found.name, found.is_ready, found.is_changing) == ("nightsort-tickets", False, True)
    assert (found.model_arn, found.desired_model_arn) == (MODEL, f"{MODEL}-g2")
    assert (found.units, found.desired_units, found.created, found.changed) == (1, 3, CREATED, CREATED)
    assert found.serves == "tickets/version/v1 with 1 inference unit"
    assert not found.differs_from(f"{MODEL}-g2", 3)
    assert not found.differs_from(None, None)
    assert found.differs_from(MODEL, 3)
    assert found.differs_from(None, 1)


def test_a_state_that_nobody_knows_is_an_error(hook: ComprehendClassificationHook, answers: Any) -> None:
    answers(hook).add_response("describe_endpoint", {"EndpointProperties": endpoint("PONDERING")})
    with pytest.raises(EndpointStateUnknownError, match=r"PONDERING.*update Nightsort"):
        hook.find_endpoint(ARN)


def test_what_is_gone_or_taken_or_in_change_is_an_answer_and_not_an_error(
    hook: ComprehendClassificationHook, answers: Any
) -> None:
    script = answers(hook)
    for operation, code in (
        ("describe_endpoint", "ResourceNotFoundException"),
        ("create_endpoint", "ResourceInUseException"),
        ("update_endpoint", "ResourceInUseException"),
        ("delete_endpoint", "ResourceInUseException"),
        ("delete_endpoint", "ResourceNotFoundException"),
    ):
        script.add_client_error(operation, code)
    assert hook.find_endpoint(ARN) is None
    assert hook.create_endpoint({"EndpointName": "e", "DesiredInferenceUnits": 1}) is None
    assert not hook.update_endpoint(ARN, units=2)
    assert not hook.delete_endpoint(ARN)
    assert hook.delete_endpoint(ARN)


def test_what_may_not_be_seen_is_an_error_and_not_gone(
    hook: ComprehendClassificationHook, answers: Any
) -> None:
    """Taking "not allowed" for "not there" would open a second endpoint, or leave one open."""
    script = answers(hook)
    calls: dict[str, Any] = {
        "describe_endpoint": lambda: hook.find_endpoint(ARN),
        "create_endpoint": lambda: hook.create_endpoint({"EndpointName": "e", "DesiredInferenceUnits": 1}),
        "update_endpoint": lambda: hook.update_endpoint(ARN, units=2),
        "delete_endpoint": lambda: hook.delete_endpoint(ARN),
        "list_endpoints": hook.our_endpoints,
    }
    for operation, call in calls.items():
        script.add_client_error(operation, "AccessDeniedException")
        with pytest.raises(ClientError, match="AccessDenied"):
            call()


@pytest.mark.parametrize(
    ("asked", "sent"),
    [
        ({"model_arn": MODEL}, {"DesiredModelArn": MODEL}),
        ({"units": 4}, {"DesiredInferenceUnits": 4}),
        ({"model_arn": MODEL, "units": 4}, {"DesiredModelArn": MODEL, "DesiredInferenceUnits": 4}),
    ],
)
def test_an_update_asks_for_what_is_to_change_and_nothing_else(
    hook: ComprehendClassificationHook, answers: Any, asked: dict[str, Any], sent: dict[str, Any]
) -> None:
    answers(hook).add_response("update_endpoint", {}, {"EndpointArn": ARN, **sent})
    assert hook.update_endpoint(ARN, **asked)


def test_ours_are_those_with_our_prefix_and_our_tag_on_whatever_page(
    hook: ComprehendClassificationHook, answers: Any
) -> None:
    script = answers(hook)
    others, gone = f"{ENDPOINTS}/nightsort-by-hand", f"{ENDPOINTS}/nightsort-gone"
    recognizer = ARN.replace("document-classifier-endpoint", "entity-recognizer-endpoint")
    first = [
        endpoint("A_NEW_STATE", arn=f"{ENDPOINTS}/payroll"),
        endpoint(arn=recognizer),
        endpoint(arn=others),
    ]
    script.add_response("list_endpoints", {"EndpointPropertiesList": first, "NextToken": "more"}, {})
    script.add_response(
        "list_endpoints",
        {"EndpointPropertiesList": [endpoint(arn=gone), endpoint("CREATING")]},
        {"NextToken": "more"},
    )
    tags: list[dict[str, str]]
    for arn, tags in (
        (others, [{"Key": "team", "Value": "x"}]),
        (gone, []),
        (ARN, [{"Key": CLASSIFIER_TAG, "Value": "tickets"}]),
    ):
        if arn == gone:
            script.add_client_error("list_tags_for_resource", "ResourceNotFoundException")
        else:
            script.add_response("list_tags_for_resource", {"ResourceArn": arn, "Tags": tags})
    (ours,), unknown = hook.our_endpoints()
    assert unknown == []
    assert (ours.classifier, ours.state.arn, ours.state.status) == ("tickets", ARN, "CREATING")


def test_a_tag_that_may_not_be_read_is_an_error(hook: ComprehendClassificationHook, answers: Any) -> None:
    script = answers(hook)
    script.add_response("list_endpoints", {"EndpointPropertiesList": [endpoint()]})
    script.add_client_error("list_tags_for_resource", "AccessDeniedException")
    with pytest.raises(ClientError, match="AccessDenied"):
        hook.our_endpoints()

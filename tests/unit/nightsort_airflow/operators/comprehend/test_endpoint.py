"""What the three operators for endpoints have in common; the rest is in their own tests."""

from __future__ import annotations

from typing import Any

import pytest

from nightsort_airflow.exceptions import EndpointBrokenError
from nightsort_airflow.hooks.endpoints import EndpointState
from nightsort_airflow.operators.comprehend import (
    ComprehendCreateEndpointOperator,
    ComprehendDeleteEndpointOperator,
    ComprehendUpdateEndpointOperator,
)
from nightsort_airflow.operators.comprehend.endpoint import usable
from nightsort_airflow.states import EndpointStatus
from tests.unit.nightsort_airflow.operators.comprehend.endpoint_answers import ARN, MODEL


@pytest.mark.parametrize("status", [*EndpointStatus])
def test_an_endpoint_that_answers_or_soon_will_is_usable(status: EndpointStatus) -> None:
    endpoint = EndpointState(ARN, status, {"EndpointArn": ARN, "ModelArn": MODEL})
    if status in {"CREATING", "UPDATING", "IN_SERVICE"}:
        assert usable(endpoint, ARN) is endpoint
    else:
        with pytest.raises(EndpointBrokenError):
            usable(endpoint, ARN)


@pytest.mark.parametrize(
    ("operator", "given"),
    [
        (ComprehendCreateEndpointOperator, {"endpoint_name": "e", "model_arn": MODEL}),
        (ComprehendUpdateEndpointOperator, {"endpoint_arn": ARN, "desired_inference_units": 2}),
        (ComprehendDeleteEndpointOperator, {"endpoint_arn": ARN}),
    ],
)
def test_each_asks_every_half_minute_unless_it_is_told_otherwise(
    operator: Any, given: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert operator(task_id="t", **given).waiter_delay == 30
    assert operator(task_id="t", **given).waiter_max_attempts == 24 * 120
    monkeypatch.setenv("NIGHTSORT_POLL_SECONDS", "1")
    assert operator(task_id="t", **given).waiter_delay == 1

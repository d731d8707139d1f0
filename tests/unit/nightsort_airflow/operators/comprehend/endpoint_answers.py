"""Scripts what Comprehend answers about one endpoint."""

from __future__ import annotations

import datetime as dt
from typing import Any

ACCOUNT = "arn:aws:comprehend:eu-west-1:123456789012"
MODEL = f"{ACCOUNT}:document-classifier/tickets/version/v1"
NEWER = f"{ACCOUNT}:document-classifier/tickets/version/v2"
ARN = f"{ACCOUNT}:document-classifier-endpoint/nightsort-tickets"
CREATED = dt.datetime(2026, 11, 18, 8, 0, tzinfo=dt.timezone.utc)
SERVES_V1 = {
    "endpoint_arn": ARN,
    "endpoint_name": "nightsort-tickets",
    "status": "IN_SERVICE",
    "model_arn": MODEL,
    "inference_units": 1,
    "created_at": "2026-11-18T08:00:00+00:00",
}


def described(script: Any, status: str | None, model: str = MODEL, units: int = 1, **more: Any) -> None:
    """The next answer of DescribeEndpoint; None: there is none."""
    if status is None:
        script.add_client_error("describe_endpoint", "ResourceNotFoundException", http_status_code=404)
        return
    properties = {
        "EndpointArn": ARN,
        "Status": status,
        "ModelArn": model,
        "DesiredModelArn": model,
        "DesiredInferenceUnits": units,
        **({} if status == "CREATING" else {"CurrentInferenceUnits": units}),
        "CreationTime": CREATED,
        "LastModifiedTime": CREATED,
        **more,
    }
    script.add_response("describe_endpoint", {"EndpointProperties": properties}, {"EndpointArn": ARN})

"""Requests to Application Auto Scaling: JSON 1.1, validated against botocore's service model."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import botocore.session

from nightsort_local.local_aws.comprehend.errors import ApiError
from nightsort_local.local_aws.comprehend.request_validation import parsed

if TYPE_CHECKING:
    from wsgiref.types import WSGIEnvironment

    from botocore.model import ServiceModel

TARGET_PREFIX = "AnyScaleFrontendService"
"""Start of ``X-Amz-Target`` (service model, ``targetPrefix``)."""


@cache
def service_model() -> ServiceModel:
    """Return botocore's model of Application Auto Scaling."""
    return botocore.session.get_session().get_service_model("application-autoscaling")


def scaling_operation(environ: WSGIEnvironment) -> str | None:
    """Return the operation of a request; None if it is not for Application Auto Scaling."""
    prefix, _, operation = environ.get("HTTP_X_AMZ_TARGET", "").partition(".")
    return operation if prefix == TARGET_PREFIX and operation else None


def parse_request(operation: str, body: Any) -> dict[str, Any]:
    """Return the parameters of a request.

    :raises ApiError: the operation is unknown, or the request violates the model.
    """
    if operation not in service_model().operation_names:
        raise ApiError("UnknownOperationException", f"There is no operation {operation!r}.")
    return parsed(service_model().operation_model(operation).input_shape, body)

"""The metrics of endpoints in moto's CloudWatch. Only reading is there: nothing else of it would be kept.

moto takes requests that the service model forbids, and fails for others (5.2.5), so they are checked before.
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from functools import cache
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs

import botocore.session
import cbor2
from moto.cloudwatch.models import CloudWatchBackend, MetricAggregatedDatum
from moto.core.common_models import CloudWatchMetricProvider

from nightsort_local.local_aws.comprehend.endpoint_metrics import MINUTE, UTILIZATION
from nightsort_local.local_aws.comprehend.errors import ApiError
from nightsort_local.local_aws.comprehend.request_validation import parsed
from nightsort_local.local_aws.comprehend.wire_protocols import CBOR, JSON

if TYPE_CHECKING:
    from wsgiref.types import WSGIEnvironment

    from botocore.model import ServiceModel

    from nightsort_local.local_aws.comprehend.endpoint_metrics import EndpointMetrics
    from nightsort_local.local_aws.comprehend.store import Store

OPERATIONS: Final = ("GetMetricData", "GetMetricStatistics", "ListMetrics")

NAMESPACE: Final = "AWS/Comprehend"

_TARGET_PREFIX: Final = "GraniteServiceVersion20100801"
_CBOR_PATH: Final = f"/service/{_TARGET_PREFIX}/operation/"


def provide_metrics(metrics: EndpointMetrics, store: Store) -> None:
    """Let moto's CloudWatch of this process show the metrics of the endpoints.

    :param metrics: the minutes.
    :param store: its lock is held while they are read.
    """
    _Endpoints.metrics, _Endpoints.store = metrics, store
    statistics, data = CloudWatchBackend.get_metric_statistics, CloudWatchBackend.get_metric_data

    def get_metric_statistics(backend: Any, namespace: Any, metric_name: Any, start_time: datetime,
                              end_time: datetime, period: int, *rest: Any, **named: Any) -> Any:  # fmt: skip
        start, end = _whole_minutes(start_time, end_time)
        return statistics(backend, namespace, metric_name, start, end, period, *rest, **named)

    def get_metric_data(
        backend: Any, queries: Any, start_time: datetime, end_time: datetime, *rest: Any, **named: Any
    ) -> Any:
        return data(backend, queries, *_whole_minutes(start_time, end_time), *rest, **named)

    # moto cuts the time into periods from the start that was asked for; CloudWatch from whole minutes.
    CloudWatchBackend.get_metric_statistics = get_metric_statistics  # type: ignore[method-assign, assignment]
    CloudWatchBackend.get_metric_data = get_metric_data  # type: ignore[method-assign, assignment]


def cloudwatch_operation(environ: WSGIEnvironment, body: bytes) -> str:
    """Return the operation of a request to CloudWatch, in one of its three protocols."""
    path: str = environ["PATH_INFO"]
    if path.startswith(_CBOR_PATH):
        return path.removeprefix(_CBOR_PATH)
    prefix, _, operation = environ.get("HTTP_X_AMZ_TARGET", "").partition(".")
    if prefix == _TARGET_PREFIX:
        return str(operation)
    return parse_qs(body.decode("latin-1")).get("Action", [""])[0]


def check_request(environ: WSGIEnvironment, operation: str, body: bytes) -> None:
    """Check a request against botocore's service model, except in the query protocol, which no SDK speaks.

    :raises ApiError: the body cannot be read, or the request violates the model.
    """
    if environ["PATH_INFO"].startswith(_CBOR_PATH):
        protocol = CBOR
    elif environ.get("HTTP_X_AMZ_TARGET"):
        protocol = JSON
    else:
        return
    try:
        parsed(service_model().operation_model(operation).input_shape, protocol.read(body))
    except ApiError as error:
        if error.code == "ValidationException":
            # The codes of CloudWatch are still those of the query protocol.
            raise ApiError("ValidationError", error.message) from None
        raise


@cache
def service_model() -> ServiceModel:
    """Return botocore's model of CloudWatch."""
    return botocore.session.get_session().get_service_model("cloudwatch")


def written_error(
    environ: WSGIEnvironment, code: str, message: str
) -> tuple[bytes, tuple[tuple[str, str], ...]] | None:
    """Return body and headers of an error in the protocol of a request; None for the query protocol."""
    if environ["PATH_INFO"].startswith(_CBOR_PATH):
        headers = (("Content-Type", "application/cbor"), ("smithy-protocol", "rpc-v2-cbor"))
        return cbor2.dumps({"__type": code, "message": message}), headers
    if environ.get("HTTP_X_AMZ_TARGET"):
        body = json.dumps({"__type": code, "message": message}).encode()
        return body, (("Content-Type", "application/x-amz-json-1.0"),)
    return None


class _Endpoints(CloudWatchMetricProvider):
    """moto asks every subclass of its provider."""

    metrics: EndpointMetrics
    store: Store

    @staticmethod
    def get_cloudwatch_metrics(account_id: str, region: str) -> list[MetricAggregatedDatum]:
        """Return each minute of each metric of a region's endpoints."""
        if not hasattr(_Endpoints, "metrics"):
            return []
        with _Endpoints.store.lock:
            return [
                MetricAggregatedDatum(
                    NAMESPACE,
                    name,
                    min_stat=values.minimum,
                    max_stat=values.maximum,
                    sample_count=values.count,
                    sum_stat=values.sum,
                    dimensions=[{"Name": "EndpointArn", "Value": arn}],
                    timestamp=datetime.fromtimestamp(start, timezone.utc).replace(tzinfo=None),
                    unit="Percent" if name == UTILIZATION else "None",
                )
                for arn, start, minute in _Endpoints.metrics.minutes()
                if arn.split(":")[3:5] == [region, account_id]
                for name, values in minute.items()
            ]


def _whole_minutes(start: datetime, end: datetime) -> tuple[datetime, datetime]:
    """Round as CloudWatch does (API Reference, GetMetricData: StartTime)."""
    first, last = (moment.replace(second=0, microsecond=0) for moment in (start, end))
    return first, last if last == end else last + timedelta(seconds=MINUTE)

"""WSGI middleware that applies the faults of requests."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from nightsort_local.local_aws.comprehend.errors import HTTP_STATUS, ApiError
from nightsort_local.local_aws.comprehend.wire_protocols import comprehend_call
from nightsort_local.local_aws.control.control_pages import addresses_server
from nightsort_local.local_aws.faults.fault_types import (
    S3,
    ErrorAnswer,
    HangAfter,
    Latency,
    ResetAfter,
    ResetBefore,
)
from nightsort_local.local_aws.http_handler import ConnectionReset
from nightsort_local.local_aws.responses import respond, respond_s3_error
from nightsort_local.local_aws.s3.operations import s3_call

if TYPE_CHECKING:
    from collections.abc import Iterable
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from nightsort_local.local_aws.faults.fault_plan import FaultPlan

log = logging.getLogger(__name__)

STATUS_OF_CODE = {
    **HTTP_STATUS,
    "InternalError": 500,
    "InternalFailure": 500,
    "ServiceUnavailable": 503,
    "ServiceUnavailableException": 503,
    "SlowDown": 503,
}
"""HTTP statuses of error codes that differ from 400. ThrottlingException has 400."""


class RequestFaults:
    """Apply the faults of the plan to each request.

    :param application: answers the requests.
    :param plan: the faults.
    """

    def __init__(self, application: WSGIApplication, plan: FaultPlan) -> None:
        self._application = application
        self._plan = plan

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request, unless a fault drops the answer."""
        operation = self._operation(environ)
        for fault in self._plan.strike_request(operation) if operation else ():
            log.info("Fault %s is applied to %s.", fault.kind, operation)
            if isinstance(fault, Latency):
                time.sleep(fault.seconds)
            elif isinstance(fault, ErrorAnswer):
                return _error_answer(fault, environ, start_response)
            elif isinstance(fault, ResetBefore):
                raise ConnectionReset
            elif isinstance(fault, (ResetAfter, HangAfter)):
                chunks = self._application(environ, start_response)
                if isinstance(fault, ResetAfter):
                    raise ConnectionReset
                time.sleep(fault.seconds)
                return chunks
        return self._application(environ, start_response)

    def _operation(self, environ: WSGIEnvironment) -> str:
        """Return the operation of a request; empty if no fault can match it."""
        if addresses_server(environ):
            return ""
        comprehend = comprehend_call(environ)
        if comprehend is not None:
            return comprehend[1]
        s3 = s3_call(environ) if self._plan.has_s3_faults() else None
        return f"{S3}{s3.operation}" if s3 is not None else ""


def _error_answer(
    fault: ErrorAnswer, environ: WSGIEnvironment, start_response: StartResponse
) -> Iterable[bytes]:
    status = fault.status or STATUS_OF_CODE.get(fault.code, 400)
    comprehend = comprehend_call(environ)
    if comprehend is None:
        return respond_s3_error(start_response, status, fault.code, fault.message)
    protocol, _ = comprehend
    body = protocol.write_error(ApiError(fault.code, fault.message, status=status))
    return respond(start_response, status, body, *protocol.headers)

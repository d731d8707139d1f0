"""Requests that go wrong as the fault plan says: in front of the server's application."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from nightsort_local.local_aws.comprehend.errors import HTTP_STATUS, ApiError
from nightsort_local.local_aws.comprehend.wire_protocols import addressed
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
    from collections.abc import Callable, Iterable
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
"""The HTTP status that AWS sends with an error's code; all others come with 400, ThrottlingException too."""


class RequestFaults:
    """WSGI middleware: does to each request what the plan holds for it.

    :param application: what answers the requests.
    :param plan: the faults.
    :param keep: makes lasting what a request did, before its answer is lost.
    """

    def __init__(self, application: WSGIApplication, plan: FaultPlan, keep: Callable[[], None]) -> None:
        self._application = application
        self._plan = plan
        self._keep = keep

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request, or do not."""
        operation = self._operation(environ)
        for fault in self._plan.strike_request(operation) if operation else ():
            log.info("%s meets the fault %s.", operation, fault.kind)
            if isinstance(fault, Latency):
                time.sleep(fault.seconds)
            elif isinstance(fault, ErrorAnswer):
                return _error_answer(fault, environ, start_response)
            elif isinstance(fault, ResetBefore):
                raise ConnectionReset
            elif isinstance(fault, (ResetAfter, HangAfter)):
                chunks = self._application(environ, start_response)
                self._keep()
                if isinstance(fault, ResetAfter):
                    raise ConnectionReset
                time.sleep(fault.seconds)
                return chunks
        return self._application(environ, start_response)

    def _operation(self, environ: WSGIEnvironment) -> str:
        """Return the operation that a request calls; empty when no fault can concern it."""
        comprehend = addressed(environ)
        if comprehend is not None:
            return comprehend[1]
        s3 = s3_call(environ) if self._plan.concerns_s3() else None
        return f"{S3}{s3.operation}" if s3 is not None else ""


def _error_answer(
    fault: ErrorAnswer, environ: WSGIEnvironment, start_response: StartResponse
) -> Iterable[bytes]:
    status = fault.status or STATUS_OF_CODE.get(fault.code, 400)
    comprehend = addressed(environ)
    if comprehend is None:
        return respond_s3_error(start_response, status, fault.code, fault.message)
    protocol, _ = comprehend
    body = protocol.write_error(ApiError(fault.code, fault.message, status=status))
    return respond(start_response, status, body, *protocol.headers)

"""Requests that go wrong as the fault plan says: in front of the server's application."""

from __future__ import annotations

import json
import logging
import time
import uuid
from http import HTTPStatus
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from moto.core.request import Request
from moto.core.routing import get_service_router
from werkzeug.exceptions import NotFound

from include.local_stack.local_aws.comprehend.errors import HTTP_STATUS
from include.local_stack.local_aws.comprehend.request_validation import TARGET_PREFIX
from include.local_stack.local_aws.control.faults import (
    S3,
    ErrorAnswer,
    HangAfter,
    Latency,
    ResetAfter,
    ResetBefore,
)
from include.local_stack.local_aws.http_handler import ConnectionReset

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from include.local_stack.local_aws.control.fault_plan import FaultPlan

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

    Args:
        application: what answers the requests.
        plan: the faults.
        keep: makes lasting what a request did, before its answer is lost.
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
                return _error_answer(fault, operation, start_response)
            elif isinstance(fault, ResetBefore):
                raise ConnectionReset
            elif isinstance(fault, (ResetAfter, HangAfter)):
                answer = self._application(environ, start_response)
                self._keep()
                if isinstance(fault, ResetAfter):
                    raise ConnectionReset
                time.sleep(fault.seconds)
                return answer
        return self._application(environ, start_response)

    def _operation(self, environ: WSGIEnvironment) -> str:
        """Return the operation that a request calls; empty when no fault can concern it."""
        service, _, operation = environ.get("HTTP_X_AMZ_TARGET", "").partition(".")
        if service:
            return operation if service == TARGET_PREFIX else ""
        return _s3_operation(environ) if self._plan.concerns_s3() else ""


def _s3_operation(environ: WSGIEnvironment) -> str:
    signed_for = environ.get("HTTP_AUTHORIZATION", "") or environ.get("QUERY_STRING", "").replace("%2F", "/")
    if environ["PATH_INFO"].startswith("/nightsort/") or "/s3/aws4_request" not in signed_for:
        return ""
    try:
        operation, _ = get_service_router("s3").match(Request(environ))
    except NotFound:
        return ""
    return f"{S3}{operation.name}"


def _error_answer(fault: ErrorAnswer, operation: str, start_response: StartResponse) -> Iterable[bytes]:
    status = fault.status or STATUS_OF_CODE.get(fault.code, 400)
    if operation.startswith(S3):
        content_type = "application/xml"
        text = f"<Error><Code>{fault.code}</Code><Message>{escape(fault.message)}</Message></Error>"
    else:
        content_type = "application/x-amz-json-1.1"
        text = json.dumps({"__type": fault.code, "Message": fault.message})
    body = text.encode()
    headers = [
        ("Content-Type", content_type),
        ("Content-Length", str(len(body))),
        ("x-amzn-RequestId", str(uuid.uuid4())),
    ]
    start_response(f"{status} {_phrase(status)}", headers)
    return [body]


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"

"""moto's services that the local AWS answers; a request for any other gets a 404."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from botocore.model import OperationNotFoundError

from nightsort_local.local_aws.comprehend.errors import ApiError
from nightsort_local.local_aws.responses import respond_json
from nightsort_local.local_aws.s3.moto_s3 import create_app
from nightsort_local.local_aws.s3.operations import s3_call
from nightsort_local.local_aws.services import CLOUDWATCH, MOTO_SERVICES, OWN_SERVICES, service_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from wsgiref.types import StartResponse, WSGIEnvironment

    from flask import Flask


class MotoServices:
    """The WSGI application of :data:`MOTO_SERVICES`. moto's own pages are not among them."""

    def __init__(self) -> None:
        self._applications: dict[str, Flask] = {}
        self._creating = threading.Lock()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        service = service_of(environ)
        if service not in MOTO_SERVICES or (_is_unknown_to_s3(environ)):
            return respond_unknown(start_response)
        with self._creating:
            application = self._applications.get(service)
            if application is None:
                name = "cloudwatch" if service == CLOUDWATCH else service
                application = self._applications[service] = create_app(name)
        try:
            return application(environ, start_response)
        except (OperationNotFoundError, NotImplementedError):
            return respond_unknown(start_response)


def _is_unknown_to_s3(environ: WSGIEnvironment) -> bool:
    # moto itself fails for these, with a KeyError. Every request of another method has an operation.
    if environ["REQUEST_METHOD"] in ("GET", "HEAD", "PUT", "DELETE"):
        return False
    # The upload by a form is not in the service model.
    if environ.get("CONTENT_TYPE", "").startswith("multipart/form-data"):
        return False
    call = s3_call(environ)
    return call is not None and not call.operation


def respond_unknown(start_response: StartResponse) -> Iterable[bytes]:
    """Answer a request that is for none of the operations."""
    answered = ", ".join(sorted((*MOTO_SERVICES, *OWN_SERVICES)))
    message = f"The local AWS answers {answered}. This request is for none of their operations."
    error = ApiError("UnknownOperationException", message, status=404)
    return respond_json(start_response, error.status, error.body())

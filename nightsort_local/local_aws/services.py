"""The services of moto that the local AWS answers; every other service gets a 404."""

from __future__ import annotations

import re
import threading
from typing import TYPE_CHECKING

from botocore.model import OperationNotFoundError
from moto.core.request import Request
from moto.core.routing import get_service_router
from werkzeug.exceptions import NotFound

from nightsort_local.local_aws.comprehend.errors import ApiError
from nightsort_local.local_aws.responses import respond_json
from nightsort_local.local_aws.s3.moto_s3 import create_app

if TYPE_CHECKING:
    from collections.abc import Iterable
    from wsgiref.types import StartResponse, WSGIEnvironment

    from flask import Flask

S3, STS = "s3", "sts"
MOTO_SERVICES = ("iam", S3, "servicequotas", STS)
"""All of them, by the names in signatures. Comprehend is our own.

moto has 200 more. Some start containers or send requests to any host, for whoever reaches the port.
"""

_SCOPE = re.compile(r"/\d{8}/[^/]+/([^/]+)/aws4_request")


def service_of(environ: WSGIEnvironment) -> str:
    """Return the service that a request is for, by the name in its signature; empty if nothing says it."""
    if is_signed(environ):
        query = environ.get("QUERY_STRING", "").replace("%2F", "/")
        scope = _SCOPE.search(environ.get("HTTP_AUTHORIZATION", "") or query)
        # Only S3 still has signatures without a service, those of version 2.
        return scope[1].lower() if scope else S3
    if environ.get("HTTP_X_AMZ_TARGET"):
        return ""
    # AssumeRoleWithWebIdentity and AssumeRoleWithSAML are unsigned forms.
    form = environ.get("CONTENT_TYPE", "").startswith("application/x-www-form-urlencoded")
    return STS if form and (environ["REQUEST_METHOD"], environ["PATH_INFO"]) == ("POST", "/") else S3


def is_signed(environ: WSGIEnvironment) -> bool:
    """Return whether a request is signed, in its header or in its URL, with any signature version."""
    query = environ.get("QUERY_STRING", "")
    return "HTTP_AUTHORIZATION" in environ or "X-Amz-Signature=" in query or "AWSAccessKeyId=" in query


class MotoServices:
    """The WSGI application of :data:`MOTO_SERVICES`. moto's own pages are not among them."""

    def __init__(self) -> None:
        self._applications: dict[str, Flask] = {}
        self._creating = threading.Lock()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        service = service_of(environ)
        if service not in MOTO_SERVICES or (service == S3 and _is_unknown_to_s3(environ)):
            return _respond_unknown(start_response)
        with self._creating:
            application = self._applications.get(service)
            if application is None:
                application = self._applications[service] = create_app(service)
        try:
            return application(environ, start_response)
        except (OperationNotFoundError, NotImplementedError):
            return _respond_unknown(start_response)


def _is_unknown_to_s3(environ: WSGIEnvironment) -> bool:
    if environ["REQUEST_METHOD"] in ("GET", "HEAD", "PUT", "DELETE"):
        return False
    # The upload by a form is not in the service model.
    if environ.get("CONTENT_TYPE", "").startswith("multipart/form-data"):
        return False
    try:
        get_service_router(S3).match(Request(environ))
    except NotFound:
        return True
    return False


def _respond_unknown(start_response: StartResponse) -> Iterable[bytes]:
    answered = ", ".join(sorted((*MOTO_SERVICES, "comprehend")))
    message = f"The local AWS answers {answered}. This request is for none of their operations."
    error = ApiError("UnknownOperationException", message, status=404)
    return respond_json(start_response, error.status, error.body())

"""Find the S3 operation of a request."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from moto.core.request import Request
from moto.core.routing import get_service_router
from werkzeug.exceptions import NotFound

if TYPE_CHECKING:
    from wsgiref.types import WSGIEnvironment

_SCOPE = re.compile(r"/\d{8}/[^/]+/([^/]+)/aws4_request")
_NOT_S3 = ("/nightsort/", "/moto-api", "/latest/")


@dataclass(frozen=True)
class S3Call:
    """A request to S3.

    :param operation: its name in the service model, such as ``GetObject``; empty if none matches.
    """

    operation: str
    bucket: str | None = None
    key: str | None = None


def s3_call(environ: WSGIEnvironment) -> S3Call | None:
    """Return the S3 call of a request; None if it is for another service, by the rules of moto."""
    signed_for = _signed_service(environ)
    if not is_signed(environ):
        other = environ.get("HTTP_X_AMZ_TARGET") or environ["PATH_INFO"].startswith(_NOT_S3)
        # AssumeRoleWithWebIdentity and similar calls are unsigned forms.
        if other or environ.get("CONTENT_TYPE", "").startswith("application/x-www-form-urlencoded"):
            return None
    elif signed_for not in ("s3", None):
        return None
    try:
        operation, parameters = get_service_router("s3").match(Request(environ))
    except NotFound:
        return S3Call("")
    return S3Call(operation.name, parameters.get("Bucket"), parameters.get("Key"))


def is_signed(environ: WSGIEnvironment) -> bool:
    """Return whether a request is signed, in its header or in its URL, with any signature version."""
    query = environ.get("QUERY_STRING", "")
    return "HTTP_AUTHORIZATION" in environ or "X-Amz-Signature=" in query or "AWSAccessKeyId=" in query


def _signed_service(environ: WSGIEnvironment) -> str | None:
    """Return the service in a signature of version 4; None without one."""
    query = environ.get("QUERY_STRING", "").replace("%2F", "/")
    scope = _SCOPE.search(environ.get("HTTP_AUTHORIZATION", "") or query)
    return scope[1] if scope else None

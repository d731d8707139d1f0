"""The services that the local AWS answers, its own and moto's; every other service gets a 404."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wsgiref.types import WSGIEnvironment

COMPREHEND, S3, STS = "comprehend", "s3", "sts"
AUTO_SCALING, CLOUDWATCH = "application-autoscaling", "monitoring"
CONTROL = "nightsort"
"""The service in signatures for the control pages."""

OWN_SERVICES = (AUTO_SCALING, COMPREHEND)

MOTO_SERVICES = ("iam", CLOUDWATCH, S3, "servicequotas", STS)
"""All of them, by the names in signatures.

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

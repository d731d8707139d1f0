"""Find the S3 operation of a request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from moto.core.request import Request
from moto.core.routing import get_service_router
from werkzeug.exceptions import NotFound

from nightsort_local.local_aws.services import S3, service_of

if TYPE_CHECKING:
    from wsgiref.types import WSGIEnvironment


@dataclass(frozen=True)
class S3Call:
    """A request to S3.

    :param operation: its name in the service model, such as ``GetObject``; empty if none matches.
    """

    operation: str
    bucket: str | None = None
    key: str | None = None


def s3_call(environ: WSGIEnvironment) -> S3Call | None:
    """Return the S3 call of a request; None if it is for another service."""
    if service_of(environ) != S3:
        return None
    try:
        operation, parameters = get_service_router("s3").match(Request(environ))
    except NotFound:
        return S3Call("")
    return S3Call(operation.name, parameters.get("Bucket"), parameters.get("Key"))

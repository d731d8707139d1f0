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

    @property
    def uploads(self) -> bool:
        """Whether the body of the request is the content of an object."""
        return self.operation in ("PutObject", "UploadPart")


_CALL = "nightsort.s3_call"
"""Key of a request's environ with its call: several parts ask for it, and moto's routing is slow."""


def s3_call(environ: WSGIEnvironment) -> S3Call | None:
    """Return the S3 call of a request; None if it is for another service."""
    if _CALL not in environ:
        environ[_CALL] = _found(environ) if service_of(environ) == S3 else None
    call: S3Call | None = environ[_CALL]
    return call


def _found(environ: WSGIEnvironment) -> S3Call:
    try:
        operation, parameters = get_service_router("s3").match(Request(environ))
    except NotFound:
        return S3Call("")
    return S3Call(operation.name, parameters.get("Bucket"), parameters.get("Key"))

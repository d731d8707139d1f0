"""ARNs, ids and the S3 locations that Comprehend derives from them."""

from __future__ import annotations

import re
import uuid

from nightsort_local.local_aws.account import ACCOUNT_ID
from nightsort_local.local_aws.comprehend.errors import invalid_request

MAX_URI = 1024
"""Characters of an S3Uri (service model)."""

_CLASSIFIER = re.compile(
    r"arn:aws:comprehend:(?P<region>[^:]+):(?P<account>\d{12}):document-classifier/(?P<name>[^/]+)"
    r"(/version/(?P<version>[^/]+))?"
)


def new_id() -> str:
    """Return 32 lower-case hex digits, the form of job ids and of training output folders."""
    return uuid.uuid4().hex


def classifier_arn(region: str, name: str, version: str | None) -> str:
    """Return a classifier's ARN; without a version it has no ``/version/`` part."""
    arn = f"arn:aws:comprehend:{region}:{ACCOUNT_ID}:document-classifier/{name}"
    return f"{arn}/version/{version}" if version else arn


def classifier_name(arn: str) -> tuple[str, str | None]:
    """Return name and version of a classifier's ARN; the API never returns the plain name."""
    match = _CLASSIFIER.fullmatch(arn)
    if match is None:
        raise ValueError(f"{arn!r} is no ARN of a document classifier")
    return match["name"], match["version"]


def job_arn(region: str, job_id: str) -> str:
    """Return a classification job's ARN."""
    return f"arn:aws:comprehend:{region}:{ACCOUNT_ID}:document-classification-job/{job_id}"


def endpoint_arn(region: str, name: str) -> str:
    """Return the ARN of a classifier's endpoint."""
    return f"arn:aws:comprehend:{region}:{ACCOUNT_ID}:document-classifier-endpoint/{name}"


def output_archive(uri: str, kind: str, unique_id: str) -> str:
    """Return where an ``output.tar.gz`` goes: ``<uri>/<account>-<kind>-<id>/output/output.tar.gz``.

    :param uri: the OutputDataConfig.S3Uri of the request; a trailing slash is not doubled.
    :param kind: ``CLR`` for a training, ``CLN`` for a classification job.
    :param unique_id: 32 hex digits; a job's own id.
    :raises ApiError: InvalidRequestException, it would be longer than Describe could show (assumed).
    """
    archive = f"{uri.rstrip('/')}/{ACCOUNT_ID}-{kind}-{unique_id}/output/output.tar.gz"
    if len(archive) > MAX_URI:
        raise invalid_request(
            f"INVALID_REQUEST: OutputDataConfig.S3Uri must be {len(archive) - MAX_URI} characters shorter: "
            f"the location of the output can have {MAX_URI} at most."
        )
    return archive

"""ARNs, ids and the S3 locations of outputs."""

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
    """Return a classifier's ARN. Without a version it has no ``/version/`` part."""
    arn = f"arn:aws:comprehend:{region}:{ACCOUNT_ID}:document-classifier/{name}"
    return f"{arn}/version/{version}" if version else arn


def classifier_name(arn: str) -> tuple[str, str | None]:
    """Return name and version in a classifier's ARN. The API never returns the plain name."""
    match = _CLASSIFIER.fullmatch(arn)
    if match is None:
        raise ValueError(f"{arn!r} is not the ARN of a document classifier")
    return match["name"], match["version"]


def job_arn(region: str, job_id: str) -> str:
    """Return a classification job's ARN."""
    return f"arn:aws:comprehend:{region}:{ACCOUNT_ID}:document-classification-job/{job_id}"


def endpoint_arn(region: str, name: str) -> str:
    """Return the ARN of a classifier's endpoint."""
    return f"arn:aws:comprehend:{region}:{ACCOUNT_ID}:document-classifier-endpoint/{name}"


def output_archive(uri: str, kind: str, unique_id: str) -> str:
    """Return the S3 URI of an ``output.tar.gz``: ``<uri>/<account>-<kind>-<id>/output/output.tar.gz``.

    :param uri: the OutputDataConfig.S3Uri of the request, with or without a trailing slash.
    :param kind: ``CLR`` for a training, ``CLN`` for a classification job.
    :param unique_id: 32 hex digits; for a job its id.
    :raises ApiError: InvalidRequestException: the URI is longer than Describe can show (assumed).
    """
    archive = f"{uri.rstrip('/')}/{ACCOUNT_ID}-{kind}-{unique_id}/output/output.tar.gz"
    if len(archive) > MAX_URI:
        raise invalid_request(
            f"INVALID_REQUEST: OutputDataConfig.S3Uri must be {len(archive) - MAX_URI} characters shorter: "
            f"the location of the output can have at most {MAX_URI} characters."
        )
    return archive

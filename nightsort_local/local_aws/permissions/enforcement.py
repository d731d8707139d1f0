"""Check each call against the policies of its caller; those of IAM and STS stay open."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from moto.s3.models import s3_backends

from nightsort.comprehend.iam_policies import UnknownConditionError, Verdict, judge
from nightsort_local.local_aws.account import ACCOUNT_ID
from nightsort_local.local_aws.comprehend.errors import ApiError
from nightsort_local.local_aws.permissions.authentication import SIGNED_BY
from nightsort_local.local_aws.permissions.identities import Identity, UnknownIdentityError, identity_of
from nightsort_local.local_aws.permissions.needed_permissions import (
    NEEDED_PERMISSIONS,
    READING,
    missing_object_permission,
    s3_permissions,
)
from nightsort_local.local_aws.s3.operations import s3_call
from nightsort_local.local_aws.settings import switch

if TYPE_CHECKING:
    from collections.abc import Mapping
    from wsgiref.types import WSGIEnvironment

    from nightsort.comprehend.iam_policies import Access

ENFORCE = "NIGHTSORT_LOCAL_AWS_ENFORCE_IAM"

_ACCESS_KEY = re.compile(r"Credential=([^/]+)/")


_ROOT = Identity(f"arn:aws:iam::{ACCOUNT_ID}:root", ())


def enforced_by(environment: Mapping[str, str]) -> bool:
    """Return whether the environment switches the enforcement of IAM on.

    :raises SettingError: the value is neither true nor false.
    """
    return switch(environment, ENFORCE)


class S3DeniedError(Exception):
    """A request to S3 is denied.

    :param code: S3's error code.
    :param message: what the caller reads.
    :param region: of the bucket, which S3 says to everybody.
    :param status: the HTTP status.
    """

    def __init__(self, code: str, message: str, region: str | None = None, *, status: int = 403) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status
        self.headers = [("x-amz-bucket-region", region)] if region else []


class Enforcement:
    """Check permissions of requests. IAM and STS stay open, so that users and roles can be created.

    :param root: the access key of the account's root user, which may do everything; None: there is none.
    """

    def __init__(self, root: str | None = None) -> None:
        self._root = root

    def check(
        self,
        environ: WSGIEnvironment,
        service: str,
        operation: str,
        request: Mapping[str, Any],
        region: str,
    ) -> None:
        """Check a request to Comprehend, CloudWatch or Application Auto Scaling.

        :raises ApiError: AccessDeniedException; for an unknown or missing caller
            UnrecognizedClientException or MissingAuthenticationTokenException.
        """
        try:
            caller = self._caller(environ)
        except UnknownIdentityError as error:
            message = "The security token included in the request is invalid."
            raise ApiError("UnrecognizedClientException", message) from error
        if caller is None:
            raise ApiError("MissingAuthenticationTokenException", "Missing Authentication Token")
        if caller is _ROOT:
            return
        for access in NEEDED_PERMISSIONS[service](operation, request, region):
            denial = _denial(caller, access, access.resource)
            if denial is not None:
                raise ApiError("AccessDeniedException", denial)

    def check_s3(self, environ: WSGIEnvironment) -> None:
        """Check a request to S3; ignore requests to other services.

        :raises S3DeniedError: AccessDenied or InvalidAccessKeyId.
        """
        call = s3_call(environ)
        if call is None:
            return
        try:
            caller = self._caller(environ)
        except UnknownIdentityError as error:
            message = "The AWS Access Key Id you provided does not exist in our records."
            raise S3DeniedError("InvalidAccessKeyId", message) from error
        if caller is None or not call.operation:
            raise S3DeniedError("AccessDenied", "Access Denied")
        if caller is _ROOT:
            return
        bucket = s3_backends[ACCOUNT_ID]["aws"].buckets.get(call.bucket or "")
        needed = s3_permissions(call, environ)
        if bucket is not None and call.operation in READING and bucket.keys.get(call.key or "") is None:
            needed.append(missing_object_permission(call))
        for access in needed:
            denial = _denial(caller, access, f'"{access.resource}"')
            if denial is not None:
                raise S3DeniedError("AccessDenied", denial, bucket.region_name if bucket else None)

    def _caller(self, environ: WSGIEnvironment) -> Identity | None:
        """Return the identity that signed a request; None for an unsigned one."""
        # What was checked: a request can name several keys, and only one of them has signed it.
        access_key, token = environ.get(SIGNED_BY) or _named_key(environ)
        if not access_key:
            return None
        return _ROOT if access_key == self._root else identity_of(access_key, token)


def _named_key(environ: WSGIEnvironment) -> tuple[str, str | None]:
    """Return the access key and the token that a request names; empty if it names none."""
    query = {name.lower(): values[0] for name, values in parse_qs(environ.get("QUERY_STRING", "")).items()}
    # boto3 still presigns S3 URLs with signature version 2, which contains only the access key.
    presigned = query.get("x-amz-credential") or f"{query.get('awsaccesskeyid', '')}/"
    access_key = _ACCESS_KEY.search(environ.get("HTTP_AUTHORIZATION") or f"Credential={presigned}")
    token = environ.get("HTTP_X_AMZ_SECURITY_TOKEN") or query.get("x-amz-security-token")
    return (access_key[1], token) if access_key else ("", None)


def _denial(caller: Identity, access: Access, shown: str) -> str | None:
    """Return AWS's message for a missing permission; None when the call is allowed."""
    try:
        verdict = judge(caller.policies, access)
    except UnknownConditionError as error:
        return f"User: {caller.arn} is not authorized to perform: {access.action}, for {error}"
    if verdict is Verdict.ALLOWED:
        return None
    resource = "" if access.resource == "*" else f" on resource: {shown}"
    reason = (
        "with an explicit deny in an identity-based policy"
        if verdict is Verdict.DENIED
        else f"because no identity-based policy allows the {access.action} action"
    )
    return f"User: {caller.arn} is not authorized to perform: {access.action}{resource} {reason}"

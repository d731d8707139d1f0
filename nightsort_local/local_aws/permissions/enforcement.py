"""IAM in force: each call of Comprehend and S3 is judged by the policies of who signed it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from nightsort.comprehend.iam_policies import UnknownConditionError, Verdict, judge
from nightsort_local.local_aws.comprehend.errors import ApiError
from nightsort_local.local_aws.permissions.identities import Identity, UnknownIdentityError, identity_of
from nightsort_local.local_aws.permissions.needed_permissions import comprehend_permissions, s3_permissions
from nightsort_local.local_aws.s3.operations import s3_call
from nightsort_local.local_aws.settings import SettingError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from wsgiref.types import WSGIEnvironment

    from nightsort.comprehend.iam_policies import Access

ENFORCE = "NIGHTSORT_LOCAL_AWS_ENFORCE_IAM"

_ACCESS_KEY = re.compile(r"Credential=([^/]+)/")
_SWITCH = {"": False, "0": False, "false": False, "1": True, "true": True}


def enforced_by(environment: Mapping[str, str]) -> bool:
    """Tell whether the environment has IAM enforced.

    :raises SettingError: it says neither yes nor no.
    """
    value = environment.get(ENFORCE, "")
    if value.lower() not in _SWITCH:
        raise SettingError(f"{ENFORCE} is {value!r}; it must be true or false.")
    return _SWITCH[value.lower()]


class S3DeniedError(Exception):
    """S3 refuses a request.

    :param code: S3's error code.
    :param message: what the caller reads.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


class Enforcement:
    """Judges requests. IAM and STS themselves stay open, so that users and roles can be made."""

    def check_comprehend(
        self, environ: WSGIEnvironment, operation: str, request: Mapping[str, Any], region: str
    ) -> None:
        """Check a request to Comprehend.

        :raises ApiError: AccessDeniedException; UnrecognizedClientException or
            MissingAuthenticationTokenException for a caller who is nobody.
        """
        try:
            caller = _caller(environ)
        except UnknownIdentityError as error:
            message = "The security token included in the request is invalid."
            raise ApiError("UnrecognizedClientException", message) from error
        if caller is None:
            raise ApiError("MissingAuthenticationTokenException", "Missing Authentication Token")
        for access in comprehend_permissions(operation, request, region):
            said = _refusal(caller, access, access.resource)
            if said is not None:
                raise ApiError("AccessDeniedException", said)

    def check_s3(self, environ: WSGIEnvironment) -> None:
        """Check a request to S3; one to another service passes.

        :raises S3DeniedError: AccessDenied or InvalidAccessKeyId.
        """
        call = s3_call(environ)
        if call is None:
            return
        try:
            caller = _caller(environ)
        except UnknownIdentityError as error:
            message = "The AWS Access Key Id you provided does not exist in our records."
            raise S3DeniedError("InvalidAccessKeyId", message) from error
        if caller is None or not call.operation:
            raise S3DeniedError("AccessDenied", "Access Denied")
        for access in s3_permissions(call, environ):
            said = _refusal(caller, access, f'"{access.resource}"')
            if said is not None:
                raise S3DeniedError("AccessDenied", said)


def _caller(environ: WSGIEnvironment) -> Identity | None:
    """Return who signed a request; None: nobody."""
    query = {name.lower(): values[0] for name, values in parse_qs(environ.get("QUERY_STRING", "")).items()}
    # boto3 still presigns URLs of S3 by version 2 of the signature, which has the key alone.
    presigned = query.get("x-amz-credential") or f"{query.get('awsaccesskeyid', '')}/"
    access_key = _ACCESS_KEY.search(environ.get("HTTP_AUTHORIZATION") or f"Credential={presigned}")
    if access_key is None:
        return None
    token = environ.get("HTTP_X_AMZ_SECURITY_TOKEN") or query.get("x-amz-security-token")
    return identity_of(access_key[1], token)


def _refusal(caller: Identity, access: Access, shown: str) -> str | None:
    """Return AWS's words for a right that is missing; None when it is there."""
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

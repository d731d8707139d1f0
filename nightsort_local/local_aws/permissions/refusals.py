"""The answers to requests whose signature is missing or wrong, as each protocol of AWS has them.

The codes are from "Error responses" (Amazon S3 API Reference), "Common Errors" (IAM API Reference), and, for
JSON services, "Error handling" (Amazon DynamoDB Developer Guide).
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from nightsort_local.local_aws.cloudwatch import written_error
from nightsort_local.local_aws.comprehend.errors import ApiError
from nightsort_local.local_aws.permissions.authentication import Reason, RefusedError
from nightsort_local.local_aws.responses import respond, respond_json, respond_s3_error
from nightsort_local.local_aws.services import S3

if TYPE_CHECKING:
    from collections.abc import Iterable
    from wsgiref.types import StartResponse, WSGIEnvironment

_TOKEN_INVALID = "The security token included in the request is invalid."  # noqa: S105
_DOES_NOT_MATCH = (
    "The request signature we calculated does not match the signature you provided. Check your AWS Secret "
    "Access Key and signing method. Consult the service documentation for details."
)

_OF_S3 = {
    Reason.UNSIGNED: (403, "AccessDenied", "Access Denied"),
    Reason.MALFORMED: (400, "AuthorizationHeaderMalformed", "The authorization header is malformed."),
    Reason.UNKNOWN_KEY: (
        403, "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records.",
    ),
    Reason.WRONG_SIGNATURE: (
        403, "SignatureDoesNotMatch", "The request signature we calculated does not match the signature you "
        "provided. Check your key and signing method.",
    ),
    Reason.WRONG_TIME: (
        403, "RequestTimeTooSkewed",
        "The difference between the request time and the current time is too large.",
    ),
    Reason.URL_EXPIRED: (403, "AccessDenied", "Request has expired"),
    Reason.WRONG_TOKEN: (400, "InvalidToken", "The provided token is malformed or otherwise invalid."),
    Reason.TOKEN_EXPIRED: (400, "ExpiredToken", "The provided token has expired."),
    Reason.HEADERS_NOT_SIGNED: (
        403, "AccessDenied", "There were headers present in the request which were not signed",
    ),
}  # fmt: skip

# JSON services end the code with "Exception" and answer 400; the query protocol of IAM and STS does neither.
_OF_OTHERS = {
    Reason.UNSIGNED: ("MissingAuthenticationToken", 403, "Missing Authentication Token"),
    Reason.MALFORMED: (
        "IncompleteSignature",
        400,
        "The request signature does not conform to AWS standards.",
    ),
    Reason.UNKNOWN_KEY: ("InvalidClientTokenId", 403, _TOKEN_INVALID),
    Reason.WRONG_SIGNATURE: ("SignatureDoesNotMatch", 403, _DOES_NOT_MATCH),
    Reason.WRONG_TIME: ("SignatureDoesNotMatch", 403, "Signature expired."),
    Reason.URL_EXPIRED: ("SignatureDoesNotMatch", 403, "Signature expired."),
    Reason.WRONG_TOKEN: ("InvalidClientTokenId", 403, _TOKEN_INVALID),
    Reason.TOKEN_EXPIRED: ("ExpiredToken", 403, "The security token included in the request is expired"),
    Reason.HEADERS_NOT_SIGNED: ("SignatureDoesNotMatch", 403, _DOES_NOT_MATCH),
}
_OF_JSON = {
    "InvalidClientTokenId": "UnrecognizedClientException",
    "SignatureDoesNotMatch": "InvalidSignatureException",
}


def json_refusal(error: RefusedError) -> ApiError:
    """Return the error of a JSON service, such as Comprehend."""
    code, _, message = _OF_OTHERS[error.reason]
    return ApiError(_OF_JSON.get(code, f"{code}Exception"), _text(message, error))


def respond_refusal(
    start_response: StartResponse, service: str, error: RefusedError, environ: WSGIEnvironment
) -> Iterable[bytes]:
    """Answer a refused request to one of moto's services."""
    if service == S3:
        status, code, message = _OF_S3[error.reason]
        return respond_s3_error(start_response, status, code, _text(message, error))
    if service == "servicequotas":
        refusal = json_refusal(error)
        return respond_json(start_response, refusal.status, refusal.body())
    code, status, message = _OF_OTHERS[error.reason]
    return respond_error(start_response, environ, status, code, _text(message, error))


def respond_error(
    start_response: StartResponse, environ: WSGIEnvironment, status: int, code: str, message: str
) -> Iterable[bytes]:
    """Answer with an error in the protocol of the request: that of IAM and STS, or one of CloudWatch's."""
    written = written_error(environ, code, message)
    if written is not None:
        body, headers = written
        return respond(start_response, status, body, *headers)
    text = (
        '<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type>'
        f"<Code>{code}</Code><Message>{escape(message)}</Message></Error>"
        f"<RequestId>{uuid.uuid4()}</RequestId></ErrorResponse>"
    )
    return respond(start_response, status, text.encode(), ("Content-Type", "text/xml"))


def _text(message: str, error: RefusedError) -> str:
    return f"{message} {error.detail}" if error.detail else message

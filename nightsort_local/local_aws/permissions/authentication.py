"""Check who signed a request: its access key, its signature and its time; and its body, while it is read."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from enum import Enum
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from botocore.auth import HmacV1Auth
from botocore.compat import HTTPHeaders
from botocore.credentials import Credentials
from moto.core.utils import utcnow

from nightsort_local.local_aws.permissions.known_keys import KnownKey, key_of_account
from nightsort_local.local_aws.permissions.signature_v4 import (
    UNSIGNED_PAYLOAD,
    MalformedSignatureError,
    path_of,
    query_parameters,
    read_signature,
    unsigned_amazon_headers,
)
from nightsort_local.local_aws.s3.aws_chunked import ChunkSignatures, is_chunked
from nightsort_local.local_aws.s3.operations import s3_call
from nightsort_local.local_aws.services import S3

if TYPE_CHECKING:
    from wsgiref.types import WSGIEnvironment

    from nightsort_local.local_aws.permissions.signature_v4 import Signature

S3_SKEW = timedelta(minutes=15)
"""How far a request's time may be from the server's (Amazon S3 API Reference, "RequestTimeTooSkewed")."""
SKEW = timedelta(minutes=5)
"""The same for other services (IAM User Guide, "Troubleshoot Signature Version 4")."""
MAX_EXPIRES = timedelta(days=7)
"""The longest life of a presigned URL."""

SIGNED_BY = "nightsort.signed_by"
"""Key of a request's environ with the access key and the token that were checked."""

_TIME = "%Y%m%dT%H%M%SZ"

SIGNED_CHUNKS = ("STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER")
UNSIGNED_CHUNKS = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"


class Reason(Enum):
    """Why a request is refused; each protocol has its own words for it."""

    UNSIGNED = "unsigned"
    MALFORMED = "malformed"
    UNKNOWN_KEY = "unknown key"
    WRONG_SIGNATURE = "wrong signature"
    WRONG_TIME = "wrong time"
    URL_EXPIRED = "URL expired"
    WRONG_TOKEN = "wrong token"  # noqa: S105
    TOKEN_EXPIRED = "token expired"  # noqa: S105
    HEADERS_NOT_SIGNED = "headers not signed"


class RefusedError(Exception):
    """A request is not from whom it says.

    :param reason: why.
    :param detail: what a person should know besides.
    """

    def __init__(self, reason: Reason, detail: str = "") -> None:
        super().__init__(f"{reason.value} {detail}")
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True)
class SignedBody:
    """What a signature says about the body, which is read later.

    :param sha256: its hash, in hex; None where the signature covers none.
    :param chunks: the signatures of its chunks.
    """

    sha256: str | None = None
    chunks: ChunkSignatures | None = None


class Authentication:
    """Check the signatures of requests. The keys of users and sessions are known besides the server's own.

    :param access_key_id: of the server's own key, which may do everything, as an account's root user.
    :param secret: its secret.
    """

    def __init__(self, access_key_id: str, secret: str) -> None:
        self._access_key_id = access_key_id
        self._secret = secret

    def check(self, environ: WSGIEnvironment, service: str, body: bytes | None = None) -> SignedBody:
        """Check the signature of a request.

        :param environ: the request.
        :param service: which service is asked.
        :param body: the body; None where it is read afterwards, as in uploads to S3.
        :returns: what the body must be.
        :raises RefusedError: the signature is missing or wrong.
        """
        try:
            signature = read_signature(environ)
        except MalformedSignatureError as error:
            raise RefusedError(Reason.MALFORMED, str(error)) from error
        if signature is None:
            self._check_presigned_v2(environ, service)
            return SignedBody()
        if signature.service != service:
            raise RefusedError(
                Reason.WRONG_SIGNATURE, f"Credential should be scoped to correct service: '{service}'."
            )
        known = self._known(signature.access_key_id, signature.token)
        environ[SIGNED_BY] = (signature.access_key_id, signature.token)
        _check_time(signature, S3_SKEW if service == S3 else SKEW)
        payload = signature.payload or UNSIGNED_PAYLOAD
        if body is not None:
            payload = hashlib.sha256(body).hexdigest()
        if not hmac.compare_digest(signature.expected(known.secret, environ, payload), signature.value):
            raise RefusedError(Reason.WRONG_SIGNATURE)
        if missing := unsigned_amazon_headers(environ, signature):
            raise RefusedError(Reason.HEADERS_NOT_SIGNED, ", ".join(missing))
        return SignedBody() if body is not None else _signed_body(signature, known, payload)

    def _known(self, access_key_id: str, token: str | None) -> KnownKey:
        if access_key_id == self._access_key_id:
            known: KnownKey | None = KnownKey(self._secret)
        else:
            known = key_of_account(access_key_id)
        if known is None:
            raise RefusedError(Reason.UNKNOWN_KEY)
        if token != known.token:
            raise RefusedError(Reason.WRONG_TOKEN)
        if known.expiration is not None and known.expiration <= utcnow():
            raise RefusedError(Reason.TOKEN_EXPIRED)
        return known

    def _check_presigned_v2(self, environ: WSGIEnvironment, service: str) -> None:
        """Check a URL with a signature of version 2, which boto3 still makes by default."""
        query = dict(query_parameters(environ))
        if service != S3 or not {"AWSAccessKeyId", "Signature", "Expires"} <= query.keys():
            if "HTTP_AUTHORIZATION" in environ:
                raise RefusedError(Reason.MALFORMED, "Use AWS4-HMAC-SHA256.")
            raise RefusedError(Reason.UNSIGNED)
        token = query.get("x-amz-security-token")
        known = self._known(query["AWSAccessKeyId"], token)
        environ[SIGNED_BY] = (query["AWSAccessKeyId"], token)
        signer = _PresignedV2(query["AWSAccessKeyId"], known.secret, query["Expires"])
        if query["Signature"] not in (signer.expected(environ, query, path) for path in _paths_v2(environ)):
            raise RefusedError(Reason.WRONG_SIGNATURE)
        if float(query["Expires"]) < datetime.now(timezone.utc).timestamp():
            raise RefusedError(Reason.URL_EXPIRED)


def _check_time(signature: Signature, skew: timedelta) -> None:
    now = datetime.now(timezone.utc)
    if signature.expires is None:
        if abs(now - signature.time) > skew:
            times = f"The signature is of {signature.time:{_TIME}}; here it is {now:{_TIME}}."
            raise RefusedError(Reason.WRONG_TIME, times)
        return
    if not 0 < signature.expires <= MAX_EXPIRES.total_seconds():
        raise RefusedError(Reason.MALFORMED, "X-Amz-Expires must be from 1 second to a week.")
    if now > signature.time + timedelta(seconds=signature.expires) or signature.time > now + skew:
        raise RefusedError(Reason.URL_EXPIRED)


def _signed_body(signature: Signature, known: KnownKey, payload: str) -> SignedBody:
    if payload in (UNSIGNED_PAYLOAD, UNSIGNED_CHUNKS):
        return SignedBody()
    if payload in SIGNED_CHUNKS:
        key = signature.key(known.secret)
        time = f"{signature.time:{_TIME}}"
        return SignedBody(chunks=ChunkSignatures(key, time, signature.scope, signature.value))
    if is_chunked(payload):
        raise RefusedError(Reason.MALFORMED, f"{payload} is not supported.")
    return SignedBody(sha256=payload)


def _paths_v2(environ: WSGIEnvironment) -> list[str]:
    """Return the paths that a client may have signed: with the bucket, and of a bucket also with a slash."""
    path, call = path_of(environ), s3_call(environ)
    bucket = call.bucket if call is not None else None
    if environ.get("HTTP_HOST", "").startswith(f"{bucket}."):
        path = f"/{bucket}{path}"
    return [path, f"{path}/"] if path == f"/{bucket}" else [path]


class _PresignedV2(HmacV1Auth):
    def __init__(self, access_key_id: str, secret: str, expires: str) -> None:
        super().__init__(Credentials(access_key_id, secret))
        self._expires = expires

    def _get_date(self) -> str:
        return self._expires

    def expected(self, environ: WSGIEnvironment, query: dict[str, str], path: str) -> str:
        """Return the signature that the URL must have, with a path."""
        headers: Any = HTTPHeaders()
        for name in ("CONTENT_TYPE", "HTTP_CONTENT_MD5"):
            if environ.get(name):
                headers[name.removeprefix("HTTP_").replace("_", "-")] = environ[name]
        for name, value in environ.items():
            if name.startswith("HTTP_X_AMZ_"):
                headers[name[5:].replace("_", "-")] = value
        for name, value in query.items():
            if name.startswith("x-amz-") and name not in headers:
                headers[name] = value
        url = urlsplit(f"http://local{path}?{environ.get('QUERY_STRING', '')}")
        signature: str = self.get_signature(environ["REQUEST_METHOD"], url, headers, auth_path=path)
        return signature

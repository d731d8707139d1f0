"""Signature version 4 of a request: read it, and compute what it must be.

Facts are from "AWS Signature Version 4 for API requests" (IAM User Guide) and "Authenticating Requests"
(Amazon S3 API Reference). botocore's signers choose the headers to sign and take the path as it is; here a
request of any SDK came over the wire.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote_to_bytes, urlsplit

if TYPE_CHECKING:
    from wsgiref.types import WSGIEnvironment

ALGORITHM = "AWS4-HMAC-SHA256"
UNSIGNED_PAYLOAD = "UNSIGNED-PAYLOAD"

_TIME = "%Y%m%dT%H%M%SZ"
_FIELDS = re.compile(r"(Credential|SignedHeaders|Signature)=([^,\s]+)")
_SPACES = re.compile(" +")


class MalformedSignatureError(Exception):
    """A signature lacks a part, or has one that cannot be read."""


@dataclass(frozen=True)
class Signature:
    """The signature of a request.

    :param access_key_id: who signed.
    :param scope: date, region, service and ``aws4_request``, as in the string to sign.
    :param signed_headers: names of the headers that it covers, in lower case.
    :param value: the signature, in hex.
    :param time: when it was made.
    :param token: the session token that came with it.
    :param expires: of a presigned URL: its life, in seconds.
    :param payload: what the signature says about the body: its hash, or how it is signed; None if the service
        hashes it.
    """

    access_key_id: str
    scope: str
    signed_headers: tuple[str, ...]
    value: str
    time: datetime
    token: str | None
    expires: int | None
    payload: str | None

    @property
    def service(self) -> str:
        """The service for which it was made."""
        return self.scope.split("/")[2]

    def key(self, secret: str) -> bytes:
        """Return the signing key that belongs to a secret access key."""
        key = f"AWS4{secret}".encode()
        for part in self.scope.split("/"):
            key = hmac.digest(key, part.encode(), hashlib.sha256)
        return key

    def expected(self, secret: str, environ: WSGIEnvironment, payload: str) -> str:
        """Return the signature that a request must have.

        :param secret: the secret access key.
        :param environ: the request.
        :param payload: the hash of the body in hex, or what stands for it.
        """
        canonical = _canonical_request(environ, self, payload)
        lines = (ALGORITHM, self.time.strftime(_TIME), self.scope, _sha256(canonical))
        return hmac.digest(self.key(secret), "\n".join(lines).encode(), hashlib.sha256).hex()


def read_signature(environ: WSGIEnvironment) -> Signature | None:
    """Return the signature in a request's header or URL; None if it has none of version 4.

    :raises MalformedSignatureError: it lacks a part.
    """
    authorization = environ.get("HTTP_AUTHORIZATION", "")
    if authorization.startswith(ALGORITHM):
        fields = dict(_FIELDS.findall(authorization))
        return _signature(
            fields.get("Credential"),
            fields.get("SignedHeaders"),
            fields.get("Signature"),
            environ.get("HTTP_X_AMZ_DATE") or _of_http_date(environ.get("HTTP_DATE")),
            token=environ.get("HTTP_X_AMZ_SECURITY_TOKEN"),
            expires=None,
            payload=environ.get("HTTP_X_AMZ_CONTENT_SHA256"),
        )
    query = dict(query_parameters(environ))
    if "X-Amz-Signature" not in query:
        return None
    return _signature(
        query.get("X-Amz-Credential"),
        query.get("X-Amz-SignedHeaders"),
        query["X-Amz-Signature"],
        query.get("X-Amz-Date"),
        token=query.get("X-Amz-Security-Token"),
        expires=query.get("X-Amz-Expires", "900"),
        payload=environ.get("HTTP_X_AMZ_CONTENT_SHA256")
        or query.get("X-Amz-Content-Sha256", UNSIGNED_PAYLOAD),
    )


def query_parameters(environ: WSGIEnvironment) -> list[tuple[str, str]]:
    """Return the decoded parameters of a request's URL; a plus sign stands for a space, as in a form."""
    pairs = (pair.partition("=") for pair in environ.get("QUERY_STRING", "").split("&") if pair)
    return [(_decoded(name), _decoded(value)) for name, _, value in pairs]


def _decoded(text: str) -> str:
    # Any bytes can be in a URL; one character stands for one of them.
    return unquote_to_bytes(text.replace("+", " ")).decode("latin-1")


def path_of(environ: WSGIEnvironment) -> str:
    """Return the path of a request as the client wrote it."""
    raw: str = environ["RAW_URI"]
    return urlsplit(raw).path if "://" in raw else raw.partition("?")[0]


def unsigned_amazon_headers(environ: WSGIEnvironment, signature: Signature) -> list[str]:
    """Return the headers that must be signed and are not: Host, and all of Amazon's own."""
    names = {name[5:].replace("_", "-").lower() for name in environ if name.startswith("HTTP_")}
    needed = {"host", *(name for name in names if name.startswith("x-amz-"))}
    return sorted(needed - {*signature.signed_headers})


def _signature(
    credential: str | None,
    signed_headers: str | None,
    value: str | None,
    time: str | None,
    *,
    token: str | None,
    expires: str | None,
    payload: str | None,
) -> Signature:
    access_key_id, _, scope = (credential or "").partition("/")
    if not (access_key_id and signed_headers and value and time):
        raise MalformedSignatureError("It must have Credential, SignedHeaders, Signature and a date.")
    parts = scope.split("/")
    if len(parts) != 4 or parts[3] != "aws4_request" or not time.startswith(parts[0]):
        raise MalformedSignatureError(f"{scope!r} is not the scope of a signature of {time}.")
    try:
        moment = datetime.strptime(time, _TIME).replace(tzinfo=timezone.utc)
        life = None if expires is None else int(expires)
    except ValueError as error:
        raise MalformedSignatureError(str(error)) from error
    return Signature(
        access_key_id, scope, tuple(signed_headers.split(";")), value, moment, token, life, payload
    )


def _canonical_request(environ: WSGIEnvironment, signature: Signature, payload: str) -> str:
    path = path_of(environ) or "/"
    # S3 alone encodes the path once; no path of the other services has a character that needs it.
    canonical_path = quote(unquote_to_bytes(path), safe="/~")
    pairs = (
        (quote(name, safe="~", encoding="latin-1"), quote(value, safe="~", encoding="latin-1"))
        for name, value in query_parameters(environ)
        if name != "X-Amz-Signature"
    )
    query = "&".join(f"{name}={value}" for name, value in sorted(pairs))
    headers = "".join(f"{name}:{_header(environ, name)}\n" for name in signature.signed_headers)
    names = ";".join(signature.signed_headers)
    return "\n".join((environ["REQUEST_METHOD"], canonical_path, query, headers, names, payload))


def _header(environ: WSGIEnvironment, name: str) -> str:
    key = name.upper().replace("-", "_")
    value = environ.get(key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}", "")
    return _SPACES.sub(" ", value.strip())


def _of_http_date(text: str | None) -> str | None:
    try:
        return None if text is None else parsedate_to_datetime(text).astimezone(timezone.utc).strftime(_TIME)
    except ValueError as error:
        raise MalformedSignatureError(str(error)) from error


def _sha256(text: str) -> str:
    # The server hands each byte of a header on as one character.
    return hashlib.sha256(text.encode("latin-1")).hexdigest()

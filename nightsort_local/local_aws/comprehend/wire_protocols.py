"""The two protocols of Comprehend's service model: JSON 1.1, and Smithy RPC v2 with CBOR.

botocore up to 1.44.5 uses JSON. SDKs of other languages use the first protocol in the model's list that they
support, which is CBOR.
"""

from __future__ import annotations

import io
import json
import re
from datetime import datetime
from typing import TYPE_CHECKING, Any, NoReturn, Protocol, cast

import cbor2

from nightsort_local.local_aws.comprehend.errors import ApiError
from nightsort_local.local_aws.comprehend.request_validation import TARGET_PREFIX, operation_model

if TYPE_CHECKING:
    from wsgiref.types import WSGIEnvironment

    from botocore.model import ListShape, Shape, StructureShape

CBOR_PATH = re.compile(rf"/service/{TARGET_PREFIX}/operation/(?P<operation>\w+)")

_NAMESPACE = "com.amazonaws.comprehend#"
_EPOCH_SECONDS = 1
"""The tag of a timestamp (RFC 8949, section 3.4.2)."""

_EMPTY_REQUEST = cbor2.dumps({})


class WireProtocol(Protocol):
    """Encoding of requests and answers."""

    @property
    def headers(self) -> tuple[tuple[str, str], ...]:
        """Headers of every answer."""

    def read(self, body: bytes) -> Any:
        """Return the decoded content of a request.

        :raises ApiError: SerializationException: the body is malformed.
        """

    def write(self, operation: str, answer: dict[str, Any]) -> bytes:
        """Return the body of a successful answer."""

    def write_error(self, error: ApiError) -> bytes:
        """Return the body of an error."""


class _Json:
    headers = (("Content-Type", "application/x-amz-json-1.1"),)

    def read(self, body: bytes) -> Any:
        try:
            content = json.loads(body.decode(), parse_constant=_refuse_constant)
        # RecursionError: the content is nested thousands of levels deep.
        except (ValueError, RecursionError) as error:
            raise _malformed() from error
        if not isinstance(content, (dict, list)):
            raise _malformed()
        return content

    def write(self, operation: str, answer: dict[str, Any]) -> bytes:
        return _compact(answer)

    def write_error(self, error: ApiError) -> bytes:
        return _compact(error.body())


class _Cbor:
    headers = (("Content-Type", "application/cbor"), ("smithy-protocol", "rpc-v2-cbor"))

    def read(self, body: bytes) -> Any:
        stream = io.BytesIO(body or _EMPTY_REQUEST)
        # Without read-ahead, so that bytes after the value are found.
        decoder = cbor2.CBORDecoder(stream, read_size=1)
        try:
            content = decoder.decode()
        except cbor2.CBORError as error:
            raise _malformed() from error
        if stream.read():
            raise _malformed()
        return _plain(content, set())

    def write(self, operation: str, answer: dict[str, Any]) -> bytes:
        return cbor2.dumps(_with_timestamps(operation_model(operation).output_shape, answer))

    def write_error(self, error: ApiError) -> bytes:
        return cbor2.dumps({**error.body(), "__type": f"{_NAMESPACE}{error.code}"})


JSON: WireProtocol = _Json()
CBOR: WireProtocol = _Cbor()


def comprehend_call(environ: WSGIEnvironment) -> tuple[WireProtocol, str] | None:
    """Return protocol and operation of a request; None if it is not for Comprehend."""
    prefix, _, operation = environ.get("HTTP_X_AMZ_TARGET", "").partition(".")
    if prefix == TARGET_PREFIX and operation:
        return JSON, operation
    found = CBOR_PATH.fullmatch(environ["PATH_INFO"])
    return (CBOR, found["operation"]) if found else None


def _compact(content: dict[str, Any]) -> bytes:
    # Recorded: the Content-Length of a StartDocumentClassificationJob answer is that of compact JSON.
    return json.dumps(content, separators=(",", ":")).encode()


def _malformed() -> ApiError:
    """Return the error for a malformed body, with an empty message as on AWS (measured on Athena)."""
    return ApiError("SerializationException", "")


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _with_timestamps(shape: Shape | None, value: Any) -> Any:
    """Tag the timestamps, which are plain numbers in an answer's content."""
    if shape is None:
        return value
    if shape.type_name == "structure":
        members = cast("StructureShape", shape).members
        return {name: _with_timestamps(members[name], member) for name, member in value.items()}
    if shape.type_name == "list":
        return [_with_timestamps(cast("ListShape", shape).member, item) for item in value]
    return cbor2.CBORTag(_EPOCH_SECONDS, float(value)) if shape.type_name == "timestamp" else value


def _plain(content: Any, containers: set[int]) -> Any:
    """Convert CBOR content to JSON types and bytes; timestamps become numbers.

    :param containers: the identities of the lists and maps so far. CBOR can refer to one again: then the
        content is a circle, or a small body stands for a huge tree.
    """
    if isinstance(content, (dict, list)):
        if id(content) in containers:
            raise _malformed()
        containers.add(id(content))
    if isinstance(content, dict) and all(isinstance(name, str) for name in content):
        return {name: _plain(member, containers) for name, member in content.items()}
    if isinstance(content, list):
        return [_plain(item, containers) for item in content]
    if content is None or content is cbor2.undefined:
        return None
    if isinstance(content, datetime):
        return content.timestamp()
    if isinstance(content, (str, bytes, bool, int, float)):
        return content
    raise _malformed()

"""The WSGI application: route each request to the control pages, to Comprehend or to moto."""

from __future__ import annotations

import hashlib
import io
import logging
import re
import threading
from typing import TYPE_CHECKING

from nightsort_local.local_aws.account import DEFAULT_REGION
from nightsort_local.local_aws.autoscaling.requests import scaling_operation
from nightsort_local.local_aws.cloudwatch import OPERATIONS, check_request, cloudwatch_operation
from nightsort_local.local_aws.comprehend.errors import ApiError
from nightsort_local.local_aws.comprehend.wire_protocols import JSON, comprehend_call
from nightsort_local.local_aws.control.control_pages import addresses_server, asks_for_health
from nightsort_local.local_aws.moto_services import MotoServices, respond_unknown
from nightsort_local.local_aws.permissions.authentication import Reason, RefusedError, SignedBody
from nightsort_local.local_aws.permissions.enforcement import S3DeniedError
from nightsort_local.local_aws.permissions.refusals import json_refusal, respond_error, respond_refusal
from nightsort_local.local_aws.responses import respond, respond_json, respond_s3_error
from nightsort_local.local_aws.s3.aws_chunked import ChunkedBody, ChunkSignatureError, is_chunked
from nightsort_local.local_aws.s3.moto_s3 import BODY
from nightsort_local.local_aws.s3.object_bodies import ContentMismatchError
from nightsort_local.local_aws.s3.operations import s3_call
from nightsort_local.local_aws.services import (
    AUTO_SCALING,
    CLOUDWATCH,
    COMPREHEND,
    CONTROL,
    MOTO_SERVICES,
    S3,
    service_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterable
    from wsgiref.types import StartResponse, WSGIEnvironment

    from nightsort_local.local_aws.autoscaling.service import AutoScaling
    from nightsort_local.local_aws.comprehend.service import Comprehend
    from nightsort_local.local_aws.comprehend.wire_protocols import WireProtocol
    from nightsort_local.local_aws.control.control_pages import ControlPages
    from nightsort_local.local_aws.permissions.authentication import Authentication
    from nightsort_local.local_aws.permissions.enforcement import Enforcement
    from nightsort_local.local_aws.permissions.kept_identities import KeptIdentities
    from nightsort_local.local_aws.s3.kept_buckets import KeptBuckets
    from nightsort_local.local_aws.s3.object_bodies import BodyFolder

log = logging.getLogger(__name__)

_REGION = re.compile(r"Credential=[^/]+/\d{8}/([^/]+)/")
_BUFFER = 1 << 20
_LARGEST_REQUEST = 16 << 20
"""Bytes. ClassifyDocument takes documents of 10 MB, and base64 adds a third."""


class Application:
    """The WSGI application of the server.

    :param comprehend: answers requests to Comprehend.
    :param scaling: answers requests to Application Auto Scaling.
    :param bodies: stores the bodies of S3 uploads.
    :param control: answers requests to the server itself.
    :param buckets: stores changes of S3 before they are answered.
    :param identities: stores changes of IAM and STS before they are answered.
    :param authentication: checks signatures; None takes any key.
    :param enforcement: checks permissions; None allows everything.
    """

    def __init__(
        self,
        comprehend: Comprehend,
        scaling: AutoScaling,
        bodies: BodyFolder,
        control: ControlPages,
        buckets: KeptBuckets,
        identities: KeptIdentities,
        authentication: Authentication | None = None,
        enforcement: Enforcement | None = None,
    ) -> None:
        self._comprehend = comprehend
        self._scaling = scaling
        self._bodies = bodies
        self._control = control
        self._buckets = buckets
        self._identities = identities
        self._authentication = authentication
        self._enforcement = enforcement
        self._moto = MotoServices()
        self._changing = threading.Lock()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        try:
            if addresses_server(environ):
                return self._answer_control(environ, start_response)
            call = comprehend_call(environ)
            if call is not None:
                return self._answer_json(COMPREHEND, *call, environ, start_response)
            operation = scaling_operation(environ)
            if operation is not None:
                return self._answer_json(AUTO_SCALING, JSON, operation, environ, start_response)
            return self._answer_moto(environ, start_response)
        except ConnectionError:
            raise
        except RefusedError as refused:
            return respond_refusal(start_response, service_of(environ), refused, environ)
        except S3DeniedError as denied:
            return respond_s3_error(
                start_response, denied.status, denied.code, denied.message, *denied.headers
            )
        except ApiError as error:
            return respond_json(start_response, error.status, error.body())
        except Exception:
            # A defect here or in moto must not stop the server: the client gets an error answer.
            log.exception("%s %s failed.", environ["REQUEST_METHOD"], environ["PATH_INFO"])
            defect = ApiError("InternalServerException", "The local AWS failed. Its log has the reason.")
            return respond_json(start_response, defect.status, defect.body())

    def _answer_control(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if self._authentication is not None and not asks_for_health(environ):
            body = _body(environ)
            try:
                self._authentication.check(environ, CONTROL, body)
            except RefusedError as error:
                return respond_json(start_response, 403, {"message": json_refusal(error).message})
            environ["wsgi.input"] = io.BytesIO(body)
        return respond_json(start_response, *self._control.answer(environ))

    def _answer_moto(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        self._receive(environ)
        if service_of(environ) == CLOUDWATCH:
            return self._answer_cloudwatch(environ, start_response)
        if environ["REQUEST_METHOD"] in ("GET", "HEAD"):
            return self._moto(environ, start_response)
        # One change at a time: what is stored must not change meanwhile, and moto itself knows no threads.
        with self._changing:
            answer = self._moto(environ, start_response)
            if s3_call(environ) is not None:
                self._buckets.store(environ)
            else:
                self._identities.store()
            return answer

    def _answer_cloudwatch(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        body: bytes = environ["wsgi.input"].read()
        operation = cloudwatch_operation(environ, body)
        if operation not in OPERATIONS:
            return respond_unknown(start_response)
        if self._enforcement is not None:
            try:
                self._enforcement.check(environ, CLOUDWATCH, operation, {}, _region(environ))
            except ApiError as error:
                # The codes of CloudWatch are still those of the query protocol.
                code = error.code.removesuffix("Exception")
                return respond_error(start_response, environ, 403, code, error.message)
        try:
            check_request(environ, operation, body)
        except ApiError as error:
            return respond_error(start_response, environ, error.status, error.code, error.message)
        environ["wsgi.input"] = io.BytesIO(body)
        with self._changing:
            return self._moto(environ, start_response)

    def _answer_json(
        self,
        service: str,
        protocol: WireProtocol,
        operation: str,
        environ: WSGIEnvironment,
        start_response: StartResponse,
    ) -> Iterable[bytes]:
        """Answer a request to one of our own services."""
        region = _region(environ)
        try:
            body = _body(environ)
            if self._authentication is not None:
                self._authentication.check(environ, service, body)
            request = protocol.read(body)
            if self._enforcement is not None:
                self._enforcement.check(environ, service, operation, request, region)
            answering = self._comprehend if service == COMPREHEND else self._scaling
            content = answering.answer(operation, request, region)
        except (ApiError, RefusedError) as error:
            refusal = json_refusal(error) if isinstance(error, RefusedError) else error
            return respond(start_response, refusal.status, protocol.write_error(refusal), *protocol.headers)
        return respond(start_response, 200, protocol.write(operation, content), *protocol.headers)

    def _receive(self, environ: WSGIEnvironment) -> None:
        """Check a request's signature and permissions, and read its body: no change waits for a client.

        :raises RefusedError: the signature is wrong.
        :raises S3DeniedError: a permission is missing, or the body is not the signed one.
        """
        service = service_of(environ)
        signed = SignedBody()
        if self._authentication is not None and service in MOTO_SERVICES:
            if service == S3:
                signed = self._authentication.check(environ, service)
            else:
                body = _body(environ)
                environ["wsgi.input"] = io.BytesIO(body)
                self._authentication.check(environ, service, body)
        if self._enforcement is not None:
            self._enforcement.check_s3(environ)
        try:
            self._receive_body(environ, signed)
        except ChunkSignatureError:
            raise RefusedError(Reason.WRONG_SIGNATURE) from None
        except ContentMismatchError:
            message = "The provided 'x-amz-content-sha256' header does not match what was computed."
            raise S3DeniedError("XAmzContentSHA256Mismatch", message, status=400) from None

    def _receive_body(self, environ: WSGIEnvironment, signed: SignedBody) -> None:
        """Read the body; that of a large upload goes to a file."""
        source = environ["wsgi.input"]
        # With the Transfer-Encoding "chunked", the length is not known and the stream ends by itself.
        length = -1 if environ.get("wsgi.input_terminated") else int(environ.get("CONTENT_LENGTH") or 0)
        call = s3_call(environ)
        chunks = is_chunked(environ.get("HTTP_X_AMZ_CONTENT_SHA256", ""))
        small = 0 <= length < max(self._bodies.min_file_size, 1) and not chunks
        if call is None or not call.uploads or small:
            content = source.read(length)
            if signed.sha256 is not None and hashlib.sha256(content).hexdigest() != signed.sha256.lower():
                raise ContentMismatchError
            environ["wsgi.input"] = io.BytesIO(content)
            return
        if chunks:
            chunked = ChunkedBody(source, signed.chunks)
            body = self._bodies.receive(io.BufferedReader(chunked, _BUFFER))
            # moto gets the plain body. Its checksum moves from the trailer to a header.
            environ["HTTP_X_AMZ_CONTENT_SHA256"] = "UNSIGNED-PAYLOAD"
            for name, value in chunked.trailers.items():
                environ["HTTP_" + name.upper().replace("-", "_")] = value
        else:
            body = self._bodies.receive(source, signed.sha256)
        environ[BODY] = body
        environ["CONTENT_LENGTH"] = str(len(body))
        environ["wsgi.input"] = io.BytesIO()


def _region(environ: WSGIEnvironment) -> str:
    """Return the region that a request is signed for."""
    signed_for = _REGION.search(environ.get("HTTP_AUTHORIZATION", ""))
    return signed_for[1] if signed_for else DEFAULT_REGION


def _body(environ: WSGIEnvironment) -> bytes:
    length = int(environ.get("CONTENT_LENGTH") or 0)
    if length > _LARGEST_REQUEST:
        raise ApiError("RequestEntityTooLargeException", "The request is too large.", status=413)
    body: bytes = environ["wsgi.input"].read(length)
    return body

"""The WSGI application: route each request to the control pages, to Comprehend or to moto."""

from __future__ import annotations

import io
import logging
import re
import threading
from typing import TYPE_CHECKING

from nightsort_local.local_aws.account import DEFAULT_REGION
from nightsort_local.local_aws.comprehend.errors import ApiError
from nightsort_local.local_aws.comprehend.wire_protocols import comprehend_call
from nightsort_local.local_aws.control.control_pages import addresses_server
from nightsort_local.local_aws.moto_services import MotoServices
from nightsort_local.local_aws.permissions.enforcement import S3DeniedError
from nightsort_local.local_aws.responses import respond, respond_json, respond_s3_error
from nightsort_local.local_aws.s3.aws_chunked import ChunkedBody, is_chunked
from nightsort_local.local_aws.s3.moto_s3 import BODY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from wsgiref.types import StartResponse, WSGIEnvironment

    from nightsort_local.local_aws.comprehend.service import Comprehend
    from nightsort_local.local_aws.comprehend.wire_protocols import WireProtocol
    from nightsort_local.local_aws.control.control_pages import ControlPages
    from nightsort_local.local_aws.permissions.enforcement import Enforcement
    from nightsort_local.local_aws.s3.object_bodies import BodyFolder

log = logging.getLogger(__name__)

_REGION = re.compile(r"Credential=[^/]+/\d{8}/([^/]+)/")
_BUFFER = 1 << 20
_READING = ("Describe", "List", "Classify")
_LARGEST_REQUEST = 16 << 20
"""Bytes. ClassifyDocument takes documents of 10 MB, and base64 adds a third."""


class Application:
    """The WSGI application of the server.

    :param comprehend: answers requests to Comprehend.
    :param bodies: stores the bodies of S3 uploads.
    :param control: answers requests to the server itself.
    :param save: writes the state to the data folder.
    :param enforcement: checks permissions; None allows everything.
    """

    def __init__(
        self,
        comprehend: Comprehend,
        bodies: BodyFolder,
        control: ControlPages,
        save: Callable[[], None],
        enforcement: Enforcement | None = None,
    ) -> None:
        self._comprehend = comprehend
        self._bodies = bodies
        self._control = control
        self._save = save
        self._enforcement = enforcement
        self._moto = MotoServices()
        self.changed = threading.Event()
        """Set after every request that may have changed an object or a resource."""

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        try:
            if addresses_server(environ):
                return respond_json(start_response, *self._control.answer(environ))
            call = comprehend_call(environ)
            if call is not None:
                return self._answer_comprehend(*call, environ, start_response)
            if self._enforcement is not None:
                self._enforcement.check_s3(environ)
            self._spool_body(environ)
            return self._moto(environ, start_response)
        except ConnectionError:
            raise
        except S3DeniedError as denied:
            return respond_s3_error(start_response, 403, denied.code, denied.message)
        except Exception:
            # A defect here or in moto must not stop the server: the client gets an error answer.
            log.exception("%s %s failed.", environ["REQUEST_METHOD"], environ["PATH_INFO"])
            error = ApiError("InternalServerException", "The local AWS failed. Its log has the reason.")
            return respond_json(start_response, error.status, error.body())
        finally:
            if environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
                self.changed.set()

    def _answer_comprehend(
        self, protocol: WireProtocol, operation: str, environ: WSGIEnvironment, start_response: StartResponse
    ) -> Iterable[bytes]:
        signed_for = _REGION.search(environ.get("HTTP_AUTHORIZATION", ""))
        region = signed_for[1] if signed_for else DEFAULT_REGION
        try:
            request = protocol.read(_body(environ))
            if self._enforcement is not None:
                self._enforcement.check_comprehend(environ, operation, request, region)
            content = self._comprehend.answer(operation, request, region)
            if not operation.startswith(_READING):
                # As on AWS, a change that was answered survives a crash.
                self._save()
        except ApiError as error:
            return respond(start_response, error.status, protocol.write_error(error), *protocol.headers)
        return respond(start_response, 200, protocol.write(operation, content), *protocol.headers)

    def _spool_body(self, environ: WSGIEnvironment) -> None:
        """Write the body of a large upload to a file before moto reads the request."""
        length = int(environ.get("CONTENT_LENGTH") or 0)
        if environ["REQUEST_METHOD"] != "PUT" or length < max(self._bodies.min_file_size, 1):
            return
        source = environ["wsgi.input"]
        if is_chunked(environ.get("HTTP_X_AMZ_CONTENT_SHA256", "")):
            chunked = ChunkedBody(source)
            body = self._bodies.receive(io.BufferedReader(chunked, _BUFFER))
            # moto gets the plain body. Its checksum moves from the trailer to a header.
            environ["HTTP_X_AMZ_CONTENT_SHA256"] = "UNSIGNED-PAYLOAD"
            for name, value in chunked.trailers.items():
                environ["HTTP_" + name.upper().replace("-", "_")] = value
        else:
            body = self._bodies.receive(source)
        environ[BODY] = body
        environ["CONTENT_LENGTH"] = str(len(body))
        environ["wsgi.input"] = io.BytesIO()


def _body(environ: WSGIEnvironment) -> bytes:
    length = int(environ.get("CONTENT_LENGTH") or 0)
    if length > _LARGEST_REQUEST:
        raise ApiError("RequestEntityTooLargeException", "The request is too large.", status=413)
    body: bytes = environ["wsgi.input"].read(length)
    return body

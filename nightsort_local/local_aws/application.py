"""Who answers a request: the control pages, Comprehend, or moto."""

from __future__ import annotations

import io
import logging
import re
import threading
from typing import TYPE_CHECKING

from moto.moto_server.werkzeug_app import DomainDispatcherApplication

from nightsort_local.local_aws.account import DEFAULT_REGION
from nightsort_local.local_aws.comprehend.errors import ApiError
from nightsort_local.local_aws.comprehend.wire_protocols import addressed
from nightsort_local.local_aws.control.control_pages import addresses_server
from nightsort_local.local_aws.permissions.enforcement import S3DeniedError
from nightsort_local.local_aws.responses import respond, respond_json, respond_s3_error
from nightsort_local.local_aws.s3.aws_chunked import ChunkedBody, is_chunked
from nightsort_local.local_aws.s3.moto_s3 import BODY, create_app

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
"""ClassifyDocument takes documents of 10 MB, which are a third longer as base64."""


class Application:
    """The WSGI application of the server.

    :param comprehend: answers what is addressed to Comprehend.
    :param bodies: where bodies of S3 uploads go.
    :param control: answers what is addressed to the server itself.
    :param keep: makes lasting what a request did.
    :param enforcement: judges who may do what; None lets anybody do anything.
    """

    def __init__(
        self,
        comprehend: Comprehend,
        bodies: BodyFolder,
        control: ControlPages,
        keep: Callable[[], None],
        enforcement: Enforcement | None = None,
    ) -> None:
        self._comprehend = comprehend
        self._bodies = bodies
        self._control = control
        self._keep = keep
        self._enforcement = enforcement
        self._moto = DomainDispatcherApplication(create_app)
        self.changed = threading.Event()
        """Set after every request that may have changed something."""

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        try:
            if addresses_server(environ):
                return self._answer_control(environ, start_response)
            call = addressed(environ)
            if call is not None:
                return self._answer_comprehend(*call, environ, start_response)
            if self._enforcement is not None:
                self._enforcement.check_s3(environ)
            self._spool_body(environ)
            chunks: Iterable[bytes] = self._moto(environ, start_response)
            return chunks
        except ConnectionError:
            raise
        except S3DeniedError as denied:
            return respond_s3_error(start_response, 403, denied.code, denied.message)
        except Exception:
            # Whatever went wrong in here or in moto, the client gets an answer and the others go on.
            log.exception("%s %s failed.", environ["REQUEST_METHOD"], environ["PATH_INFO"])
            error = ApiError("InternalServerException", "The local AWS failed; its log says why.")
            return respond_json(start_response, error.status, error.body())
        finally:
            if environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
                self.changed.set()

    def _answer_control(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        status, content = self._control.answer(
            environ["REQUEST_METHOD"], environ["PATH_INFO"], _body(environ)
        )
        return respond_json(start_response, status, content)

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
                # As on AWS: what was answered is there, whatever dies next.
                self._keep()
        except ApiError as error:
            return respond(start_response, error.status, protocol.write_error(error), *protocol.headers)
        return respond(start_response, 200, protocol.write(operation, content), *protocol.headers)

    def _spool_body(self, environ: WSGIEnvironment) -> None:
        """Put the body of a large upload into a file before moto sees the request."""
        length = int(environ.get("CONTENT_LENGTH") or 0)
        if environ["REQUEST_METHOD"] != "PUT" or length < max(self._bodies.least, 1):
            return
        source = environ["wsgi.input"]
        if is_chunked(environ.get("HTTP_X_AMZ_CONTENT_SHA256", "")):
            chunked = ChunkedBody(source)
            body = self._bodies.receive(io.BufferedReader(chunked, _BUFFER))
            # moto gets the plain body, with the checksum where it would be without chunks.
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

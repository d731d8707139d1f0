"""Who answers a request: the control pages, Comprehend, or moto."""

from __future__ import annotations

import io
import json
import logging
import re
import threading
import uuid
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from moto.moto_server.werkzeug_app import DomainDispatcherApplication

from include.local_stack.local_aws.comprehend.arns import DEFAULT_REGION
from include.local_stack.local_aws.comprehend.errors import ApiError
from include.local_stack.local_aws.comprehend.request_validation import TARGET_PREFIX
from include.local_stack.local_aws.control.control_pages import ROOT as CONTROL_ROOT
from include.local_stack.local_aws.s3.aws_chunked import ChunkedBody, is_chunked
from include.local_stack.local_aws.s3.moto_s3 import BODY, create_app

if TYPE_CHECKING:
    from collections.abc import Iterable
    from wsgiref.types import StartResponse, WSGIEnvironment

    from include.local_stack.local_aws.comprehend.service import Comprehend
    from include.local_stack.local_aws.control.control_pages import ControlPages
    from include.local_stack.local_aws.s3.object_bodies import BodyFolder

log = logging.getLogger(__name__)

_JSON = "application/x-amz-json-1.1"
_REGION = re.compile(r"Credential=[^/]+/\d{8}/([^/]+)/")
_LARGEST_REQUEST = 1 << 20


class Application:
    """The WSGI application of the server.

    Args:
        comprehend: answers what is addressed to Comprehend.
        bodies: where bodies of S3 uploads go.
        control: answers what is addressed to the server itself.
    """

    def __init__(self, comprehend: Comprehend, bodies: BodyFolder, control: ControlPages) -> None:
        self._comprehend = comprehend
        self._bodies = bodies
        self._control = control
        self._moto = DomainDispatcherApplication(create_app)
        self.changed = threading.Event()
        """Set after every request that may have changed something."""

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        try:
            if environ["PATH_INFO"].startswith(CONTROL_ROOT):
                return self._answer_control(environ, start_response)
            if environ.get("HTTP_X_AMZ_TARGET", "").startswith(f"{TARGET_PREFIX}."):
                return self._answer_comprehend(environ, start_response)
            self._spool_body(environ)
            answer: Iterable[bytes] = self._moto(environ, start_response)
            return answer
        except ConnectionError:
            raise
        except Exception:
            # Whatever went wrong in here or in moto, the client gets an answer and the others go on.
            log.exception("%s %s failed.", environ["REQUEST_METHOD"], environ["PATH_INFO"])
            error = ApiError("InternalServerException", "The local AWS failed; its log says why.")
            return _json_answer(start_response, error.status, error.body())
        finally:
            if environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
                self.changed.set()

    def _answer_control(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        status, content = self._control.answer(
            environ["REQUEST_METHOD"], environ["PATH_INFO"], _body(environ)
        )
        return _json_answer(start_response, status, content, "application/json")

    def _answer_comprehend(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        operation = environ["HTTP_X_AMZ_TARGET"].partition(".")[2]
        region = _REGION.search(environ.get("HTTP_AUTHORIZATION", ""))
        try:
            answer = self._comprehend.answer(
                operation, _json_body(environ), region[1] if region else DEFAULT_REGION
            )
        except ApiError as error:
            return _json_answer(start_response, error.status, error.body())
        return _json_answer(start_response, 200, answer)

    def _spool_body(self, environ: WSGIEnvironment) -> None:
        """Put the body of a large upload into a file before moto sees the request."""
        length = int(environ.get("CONTENT_LENGTH") or 0)
        if environ["REQUEST_METHOD"] != "PUT" or length < max(self._bodies.least, 1):
            return
        source = environ["wsgi.input"]
        if is_chunked(environ.get("HTTP_X_AMZ_CONTENT_SHA256", "")):
            chunked = ChunkedBody(source)
            body = self._bodies.receive(io.BufferedReader(chunked, _LARGEST_REQUEST))
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


def _json_body(environ: WSGIEnvironment) -> Any:
    try:
        return json.loads(_body(environ) or b"{}")
    except ValueError as error:
        raise ApiError("SerializationException", "The request's body is not JSON.") from error


def _json_answer(
    start_response: StartResponse, status: int, content: dict[str, Any], content_type: str = _JSON
) -> Iterable[bytes]:
    body = json.dumps(content).encode()
    headers = [
        ("Content-Type", content_type),
        ("Content-Length", str(len(body))),
        ("x-amzn-RequestId", str(uuid.uuid4())),
    ]
    start_response(f"{status} {HTTPStatus(status).phrase}", headers)
    return [body]

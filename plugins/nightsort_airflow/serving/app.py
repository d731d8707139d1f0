"""The HTTP service: ``POST /classify``, ``/health``, ``/metrics``, ``/openapi.json``."""

from __future__ import annotations

import logging
import re
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import PlainTextResponse, Response
from pydantic import BaseModel, ConfigDict, Field, model_validator
from starlette.exceptions import HTTPException

from nightsort_airflow.serving.guard import Guard
from nightsort_airflow.serving.metrics import CONTENT_TYPE
from nightsort_airflow.serving.problems import ProblemError
from nightsort_airflow.serving.service import MAX_TEXTS, Service

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.types import ASGIApp

log = logging.getLogger(__name__)


class Question(BaseModel):
    """One text or several, for one classifier."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True, strict=True)

    classifier: Annotated[
        str | None, Field(description="Its name; may be left out where the service has one.", max_length=63)
    ] = None
    text: Annotated[str | None, Field(description="One text, of at most 10,000 bytes of UTF-8.")] = None
    texts: Annotated[
        list[str] | None, Field(description="Several texts.", min_length=1, max_length=MAX_TEXTS)
    ] = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Question:
        if (self.text is None) == (self.texts is None):
            raise ValueError("give either text or texts")
        return self


_JSON = re.compile(r"application/(.+\+)?json\s*(;|$)", re.IGNORECASE)
_NO_JSON = "The body is not JSON in UTF-8."
_MEMBERS = frozenset({"body", *Question.model_fields, *range(MAX_TEXTS)})


class LabelScore(BaseModel):
    """A label with its score."""

    label: str
    score: float


class Result(BaseModel):
    """What the endpoint says of one text."""

    label: Annotated[str | None, Field(description="The best label.")]
    score: Annotated[float | None, Field(description="Its score, from 0 to 1.")]
    labels: Annotated[list[LabelScore], Field(description="All labels that Comprehend returned, best first.")]
    accepted: Annotated[
        list[str], Field(description="The best label; of a multi-label classifier those above its threshold.")
    ]
    version: Annotated[str, Field(description="The classifier version that gave the answer.")]


class Results(BaseModel):
    """The answers, in the order of the texts."""

    classifier: str
    results: list[Result]


class Health(BaseModel):
    """Whether the service runs, and which endpoints are open."""

    status: str
    endpoints: dict[str, str]


def create_app(service: Service, tokens: tuple[bytes, ...]) -> ASGIApp:
    """
    Return the application.

    :param service: classifies.
    :param tokens: what callers may have.
    """

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await service.start()
        yield
        await service.stop()

    # The pages of FastAPI for people load scripts from elsewhere.
    app = FastAPI(title="Nightsort", version="1", docs_url=None, redoc_url=None, lifespan=lifespan)
    app.state.service = service
    app.post("/classify", response_model=Results, responses=_problems(), summary="Classify texts")(classify)
    app.get("/health", response_model=Health, summary="Whether the service runs")(health)
    app.get("/metrics", response_class=PlainTextResponse, summary="Figures for Prometheus")(metrics)
    app.add_exception_handler(ProblemError, _answer_problem)
    app.add_exception_handler(RequestValidationError, _answer_invalid)
    app.add_exception_handler(HTTPException, _answer_http)
    app.add_exception_handler(Exception, _answer_defect)
    return Guard(app, tokens, service.metrics)


async def classify(question: Question, request: Request) -> dict[str, Any]:
    """Classify one text or several: all are answered, or none."""
    service: Service = request.app.state.service
    began = time.monotonic()
    classifier = service.named(question.classifier)
    request.state.classifier = classifier.name
    texts = [question.text] if question.text is not None else question.texts or []
    answers = await classifier.classify(texts)
    service.metrics.time(classifier.name, time.monotonic() - began)
    return {"classifier": classifier.name, "results": [answer.to_dict() for answer in answers]}


async def health(request: Request) -> dict[str, Any]:
    """Return whether the service runs; an endpoint that is closed by schedule is no fault of it."""
    service: Service = request.app.state.service
    found = service.classifiers.values()
    return {"status": "ok", "endpoints": {each.name: "open" if each.units else "closed" for each in found}}


async def metrics(request: Request) -> Response:
    """Return the figures in Prometheus's text format."""
    service: Service = request.app.state.service
    units = {name: classifier.units for name, classifier in service.classifiers.items()}
    return Response(service.metrics.text(units), media_type=CONTENT_TYPE)


def _problems() -> dict[int | str, dict[str, Any]]:
    about = {
        400: "The body is not JSON in UTF-8, or ended early",
        401: "No token, or a wrong one",
        413: "Too much at once",
        415: "The body is not said to be JSON",
        422: "The request or a text cannot be used",
        429: "More than the endpoint's units can do: see Retry-After",
        502: "AWS failed",
        503: "The endpoint is closed, or too many requests are under way: see Retry-After",
    }
    content: dict[str, Any] = {"application/problem+json": {"schema": {"type": "object"}}}
    return {status: {"description": text, "content": content} for status, text in about.items()}


async def _answer_problem(_: Request, error: Any) -> Response:
    problem: ProblemError = error
    return problem.response()


async def _answer_invalid(request: Request, error: Any) -> Response:
    invalid: RequestValidationError = error
    # FastAPI reads no other body, and then calls it no object.
    if not _JSON.match(request.headers.get("Content-Type", "")):
        return ProblemError(415, "Send JSON with the header  Content-Type: application/json").response()
    # Pydantic's errors have the input, which may be a document, and the name of a member that nobody knows.
    found = [
        {"where": ".".join(str(part) for part in each["loc"] if part in _MEMBERS), "problem": each["msg"]}
        for each in invalid.errors()
        if each["type"] != "json_invalid"
    ]
    if not found:
        return ProblemError(400, _NO_JSON).response()
    return ProblemError(422, "The request is not as /openapi.json says.", problems=found).response()


async def _answer_http(_: Request, error: Any) -> Response:
    refused: HTTPException = error
    # FastAPI raises 400 where it cannot decode the body.
    paths = "There are POST /classify, GET /health, GET /metrics and GET /openapi.json."
    answer = ProblemError(refused.status_code, _NO_JSON if refused.status_code == 400 else paths).response()
    answer.headers.update(refused.headers or {})
    return answer


async def _answer_defect(_: Request, error: Exception) -> Response:
    log.error("A request failed: %s", type(error).__name__)
    return ProblemError(500, "The service failed; its log says where.").response()

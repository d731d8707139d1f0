"""The look at an endpoint, which is paid for by the second: it is deleted as soon as it was asked."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from nightsort_local.compare.clean_up import delete_endpoint
from nightsort_local.compare.ledger import ENDPOINT, Made
from nightsort_local.compare.looks.trainings import form_of_scores
from nightsort_local.compare.side import NotReachedError

if TYPE_CHECKING:
    from nightsort_local.compare.side import Side

NAME = "endpoint"


def endpoint(side: Side) -> dict[str, Any]:
    """Create an endpoint, ask it for a minute, and delete it."""
    name, model = side.name(NAME), side.trained("classes")
    request = {
        "EndpointName": name,
        "ModelArn": model,
        "DesiredInferenceUnits": 1,
        "ClientRequestToken": name,
    }
    arn = side.start(ENDPOINT, name, "create_endpoint", request)
    try:
        seen = {**_early(side, arn), **_asked(side, arn, model)}
        seen["the same token again"] = side.answer("create_endpoint", **request)
    finally:
        delete_endpoint(side, side.ledger.made[Made(ENDPOINT, name).key])
    return seen


def _early(side: Side, arn: str) -> dict[str, Any]:
    answer = side.answer("update_endpoint", EndpointArn=arn, DesiredInferenceUnits=1)
    return {} if "answer" in answer else {"changing one that is created": answer}


def _asked(side: Side, arn: str, model: str) -> dict[str, Any]:
    found = _when(side, arn, ("IN_SERVICE", "FAILED"))
    if found["Status"] == "FAILED":
        raise NotReachedError(f"the endpoint ended FAILED: {found.get('Message', '')}")
    text = side.comprehend.classify_document(EndpointArn=arn, Text="an invoice with a wrong charge")
    content = side.comprehend.classify_document(EndpointArn=arn, Bytes=b"an invoice with a wrong charge")
    scores = [item["Score"] for item in text["Classes"]]
    return {
        "members": sorted(found),
        "answer to Text": sorted(set(text) - {"ResponseMetadata"}),
        "answer to Bytes": sorted(set(content) - {"ResponseMetadata"}),
        "members of a class of Text": sorted({tuple(sorted(item)) for item in text["Classes"]}),
        "members of a class of Bytes": sorted({tuple(sorted(item)) for item in content["Classes"]}),
        "classes": len(scores),
        "best first": scores == sorted(scores, reverse=True),
        "scores": form_of_scores(scores)["from 0 to 1"],
        "neither Text nor Bytes": side.answer("classify_document", EndpointArn=arn),
        "10,001 bytes of Text": side.answer("classify_document", EndpointArn=arn, Text="x" * 10_001),
        "an update without a change": side.answer("update_endpoint", EndpointArn=arn),
        "deleting its classifier": side.answer("delete_document_classifier", DocumentClassifierArn=model),
    }


def _when(side: Side, arn: str, states: tuple[str, ...]) -> dict[str, Any]:
    while True:
        found: dict[str, Any] = side.comprehend.describe_endpoint(EndpointArn=arn)["EndpointProperties"]
        if found["Status"] in states:
            return found
        side.say(f"endpoint: {found['Status']}")
        time.sleep(side.place.pause)

"""ClassifyDocument: classify one document with the model of an endpoint."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nightsort_local.local_aws.comprehend.errors import ApiError, resource_unavailable
from nightsort_local.local_aws.comprehend.real_time_input import (
    MAX_PAGE_CHARACTERS,
    Document,
    read_document,
)
from nightsort_local.local_aws.comprehend.states import USABLE_ENDPOINT
from nightsort_local.local_aws.comprehend.store import ENDPOINT
from nightsort_local.local_aws.work.real_time import RealTimeError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nightsort_local.local_aws.comprehend.endpoint_metrics import EndpointMetrics
    from nightsort_local.local_aws.comprehend.rate_limits import RateLimits
    from nightsort_local.local_aws.comprehend.store import Resource, Store
    from nightsort_local.local_aws.settings import Settings
    from nightsort_local.local_aws.work.real_time import RealTimeProcess
    from nightsort_local.local_aws.work.tasks import TextClasses

_PAGE = 1


class RealTimeOperations:
    """Classify single documents.

    :param store: the resources. It is locked to find the endpoint, but not during the classification.
    :param real_time: holds the models.
    :param settings: the server's settings.
    :param limits: the rate limits of endpoints.
    :param metrics: counts what endpoints do.
    """

    def __init__(
        self,
        store: Store,
        real_time: RealTimeProcess,
        settings: Settings,
        limits: RateLimits,
        metrics: EndpointMetrics,
    ) -> None:
        self._store = store
        self._real_time = real_time
        self._settings = settings
        self._limits = limits
        self._metrics = metrics

    def classify_document(self, request: Mapping[str, Any], region: str) -> dict[str, Any]:
        """Return the three best classes or labels of a document."""
        document = read_document(request)
        with self._store.lock:
            endpoint = self._usable(request["EndpointArn"], region)
            units = endpoint.properties["CurrentInferenceUnits"]
            model_path = self._admitted(endpoint, units, len(document.text))
        if len(document.text) > MAX_PAGE_CHARACTERS:
            message = f"The page has {len(document.text)} characters; the maximum is {MAX_PAGE_CHARACTERS}."
            error = {"Page": _PAGE, "ErrorCode": "PAGE_CHARACTERS_EXCEEDED", "ErrorMessage": message}
            return {"Errors": [error], **_about(document)}
        try:
            found = self._real_time.classify(model_path, document.text).result()
        except RealTimeError as error:
            raise ApiError("InternalServerException", f"INTERNAL_ERROR: {error}. Try again.") from error
        with self._store.lock:
            self._metrics.count(endpoint.arn, units, len(document.text), answered=True)
        return {**_classes(found, document), **_about(document)}

    def _usable(self, arn: str, region: str) -> Resource:
        endpoint = self._store.find(arn)
        # The operation models no ResourceNotFoundException.
        if endpoint is None or endpoint.kind != ENDPOINT or endpoint.region != region:
            raise resource_unavailable(f"RESOURCE_UNAVAILABLE: There is no endpoint {arn}.")
        if endpoint.state not in USABLE_ENDPOINT:
            raise resource_unavailable(
                f"RESOURCE_UNAVAILABLE: {arn} is {endpoint.state}; it cannot classify."
            )
        return endpoint

    def _admitted(self, endpoint: Resource, units: int, characters: int) -> str:
        """Return the path of the endpoint's model, if its throughput allows a document."""
        try:
            self._limits.count_document(endpoint.arn, units, characters)
        except ApiError:
            self._metrics.count(endpoint.arn, units, characters, answered=False)
            raise
        classifier = self._store.get(endpoint.properties["ModelArn"], endpoint.region)
        return str(self._settings.model_path(classifier.model_file or ""))


def _classes(found: TextClasses, document: Document) -> dict[str, Any]:
    page = {} if document.document_type is None else {"Page": _PAGE}
    classes = [{"Name": name, "Score": score, **page} for name, score in found.classes]
    return {"Classes" if found.mode == "MULTI_CLASS" else "Labels": classes}


def _about(document: Document) -> dict[str, Any]:
    """Return the metadata of a document sent as Bytes, without empty lists (guide's examples)."""
    if document.document_type is None:
        return {}
    about: dict[str, Any] = {
        "DocumentMetadata": {
            "Pages": 1,
            "ExtractedCharacters": [{"Page": _PAGE, "Count": len(document.text)}],
        },
        "DocumentType": [{"Page": _PAGE, "Type": document.document_type}],
    }
    if document.document_type != "PLAIN_TEXT":
        warning = {
            "Page": _PAGE,
            "WarnCode": "INFERENCING_NATIVE_DOCUMENT_WITH_PLAINTEXT_TRAINED_MODEL",
            "WarnMessage": "The document is semi-structured, but the classifier is a plain-text model.",
        }
        about["Warnings"] = [warning]
    return about

"""The local Comprehend: dispatch an operation's decoded request, return its answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from botocore import xform_name

from nightsort_local.local_aws.comprehend.classifiers import ClassifierOperations
from nightsort_local.local_aws.comprehend.endpoints import EndpointOperations
from nightsort_local.local_aws.comprehend.errors import ApiError
from nightsort_local.local_aws.comprehend.jobs import JobOperations
from nightsort_local.local_aws.comprehend.rate_limits import RateLimits
from nightsort_local.local_aws.comprehend.real_time import RealTimeOperations
from nightsort_local.local_aws.comprehend.request_validation import operation_model, parse_request
from nightsort_local.local_aws.comprehend.tags import TagOperations
from nightsort_local.local_aws.comprehend.timers import Timers
from nightsort_local.local_aws.work.real_time import RealTimeProcess

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from nightsort_local.local_aws.comprehend.behaviour import Behaviour
    from nightsort_local.local_aws.comprehend.endpoint_metrics import EndpointMetrics
    from nightsort_local.local_aws.comprehend.store import Store
    from nightsort_local.local_aws.settings import Settings
    from nightsort_local.local_aws.work.workers import WorkerPool

OPERATIONS = {
    ClassifierOperations: (
        "CreateDocumentClassifier",
        "DescribeDocumentClassifier",
        "ListDocumentClassifiers",
        "ListDocumentClassifierSummaries",
        "StopTrainingDocumentClassifier",
        "DeleteDocumentClassifier",
    ),
    JobOperations: (
        "StartDocumentClassificationJob",
        "DescribeDocumentClassificationJob",
        "ListDocumentClassificationJobs",
    ),
    EndpointOperations: (
        "CreateEndpoint",
        "DescribeEndpoint",
        "UpdateEndpoint",
        "ListEndpoints",
        "DeleteEndpoint",
    ),
    TagOperations: ("TagResource", "UntagResource", "ListTagsForResource"),
}
"""Operations that run under the store's lock, by their class. ClassifyDocument runs without it."""


CLASSIFY_DOCUMENT = "ClassifyDocument"


class Comprehend:
    """All operations over one store.

    :param store: the resources.
    :param workers: run trainings and jobs.
    :param settings: the server's settings.
    :param behaviour: delays and rate limits.
    :param metrics: counts what endpoints do.
    """

    def __init__(
        self,
        store: Store,
        workers: WorkerPool,
        settings: Settings,
        behaviour: Behaviour,
        metrics: EndpointMetrics,
    ) -> None:
        self._store = store
        self._real_time = RealTimeProcess()
        self._limits = RateLimits(behaviour)
        timers = Timers(store.lock, behaviour)
        self._classifiers = ClassifierOperations(store, timers, workers, settings)
        self._jobs = JobOperations(store, timers, workers, settings)
        self._endpoints = EndpointOperations(store, timers, self._real_time, settings)
        self._classify = RealTimeOperations(store, self._real_time, settings, self._limits, metrics)
        owners = (self._classifiers, self._jobs, self._endpoints, TagOperations(store))
        self._handlers: dict[str, Callable[[Mapping[str, Any], str], dict[str, Any]]] = {
            operation: getattr(owner, xform_name(operation))
            for owner in owners
            for operation in OPERATIONS[type(owner)]
        }

    def answer(self, operation: str, body: Any, region: str) -> dict[str, Any]:
        """Return the answer to a request.

        :param operation: the operation's name in the service model.
        :param body: the decoded body.
        :param region: the region of the request's signature.
        :raises ApiError: the request is refused.
        """
        operation_model(operation)
        if operation not in self._handlers and operation != CLASSIFY_DOCUMENT:
            raise ApiError(
                "UnknownOperationException",
                f"The local Comprehend has only custom classification; {operation} is not part of it.",
            )
        with self._store.lock:
            self._limits.count_call(operation, region)
        request = parse_request(operation, body)
        if operation == CLASSIFY_DOCUMENT:
            return self._classify.classify_document(request, region)
        with self._store.lock:
            return self._handlers[operation](request, region)

    def resume(self) -> None:
        """Continue the work of an earlier server."""
        with self._store.lock:
            self._classifiers.resume()
            self._jobs.resume()
            self._endpoints.resume()

    def close(self) -> None:
        """End the process of the endpoints."""
        self._real_time.close()

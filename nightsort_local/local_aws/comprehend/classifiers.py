"""The operations on document classifiers, and the course of their trainings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nightsort.comprehend.limits import DEFAULT_LABEL_DELIMITER, LANGUAGES, MAX_ACTIVE_TRAININGS
from nightsort_local.local_aws.clock import now
from nightsort_local.local_aws.comprehend import arns
from nightsort_local.local_aws.comprehend.encryption import check_keys
from nightsort_local.local_aws.comprehend.errors import (
    ApiError,
    resource_in_use,
    resource_unavailable,
)
from nightsort_local.local_aws.comprehend.lifecycle import Lifecycle
from nightsort_local.local_aws.comprehend.listing import Order, page, select
from nightsort_local.local_aws.comprehend.store import CLASSIFIER, ENDPOINT, JOB
from nightsort_local.local_aws.comprehend.tags import check_tags
from nightsort_local.local_aws.comprehend.training_input import (
    COMPREHEND_CSV,
    check_training_input,
    manifests,
)
from nightsort_local.local_aws.work.tasks import TrainTask

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nightsort_local.local_aws.comprehend.store import Resource, Store
    from nightsort_local.local_aws.comprehend.timers import Timers
    from nightsort_local.local_aws.settings import Settings
    from nightsort_local.local_aws.work.workers import Outcome, WorkerPool


class ClassifierOperations:
    """Create, describe, list, stop and delete classifiers.

    :param store: the resources.
    :param timers: the pending state changes.
    :param workers: run the trainings.
    :param settings: the server's settings.
    """

    def __init__(self, store: Store, timers: Timers, workers: WorkerPool, settings: Settings) -> None:
        self._store = store
        self._timers = timers
        self._workers = workers
        self._settings = settings
        self._lifecycle = Lifecycle(
            timers,
            {
                "SUBMITTED": (
                    "submitted_seconds",
                    lambda classifier: self._lifecycle.enter(classifier, "TRAINING"),
                ),
                "TRAINING": ("training_seconds", self._train),
                "STOP_REQUESTED": ("stopping_seconds", _stop),
                "DELETING": ("deletion_seconds", self._remove),
            },
        )

    # --- operations -----------------------------------------------------------------------------------------

    def create_document_classifier(self, request: Mapping[str, Any], region: str) -> dict[str, Any]:
        """Start a training; return the ARN of the new classifier."""
        earlier = self._store.created_by(CLASSIFIER, region, request)
        if earlier is not None:
            return {"DocumentClassifierArn": earlier.arn}
        _check(request)
        name, version = request["DocumentClassifierName"], request.get("VersionName")
        arn = arns.classifier_arn(region, name, version)
        if self._store.find(arn) is not None:
            raise resource_in_use(f"RESOURCE_IN_USE: There already is a document classifier {arn}.")
        active = [classifier for classifier in self._store.all_of(CLASSIFIER, region) if classifier.is_active]
        if len(active) >= MAX_ACTIVE_TRAININGS:
            raise ApiError(
                "ResourceLimitExceededException",
                f"RESOURCE_LIMIT_EXCEEDED: {len(active)} classifiers are in training, which is the maximum.",
            )
        classifier = self._store.add(CLASSIFIER, arn, region, _properties(request, arn), request)
        self._lifecycle.schedule_next(classifier)
        return {"DocumentClassifierArn": arn}

    def describe_document_classifier(self, request: Mapping[str, Any], region: str) -> dict[str, Any]:
        """Return a classifier's properties."""
        return {"DocumentClassifierProperties": self._get(request, region).shown()}

    def list_document_classifiers(self, request: Mapping[str, Any], region: str) -> dict[str, Any]:
        """List classifiers, one item per version."""
        found = select(
            self._store.all_of(CLASSIFIER, region),
            request,
            {
                "Status": lambda classifier, status: classifier.state == status,
                "DocumentClassifierName": lambda classifier, name: _name(classifier) == name,
            },
            Order.OLDEST_FIRST,
        )
        items = [(classifier.arn, classifier.shown()) for classifier in found]
        return page(items, request, "DocumentClassifierPropertiesList", region)

    def list_document_classifier_summaries(self, request: Mapping[str, Any], region: str) -> dict[str, Any]:
        """List classifier names, with the number of versions and the latest version, newest first."""
        versions: dict[str, list[Resource]] = {}
        for classifier in reversed(self._store.all_of(CLASSIFIER, region)):
            versions.setdefault(_name(classifier), []).append(classifier)
        items = [(name, _summary(name, found)) for name, found in versions.items()]
        return page(items, request, "DocumentClassifierSummariesList", region)

    def stop_training_document_classifier(self, request: Mapping[str, Any], region: str) -> dict[str, Any]:
        """Ask a training to stop; ignore a classifier that is not in training (seen in Terraform)."""
        classifier = self._get(request, region)
        if classifier.state in ("SUBMITTED", "TRAINING"):
            classifier.change_state("STOP_REQUESTED")
            if self._timers.cancel(classifier.arn):
                self._lifecycle.schedule_next(classifier)
            else:
                self._workers.stop(classifier.arn)
        return {}

    def delete_document_classifier(self, request: Mapping[str, Any], region: str) -> dict[str, Any]:
        """Start the deletion of a classifier that is neither in training nor in use."""
        classifier = self._get(request, region)
        for job in self._store.all_of(JOB, region):
            if job.is_active and job.properties["DocumentClassifierArn"] == classifier.arn:
                raise resource_in_use(f"RESOURCE_IN_USE: A classification job is using {classifier.arn}.")
        for endpoint in self._store.all_of(ENDPOINT, region):
            if classifier.arn in (endpoint.properties["ModelArn"], endpoint.properties["DesiredModelArn"]):
                raise resource_in_use(
                    f"RESOURCE_IN_USE: {endpoint.arn} is using {classifier.arn}; delete the endpoint first."
                )
        if classifier.is_active or classifier.state == "DELETING":
            raise resource_unavailable(
                f"RESOURCE_UNAVAILABLE: {classifier.arn} is {classifier.state} and cannot be deleted."
            )
        classifier.change_state("DELETING")
        self._lifecycle.schedule_next(classifier)
        return {}

    # --- lifecycle ------------------------------------------------------------------------------------------

    def resume(self) -> None:
        """Continue the work of an earlier server; delete model files without a classifier."""
        classifiers = self._store.all_of(CLASSIFIER)
        known = {classifier.model_file for classifier in classifiers if not classifier.is_active}
        for file in self._settings.models.iterdir():
            if file.name not in known:
                file.unlink()
        for classifier in classifiers:
            self._lifecycle.schedule_next(classifier)

    def _train(self, classifier: Resource) -> None:
        properties = classifier.properties
        source = properties["InputDataConfig"]
        classifier.model_file = f"{arns.new_id()}.npz"
        task = TrainTask(
            endpoint=self._settings.endpoint,
            region=classifier.region,
            name=_name(classifier),
            mode=properties["Mode"],
            delimiter=source.get("LabelDelimiter", DEFAULT_LABEL_DELIMITER),
            training=source.get("S3Uri"),
            test=source.get("TestS3Uri"),
            output=properties["OutputDataConfig"].get("S3Uri"),
            model_file=str(self._settings.model_path(classifier.model_file)),
            min_per_label=self._settings.min_documents_per_label,
            manifests=manifests(source),
        )

        def started() -> None:
            with self._store.lock:
                if classifier.state == "SUBMITTED":
                    classifier.change_state("TRAINING")

        def ended(outcome: Outcome) -> None:
            with self._store.lock:
                if outcome.stopped:
                    self._lifecycle.schedule_next(classifier)
                else:
                    _finish(classifier, outcome)

        self._workers.submit(classifier.arn, task, started, ended)

    def _remove(self, classifier: Resource) -> None:
        self._store.remove(classifier.arn)
        if classifier.model_file is not None:
            self._settings.model_path(classifier.model_file).unlink(missing_ok=True)

    def _get(self, request: Mapping[str, Any], region: str) -> Resource:
        return self._store.get(request["DocumentClassifierArn"], region)


def _check(request: Mapping[str, Any]) -> None:
    if request["LanguageCode"] not in LANGUAGES:
        raise ApiError(
            "UnsupportedLanguageException",
            f"UNSUPPORTED_LANGUAGE: {request['LanguageCode']} is not a language of custom classification. "
            f"The languages are {', '.join(LANGUAGES)}.",
        )
    check_training_input(request["InputDataConfig"])
    check_keys(request)
    check_tags(request.get("Tags", ()))


def _properties(request: Mapping[str, Any], arn: str) -> dict[str, Any]:
    properties: dict[str, Any] = {
        "DocumentClassifierArn": arn,
        "LanguageCode": request["LanguageCode"],
        "InputDataConfig": {"DataFormat": COMPREHEND_CSV, **request["InputDataConfig"]},
        # Without an output location, Describe returns an empty structure (seen in AWS's examples).
        "OutputDataConfig": dict(request.get("OutputDataConfig", {})),
        "DataAccessRoleArn": request["DataAccessRoleArn"],
        "Mode": request.get("Mode", "MULTI_CLASS"),
    }
    source, output = properties["InputDataConfig"], properties["OutputDataConfig"]
    if properties["Mode"] == "MULTI_LABEL" and source["DataFormat"] == COMPREHEND_CSV:
        # Terraform's acceptance tests demand the delimiter from Describe although none is given.
        source.setdefault("LabelDelimiter", DEFAULT_LABEL_DELIMITER)
    if "S3Uri" in output:
        # The real service shows the full path of the output from the first Describe on.
        output["S3Uri"] = arns.output_archive(output["S3Uri"], "CLR", arns.new_id())
    for member in ("VolumeKmsKeyId", "VpcConfig", "ModelKmsKeyId", "VersionName"):
        if member in request:
            properties[member] = request[member]
    return properties


def _stop(classifier: Resource) -> None:
    classifier.change_state("STOPPED", EndTime=now())


def _finish(classifier: Resource, outcome: Outcome) -> None:
    if outcome.problem is not None:
        classifier.change_state("IN_ERROR", Message=outcome.problem, EndTime=now())
    else:
        result = outcome.result
        members = {
            # A delay of TRAINING counts as billed training time, as on AWS.
            "TrainingStartTime": min(result.started, classifier.since),
            "TrainingEndTime": result.ended,
            "EndTime": now(),
            "ClassifierMetadata": result.metadata,
        }
        if result.warning:
            classifier.change_state("TRAINED_WITH_WARNING", Message=result.warning, **members)
        else:
            classifier.change_state("TRAINED", **members)


def _name(classifier: Resource) -> str:
    return arns.classifier_name(classifier.arn)[0]


def _summary(name: str, versions: list[Resource]) -> dict[str, Any]:
    latest = versions[0]
    summary = {
        "DocumentClassifierName": name,
        "NumberOfVersions": len(versions),
        "LatestVersionCreatedAt": latest.properties["SubmitTime"],
        "LatestVersionStatus": latest.state,
    }
    if "VersionName" in latest.properties:
        summary["LatestVersionName"] = latest.properties["VersionName"]
    return summary

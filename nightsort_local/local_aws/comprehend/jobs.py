"""The operations on document classification jobs, and the course of the jobs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nightsort.comprehend.limits import MAX_ACTIVE_CLASSIFICATION_JOBS
from nightsort_local.local_aws.clock import now
from nightsort_local.local_aws.comprehend import arns
from nightsort_local.local_aws.comprehend.encryption import check_keys
from nightsort_local.local_aws.comprehend.errors import (
    ApiError,
    invalid_request,
    resource_not_found,
    resource_unavailable,
)
from nightsort_local.local_aws.comprehend.lifecycle import Lifecycle
from nightsort_local.local_aws.comprehend.listing import Order, page, select
from nightsort_local.local_aws.comprehend.real_time_input import check_reader_config
from nightsort_local.local_aws.comprehend.states import USABLE_CLASSIFIER
from nightsort_local.local_aws.comprehend.store import JOB
from nightsort_local.local_aws.comprehend.tags import check_tags
from nightsort_local.local_aws.work.tasks import ClassifyTask

if TYPE_CHECKING:
    from collections.abc import Mapping

    from nightsort_local.local_aws.comprehend.store import Resource, Store
    from nightsort_local.local_aws.comprehend.timers import Timers
    from nightsort_local.local_aws.settings import Settings
    from nightsort_local.local_aws.work.workers import Outcome, WorkerPool

ONE_DOC_PER_LINE = "ONE_DOC_PER_LINE"


class JobOperations:
    """Start, describe and list classification jobs. No operation stops one.

    :param store: the resources.
    :param timers: the pending state changes.
    :param workers: run the jobs.
    :param settings: the server's settings.
    """

    def __init__(self, store: Store, timers: Timers, workers: WorkerPool, settings: Settings) -> None:
        self._store = store
        self._workers = workers
        self._settings = settings
        self._lifecycle = Lifecycle(
            timers,
            {
                "SUBMITTED": ("submitted_seconds", lambda job: self._lifecycle.enter(job, "IN_PROGRESS")),
                "IN_PROGRESS": ("job_seconds", self._run),
            },
        )

    # --- operations -----------------------------------------------------------------------------------------

    def start_document_classification_job(self, request: Mapping[str, Any], region: str) -> dict[str, Any]:
        """Start a job."""
        job = self._store.created_by(JOB, region, request)
        if job is None:
            self._check(request, region)
            job_id = arns.new_id()
            arn = arns.job_arn(region, job_id)
            job = self._store.add(JOB, arn, region, _properties(request, arn, job_id), request)
            self._lifecycle.schedule_next(job)
        # In recordings there is no DocumentClassifierArn: it seems to be for jobs of a flywheel.
        return {member: job.properties[member] for member in ("JobId", "JobArn", "JobStatus")}

    def describe_document_classification_job(self, request: Mapping[str, Any], region: str) -> dict[str, Any]:
        """Return a job's properties."""
        job = self._store.find(arns.job_arn(region, request["JobId"]))
        if job is None:
            raise ApiError(
                "JobNotFoundException", f"JOB_NOT_FOUND: The specified job {request['JobId']} was not found."
            )
        return {"DocumentClassificationJobProperties": job.shown()}

    def list_document_classification_jobs(self, request: Mapping[str, Any], region: str) -> dict[str, Any]:
        """List jobs."""
        found = select(
            self._store.all_of(JOB, region),
            request,
            {
                "JobName": lambda job, name: job.properties.get("JobName") == name,
                "JobStatus": lambda job, status: job.state == status,
            },
            Order.OLDEST_FIRST,
        )
        items = [(job.arn, job.shown()) for job in found]
        return page(items, request, "DocumentClassificationJobPropertiesList", region)

    # --- lifecycle ------------------------------------------------------------------------------------------

    def resume(self) -> None:
        """Continue the work of an earlier server."""
        for job in self._store.all_of(JOB):
            self._lifecycle.schedule_next(job)

    def _run(self, job: Resource) -> None:
        properties = job.properties
        model_file = self._store.get(properties["DocumentClassifierArn"], job.region).model_file
        task = ClassifyTask(
            endpoint=self._settings.endpoint,
            region=job.region,
            name=properties.get("JobName", ""),
            model_file=str(self._settings.model_path(model_file or "")),
            source=properties["InputDataConfig"]["S3Uri"],
            one_per_line=properties["InputDataConfig"]["InputFormat"] == ONE_DOC_PER_LINE,
            output=properties["OutputDataConfig"]["S3Uri"],
        )

        def started() -> None:
            with self._store.lock:
                if job.state == "SUBMITTED":
                    job.change_state("IN_PROGRESS")

        def ended(outcome: Outcome) -> None:
            with self._store.lock:
                if outcome.problem is None:
                    job.change_state("COMPLETED", EndTime=now())
                else:
                    job.change_state("FAILED", Message=outcome.problem, EndTime=now())

        self._workers.submit(job.arn, task, started, ended)

    def _check(self, request: Mapping[str, Any], region: str) -> None:
        if ("DocumentClassifierArn" in request) == ("FlywheelArn" in request):
            raise invalid_request("Give either a DocumentClassifierArn or a FlywheelArn.")
        if "FlywheelArn" in request:
            raise resource_not_found()
        check_reader_config(request["InputDataConfig"].get("DocumentReaderConfig"))
        check_keys(request)
        check_tags(request.get("Tags", ()))
        classifier = self._store.get(request["DocumentClassifierArn"], region)
        if classifier.state not in USABLE_CLASSIFIER:
            raise resource_unavailable(
                f"RESOURCE_UNAVAILABLE: {classifier.arn} is {classifier.state}; it cannot classify."
            )
        active = [job for job in self._store.all_of(JOB, region) if job.is_active]
        if len(active) >= MAX_ACTIVE_CLASSIFICATION_JOBS:
            # The operation models no ResourceLimitExceededException; this is the closest error of its model.
            raise ApiError(
                "TooManyRequestsException",
                f"TOO_MANY_REQUESTS: {len(active)} classification jobs are active, which is the maximum.",
            )


def _properties(request: Mapping[str, Any], arn: str, job_id: str) -> dict[str, Any]:
    output = dict(request["OutputDataConfig"])
    output["S3Uri"] = arns.output_archive(output["S3Uri"], "CLN", job_id)
    properties = {
        "JobId": job_id,
        "JobArn": arn,
        "DocumentClassifierArn": request["DocumentClassifierArn"],
        "InputDataConfig": {"InputFormat": ONE_DOC_PER_LINE, **request["InputDataConfig"]},
        "OutputDataConfig": output,
        "DataAccessRoleArn": request["DataAccessRoleArn"],
    }
    for member in ("JobName", "VolumeKmsKeyId", "VpcConfig"):
        if member in request:
            properties[member] = request[member]
    return properties

"""The XComs of a classification job, made in a worker or in the triggerer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mypy_boto3_comprehend.type_defs import DocumentClassificationJobPropertiesTypeDef

FAILED_JOBS: Final = "failed_jobs"


def job_result(
    job: DocumentClassificationJobPropertiesTypeDef, failed: Sequence[dict[str, Any]]
) -> dict[str, Any]:
    """
    Return the result of the operator that runs jobs, as JSON-safe values.

    :param job: the job's properties.
    :param failed: the summaries of its earlier generations, from :func:`job_summary`.
    """
    return {
        "job_id": job["JobId"],
        "job_arn": job.get("JobArn"),
        "job_name": job.get("JobName", ""),
        "status": job.get("JobStatus", ""),
        "output_uri": job.get("OutputDataConfig", {}).get("S3Uri"),
        **_times(job),
        FAILED_JOBS: list(failed),
    }


def job_summary(job: DocumentClassificationJobPropertiesTypeDef) -> dict[str, Any]:
    """
    Return the summary of a job that failed.

    :param job: the job's properties.
    """
    return {
        "job_id": job["JobId"],
        "job_name": job.get("JobName", ""),
        "status": job.get("JobStatus", ""),
        "message": job.get("Message", ""),
        **_times(job),
    }


def _times(job: DocumentClassificationJobPropertiesTypeDef) -> dict[str, Any]:
    submitted, ended = job.get("SubmitTime"), job.get("EndTime")
    return {
        "submitted_at": submitted.isoformat() if submitted else None,
        "ended_at": ended.isoformat() if ended else None,
    }

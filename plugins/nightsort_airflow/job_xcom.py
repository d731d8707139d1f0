"""
What a classification job gives: made in a worker from what the hook found, and in the triggerer from what the
trigger found.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mypy_boto3_comprehend.type_defs import DocumentClassificationJobPropertiesTypeDef

FAILED_JOBS: Final = "failed_jobs"


def job_result(
    job: DocumentClassificationJobPropertiesTypeDef, failed: Sequence[dict[str, str]]
) -> dict[str, Any]:
    """
    Return the result of the operator that runs jobs, all of it JSON.

    :param job: the job's properties.
    :param failed: its earlier generations, as :func:`job_summary` tells of them.
    """
    submitted, ended = job.get("SubmitTime"), job.get("EndTime")
    return {
        "job_id": job["JobId"],
        "job_arn": job.get("JobArn"),
        "job_name": job.get("JobName", ""),
        "status": job.get("JobStatus", ""),
        "output_uri": job.get("OutputDataConfig", {}).get("S3Uri"),
        "submitted_at": submitted.isoformat() if submitted else None,
        "ended_at": ended.isoformat() if ended else None,
        FAILED_JOBS: list(failed),
    }


def job_summary(job: DocumentClassificationJobPropertiesTypeDef) -> dict[str, str]:
    """
    Return what is told of a job that failed.

    :param job: the job's properties.
    """
    return {
        "job_id": job["JobId"],
        "job_name": job.get("JobName", ""),
        "status": job.get("JobStatus", ""),
        "message": job.get("Message", ""),
    }

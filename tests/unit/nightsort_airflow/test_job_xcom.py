from __future__ import annotations

import datetime as dt
import json

from nightsort_airflow.job_xcom import job_result, job_summary

SUBMITTED = dt.datetime(2026, 11, 18, 2, 0, tzinfo=dt.timezone.utc)


def test_a_result_is_json_and_names_the_failed_generations() -> None:
    failed = job_summary(
        {
            "JobId": "1" * 32,
            "JobName": "night-g1",
            "JobStatus": "FAILED",
            "Message": "no",
            "SubmitTime": SUBMITTED,
        }
    )
    result = job_result(
        {
            "JobId": "2" * 32,
            "JobArn": "arn:aws:x",
            "JobName": "night-g2",
            "JobStatus": "COMPLETED",
            "SubmitTime": SUBMITTED,
            "EndTime": SUBMITTED + dt.timedelta(minutes=6),
            "OutputDataConfig": {"S3Uri": "s3://bucket/output.tar.gz"},
        },
        [failed],
    )
    assert json.loads(json.dumps(result)) == {
        "job_id": "2" * 32,
        "job_arn": "arn:aws:x",
        "job_name": "night-g2",
        "status": "COMPLETED",
        "output_uri": "s3://bucket/output.tar.gz",
        "submitted_at": "2026-11-18T02:00:00+00:00",
        "ended_at": "2026-11-18T02:06:00+00:00",
        "failed_jobs": [
            {
                "job_id": "1" * 32,
                "job_name": "night-g1",
                "status": "FAILED",
                "message": "no",
                "submitted_at": "2026-11-18T02:00:00+00:00",
                "ended_at": None,
            }
        ],
    }


def test_what_comprehend_left_out_is_none() -> None:
    result = job_result({"JobId": "1" * 32}, [])
    assert (result["submitted_at"], result["ended_at"], result["output_uri"]) == (None, None, None)

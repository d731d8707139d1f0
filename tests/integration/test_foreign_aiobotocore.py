"""aiobotocore, which Airflow's triggers use, waits for a training and sees the same buckets."""

from __future__ import annotations

import asyncio

import pytest
from aiobotocore.session import get_session

from tests.integration.classification_data import csv_bytes, labelled_rows, put
from tests.integration.local_aws_server import CREDENTIALS, REGION, ROLE, LocalAwsServer

pytestmark = pytest.mark.integration


async def train_and_list(url: str, training: str) -> tuple[str, list[str]]:
    settings = {
        "endpoint_url": url,
        "region_name": REGION,
        "aws_access_key_id": CREDENTIALS["AWS_ACCESS_KEY_ID"],
        "aws_secret_access_key": CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
    }
    async with get_session().create_client("comprehend", **settings) as comprehend:
        answer = await comprehend.create_document_classifier(
            DocumentClassifierName="async",
            DataAccessRoleArn=ROLE,
            LanguageCode="en",
            InputDataConfig={"S3Uri": training},
        )
        arn = answer["DocumentClassifierArn"]
        while True:
            found = await comprehend.describe_document_classifier(DocumentClassifierArn=arn)
            status = found["DocumentClassifierProperties"]["Status"]
            if status not in ("SUBMITTED", "TRAINING"):
                break
            await asyncio.sleep(0.05)
    async with get_session().create_client("s3", **settings) as s3:
        listed = await s3.list_objects_v2(Bucket="data", Prefix="async/")
        return status, [item["Key"] for item in listed["Contents"]]


def test_it_trains_and_lists(local_aws: LocalAwsServer) -> None:
    training = put(local_aws, "async/training.csv", csv_bytes(labelled_rows(30)))
    assert asyncio.run(train_and_list(local_aws.url, training)) == ("TRAINED", ["async/training.csv"])

"""Clients that know nothing of the local AWS use it by its endpoint URL alone."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from classification_data import csv_bytes, labelled_rows, predictions, put
from local_aws_server import (
    CREDENTIALS,
    REGION,
    ROLE,
    LocalAwsServer,
    local_aws,
    wait_for_classifier,
    wait_for_job,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def aws() -> Iterator[LocalAwsServer]:
    with local_aws() as server:
        put(server, "docclass/training.csv", csv_bytes(labelled_rows(30)))
        put(server, "docclass/documents.txt", b"a refund of my payment\ncrash and error\n")
        yield server


def test_the_snippets_that_everybody_copies(aws: LocalAwsServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The calls of a well-known tutorial on Comprehend custom training, letter by letter."""
    for name, value in aws.environment.items():
        monkeypatch.setenv(name, value)
    client = boto3.client("comprehend", region_name=REGION)
    create_response = client.create_document_classifier(
        InputDataConfig={"S3Uri": "s3://data/docclass/training.csv"},
        DataAccessRoleArn="arn:aws:iam::123456789012:role/resource name",
        DocumentClassifierName="SampleCodeClassifier1",
        LanguageCode="en",
    )
    arn = "arn:aws:comprehend:us-east-1:123456789012:document-classifier/SampleCodeClassifier1"
    assert create_response["DocumentClassifierArn"] == arn
    assert wait_for_classifier(client, arn)["Status"] == "TRAINED"
    start_response = client.start_document_classification_job(
        InputDataConfig={"S3Uri": "s3://data/docclass/documents.txt", "InputFormat": "ONE_DOC_PER_LINE"},
        OutputDataConfig={"S3Uri": "s3://data/output"},
        DataAccessRoleArn="arn:aws:iam::123456789012:role/resource name",
        DocumentClassifierArn=arn,
    )
    lines = predictions(aws, wait_for_job(client, start_response["JobId"]))
    assert [line["Classes"][0]["Name"] for line in lines] == ["BILLING", "BUG"]


def test_aiobotocore(aws: LocalAwsServer) -> None:
    from aiobotocore.session import get_session

    async def use() -> tuple[str, list[str]]:
        settings = {
            "endpoint_url": aws.url,
            "region_name": REGION,
            "aws_access_key_id": CREDENTIALS["AWS_ACCESS_KEY_ID"],
            "aws_secret_access_key": CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
        }
        async with get_session().create_client("comprehend", **settings) as comprehend:
            answer = await comprehend.create_document_classifier(
                DocumentClassifierName="async",
                DataAccessRoleArn=ROLE,
                LanguageCode="en",
                InputDataConfig={"S3Uri": "s3://data/docclass/training.csv"},
            )
            arn = answer["DocumentClassifierArn"]
            while True:
                found = await comprehend.describe_document_classifier(DocumentClassifierArn=arn)
                status = found["DocumentClassifierProperties"]["Status"]
                if status not in ("SUBMITTED", "TRAINING"):
                    break
                await asyncio.sleep(0.05)
        async with get_session().create_client("s3", **settings) as s3:
            listed = await s3.list_objects_v2(Bucket="data", Prefix="docclass/")
            return status, [item["Key"] for item in listed["Contents"]]

    assert asyncio.run(use()) == ("TRAINED", ["docclass/documents.txt", "docclass/training.csv"])


def test_the_aws_cli(aws: LocalAwsServer, tmp_path: Path) -> None:
    program = Path(sys.executable).with_name("aws")

    def cli(*arguments: str) -> Any:
        ended = subprocess.run(
            [str(program), *arguments],
            env={**os.environ, **aws.environment, "AWS_PAGER": ""},
            capture_output=True,
            text=True,
            check=False,
        )
        assert ended.returncode == 0, ended.stderr
        return json.loads(ended.stdout) if ended.stdout.startswith(("{", "[")) else ended.stdout

    assert cli("sts", "get-caller-identity")["Account"] == "123456789012"
    cli("s3", "cp", "s3://data/docclass/documents.txt", str(tmp_path / "in.txt"))
    cli("s3", "cp", str(tmp_path / "in.txt"), "s3://data/cli/in.txt")
    created = cli(
        "comprehend", "create-document-classifier",
        "--document-classifier-name", "cli",
        "--data-access-role-arn", ROLE,
        "--input-data-config", "S3Uri=s3://data/docclass/training.csv",
        "--language-code", "en",
    )  # fmt: skip
    arn = created["DocumentClassifierArn"]
    assert wait_for_classifier(aws.client("comprehend"), arn)["Status"] == "TRAINED"
    started = cli(
        "comprehend", "start-document-classification-job",
        "--document-classifier-arn", arn,
        "--input-data-config", "S3Uri=s3://data/cli/in.txt,InputFormat=ONE_DOC_PER_LINE",
        "--output-data-config", "S3Uri=s3://data/cli/out",
        "--data-access-role-arn", ROLE,
    )  # fmt: skip
    wait_for_job(aws.client("comprehend"), started["JobId"])
    described = cli("comprehend", "describe-document-classification-job", "--job-id", started["JobId"])
    job = described["DocumentClassificationJobProperties"]
    assert job["JobStatus"] == "COMPLETED"
    assert len(predictions(aws, job)) == 2


PROVIDER = """
from airflow.providers.amazon.aws.hooks.comprehend import ComprehendHook

hook = ComprehendHook(aws_conn_id="aws_default")
arn = hook.conn.create_document_classifier(
    DocumentClassifierName="provider",
    InputDataConfig={"S3Uri": "s3://data/docclass/" + FILE},
    OutputDataConfig={"S3Uri": "s3://data/output"},
    Mode="MULTI_CLASS",
    DataAccessRoleArn="arn:aws:iam::123456789012:role/Nightsort",
    LanguageCode="en",
    VersionName=FILE.partition(".")[0],
)["DocumentClassifierArn"]
hook.get_waiter("create_document_classifier_complete").wait(
    DocumentClassifierArn=arn, WaiterConfig={"Delay": 1, "MaxAttempts": 60}
)
hook.validate_document_classifier_training_status(arn)
print("validated", hook.conn.describe_document_classifier(
    DocumentClassifierArn=arn)["DocumentClassifierProperties"]["Status"])
"""


@pytest.mark.parametrize(
    ("file", "status"), [("training.csv", "TRAINED"), ("rows.csv", "TRAINED_WITH_WARNING")]
)
def test_the_amazon_providers_own_hook_is_content(
    aws: LocalAwsServer, tmp_path: Path, file: str, status: str
) -> None:
    """It looks ClassifierMetadata, Message and OutputDataConfig up without asking whether they are there."""
    put(aws, "docclass/rows.csv", csv_bytes(labelled_rows(30)) + b"one cell\n")
    ended = subprocess.run(
        [sys.executable, "-c", f"FILE = {file!r}\n{PROVIDER}"],
        env={
            **os.environ,
            **aws.environment,
            "AIRFLOW_HOME": str(tmp_path),
            "AIRFLOW_CONN_AWS_DEFAULT": "aws://",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr[-2_000:]
    assert ended.stdout.splitlines()[-1] == f"validated {status}"

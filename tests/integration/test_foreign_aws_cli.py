"""The AWS CLI, for every operation that the local Comprehend has.

It brings a botocore of its own, which it puts in the place of the other when it is imported: it runs in
processes of its own, and needs no environment of its own.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from botocore import xform_name

from nightsort_local.local_aws.comprehend.service import CLASSIFY_DOCUMENT, OPERATIONS
from tests.integration.classification_data import csv_bytes, labelled_rows, predictions, put, read
from tests.integration.local_aws_server import (
    PATIENCE_SECONDS,
    ROLE,
    LocalAwsServer,
    wait_for_classifier,
    wait_for_job,
    wait_until,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.integration

SERVED = {xform_name(name, "-") for names in OPERATIONS.values() for name in names} | {
    xform_name(CLASSIFY_DOCUMENT, "-")
}


# What the program `aws` does, for one command after the other: two dozen programs would take half a minute.
DRIVER = """
import io, json, sys
from contextlib import redirect_stderr, redirect_stdout
from awscli.clidriver import create_clidriver

for line in sys.stdin:
    said, error = io.StringIO(), io.StringIO()
    with redirect_stdout(said), redirect_stderr(error):
        code = create_clidriver().main(json.loads(line))
    print(json.dumps([code, said.getvalue(), error.getvalue()]), flush=True)
"""


class Cli:
    """Calls ``aws comprehend``, and knows which commands were called."""

    def __init__(self, driver: subprocess.Popen[str]) -> None:
        self._driver = driver
        self.called: set[str] = set()

    def __call__(self, command: str, *arguments: str) -> Any:
        self.called.add(command)
        assert self._driver.stdin is not None
        assert self._driver.stdout is not None
        self._driver.stdin.write(json.dumps(["comprehend", command, *arguments]) + "\n")
        self._driver.stdin.flush()
        code, said, error = json.loads(self._driver.stdout.readline())
        assert code == 0, error
        return json.loads(said or "{}")


@pytest.fixture
def cli(local_aws: LocalAwsServer) -> Iterator[Cli]:
    with subprocess.Popen(
        [sys.executable, "-c", DRIVER],
        env={**os.environ, **local_aws.environment},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as driver:
        yield Cli(driver)
        driver.terminate()


def aws(server: LocalAwsServer, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the program."""
    return subprocess.run(
        [str(Path(sys.executable).with_name("aws")), *arguments],
        env={**os.environ, **server.environment},
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )


def in_service(comprehend: Any, endpoint: str) -> None:
    def serves() -> bool:
        answer = comprehend.describe_endpoint(EndpointArn=endpoint)
        return bool(answer["EndpointProperties"]["Status"] == "IN_SERVICE")

    wait_until(serves, f"{endpoint} to be in service")


def test_it_brings_its_own_botocore() -> None:
    """When this fails, awscli needs an environment of its own again: it pins the botocore of all others."""
    files = {str(file) for file in importlib.metadata.files("awscli") or ()}
    assert "awscli/botocore/__init__.py" in files
    assert not [needed for needed in importlib.metadata.requires("awscli") or () if "botocore" in needed]


def test_every_operation(local_aws: LocalAwsServer, cli: Cli) -> None:
    comprehend = local_aws.client("comprehend")
    training = put(local_aws, "cli/training.csv", csv_bytes(labelled_rows(30)))
    documents = put(local_aws, "cli/in.txt", b"a refund of my payment\ncrash and error\n")

    arn = cli(
        "create-document-classifier", "--document-classifier-name", "cli", "--version-name", "v1",
        "--language-code", "en", "--data-access-role-arn", ROLE, "--mode", "MULTI_CLASS",
        "--input-data-config", f"S3Uri={training}", "--tags", "Key=team,Value=search",
    )["DocumentClassifierArn"]  # fmt: skip
    wait_for_classifier(comprehend, arn)
    described = cli("describe-document-classifier", "--document-classifier-arn", arn)
    assert described["DocumentClassifierProperties"]["Status"] == "TRAINED"
    by_name = '{"DocumentClassifierName": "cli"}'
    listed = cli("list-document-classifiers", "--filter", by_name)["DocumentClassifierPropertiesList"]
    assert listed == [described["DocumentClassifierProperties"]]
    summaries = cli("list-document-classifier-summaries")["DocumentClassifierSummariesList"]
    assert [
        found["LatestVersionName"] for found in summaries if found["DocumentClassifierName"] == "cli"
    ] == ["v1"]
    cli("stop-training-document-classifier", "--document-classifier-arn", arn)

    started = cli(
        "start-document-classification-job", "--job-name", "cli", "--document-classifier-arn", arn,
        "--input-data-config", f"S3Uri={documents},InputFormat=ONE_DOC_PER_LINE",
        "--output-data-config", "S3Uri=s3://data/cli/out", "--data-access-role-arn", ROLE,
    )  # fmt: skip
    wait_for_job(comprehend, started["JobId"])
    job = cli("describe-document-classification-job", "--job-id", started["JobId"])[
        "DocumentClassificationJobProperties"
    ]
    assert job["JobStatus"] == "COMPLETED"
    assert [line["Classes"][0]["Name"] for line in predictions(local_aws, job)] == ["BILLING", "BUG"]
    jobs = cli("list-document-classification-jobs", "--filter", "JobName=cli")
    assert jobs["DocumentClassificationJobPropertiesList"] == [job]

    endpoint = cli(
        "create-endpoint", "--endpoint-name", "cli", "--model-arn", arn, "--desired-inference-units", "1"
    )["EndpointArn"]
    in_service(comprehend, endpoint)
    answer = cli("classify-document", "--endpoint-arn", endpoint, "--text", "crash and error")
    assert answer["Classes"][0]["Name"] == "BUG"
    cli("update-endpoint", "--endpoint-arn", endpoint, "--desired-inference-units", "2")
    in_service(comprehend, endpoint)
    shown = cli("describe-endpoint", "--endpoint-arn", endpoint)["EndpointProperties"]
    assert shown["CurrentInferenceUnits"] == 2
    assert shown in cli("list-endpoints")["EndpointPropertiesList"]
    cli("delete-endpoint", "--endpoint-arn", endpoint)

    cli("tag-resource", "--resource-arn", arn, "--tags", "Key=night,Value=1")
    cli("untag-resource", "--resource-arn", arn, "--tag-keys", "team")
    tags = cli("list-tags-for-resource", "--resource-arn", arn)["Tags"]
    assert tags == [{"Key": "night", "Value": "1"}]

    while comprehend.list_endpoints(Filter={"ModelArn": arn})["EndpointPropertiesList"]:
        time.sleep(0.05)
    cli("delete-document-classifier", "--document-classifier-arn", arn)
    assert cli.called == SERVED


def test_files_and_the_caller(local_aws: LocalAwsServer, tmp_path: Path) -> None:
    document = put(local_aws, "cli/copy.txt", b"a refund\n")
    copied, copy = str(tmp_path / "copy.txt"), "s3://data/cli/again.txt"
    for arguments in ((document, copied), (copied, copy)):
        ended = aws(local_aws, "s3", "cp", *arguments)
        assert ended.returncode == 0, ended.stderr
    assert read(local_aws, copy) == b"a refund\n"
    assert json.loads(aws(local_aws, "sts", "get-caller-identity").stdout)["Account"] == "123456789012"


def test_an_error_is_told_with_its_code(local_aws: LocalAwsServer) -> None:
    ended = aws(local_aws, "comprehend", "describe-document-classification-job", "--job-id", "0" * 32)
    assert ended.returncode != 0
    assert "(JobNotFoundException)" in ended.stderr

"""The local AWS starts fast, ends clean, and takes up where it left off."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import psutil
import pytest
from botocore.exceptions import ClientError

from tests.integration.classification_data import (
    create_request,
    csv_bytes,
    labelled_rows,
    predictions,
    put,
    trained_classifier,
)
from tests.integration.comprehend_answers import check_answers
from tests.integration.local_aws_server import (
    PATIENCE_SECONDS,
    PROJECT,
    ROLE,
    LocalAwsServer,
    answer_of,
    hold_reads,
    local_aws,
    wait_for_classifier,
    wait_for_job,
    wait_until,
)

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.integration

TRAINING = csv_bytes(labelled_rows(30))


def workers(aws: LocalAwsServer) -> list[psutil.Process]:
    """The worker processes, once all are there."""
    number = answer_of("GET", f"{aws.url}/_nightsort/health").json()["workers"]
    server = psutil.Process(aws.process.pid)

    def found() -> list[psutil.Process]:
        # A process of multiprocessing forks them.
        return [child for parent in server.children() for child in parent.children()]

    wait_until(lambda: len(found()) == number, f"{number} workers")
    return found()


def status(comprehend: Any, arn: str) -> str:
    answer = comprehend.describe_document_classifier(DocumentClassifierArn=arn)
    return str(answer["DocumentClassifierProperties"]["Status"])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_no_process_and_no_folder_is_left(number: signal.Signals, tmp_path: Path) -> None:
    with local_aws(environment={"TMPDIR": str(tmp_path), "NIGHTSORT_LOCAL_AWS_WORKERS": "2"}) as aws:
        hold_reads(aws)
        server = psutil.Process(aws.process.pid)
        comprehend = aws.client("comprehend")
        request = create_request("held", put(aws, "training.csv", TRAINING))
        arn = comprehend.create_document_classifier(**request)["DocumentClassifierArn"]
        workers(aws)
        wait_until(lambda: status(comprehend, arn) == "TRAINING", "the training")
        family = [server, *server.children(recursive=True)]
        assert list(tmp_path.iterdir())
        os.kill(aws.process.pid, number)
        aws.process.wait(timeout=PATIENCE_SECONDS)
        if number != signal.SIGKILL:
            assert aws.process.returncode == 0
        _, alive = psutil.wait_procs(family[1:], timeout=PATIENCE_SECONDS)
        assert not alive
        wait_until(lambda: not list(tmp_path.iterdir()), "an empty scratch folder")


def test_buckets_objects_and_classifiers_survive_a_restart(tmp_path: Path) -> None:
    document = b"a refund of my payment\n"
    with local_aws(tmp_path) as aws:
        comprehend = check_answers(aws.client("comprehend"))
        arn = trained_classifier(aws, comprehend, "kept", Tags=[{"Key": "team", "Value": "a"}])
        before = comprehend.describe_document_classifier(DocumentClassifierArn=arn)[
            "DocumentClassifierProperties"
        ]
        s3 = aws.client("s3")
        uri = put(aws, "in/document.txt", document)
        s3.put_object(Bucket="data", Key="gone", Body=b"x")
        s3.put_object(Bucket="data", Key="with metadata", Body=b"old")
        s3.put_object(
            Bucket="data", Key="with metadata", Body=b"new", Metadata={"day": "1"}, ContentType="text/csv"
        )
        s3.delete_object(Bucket="data", Key="gone")
        head = s3.head_object(Bucket="data", Key="with metadata")
    with local_aws(tmp_path) as aws:
        comprehend = check_answers(aws.client("comprehend"))
        after = comprehend.describe_document_classifier(DocumentClassifierArn=arn)[
            "DocumentClassifierProperties"
        ]
        assert after == before
        assert comprehend.list_tags_for_resource(ResourceArn=arn)["Tags"] == [{"Key": "team", "Value": "a"}]
        s3 = aws.client("s3")
        again = s3.head_object(Bucket="data", Key="with metadata")
        compared = ("ETag", "Metadata", "ContentType", "LastModified", "ContentLength")
        assert [again[name] for name in compared] == [head[name] for name in compared]
        keys = [found["Key"] for found in s3.list_objects_v2(Bucket="data")["Contents"]]
        assert keys == ["in/document.txt", "trained/kept.csv", "with metadata"]
        job = comprehend.start_document_classification_job(
            DocumentClassifierArn=arn,
            InputDataConfig={"S3Uri": uri},
            OutputDataConfig={"S3Uri": "s3://data/out"},
            DataAccessRoleArn=ROLE,
        )
        (line,) = predictions(aws, wait_for_job(comprehend, job["JobId"]))
        assert line["Classes"][0]["Name"] == "BILLING"
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "models", "objects", "state.sqlite",
    ]  # fmt: skip


def test_a_killed_server_takes_its_trainings_up_again(tmp_path: Path) -> None:
    held = {"kind": "stuck", "resource": "training", "name": "held", "times": None}
    environment = {"NIGHTSORT_LOCAL_AWS_FAULTS": json.dumps([held])}
    with local_aws(tmp_path, environment) as aws:
        comprehend = aws.client("comprehend")
        uri = put(aws, "training.csv", TRAINING)
        arns = [
            comprehend.create_document_classifier(**create_request(name, uri))["DocumentClassifierArn"]
            for name in ("held-stopped", "held-1", "held-2", "waits")
        ]
        comprehend.stop_training_document_classifier(DocumentClassifierArn=arns[0])
        aws.process.kill()
        aws.process.wait()
    with local_aws(tmp_path, environment) as aws:
        comprehend = check_answers(aws.client("comprehend"))
        for arn in arns[1:3]:
            comprehend.stop_training_document_classifier(DocumentClassifierArn=arn)
        assert wait_for_classifier(comprehend, arns[3])["Status"] == "TRAINED"
        assert {wait_for_classifier(comprehend, arn)["Status"] for arn in arns[:3]} == {"STOPPED"}
        assert len(list((tmp_path / "models").iterdir())) == 1, "what was not finished is gone"


def test_a_worker_that_dies_costs_its_own_work_only() -> None:
    with local_aws() as aws:
        hold_reads(aws)
        comprehend = check_answers(aws.client("comprehend"))
        request = create_request("held", put(aws, "training.csv", TRAINING))
        arn = comprehend.create_document_classifier(**request)["DocumentClassifierArn"]
        (worker,) = workers(aws)
        wait_until(lambda: status(comprehend, arn) == "TRAINING", "the training")
        worker.kill()
        properties = wait_for_classifier(comprehend, arn)
        assert properties["Status"] == "IN_ERROR"
        assert properties["Message"].startswith("INTERNAL_ERROR: ")
        aws.control.clear()
        trained_classifier(aws, comprehend, "after")


class TestCommandLine:
    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "nightsort_local.local_aws", *arguments],
            cwd=PROJECT,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        )

    def test_a_port_that_is_taken_is_named(self) -> None:
        with local_aws() as aws:
            port = aws.url.rpartition(":")[2]
            ended = self.run("--port", port)
        assert ended.returncode == 1
        assert f"127.0.0.1:{port}" in ended.stderr
        assert "Traceback" not in ended.stderr

    @pytest.mark.parametrize(
        ("name", "value", "said"),
        [
            ("WORKERS", "none", "is 'none'"),
            ("ENFORCE_IAM", "perhaps", "is 'perhaps'; it must be true or false"),
            ("FAULTS", '[{"kind": "fire"}]', "is invalid: .*'error', 'latency'"),
        ],
    )
    def test_a_setting_that_cannot_be_is_named(self, name: str, value: str, said: str) -> None:
        ended = self.run("--port", "0", **{f"NIGHTSORT_LOCAL_AWS_{name}": value})
        assert ended.returncode == 2
        assert re.search(f"error: NIGHTSORT_LOCAL_AWS_{name} {said}", ended.stderr)

    def test_iam_is_enforced_if_asked_for(self) -> None:
        command = [sys.executable, "-m", "nightsort_local.local_aws", "--port", "0", "--enforce-iam"]
        with subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            try:
                url = process.stdout.readline().removeprefix("The local AWS is ready: ").split()[0]
                with pytest.raises(ClientError, match="InvalidAccessKeyId"):
                    LocalAwsServer(url, process).client("s3").list_buckets()
            finally:
                process.terminate()


def test_what_comprehend_does_not_have_is_told() -> None:
    with local_aws() as aws:
        for operation, code in (
            ("DetectSentiment", "UnknownOperationException"),
            ("StopDocumentClassificationJob", "UnknownOperationException"),
        ):
            answer = answer_of(
                "POST", aws.url, json={}, headers={"X-Amz-Target": f"Comprehend_20171127.{operation}"}
            )
            assert (answer.status_code, answer.json()["__type"]) == (400, code)
        answer = answer_of(
            "POST",
            aws.url,
            content=b"{",
            headers={"X-Amz-Target": "Comprehend_20171127.ListDocumentClassifiers"},
        )
        assert (answer.status_code, answer.json()["__type"]) == (400, "SerializationException")
        assert answer.headers["content-type"] == "application/x-amz-json-1.1"
        assert answer.headers["x-amzn-requestid"]

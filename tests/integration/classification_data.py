"""Small labelled data that a classifier can learn, and what goes with it."""

from __future__ import annotations

import csv
import io
import json
import random
import tarfile
from typing import Any

from tests.integration.local_aws_server import ROLE, LocalAwsServer, wait_for_classifier

WORDS = {
    "BILLING": "invoice payment refund charge card",
    "BUG": "crash error broken freeze exception",
    "PRAISE": "great love thanks wonderful happy",
    "TRAVEL": "flight hotel airport luggage ticket",
}
FILLER = ("the", "app", "was", "my", "for", "a", "it")
LABELS = sorted(WORDS)


def text_of(label: str, seed: int) -> str:
    """A document that carries a label; the same for the same seed."""
    chosen = random.Random(f"{label}-{seed}")
    words = chosen.choices(WORDS[label].split(), k=3) + chosen.choices(FILLER, k=4)
    return " ".join(chosen.sample(words, len(words)))


def labelled_rows(per_label: int, first: int = 0, labels: list[str] | None = None) -> list[tuple[str, str]]:
    """Label and document, the labels taking turns."""
    return [
        (label, text_of(label, seed))
        for seed in range(first, first + per_label)
        for label in labels or LABELS
    ]


def multi_label_rows(number: int, first: int = 0, delimiter: str = "|") -> list[tuple[str, str]]:
    """Label sets of one or two labels, and document."""
    rows = []
    for seed in range(first, first + number):
        chosen = sorted(random.Random(seed).sample(LABELS, 1 + seed % 2))
        rows.append((delimiter.join(chosen), " ".join(text_of(label, seed) for label in chosen)))
    return rows


def csv_bytes(rows: list[tuple[str, str]]) -> bytes:
    """The rows as Comprehend wants them."""
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()


def put(aws: LocalAwsServer, key: str, body: bytes, bucket: str = "data") -> str:
    """Write an object, in a bucket that is made where it is missing; return its URI."""
    s3 = aws.client("s3")
    if bucket not in [found["Name"] for found in s3.list_buckets()["Buckets"]]:
        s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key=key, Body=body)
    return f"s3://{bucket}/{key}"


def read(aws: LocalAwsServer, uri: str) -> bytes:
    """The bytes of an object."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    content: bytes = aws.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    return content


def archive_members(aws: LocalAwsServer, uri: str) -> dict[str, bytes]:
    """The files of a tar.gz."""
    with tarfile.open(fileobj=io.BytesIO(read(aws, uri)), mode="r:gz") as tar:
        files = {member.name: tar.extractfile(member) for member in tar.getmembers()}
        return {name: file.read() for name, file in files.items() if file is not None}


def predictions(aws: LocalAwsServer, job: dict[str, Any]) -> list[dict[str, Any]]:
    """The lines of a finished job's output."""
    members = archive_members(aws, job["OutputDataConfig"]["S3Uri"])
    assert list(members) == ["predictions.jsonl"]
    return [json.loads(line) for line in members["predictions.jsonl"].decode().splitlines()]


def create_request(name: str, uri: str, **changes: Any) -> dict[str, Any]:
    """The parameters of CreateDocumentClassifier."""
    return {
        "DocumentClassifierName": name,
        "DataAccessRoleArn": ROLE,
        "LanguageCode": "en",
        "InputDataConfig": {"S3Uri": uri},
        **changes,
    }


def trained_classifier(aws: LocalAwsServer, comprehend: Any, name: str, **changes: Any) -> str:
    """The ARN of a classifier that has learnt the four labels."""
    uri = put(aws, f"trained/{name}.csv", csv_bytes(labelled_rows(30)))
    arn: str = comprehend.create_document_classifier(**create_request(name, uri, **changes))[
        "DocumentClassifierArn"
    ]
    properties = wait_for_classifier(comprehend, arn)
    assert properties["Status"] == "TRAINED", properties.get("Message")
    return arn

"""An augmented manifest in S3 names objects with its texts; they are read over HTTP, as from AWS."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from upath import UPath

from nightsort.classifier_spec.source import LabelledSource
from nightsort.storage import Access
from tests.integration.local_aws_server import CREDENTIALS, REGION
from tests.unit.nightsort.document_reading import read

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.local_aws_server import LocalAwsServer

pytestmark = pytest.mark.integration


def s3_access(aws: LocalAwsServer) -> Access:
    options: dict[str, Any] = {
        "key": CREDENTIALS["AWS_ACCESS_KEY_ID"],
        "secret": CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
        "client_kwargs": {"endpoint_url": aws.url, "region_name": REGION},
    }
    return Access(path=lambda uri: UPath(uri, **options))


def test_texts_are_read_in_order_and_each_that_is_missing_is_a_reject(
    aws: LocalAwsServer, tmp_path: Path
) -> None:
    s3 = aws.client("s3")
    s3.create_bucket(Bucket="ground-truth")
    texts = [f"document {number}" for number in range(40)]
    texts[7] = ""
    texts[11] = "x" * 10_000_001
    lines = []
    for number, text in enumerate(texts):
        key = f"texts/ä {number}+.txt"
        if number != 23:
            s3.put_object(Bucket="ground-truth", Key=key, Body=text.encode())
        answer = {"topic": 0, "topic-metadata": {"class-name": "sport"}}
        lines.append(json.dumps({"source-ref": f"s3://ground-truth/{key}", **answer}))
    s3.put_object(Bucket="ground-truth", Key="output.manifest", Body="\n".join(lines).encode())
    source = LabelledSource(
        uri="s3://ground-truth/output.manifest", format="augmented_manifest", attribute="topic"
    )

    found = read(source, tmp_path, access=s3_access(aws))

    assert [row[1:] for row in found.reasons] == [(7, "blank"), (11, "too_large"), (23, "unreadable_row")]
    assert found.texts == [text for number, text in enumerate(texts) if number not in (7, 11, 23)]

"""A data folder of a server that wrote two JSON files is taken over once, and then kept as any other."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import pytest

from tests.integration.killed_server import killed_server

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.integration

ARN = "arn:aws:comprehend:us-east-1:123456789012:document-classifier/old/version/v1"


def test_buckets_objects_and_classifiers_of_older_files(tmp_path: Path) -> None:
    parts = {"one": b"first ", "two": b"second"}
    content = b"".join(parts.values())
    (tmp_path / "objects").mkdir()
    for name, part in parts.items():
        (tmp_path / "objects" / name).write_bytes(part)
    entry = {
        "key": "a/key",
        "etag": hashlib.md5(content, usedforsecurity=False).hexdigest(),
        "modified": "2026-11-01T10:00:00.123000",
        "metadata": {"content-type": "text/csv", "x-amz-meta-day": "1"},
        "body": [["one", 0, 6], ["two", 0, 6]],
    }
    bucket = {
        "name": "nightsort", "region": "eu-west-1", "versioning": None,
        "created": "2026-10-01T00:00:00+00:00", "objects": [entry],
    }  # fmt: skip
    properties = {"DocumentClassifierArn": ARN, "Status": "TRAINED", "SubmitTime": 1.0}
    resource = {
        "kind": "classifier", "arn": ARN, "region": "us-east-1", "number": 7, "properties": properties,
        "tags": {"team": "a"}, "token": None, "request": "{}", "model_file": None, "since": 1.0,
    }  # fmt: skip
    (tmp_path / "buckets.json").write_text(json.dumps({"buckets": [bucket]}))
    (tmp_path / "comprehend.json").write_text(json.dumps({"resources": [resource]}))
    with killed_server(tmp_path) as server:
        server.restart()
        assert sorted(path.name for path in tmp_path.glob("*.json")) == []
        s3 = server.client("s3")
        found = s3.get_object(Bucket="nightsort", Key="a/key")
        assert found["Body"].read() == content
        assert (found["ContentType"], found["Metadata"]) == ("text/csv", {"day": "1"})
        assert found["ETag"].strip('"') == entry["etag"]
        assert s3.get_bucket_location(Bucket="nightsort")["LocationConstraint"] == "eu-west-1"
        comprehend = server.client("comprehend")
        answer = comprehend.describe_document_classifier(DocumentClassifierArn=ARN)
        assert answer["DocumentClassifierProperties"]["Status"] == "TRAINED"
        assert comprehend.list_tags_for_resource(ResourceArn=ARN)["Tags"] == [{"Key": "team", "Value": "a"}]

"""Whether objects are gone: only S3's own word counts."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from nightsort_airflow.hooks.comprehend import ComprehendClassificationHook
from nightsort_airflow.hooks.objects import is_gone

if TYPE_CHECKING:
    from nightsort_local.local_aws.launcher import LocalAwsServer


def hook(monkeypatch: pytest.MonkeyPatch, url: str) -> ComprehendClassificationHook:
    extra = {"region_name": "us-east-1", "endpoint_url": url}
    parts = {"conn_type": "aws", "login": "test", "password": "secret-of-tests", "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_OBJECTS", json.dumps(parts))
    return ComprehendClassificationHook(aws_conn_id="objects")


@pytest.mark.integration
def test_what_s3_says_counts(local_aws: LocalAwsServer, monkeypatch: pytest.MonkeyPatch) -> None:
    s3 = local_aws.client("s3")
    s3.create_bucket(Bucket="objects")
    s3.put_object(Bucket="objects", Key="run/input/1.txt", Body=b"x")
    asked = hook(monkeypatch, local_aws.url)
    assert not is_gone("s3://objects/run/input/1.txt", asked)
    assert not is_gone("s3://objects/run/input/", asked)
    assert is_gone("s3://objects/run/input/2.txt", asked)
    assert is_gone("s3://objects/run/output/", asked)
    assert is_gone("s3://no-such-bucket/key", asked)
    with local_aws.control.injected("error", operation="s3:ListObjectsV2", code="AccessDenied", status=403):
        assert not is_gone("s3://objects/run/input/2.txt", asked), "nobody may say so"


def test_without_an_answer_nothing_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = hook(monkeypatch, "http://127.0.0.1:9")
    assert not is_gone("s3://objects/run/input/2.txt", asked)
    for uri in ("", "s3://objects", "/data/work/1.txt"):
        assert not is_gone(uri, asked)

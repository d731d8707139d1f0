"""A local AWS that checks signatures, and clients that have its key or not."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from nightsort_local.local_aws.launcher import launch
from tests.integration.local_aws_server import REGION, LocalAwsServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KEY = ("LOCALKEYOFTHETESTS", "secret-of-the-tests")
ENVIRONMENT = {"AWS_ACCESS_KEY_ID": KEY[0], "AWS_SECRET_ACCESS_KEY": KEY[1], "AWS_DEFAULT_REGION": REGION}


@contextmanager
def keyed_aws(data: Path) -> Iterator[LocalAwsServer]:
    """Start a local AWS that checks signatures, with a bucket."""
    environment = {
        **ENVIRONMENT,
        "NIGHTSORT_LOCAL_AWS_WORKERS": "1",
        "NIGHTSORT_LOCAL_AWS_CHECK_KEYS": "true",
    }
    with launch(data, environment) as server:
        client(server, "s3").create_bucket(Bucket="bucket")
        yield server


def client(
    aws: LocalAwsServer, service: Any, key: tuple[str, str] = KEY, token: str | None = None, **config: Any
) -> Any:
    """Return a boto3 client that signs with a key."""
    return boto3.client(
        service,
        endpoint_url=aws.url,
        region_name=REGION,
        aws_access_key_id=key[0],
        aws_secret_access_key=key[1],
        aws_session_token=token,
        config=Config(**{"retries": {"total_max_attempts": 1}, **config}),
    )


def code(call: Any) -> tuple[str, int]:
    """Return error code and HTTP status of a call that must be refused."""
    with pytest.raises(ClientError) as refused:
        call()
    answer = refused.value.response
    return answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]

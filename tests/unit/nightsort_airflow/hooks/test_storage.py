from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import boto3
import pytest
from moto.server import ThreadedMotoServer

from nightsort_airflow.hooks.storage import task_access

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

REGION: Final = "eu-west-1"


@pytest.fixture(scope="module")
def s3_endpoint() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    client = boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name=REGION,
        aws_access_key_id="x",
        aws_secret_access_key="x",  # noqa: S106
    )
    client.create_bucket(Bucket="papers", CreateBucketConfiguration={"LocationConstraint": REGION})
    yield endpoint
    server.stop()


def connection(monkeypatch: pytest.MonkeyPatch, name: str, **parts: Any) -> str:
    """A connection of a new name each time: Airflow keeps one file system per connection id and process."""
    monkeypatch.setenv(f"AIRFLOW_CONN_{name.upper()}", json.dumps({"conn_type": "aws", **parts}))
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    return name


def test_s3_paths_use_the_connections_keys_region_and_endpoint(
    s3_endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = connection(
        monkeypatch,
        "s3_keys",
        login="tester",
        password="secret-key",  # noqa: S106
        extra={"region_name": REGION, "endpoint_url": s3_endpoint},
    )
    folder = task_access(name).path("s3://papers/keys/")
    (folder / "a.txt").write_bytes(b"text")
    assert (folder / "a.txt").read_bytes() == b"text"
    assert folder.fs.endpoint_url == s3_endpoint
    assert [str(child) for child in folder.iterdir()] == ["s3://papers/keys/a.txt"]
    assert all(child.read_bytes() == b"text" for child in folder.iterdir())
    assert folder.fs.s3.meta.region_name == REGION
    assert folder.fs.s3.meta.config.max_pool_connections == 32


def test_the_settings_of_a_connection_win_over_ours(
    s3_endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = connection(
        monkeypatch,
        "s3_settings",
        login="tester",
        password="secret-key",  # noqa: S106
        extra={
            "region_name": REGION,
            "endpoint_url": s3_endpoint,
            "config_kwargs": {"max_pool_connections": 7, "signature_version": "s3v4"},
        },
    )
    config = task_access(name).path("s3://papers/settings/").fs.config_kwargs
    assert config["max_pool_connections"] == 7
    assert config["signature_version"] == "s3v4"


def test_s3_paths_work_with_a_role_and_without_keys_of_the_connection(
    s3_endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker's own credentials (here: the environment's) assume the connection's role."""
    name = connection(
        monkeypatch,
        "s3_role",
        extra={
            "region_name": REGION,
            "role_arn": "arn:aws:iam::123456789012:role/reader",
            "endpoint_url": s3_endpoint,
            "service_config": {"sts": {"endpoint_url": s3_endpoint}},
        },
    )
    path = task_access(name).path("s3://papers/role/a.txt")
    path.write_bytes(b"text")
    assert path.read_bytes() == b"text"
    assert not path.fs.anon


def test_local_paths_need_no_connection(tmp_path: Path) -> None:
    path = task_access("no_such_connection").path(str(tmp_path / "a.txt"))
    path.write_text("text")
    assert (tmp_path / "a.txt").read_text() == "text"
    assert task_access("no_such_connection").path(f"file://{tmp_path}/a.txt").read_text() == "text"

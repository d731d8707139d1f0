"""Another project's tests use the local AWS by its fixtures alone."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from nightsort_local.local_aws import launcher
from nightsort_local.local_aws.launcher import LaunchError, launch
from tests.integration.local_aws_server import PROJECT

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.integration

PAGE = (PROJECT / "docs" / "local-comprehend.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)

THEIRS = """
import os

import boto3
import pytest


def test_the_environment_leads_there(local_aws_environment):
    assert os.environ["AWS_ENDPOINT_URL"] == local_aws_environment.url
    boto3.client("s3").create_bucket(Bucket="theirs")
    found = boto3.client("comprehend").list_document_classifiers()["DocumentClassifierPropertiesList"]
    assert [classifier["Status"] for classifier in found] == ["TRAINED"], "that of the page's own test"


def test_it_is_the_same_server_and_leaves_the_environment_alone(local_aws):
    assert "AWS_ENDPOINT_URL" not in os.environ
    assert "theirs" in [found["Name"] for found in local_aws.client("s3").list_buckets()["Buckets"]]


def test_faults_and_delays(local_aws, local_aws_control):
    local_aws_control.inject("error", operation="ListEndpoints", code="InternalServerException", times=None)
    local_aws_control.set_behaviour(delays={"training_seconds": 5})
    comprehend = local_aws.client("comprehend")
    with pytest.raises(comprehend.exceptions.InternalServerException):
        comprehend.list_endpoints()


def test_they_end_with_their_test(local_aws):
    local_aws.client("comprehend").list_endpoints()
    assert local_aws.control.behaviour()["delays"]["training_seconds"] == 0
"""


@pytest.mark.parametrize("named", [False, True], ids=["by the entry point", "by a conftest.py as well"])
def test_a_project_of_others(named: bool, tmp_path: Path) -> None:
    (documented,) = [block for block in BLOCKS if "def test_my_pipeline" in block]
    if named:
        (tmp_path / "conftest.py").write_text(
            'pytest_plugins = ["nightsort_local.local_aws.pytest_plugin"]\n'
        )
    (tmp_path / "test_documented.py").write_text(documented)
    (tmp_path / "test_theirs.py").write_text(THEIRS)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=tmp_path,
        env=kept,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout[-3_000:] + ended.stderr[-1_000:]
    assert "6 passed" in ended.stdout


def test_a_server_that_does_not_start_says_so() -> None:
    wrong = {"NIGHTSORT_LOCAL_AWS_WORKERS": "none"}
    with pytest.raises(LaunchError, match="exit code is 2"), launch(environment=wrong):
        raise AssertionError("it started")


def test_a_server_that_says_nothing_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launcher, "START_SECONDS", 0.01)
    with pytest.raises(LaunchError, match="did not start"), launch():
        raise AssertionError("nothing starts that fast")

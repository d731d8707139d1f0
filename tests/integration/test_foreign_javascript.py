"""The AWS SDK for JavaScript, as npm publishes it: a classifier's whole life, with a job and an endpoint.

Node.js comes as a Python package. npm installs what ``javascript/package-lock.json`` names, once for each
lock.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.classification_data import csv_bytes, labelled_rows
from tests.integration.local_aws_server import PATIENCE_SECONDS, REGION, ROLE

if TYPE_CHECKING:
    from tests.integration.local_aws_server import LocalAwsServer

pytestmark = pytest.mark.integration

PROJECT = Path(__file__).with_name("javascript")
PROGRAM = PROJECT / "whole_life.mjs"
TOOLS = Path(sys.executable).parent


@pytest.fixture(scope="module")
def packages() -> Path:
    """A folder with the program and the packages that its lock names; npm fills it once."""
    lock = PROJECT / "package-lock.json"
    kept = Path(sys.prefix) / "javascript" / hashlib.sha256(lock.read_bytes()).hexdigest()[:16]
    installed = kept / "installed"
    if not installed.exists():
        shutil.rmtree(kept, ignore_errors=True)
        shutil.copytree(PROJECT, kept)
        npm = subprocess.run(
            [str(TOOLS / "npm"), "ci"],
            cwd=kept,
            env={**os.environ, "PATH": f"{TOOLS}{os.pathsep}{os.environ['PATH']}"},
            capture_output=True,
            text=True,
            check=False,
        )
        if npm.returncode and "CI" not in os.environ:
            pytest.skip(f"npm could not install the AWS SDK for JavaScript: {npm.stderr[-500:]}")
        assert npm.returncode == 0, npm.stderr
        installed.touch()
    shutil.copy(PROGRAM, kept)
    return kept


@pytest.fixture
def answers(local_aws: LocalAwsServer, packages: Path) -> dict[str, Any]:
    """What the program was answered, by the name of the question."""
    question = {
        "role": ROLE,
        "region": REGION,
        "training": csv_bytes(labelled_rows(30)).decode(),
        "documents": "a refund of my payment\ncrash and error\n",
    }
    ended = subprocess.run(
        [str(TOOLS / "node"), PROGRAM.name],
        cwd=packages,
        env={**os.environ, **local_aws.environment},
        input=json.dumps(question),
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    found: dict[str, Any] = json.loads(ended.stdout)
    return found


def test_the_whole_life_of_a_classifier(answers: dict[str, Any]) -> None:
    arn = answers["created"]["DocumentClassifierArn"]
    assert answers["createdAgain"]["DocumentClassifierArn"] == arn
    assert answers["taken"] == {"name": "ResourceInUseException", "isKind": True, "status": 400}
    assert answers["trained"]["Status"] == "TRAINED"
    assert answers["trained"]["ClassifierMetadata"]["NumberOfLabels"] == 4
    assert answers["tags"] == [{"Key": "team", "Value": "search"}, {"Key": "night", "Value": "1"}]

    assert answers["job"]["JobStatus"] == "COMPLETED"
    assert [line["Classes"][0]["Name"] for line in answers["predictions"]] == ["BILLING", "BUG"]
    assert answers["listed"] == {"classifiers": [arn], "jobs": [answers["job"]["JobId"]]}

    assert answers["endpoint"]["Status"] == "IN_SERVICE"
    assert answers["classified"]["Classes"][0]["Name"] == "BUG"
    assert answers["updated"]["CurrentInferenceUnits"] == 2
    assert answers["inUse"] == {"name": "ResourceInUseException", "isKind": True, "status": 400}
    for gone in ("endpointGone", "classifierGone"):
        assert answers[gone] == {"name": "ResourceNotFoundException", "isKind": True, "status": 404}

"""Which work of earlier runs counts; with jobs on the local AWS:
tests/integration/test_operators_gone_objects.py."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import boto3
from botocore.stub import Stubber

from nightsort.batches.plan import Batch
from nightsort.naming import batch_job_base
from nightsort.storage import plain_access
from nightsort_airflow.earlier_work import EarlierWork
from nightsort_airflow.hooks.comprehend import ComprehendClassificationHook
from tests.unit.nightsort.nights import Night

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pytest

NAME = "20261118-00000-0123abcd"


class NoRows:
    """Tables in which nothing is loaded."""

    def execute(self, *_: Any) -> list[Any]:
        return []


@contextmanager
def database() -> Iterator[Any]:
    yield NoRows()


def jobs(name: str, *states: str) -> dict[str, Any]:
    return {
        "DocumentClassificationJobPropertiesList": [
            {
                "JobId": "1",
                "JobName": name,
                "JobStatus": state,
                "OutputDataConfig": {"S3Uri": ""},
            }
            for state in states
        ]
    }


def started(folder: Path, monkeypatch: pytest.MonkeyPatch, *generations: str) -> bool:
    """Ask about one batch whose generations of jobs have these states."""
    night = Night(folder, [])
    work = EarlierWork(night.spec, "20261118", "v1")
    (batch,) = [Batch(NAME, "in", "manifest", 1, 1, 1, 3, "0123abcd")]
    client = boto3.client(
        "comprehend",
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",  # noqa: S106
    )
    monkeypatch.setattr(ComprehendClassificationHook, "client", client)
    base = batch_job_base("tickets", "v1", NAME)
    with Stubber(client) as stubber:
        for generation, state in enumerate([*generations, ""], 1):
            name = f"{base}-g{generation}"
            stubber.add_response(
                "list_document_classification_jobs",
                jobs(name, *filter(None, [state])),
                {"Filter": {"JobName": name}},
            )
        return work.started_of(plain_access(), database, [batch]) == {NAME} == work.started


def test_a_job_that_runs_or_is_complete_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for state in ("SUBMITTED", "IN_PROGRESS", "COMPLETED"):
        assert started(tmp_path, monkeypatch, state)
        assert started(tmp_path, monkeypatch, "FAILED", state)


def test_no_job_or_a_failed_one_does_not_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not started(tmp_path, monkeypatch)
    assert not started(tmp_path, monkeypatch, "FAILED")


def test_without_batches_nobody_is_asked(tmp_path: Path) -> None:
    work = EarlierWork(Night(tmp_path, []).spec, "20261118", "v1")
    assert work.started_of(plain_access(), database, []) == set()

"""A request names its classifier, unless there is only one."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from nightsort_airflow.serving.endpoint import ServedEndpoint
from nightsort_airflow.serving.problems import ProblemError
from nightsort_airflow.serving.service import Service
from tests.unit.nightsort_airflow.airflow_specs import local_spec

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def region(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")


def status(service: Service, name: str | None) -> int:
    with pytest.raises(ProblemError) as caught:
        service.named(name)
    return caught.value.status


def test_the_only_one_need_not_be_named(tmp_path: Path) -> None:
    service = Service([ServedEndpoint(local_spec(tmp_path, name="tickets"))], 1)
    assert service.named(None).name == service.named("tickets").name == "tickets"
    assert status(service, "mails") == 404
    service.close()


def test_one_of_several_must_be(tmp_path: Path) -> None:
    service = Service([ServedEndpoint(local_spec(tmp_path, name=name)) for name in ("tickets", "mails")], 1)
    assert service.named("mails").name == "mails"
    assert status(service, None) == 422
    assert service.named("mails").units == 0, "nobody has looked yet"
    service.close()


def asked(service: Service, *texts: str) -> ProblemError:
    """Why the texts of a request have no answer."""
    with pytest.raises(ProblemError) as caught:
        asyncio.run(service.named(None).classify(texts))
    return caught.value


def test_what_has_no_answer_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing listens where Comprehend should be: what is found before is said before."""
    for name, value in (
        ("ENDPOINT_URL", "http://127.0.0.1:1"),
        ("ACCESS_KEY_ID", "x"),
        ("SECRET_ACCESS_KEY", "x"),
    ):
        monkeypatch.setenv(f"AWS_{name}", value)
    service = Service([ServedEndpoint(local_spec(tmp_path))], 1)
    blank = asked(service, "text", " ")
    assert (blank.status, blank.members["texts"][0]["index"]) == (422, 1)
    assert asked(service, "x" * 9_000, "x" * 9_000).status == 413
    unreachable = asked(service, "text")
    assert (unreachable.status, unreachable.retry_after) == (502, 1)
    assert "aws_default" in unreachable.detail
    service.close()

"""A request names its classifier, unless there is only one."""

from __future__ import annotations

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

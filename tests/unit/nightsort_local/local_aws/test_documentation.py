"""docs/local-comprehend.md names everything that the local AWS can be told."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest

from nightsort_local.local_aws import pytest_plugin
from nightsort_local.local_aws.comprehend.behaviour import FAST, REALISTIC, Delays
from nightsort_local.local_aws.faults.fault_plan import FAULTS
from nightsort_local.local_aws.faults.fault_types import AnyFault
from nightsort_local.local_aws.permissions.enforcement import ENFORCE
from nightsort_local.local_aws.services import MOTO_SERVICES
from nightsort_local.local_aws.settings import HOSTS, MIN_DOCUMENTS, WORKERS

PAGE = (Path(__file__).parents[4] / "docs" / "local-comprehend.md").read_text(encoding="utf-8")
DELAYS = [name for name in Delays.model_fields if name.endswith("_seconds")]


@pytest.mark.parametrize(
    "name", [FAULTS, ENFORCE, HOSTS, MIN_DOCUMENTS, WORKERS, *(f"_{delay.upper()}`" for delay in DELAYS)]
)
def test_every_variable(name: str) -> None:
    assert name in PAGE


@pytest.mark.parametrize("service", MOTO_SERVICES)
def test_every_service(service: str) -> None:
    assert f"`{service}`" in PAGE


@pytest.mark.parametrize("delay", DELAYS)
def test_every_delay_with_both_values(delay: str) -> None:
    (row,) = re.findall(rf"^\| `{delay}` \|.*\| (\S+) \| (\S+) \|$", PAGE, re.MULTILINE)
    assert row == (f"{getattr(FAST, delay):g}", f"{getattr(REALISTIC, delay):,g}")


@pytest.mark.parametrize(
    "kind", [model.model_fields["kind"].default for model in get_args(get_args(AnyFault)[0])]
)
def test_every_fault(kind: str) -> None:
    assert f"| `{kind}` |" in PAGE


def test_every_fixture() -> None:
    fixtures = [name for name in vars(pytest_plugin) if name.startswith("local_aws")]
    assert fixtures
    assert [name for name in fixtures if f"| `{name}` |" not in PAGE] == []

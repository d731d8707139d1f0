"""DAGs of this checkout, parsed as Airflow parses them, from whatever specs a test wants."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from airflow.dag_processing.dagbag import DagBag

from tests.airflow_environment import ROOT, SAMPLE_SPECS

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    import pytest

DAGS = ROOT / "dags"
FILES = sorted(DAGS.glob("*.py"))


def parse(monkeypatch: pytest.MonkeyPatch, folders: Iterable[Path] = (SAMPLE_SPECS,)) -> DagBag:
    monkeypatch.setenv("NIGHTSORT_SPECS", os.pathsep.join(map(str, folders)))
    return DagBag(str(DAGS))


SPEC = """
name: {name}
mode: MULTI_CLASS
labelled: {{uri: "s3://bucket/labelled/", format: csv}}
incoming: {{uri: "s3://bucket/incoming/{{day}}/", format: jsonl, id_column: id}}
work_uri: s3://bucket/work/{name}
data_access_role_arn: arn:aws:iam::123456789012:role/ComprehendAccess
"""

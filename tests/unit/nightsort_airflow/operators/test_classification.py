"""With a local Comprehend and real tables: tests/integration/test_operators_local_aws.py."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from nightsort_airflow.exceptions import BadInputError
from nightsort_airflow.operators.classification import PrepareBatchesOperator
from tests.unit.nightsort_airflow.airflow_specs import local_spec

if TYPE_CHECKING:
    from pathlib import Path


def test_more_batches_than_airflow_maps_are_refused_with_the_remedy(tmp_path: Path) -> None:
    operator = PrepareBatchesOperator(task_id="prepare_batches", spec=local_spec(tmp_path))
    operator._check_mapped_tasks(1_024)
    with pytest.raises(BadInputError, match=r"1,025 batches are more than the 1,024.*batch\.max_documents"):
        operator._check_mapped_tasks(1_025)

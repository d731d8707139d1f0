from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from airflow_specs import local_spec

from nightsort_airflow.exceptions import RunIncompleteError
from nightsort_airflow.operators.classification import ReconcileRunOperator

if TYPE_CHECKING:
    from pathlib import Path


class TaskInstance:
    def __init__(self, xcoms: dict[tuple[str, str], Any]) -> None:
        self._xcoms = xcoms

    def xcom_pull(self, task_ids: str | list[str], key: str = "return_value") -> Any:
        if isinstance(task_ids, list):
            return [value for task in task_ids for value in self._xcoms.get((task, key), [None])]
        return self._xcoms.get((task_ids, key))


def operator(tmp_path: Path) -> ReconcileRunOperator:
    return ReconcileRunOperator(
        task_id="reconcile",
        spec=local_spec(tmp_path),
        prepare_task_id="prepare",
        job_task_id="job",
        load_task_id="load",
    )


def test_a_run_whose_batches_were_never_made_fails_and_says_where_to_look(tmp_path: Path) -> None:
    with pytest.raises(RunIncompleteError, match="prepare did not finish, so nothing was sent"):
        operator(tmp_path).execute({"ti": TaskInstance({})})  # type: ignore[arg-type]


def test_failed_jobs_are_those_of_all_batches(tmp_path: Path) -> None:
    first, second = ({"job_id": id_, "job_name": f"night-{id_}-g1"} for id_ in "ab")
    xcoms: dict[tuple[str, str], Any] = {("job", "failed_jobs"): [[first], None, [second]]}
    assert operator(tmp_path)._failed_jobs({"ti": TaskInstance(xcoms)}) == [first, second]  # type: ignore[arg-type]
    assert operator(tmp_path)._failed_jobs({"ti": TaskInstance({})}) == []  # type: ignore[arg-type]

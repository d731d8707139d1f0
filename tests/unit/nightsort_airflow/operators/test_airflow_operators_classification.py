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
        task_id="reconcile", spec=local_spec(tmp_path), prepare_task_id="prepare", load_task_id="load"
    )


def test_a_run_whose_batches_were_never_made_fails_and_says_where_to_look(tmp_path: Path) -> None:
    with pytest.raises(RunIncompleteError, match="prepare did not finish, so nothing was sent"):
        operator(tmp_path).execute({"ti": TaskInstance({})})  # type: ignore[arg-type]


@pytest.mark.parametrize("loaded", [[], [None], [{"batch": "a", "job": {"job_id": "1"}}]])
def test_batches_that_this_run_did_not_load_are_named_with_their_documents(
    tmp_path: Path, loaded: list[dict[str, Any] | None]
) -> None:
    """Rows of an earlier run, with another version, would make the sums add up."""
    task = operator(tmp_path)
    prepared = {"batches": [{"name": name, "documents": 5} for name in ("a", "b", "c")]}
    xcoms: dict[tuple[str, str], Any] = {("load", "return_value"): loaded}
    jobs = task._loaded_batches({"ti": TaskInstance(xcoms)})  # type: ignore[arg-type]
    missing = 2 if loaded and loaded[0] else 3
    with pytest.raises(
        RunIncompleteError, match=rf"{missing} batches with {missing * 5} documents.*b, c"
    ) as raised:
        task._require_all_loaded(prepared, jobs)
    assert ("a, b" in str(raised.value)) == (missing == 3)


def test_a_night_without_batches_misses_none(tmp_path: Path) -> None:
    operator(tmp_path)._require_all_loaded({"batches": []}, {})

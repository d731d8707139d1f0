"""A task ends in the triggerer only where nothing is left for a worker."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk import DAG, Asset, BaseOperator

import nightsort_airflow.trigger_completion
from nightsort_airflow.trigger_completion import needs_worker_to_finish


class Waits(BaseOperator):
    def resume(self, context: Any, event: Any) -> str:
        return "done"


class ResumesOtherwise(Waits):
    def resume(self, context: Any, event: Any) -> str:
        return "done and told"


class LooksAfterwards(Waits):
    def post_execute(self, context: Any, result: Any = None) -> None:
        pass


def does_nothing(*_: Any) -> None:
    pass


def test_a_plain_task_ends_in_the_triggerer() -> None:
    with DAG("plain", schedule=None):
        task = Waits(task_id="wait")
    assert not needs_worker_to_finish(task, Waits.resume)


@pytest.mark.parametrize(
    "task",
    [
        pytest.param(ResumesOtherwise(task_id="wait"), id="subclass"),
        pytest.param(LooksAfterwards(task_id="wait"), id="post_execute of a subclass"),
        pytest.param(Waits(task_id="wait", post_execute=does_nothing), id="post_execute"),
        pytest.param(Waits(task_id="wait", outlets=[Asset("told")]), id="outlets"),
        pytest.param(Waits(task_id="wait", on_success_callback=does_nothing), id="callback"),
        pytest.param(Waits(task_id="wait", do_xcom_push=False), id="no XCom"),
        pytest.param(Waits(task_id="wait", multiple_outputs=True), id="many XComs"),
    ],
)
def test_what_airflow_does_in_workers_only_is_done_there(task: Waits) -> None:
    assert needs_worker_to_finish(task, Waits.resume)


def test_what_is_mapped_over_a_task_is_expanded() -> None:
    with DAG("mapped", schedule=None):
        task = Waits(task_id="wait")
        Waits.partial(task_id="each").expand(doc=task.output)
    assert needs_worker_to_finish(task, Waits.resume)


def test_listeners_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        nightsort_airflow.trigger_completion,
        "get_listener_manager",
        lambda: SimpleNamespace(has_listeners=True),
    )
    assert needs_worker_to_finish(Waits(task_id="wait"), Waits.resume)

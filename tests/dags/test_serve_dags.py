"""What holds for the DAG of a classifier with ``real_time``, and that others have none."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from airflow.sdk import DAG, TriggerRule
from airflow.sdk.exceptions import ParamValidationError
from airflow.serialization.serialized_objects import DagSerialization

from nightsort_airflow.assets import active_version_asset
from nightsort_airflow.retries import AwsRetryPolicy
from tests.dags.dag_bags import SPEC, parse
from tests.dags.test_dag_policies import drawn

if TYPE_CHECKING:
    from pathlib import Path

TASKS = ["open_endpoint", "watch_endpoint", "close_endpoint"]
REAL_TIME = 'real_time: {hours: "08:00-18:00", days: mon-fri}\n'
NOTIFIER = "{import_path: airflow.providers.smtp.notifications.smtp.SmtpNotifier, arguments: {to: a@b.c}}"


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> DAG:
    more = f"{REAL_TIME}timezone: Europe/Berlin\nowner: a@b.c\nnotifiers: [{NOTIFIER}]\n"
    (tmp_path / "tickets.yaml").write_text(SPEC.format(name="tickets") + more)
    bag = parse(monkeypatch, (tmp_path,))
    assert bag.import_errors == {}
    dag: DAG = bag.dags["serve_tickets"]
    return dag


@pytest.mark.parametrize("real_time", ["", "real_time: off\n"])
def test_a_spec_without_real_time_has_no_endpoint(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, real_time: str
) -> None:
    (tmp_path / "tickets.yaml").write_text(SPEC.format(name="tickets") + real_time)
    assert set(parse(monkeypatch, (tmp_path,)).dags) == {
        "train_tickets", "classify_tickets", "nightsort_doctor"
    }  # fmt: skip


def test_it_opens_watches_and_closes_whatever_became_of_the_others(serve: DAG) -> None:
    assert drawn(serve) == set(pairwise(TASKS))
    closing = serve.get_task("close_endpoint")
    assert closing.is_teardown
    assert closing.on_failure_fail_dagrun
    assert closing.trigger_rule == TriggerRule.ALL_DONE_SETUP_SUCCESS
    # With a setup among them, Airflow would not close what a failed task has opened.
    assert not any(task.is_setup for task in serve.tasks)


def test_it_runs_at_openings_at_closings_and_after_a_promotion(serve: DAG) -> None:
    back = DagSerialization.from_dict(DagSerialization.to_dict(serve))
    assert back.timetable.summary == "Asset or 08:00-18:00 mon-fri (Europe/Berlin)"
    assert [asset.uri for _, asset in back.timetable.asset_condition.iter_assets()] == [
        active_version_asset("tickets").uri
    ]
    assert not serve.catchup
    # A run watches for hours; others have to begin meanwhile.
    assert serve.max_active_runs > 1


def test_it_is_described_as_the_other_dags_are(serve: DAG) -> None:
    assert serve.dag_display_name == "tickets: serve"
    assert serve.tags == {"nightsort", "serve", "tickets"}
    assert (serve.owner, serve.owner_links) == ("a@b.c", {"a@b.c": "mailto:a@b.c"})
    assert serve.description
    assert isinstance(serve.on_failure_callback, list)
    for part in (
        "## What it does",
        "## What it costs",
        "## When it is red",
        "18.00 USD",
        *map("`{}`".format, TASKS),
    ):
        assert part in (serve.doc_md or "")


def test_its_tasks_come_back_and_wait_outside_of_the_pool_of_jobs(serve: DAG) -> None:
    for task in serve.tasks:
        assert (task.retries or 0) >= 4
        assert isinstance(task.retry_policy, AwsRetryPolicy)
        assert task.pool == "default_pool"
        assert not task.params


def test_a_person_may_say_for_how_long(serve: DAG) -> None:
    assert set(serve.params) == {"open_hours", "close"}
    hours, close = (serve.params.get_param(name) for name in ("open_hours", "close"))
    assert (hours.resolve(), hours.resolve(1.5), close.resolve()) == (None, 1.5, False)
    for wrong in (0, 25, "long"):
        with pytest.raises(ParamValidationError):
            hours.resolve(wrong)
    for param in (hours, close):
        assert param.description
        assert param.schema["title"]

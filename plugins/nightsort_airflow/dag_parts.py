"""What the DAG files share: default arguments, Params, schedule and the approval of the cost."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from airflow.sdk import CronDataIntervalTimetable, Param
from airflow.sdk.definitions.param import ParamsDict
from airflow.sdk.execution_time.hitl import HITLUser

from nightsort.classifier_spec.day_template import has_day
from nightsort.classifier_spec.schedule import one_run_per_day
from nightsort.classifier_spec.uris import fixed_folder
from nightsort.comprehend.limits import POOL
from nightsort_airflow.alerts import failure_notices, question_notices
from nightsort_airflow.dag_docs import dag_title
from nightsort_airflow.earlier_xcoms import xcom_of
from nightsort_airflow.operators.approval import FORECAST_KEY, ApproveCostOperator, require_approval
from nightsort_airflow.retries import AWS_RETRIES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from airflow.sdk import DAG, BaseOperator

    from nightsort.classifier_spec.model import ClassifierSpec, IncomingSource, Source
    from nightsort.classifier_spec.real_time import RealTime
    from nightsort_airflow.timetables import EveryDayTimetable

DEFAULT_ARGS: Final[dict[str, Any]] = {
    "owner": "nightsort",
    "retries": 2,
    "retry_delay": timedelta(seconds=30),
    "retry_exponential_backoff": 2.0,
    "max_retry_delay": timedelta(minutes=10),
    "retry_policy": AWS_RETRIES,
}

# Airflow 3.3 sometimes fails a healthy deferred task. A retry finds what the task started and costs nothing,
# hence more retries and a short first delay.
DEFERRABLE_TASK_ARGS: Final[dict[str, Any]] = {
    "deferrable": True,
    "pool": POOL,
    "retries": 4,
    "retry_delay": timedelta(seconds=5),
}

# Looking again costs nothing, and an endpoint that nobody looks after is paid for.
ENDPOINT_TASK_ARGS: Final[dict[str, Any]] = {"retries": 8, "retry_delay": timedelta(seconds=5)}

# Airflow puts in the Param `day`; a DAG whose source has no day has none.
DAY_OF_RUN: Final = "{{ params.get('day') or '' }}"

# What the UI shows instead of the map index.
BATCH_OF_JOB: Final = "{{ task.batch_name }}"
BATCH_OF_LOAD: Final = "{{ task.batch['name'] }}"

APPROVAL: Final = "approve_cost"
"""The task that asks a person about the cost."""


def of_spec(spec: ClassifierSpec, what: str) -> dict[str, Any]:
    """
    Return the arguments that the DAGs of a spec have in common.

    :param spec: the classifier spec.
    :param what: ``train``, ``classify`` or ``serve``.
    """
    return {
        "dag_id": f"{what}_{spec.name}",
        "dag_display_name": dag_title(what, spec.name),
        "max_active_runs": 1,
        "default_args": {**DEFAULT_ARGS, "owner": spec.owner},
        # Airflow needs a link that it can open, or none.
        "owner_links": {spec.owner: f"mailto:{spec.owner}"} if "@" in spec.owner else {},
        "on_failure_callback": failure_notices(spec) or None,
        "tags": ["nightsort", what, spec.name],
    }


def cost_approval(spec: ClassifierSpec, prepared: BaseOperator, *, night: bool) -> list[ApproveCostOperator]:
    """
    Make the task that asks a person about a cost above the budget, where the spec wants that.

    Without it, the task that makes the forecast refuses a forecast above the budget.

    :param spec: the classifier spec.
    :param prepared: the task that makes the forecast.
    :param night: whether it is that of a night; else of a training.
    :returns: the task, or an empty list.
    """
    budget, quality = spec.budget, spec.quality
    if budget.when_over == "fail":
        return []
    purpose = f"classify a day of {spec.name}" if night else f"train {spec.name}"
    users = [HITLUser(id=user.id, name=user.name) for user in budget.approvers or ()]
    return [
        ApproveCostOperator(
            task_id=APPROVAL,
            forecast=xcom_of(prepared, FORECAST_KEY),
            budget_usd=budget.run_usd if night else budget.training_usd,
            purpose=purpose,
            answer_hours=budget.answer_hours,
            approvers=users or None,
            share_sent_again=quality.max_failed_share if night and quality.retry_failed else 0.0,
            notifiers=question_notices(spec, f"the cost to {purpose}"),
        )
    ]


def approving_task(spec: ClassifierSpec) -> str | None:
    """
    Return the id of the task that asks a person about the cost; None where nobody is asked.

    :param spec: the classifier spec.
    """
    return APPROVAL if spec.budget.when_over == "ask" else None


def paying(spec: ClassifierSpec) -> dict[str, Any]:
    """
    Return the arguments of a task that pays: it starts nothing without the approval that the spec wants.

    :param spec: the classifier spec.
    """
    approval = approving_task(spec)
    return {"pre_execute": require_approval(approval)} if approval else {}


def timetable(spec: ClassifierSpec) -> CronDataIntervalTimetable | EveryDayTimetable | None:
    """Return the schedule of the nightly DAG; None where it is started only by hand."""
    if spec.schedule is None:
        return None
    if one_run_per_day(spec.schedule, spec.incoming.template):
        from nightsort_airflow.timetables import EveryDayTimetable

        return EveryDayTimetable(spec.schedule, spec.timezone)
    return CronDataIntervalTimetable(spec.schedule, timezone=spec.timezone)


def endpoint_params(classifier: str) -> dict[str, Param]:
    """
    Make the Params of a run by hand that opens or closes an endpoint.

    :param classifier: the name of the spec.
    """
    return {
        "open_hours": Param(
            None,
            title="Hours",
            description="How long the endpoint stays open, also outside of its hours. Left empty: until its "
            "hours end, or one hour outside of them.",
            type=["null", "number"],
            exclusiveMinimum=0,
            maximum=24,
        ),
        "close": Param(
            False, title="Close", description=f"Close the endpoint of {classifier} now.", type="boolean"
        ),
    }


def with_endpoint(specs: Iterable[ClassifierSpec]) -> Iterator[tuple[ClassifierSpec, RealTime]]:
    """
    Yield the specs that have ``real_time``, each with it.

    :param specs: all specs.
    """
    for spec in specs:
        if spec.real_time is not None:
            yield spec, spec.real_time


def opening_hours(spec: ClassifierSpec, real_time: RealTime) -> Any:
    """
    Return the schedule of openings and closings of an endpoint.

    :param spec: the classifier spec.
    :param real_time: its ``real_time``.
    """
    from nightsort_airflow.timetables import OpeningHoursTimetable

    return OpeningHoursTimetable(real_time.hours, real_time.days, spec.timezone)


def set_params(dag: DAG, **params: Param) -> None:
    """
    Set a DAG's Params after its tasks are made.

    Otherwise each task copies them, and Airflow validates every copy and its schema twice per parse.

    :param dag: the DAG, with all of its tasks.
    :param params: the Params by name.
    """
    dag.params = ParamsDict(params)


def day_params(source: Source) -> dict[str, Param]:
    """
    Make the Param ``day``, where a source has a day.

    :param source: the source that the DAG reads.
    :returns: the Param by its name, or nothing.
    """
    if not has_day(source.template):
        return {}
    day = Param(
        None,
        title="Day",
        description="The day of the documents. Left empty: the last complete day.",
        type=["null", "string"],
        format="date",
    )
    return {"day": day}


def source_uri_params(source: IncomingSource) -> dict[str, Param]:
    """
    Make the Param ``source_uri``, where documents come from files.

    :param source: the incoming documents.
    :returns: the Param by its name, or nothing.
    """
    if source.uri is None:
        return {}
    places = " or ".join((fixed_folder(source.uri), *source.by_hand))
    source_uri = Param(
        None,
        title="Other documents",
        description=(
            "Classify these instead of the day's documents: a file, a prefix that ends in / or a glob, below "
            f"{places}, in the format of the spec's incoming documents."
        ),
        type=["null", "string"],
        minLength=1,
    )
    return {"source_uri": source_uri}


def training_time_limit(spec: ClassifierSpec) -> timedelta | None:
    """Return how long a training may take; None: no limit."""
    hours = spec.training_time_limit_hours
    return timedelta(hours=hours) if hours else None

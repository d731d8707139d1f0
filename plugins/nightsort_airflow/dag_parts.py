"""What the DAG files share: default arguments, Params, schedule and the approval of the cost."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from airflow.sdk import CronDataIntervalTimetable, Param, XComArg
from airflow.sdk.definitions.param import ParamsDict

from nightsort.comprehend.limits import POOL
from nightsort_airflow.alerts import question_notices
from nightsort_airflow.operators.approval import FORECAST_KEY, ApproveCostOperator
from nightsort_airflow.retries import AWS_RETRIES

if TYPE_CHECKING:
    from airflow.sdk import DAG, BaseOperator

    from nightsort.classifier_spec.model import ClassifierSpec

OWNER: Final = "nightsort"

DEFAULT_ARGS: Final[dict[str, Any]] = {
    "owner": OWNER,
    "retries": 2,
    "retry_delay": timedelta(seconds=30),
    "retry_exponential_backoff": 2.0,
    "max_retry_delay": timedelta(minutes=10),
    "retry_policy": AWS_RETRIES,
}

# A retry of a waiting task finds what it started, so it costs nothing; and Airflow 3.3 now and then fails a
# healthy deferred task. Hence more retries, and a short first delay.
DEFERRABLE_TASK_ARGS: Final[dict[str, Any]] = {
    "deferrable": True,
    "pool": POOL,
    "retries": 4,
    "retry_delay": timedelta(seconds=5),
}

# What the UI shows in place of a number.
BATCH_OF_JOB: Final = "{{ task.batch_name }}"
BATCH_OF_LOAD: Final = "{{ task.batch['name'] }}"


def xcom_of(task: BaseOperator, key: str = "return_value") -> Any:
    """
    Give what a task will give, for use as an argument of a task after it, which becomes its downstream.

    :param task: the earlier task.
    :param key: the XCom's key; without it, what the task returns.
    """
    return XComArg(task, key)


def cost_approved(
    spec: ClassifierSpec, prepared: BaseOperator, *, budget_usd: float | None, what: str
) -> BaseOperator:
    """
    Give the task after which money may be spent: one that asks a person, where the spec wants that.

    :param prepared: the task that made the forecast, and which refuses one above the budget itself where
        nobody is to be asked.
    :param budget_usd: the budget; None: no limit.
    :param what: what is paid for, as the question names it.
    """
    if spec.budget.when_over == "fail":
        return prepared
    return ApproveCostOperator(
        task_id="approve_cost",
        forecast=xcom_of(prepared, FORECAST_KEY),
        budget_usd=budget_usd,
        what=what,
        answer_hours=spec.budget.answer_hours,
        notifiers=question_notices(spec, f"the cost of {what}"),
    )


def timetable(spec: ClassifierSpec) -> CronDataIntervalTimetable | None:
    """Give the schedule of the nightly DAG; None where it is started by hand only."""
    return CronDataIntervalTimetable(spec.schedule, timezone=spec.timezone) if spec.schedule else None


def set_params(dag: DAG, **params: Param) -> None:
    """
    Give a DAG its Params, once its tasks are made.

    Each task would copy them, and Airflow checks every copy against its schema, and the schema against JSON
    Schema's, twice whenever it parses.

    :param dag: the DAG, with all of its tasks.
    """
    dag.params = ParamsDict(params)


def day_param(default: str) -> Param:
    """
    Give the Param ``day``.

    :param default: what counts where it is left empty, for the description.
    """
    return Param(
        None,
        title="Day",
        description=f"The day that replaces {{day}} in the source, as YYYY-MM-DD. Left empty: {default}.",
        type=["null", "string"],
        format="date",
    )


def source_uri_param() -> Param:
    """Give the Param ``source_uri``."""
    return Param(
        None,
        title="Source URI",
        description=(
            "Classify these documents instead of the spec's incoming ones: a file, a prefix that ends in / "
            "or a glob, "
            "in the spec's incoming format, for instance s3://bucket/export/*.csv."
        ),
        type=["null", "string"],
        minLength=1,
    )


def training_time_limit(spec: ClassifierSpec) -> timedelta | None:
    """Give how long a training may take; None: as long as it likes."""
    hours = spec.training_time_limit_hours
    return timedelta(hours=hours) if hours else None

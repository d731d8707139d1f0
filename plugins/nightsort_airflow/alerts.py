"""
Call the notifiers of a spec for failed runs, warnings, late nights and pending approvals.

The DAG processor calls them for failed runs, a worker for the rest. Airflow imports this module and the
notifiers there, so they must be in ``plugins/`` or installed, not in the DAGs folder.
"""

from __future__ import annotations

import inspect
import logging
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseNotifier
from airflow.sdk.definitions.callback import SyncCallback
from airflow.sdk.definitions.deadline import DeadlineAlert
from airflow.sdk.module_loading import import_string  # type: ignore[attr-defined]  # documented so

from nightsort_airflow.deadlines import NightLoadedBy

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from airflow.sdk import Context

    from nightsort.classifier_spec.model import ClassifierSpec, Notifier


log = logging.getLogger(__name__)


def failure_notices(spec: ClassifierSpec) -> list[Callable[[Context], None]]:
    """Return the callbacks for a DAG's ``on_failure_callback``, one for each notifier of the spec."""
    return [FailureNotice(spec.name, notifier) for notifier in spec.notifiers]


def question_notices(spec: ClassifierSpec, what: str) -> list[BaseNotifier]:
    """
    Return the notifiers of a task that asks a person, one for each notifier of the spec.

    :param spec: the classifier spec.
    :param what: what is asked for, for instance ``"the cost to train tickets"``.
    """
    return [QuestionNotice(spec.name, notifier, what) for notifier in spec.notifiers]


def late_alerts(spec: ClassifierSpec) -> list[DeadlineAlert]:
    """
    Return the alerts for the nightly DAG's ``deadline``, one for each notifier; none without ``loaded_by``.

    The executor calls them, not the triggerer, because there a notifier needs only the synchronous ``notify``
    that it needs for a failure too. All notifiers of the providers have it.
    """
    if spec.loaded_by is None:
        return []
    return [
        DeadlineAlert(
            name=f"loaded by {spec.loaded_by} ({notifier.import_path.rpartition('.')[2]})",
            reference=NightLoadedBy(spec.loaded_by, spec.timezone),
            interval=timedelta(0),
            callback=SyncCallback(
                notify_late,
                kwargs={
                    "classifier": spec.name,
                    "loaded_by": f"{spec.loaded_by} ({spec.timezone})",
                    "import_path": notifier.import_path,
                    "arguments": notifier.arguments,
                },
            ),
        )
        for notifier in spec.notifiers
    ]


@dataclass(frozen=True)
class FailureNotice:
    """
    Notify one notifier that a run has failed.

    :param classifier: the spec's name.
    :param notifier: the notifier as the spec has it.
    """

    classifier: str
    notifier: Notifier

    def __call__(self, context: Context) -> None:
        """Call the notifier. Airflow logs an error of it, and calls the next one."""
        # If no task instance led to the failure, the context has only the DAG, the run's id and the reason.
        dag_id = context["dag"].dag_id
        dag_run = context.get("dag_run") or {"dag_id": dag_id, "run_id": context["run_id"]}
        task = context.get("ti")
        where = f", the last task was {task.task_id}" if task else ""
        message = f"Run {context['run_id']} of {dag_id} failed ({context.get('reason')}){where}: see its log."
        notice = {"event": "failed", "classifier": self.classifier, "message": message}
        _notify(self.notifier.import_path, self.notifier.arguments, {**context, "dag_run": dag_run}, notice)


class QuestionNotice(BaseNotifier):
    """
    Notify one notifier that a task waits for a person's answer.

    :param classifier: the spec's name.
    :param notifier: the notifier as the spec has it.
    :param what: what is asked for.
    """

    def __init__(self, classifier: str, notifier: Notifier, what: str) -> None:
        super().__init__()
        self.classifier = classifier
        self.notifier = notifier
        self.what = what

    def notify(self, context: Context) -> None:
        """Call the notifier. An error of it is logged, and the question still waits."""
        run = context["dag_run"]
        message = (
            f"Run {run.run_id} of {run.dag_id} waits for an approval of {self.what}: "
            "see Required Actions in Airflow."
        )
        notice = {"event": "question", "classifier": self.classifier, "message": message}
        _notify_or_log(self.notifier, context, notice)


def notify_warning(spec: ClassifierSpec, context: Context, warning: str) -> None:
    """
    Notify each notifier of a spec that a run succeeds with a warning. An error of a notifier is logged.

    :param spec: the classifier spec.
    :param context: the task's context.
    :param warning: what is wrong, as a sentence without a full stop.
    """
    run = context["dag_run"]
    message = f"Run {run.run_id} of {run.dag_id} has a warning. {warning}."
    notice = {"event": "warning", "classifier": spec.name, "message": message}
    for notifier in spec.notifiers:
        _notify_or_log(notifier, context, notice)


def notify_late(
    context: Mapping[str, Any],
    classifier: str,
    loaded_by: str,
    import_path: str,
    arguments: Mapping[str, Any],
) -> None:
    """
    Notify one notifier that a night is late.

    :param context: what Airflow passes to the callback of a deadline: ``dag_run`` and ``deadline``, as dicts.
    :param classifier: the spec's name.
    :param loaded_by: the time that was missed, for the message.
    :param import_path: the notifier's class.
    :param arguments: its arguments.
    """
    run = context["dag_run"]
    notice = {
        "event": "late",
        "classifier": classifier,
        "message": (
            f"The predictions of {classifier} are late: they were due by {loaded_by}, but run "
            f"{run['dag_run_id']} of {run['dag_id']} is {run['state']}."
        ),
    }
    _notify(import_path, arguments, {**context, "dag_run": {**run, "run_id": run["dag_run_id"]}}, notice)


def notifier_problem(notifier: Notifier) -> str | None:
    """
    Return why Airflow could not call a notifier; None if it can. Its constructor is not called.

    :param notifier: the notifier as the spec has it.
    """
    path = notifier.import_path
    try:
        found = import_string(path)
    except ImportError as error:
        return f"{path} cannot be imported here ({error}); correct the path, or install its package"
    if not (inspect.isclass(found) and issubclass(found, BaseNotifier)):
        return f"{path} is not an Airflow notifier; name a subclass of airflow.sdk.BaseNotifier"
    if found.notify is BaseNotifier.notify:
        return f"{path} has no synchronous notify(); name a notifier that has one"
    try:
        inspect.signature(found).bind(**notifier.arguments)
    except TypeError as error:
        return f"{path} does not take these arguments: {error}"
    return None


def _notify_or_log(notifier: Notifier, context: Context, notice: Mapping[str, str]) -> None:
    """Call a notifier in a task, which must not fail for it: it would be retried, and notify again."""
    try:
        _notify(notifier.import_path, notifier.arguments, context, notice)
    except Exception:  # Whatever a notifier raises.
        log.exception("The notifier failed: %s", notifier.import_path)


def _notify(
    import_path: str, arguments: Mapping[str, Any], context: Mapping[str, Any], notice: Mapping[str, str]
) -> None:
    notifier = import_string(import_path)(**arguments)
    # One key for all of ours, because a notifier adds its own fields to the context, for instance `message`.
    notifier({**context, "nightsort": notice})

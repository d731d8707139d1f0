"""
Tells the notifiers that a spec names of runs that failed, of nights that are late and of questions that wait.

A failed run is told by the DAG processor, the others by a worker: Airflow imports this module and the
notifiers there, so they lie in ``plugins/`` or are installed, never in the DAGs folder.
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

    :param what: what is asked for, for instance ``"the cost of this night"``.
    """
    return [QuestionNotice(spec.name, notifier, what) for notifier in spec.notifiers]


def late_alerts(spec: ClassifierSpec) -> list[DeadlineAlert]:
    """
    Return the alerts for the nightly DAG's ``deadline``, one for each notifier; none without ``loaded_by``.

    They are called in the executor, not in the triggerer: there the notifiers need the same synchronous
    ``notify`` as for a failure, which all of the providers' notifiers have.
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
    Tells one notifier that a run has failed.

    :param classifier: the spec's name.
    :param notifier: who is told.
    """

    classifier: str
    notifier: Notifier

    def __call__(self, context: Context) -> None:
        """Tell it; Airflow logs what goes wrong with that, and calls the next one."""
        # Where no task instance led to the failure, Airflow gives the DAG, the run's id and the reason alone.
        dag_id = context["dag"].dag_id
        dag_run = context.get("dag_run") or {"dag_id": dag_id, "run_id": context["run_id"]}
        task = context.get("ti")
        where = f", the last task was {task.task_id}" if task else ""
        message = f"Run {context['run_id']} of {dag_id} failed ({context.get('reason')}){where}: see its log."
        told = {"event": "failed", "classifier": self.classifier, "message": message}
        _notify(self.notifier.import_path, self.notifier.arguments, {**context, "dag_run": dag_run}, told)


class QuestionNotice(BaseNotifier):
    """
    Tells one notifier that a task waits for a person's answer.

    :param classifier: the spec's name.
    :param notifier: who is told.
    :param what: what is asked for.
    """

    def __init__(self, classifier: str, notifier: Notifier, what: str) -> None:
        super().__init__()
        self.classifier = classifier
        self.notifier = notifier
        self.what = what

    def notify(self, context: Context) -> None:
        """Tell it; what goes wrong with that is logged, and the question waits all the same."""
        run = context["dag_run"]
        message = (
            f"Run {run.run_id} of {run.dag_id} waits until somebody approves {self.what}, "
            "under Required Actions in Airflow."
        )
        told = {"event": "question", "classifier": self.classifier, "message": message}
        try:
            _notify(self.notifier.import_path, self.notifier.arguments, context, told)
        except Exception:  # Whatever a foreign notifier raises: Airflow would ask again and tell nobody.
            log.exception("%s could not be told of the question", self.notifier.import_path)


def notify_late(
    context: Mapping[str, Any],
    classifier: str,
    loaded_by: str,
    import_path: str,
    arguments: Mapping[str, Any],
) -> None:
    """
    Tell one notifier that a night is late.

    :param context: what Airflow gives to the callback of a deadline: ``dag_run`` and ``deadline``, as dicts.
    :param classifier: the spec's name.
    :param loaded_by: the time that was missed, for the message.
    :param import_path: the notifier's class.
    :param arguments: its arguments.
    """
    run = context["dag_run"]
    told = {
        "event": "late",
        "classifier": classifier,
        "message": (
            f"The predictions of {classifier} were to be loaded by {loaded_by}, but run "
            f"{run['dag_run_id']} of {run['dag_id']} is {run['state']}."
        ),
    }
    _notify(import_path, arguments, {**context, "dag_run": {**run, "run_id": run["dag_run_id"]}}, told)


def notifier_problem(notifier: Notifier) -> str | None:
    """
    Say why Airflow could not call a notifier, or nothing; its constructor is not called.

    :param notifier: a notifier as the spec has it.
    """
    path = notifier.import_path
    try:
        found = import_string(path)
    except ImportError as error:
        return f"{path} cannot be imported here ({error}); correct the path, or install its package"
    if not (inspect.isclass(found) and issubclass(found, BaseNotifier)):
        return f"{path} is no Airflow notifier; name a subclass of airflow.sdk.BaseNotifier"
    if found.notify is BaseNotifier.notify:
        return f"{path} has no synchronous notify(); name a notifier that has one"
    try:
        inspect.signature(found).bind(**notifier.arguments)
    except TypeError as error:
        return f"{path} does not take these arguments: {error}"
    return None


def _notify(
    import_path: str, arguments: Mapping[str, Any], context: Mapping[str, Any], told: Mapping[str, str]
) -> None:
    notifier = import_string(import_path)(**arguments)
    # One name for all that is ours: a notifier adds its own fields to the context under their names, and
    # `message` is one of several of them.
    notifier({**context, "nightsort": told})

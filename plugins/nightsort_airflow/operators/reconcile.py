"""The operator that counts what became of a run's documents."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from nightsort.naming import JobName, batch_job_base
from nightsort_airflow.alerts import notify_warning
from nightsort_airflow.exceptions import RunIncompleteError, logged
from nightsort_airflow.job_xcom import FAILED_JOBS
from nightsort_airflow.metrics import send_night, send_unsent_night
from nightsort_airflow.operators.approval import REFUSAL_KEY
from nightsort_airflow.operators.batch_job import NOTE_KEY
from nightsort_airflow.operators.small_nights import way_of_run
from nightsort_airflow.operators.spec_operator import SpecOperator
from nightsort_airflow.run_day import run_key_of
from nightsort_airflow.run_xcoms import PREPARED_KEY, RUN_KEY, airflow_run, approved, pulled

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from airflow.sdk import Context


class ReconcileRunOperator(SpecOperator):
    """
    Load what was not sent, count the run's rows, and fail if a document is missing or too many have no label.

    What was not sent are the rejects, and with ``reuse.days`` the documents whose texts the version had
    classified in earlier runs.

    The counts come from the table and become the run's row. The task has to run whether or not all batches
    were loaded (trigger rule ``all_done``), so it reads the XComs of the other tasks itself. The return value
    is the counts, which an outlet that is an asset gets as event.

    More rejected or failed documents than the spec's ``quality`` allows fail the task after everything is
    loaded. With ``when_over: warn`` they are a warning, and the spec's notifiers are called. A night whose
    labels drifted is a warning in the log; with ``drift: notify`` the notifiers are called.

    The figures of the newest night, also of one that fails, go to Airflow's metrics
    (:mod:`nightsort_airflow.metrics`).

    :param spec: The classifier spec.
    :param prepare_task_id: The task of
        :class:`~nightsort_airflow.operators.classification.PrepareBatchesOperator`.
    :param job_task_ids: The mapped tasks that run the jobs.
    :param load_task_ids: The mapped tasks of
        :class:`~nightsort_airflow.operators.classification.LoadPredictionsOperator`: first that of the
        batches, then that of the retries.
    :param retry_task_id: The task of
        :class:`~nightsort_airflow.operators.failed_documents.PrepareRetriesOperator`.
    :param approve_task_id: The task that asks a person about the cost. (default: None: there is none)
    """

    def __init__(
        self,
        *,
        prepare_task_id: str,
        job_task_ids: Sequence[str],
        load_task_ids: Sequence[str],
        retry_task_id: str,
        approve_task_id: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.prepare_task_id = prepare_task_id
        self.job_task_ids = list(job_task_ids)
        self.load_task_ids = list(load_task_ids)
        self.retry_task_id = retry_task_id
        self.approve_task_id = approve_task_id

    def execute(self, context: Context) -> dict[str, Any]:
        """Count the rows; return the counts, or fail and say what is missing."""
        from nightsort.batches.prepare import PreparedBatches
        from nightsort.tables.runs import RunProblemError, finish_run
        from nightsort.tables.unsent import load_rejects, load_reused

        (run,) = pulled(context, [self.prepare_task_id], RUN_KEY) or [None]
        (prepared,) = pulled(context, [self.prepare_task_id], PREPARED_KEY) or [None]
        if not run or not prepared:
            self._nothing_was_sent(context, self.prepare_task_id)
        if self.approve_task_id and not pulled(context, [self.approve_task_id]):
            self._nothing_was_sent(context, self.approve_task_id)
        self.written_to = self.spec.layout.run(run["run_key"]).uri
        loaded = self._loaded_batches(context, run)
        with self.fail_on_input_errors(f"reconcile run {run['run_key']}"), self.database() as connection:
            rejects_path = self.access.path(prepared["rejects_uri"])
            load_rejects(connection, spec=self.spec, run_key=run["run_key"], rejects_path=rejects_path)
            batches = PreparedBatches.from_dict(prepared)
            load_reused(
                connection, spec=self.spec, access=self.access, version=run["version"], prepared=batches
            )
            try:
                counts = finish_run(
                    connection,
                    spec=self.spec,
                    run_key=run["run_key"],
                    version=run["version"] if batches.batches or batches.reused else None,
                    prepared=batches,
                    source_uri=run["source_uri"],
                    started_at=context["dag_run"].start_date,
                    jobs=loaded,
                    failed_jobs=self._failed_jobs(context),
                    retries=self._prepared_retries(context),
                    airflow_run=airflow_run(context),
                    approved=approved(context, self.approve_task_id),
                    way=way_of_run(run, self._mapped(context), loaded, self._notes(context)),
                    access=self.access,
                )
            except RunProblemError as error:
                send_night(connection, self.spec, run["run_key"])
                raise RunIncompleteError(f"{error}.") from None
            send_night(connection, self.spec, run["run_key"])
        if counts.warning:
            self.log.warning("%s.", counts.warning)
            notify_warning(self.spec, context, counts.warning)
        if counts.drift and self.spec.drift == "notify":
            notify_warning(self.spec, context, counts.drift.rstrip("."))
        summary = {key: value for key, value in counts.to_dict().items() if key != "batches"}
        self.add_outlet_extra(context, {**summary, "version": run["version"], "day": run["day"]})
        return summary

    def _nothing_was_sent(self, context: Context, task_id: str) -> NoReturn:
        """Fail a run of which nothing was sent, and say why, as its row does."""
        from nightsort.tables.run_rows import fail_run

        (refusal,) = pulled(context, [task_id], REFUSAL_KEY) or ["see its log"]
        message = f"Nothing was sent, because {task_id} did not succeed: {refusal}."
        with self.database() as connection:
            recorded = fail_run(
                connection, classifier=self.spec.name, airflow_run=airflow_run(context), message=message
            )
            key = run_key_of(context["dag_run"], self.spec.timezone)
            send_unsent_night(connection, self.spec.name, airflow_run(context), key)
        if recorded is not None and recorded != message:
            message = f"Nothing was sent, because {task_id} did not succeed: {recorded}"
        raise logged(RunIncompleteError(message))

    def _loaded_batches(self, context: Context, run: dict[str, Any]) -> dict[str, dict[str, Any]]:
        """Return what this run loaded, by batch.

        A task that failed has no XCom. One that was cleared and did not start again may have that of an
        earlier version, or of a retry whose batch was not loaded again.
        """
        first, *of_retries = self.load_task_ids
        loaded = self._of_version(pulled(context, [first]), run)
        retried = self._of_version(pulled(context, of_retries), run)
        return {**loaded, **{batch: job for batch, job in retried.items() if batch in loaded}}

    def _of_version(self, loads: Iterable[dict[str, Any]], run: dict[str, Any]) -> dict[str, dict[str, Any]]:
        found = {}
        for load in loads:
            retries = load["retries"]
            job, name = (retries[-1], retries[-1]["name"]) if retries else (load["job"], load["batch"])
            if self._is_of(run, job, name):
                found[load["batch"]] = {**load["job"], **({"retries": retries} if retries else {})}
        return found

    def _is_of(self, run: dict[str, Any], job: dict[str, Any], batch: str) -> bool:
        """Whether the run's version classified a batch or a retry."""
        if not job["job_name"]:
            answers = self.spec.layout.run(run["run_key"]).answers(batch, run["version"])
            return str(job["output_uri"]).startswith(answers)
        parsed = JobName.parse(job["job_name"])
        return parsed is not None and parsed.base == batch_job_base(self.spec.name, run["version"], batch)

    def _mapped(self, context: Context) -> list[dict[str, Any]]:
        """Return what the batches of the run were sent with."""
        (mapped,) = pulled(context, [self.prepare_task_id]) or [[]]
        return list(mapped)

    def _notes(self, context: Context) -> list[str]:
        """Return what became of batches that were to go through the endpoint, where a job had to help."""
        return [str(note) for note in pulled(context, self.job_task_ids, NOTE_KEY)]

    def _failed_jobs(self, context: Context) -> list[dict[str, Any]]:
        """Return the jobs that failed, also those of tasks that succeeded in the end."""
        return [job for jobs in pulled(context, self.job_task_ids, FAILED_JOBS) for job in jobs]

    def _prepared_retries(self, context: Context) -> dict[str, list[str]]:
        """Return what this run prepared to be sent again, by batch."""
        (mapped,) = pulled(context, [self.retry_task_id]) or [[]]
        return {each["batch"]["name"]: [each["batch"]["retry"]["name"]] for each in mapped}

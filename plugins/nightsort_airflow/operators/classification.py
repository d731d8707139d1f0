"""The operators of the DAG ``classify_<name>``."""

from __future__ import annotations

import os
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk.configuration import conf
from airflow.sdk.exceptions import AirflowException

from nightsort.naming import run_key
from nightsort.wording import number_of, with_reasons
from nightsort_airflow.alerts import notify_warning
from nightsort_airflow.aws_errors import SMALL_NIGHTS_POLICY
from nightsort_airflow.comprehend_requests import batch_job
from nightsort_airflow.dag_docs import dag_title
from nightsort_airflow.earlier_work import EarlierWork
from nightsort_airflow.exceptions import BadInputError, NoActiveVersionError
from nightsort_airflow.operators.approval import FORECAST_KEY, forecast_xcom
from nightsort_airflow.operators.small_nights import sending
from nightsort_airflow.operators.spec_operator import SpecOperator
from nightsort_airflow.run_day import refuse_unknown_keys, resolve_run_day
from nightsort_airflow.run_xcoms import JOB_KEYS, PREPARED_KEY, RETRY_KEYS, RUN_KEY, airflow_run

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from airflow.sdk import Context

    from nightsort.tables.versions import ClassifierVersion
    from nightsort_airflow.operators.small_nights import Sending


class PrepareBatchesOperator(SpecOperator):
    """
    Write a day's documents as the batches of a run, and forecast their cost before any job is started.

    The run has its row in ``classification_runs`` from the beginning. If preparing fails, the row says why.
    A run without any file is what ``no_files`` in the spec says: the notifiers are called, or the task fails.

    A forecast above ``budget.run_usd`` fails the task, unless the spec has ``when_over: ask`` or all of it is
    classified and loaded already.

    A night with fewer texts to send than ``batch.endpoint_below`` goes through the classifier's endpoint
    where that is open with the active version: such batches are not billed, so the forecast and the budget
    leave them out. This is decided once, and the row says why. The endpoint is never opened for a night.

    The operator reads the active version, which stays the version of the run even if another one is promoted
    meanwhile. With ``reuse.days`` in the spec, documents whose texts this version has classified in earlier
    runs are in no batch: :class:`~nightsort_airflow.operators.reconcile.ReconcileRunOperator` loads them.

    The return value is a list with one dict per batch, the arguments of the mapped task group: ``batch`` (for
    :class:`LoadPredictionsOperator`; with ``retries``, which earlier runs of the day loaded, and ``again``,
    whether failed documents may be sent again) and ``job`` (for :class:`StartBatchJobOperator`). There are
    three more XComs: ``run`` (``run_key``, ``day``, ``version``, ``arn``, ``source_uri``; with
    ``batch.endpoint_below`` also ``way`` and ``way_why``), ``prepared`` (the
    dict of :class:`nightsort.batches.prepare.PreparedBatches`) and ``forecast`` (for
    :class:`~nightsort_airflow.operators.approval.ApproveCostOperator`).

    :param spec: The classifier spec.
    :param day: The day to classify, as YYYY-MM-DD. (default: the day of a scheduled run's data interval,
        otherwise the last complete day) (templated)
    :param source_uri: Documents to classify instead of the day's documents, below the folder of the spec's
        incoming documents or a prefix of ``incoming.by_hand``. (default: None) (templated)
    """

    endpoint_policy = SMALL_NIGHTS_POLICY
    template_fields: Sequence[str] = ("day", "source_uri")

    def __init__(self, *, day: str | None = None, source_uri: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.day = day
        self.source_uri = source_uri

    def execute(self, context: Context) -> list[dict[str, Any]]:
        """Write the batches; return one dict per batch."""
        refuse_unknown_keys(context)
        day = resolve_run_day(context, given=self.day, timezone=self.spec.timezone)
        self.log.info("Day: %s (%s)", day, self.spec.timezone)
        source_uri = self.source_uri or None
        run = {"run_key": run_key(day, source_uri), "day": day.isoformat(), "source_uri": source_uri}
        self._record_start(context, run)
        try:
            with self.fail_on_input_errors(f"prepare the batches of run {run['run_key']}"):
                return self._prepare(context, day, run)
        except Exception as error:
            self._record_failure(context, error)
            raise

    def _record_start(self, context: Context, run: dict[str, Any]) -> None:
        from nightsort.tables.run_rows import start_run

        with self.fail_on_input_errors(f"begin run {run['run_key']}"), self.database() as connection:
            start_run(
                connection,
                classifier=self.spec.name,
                run_key=run["run_key"],
                airflow_run=airflow_run(context),
                source_uri=run["source_uri"],
                started_at=context["dag_run"].start_date,
            )

    def _prepare(self, context: Context, day: date, run: dict[str, Any]) -> list[dict[str, Any]]:
        from nightsort.batches.prepare import prepare_batches
        from nightsort.classifier_spec.model import load_specs, spec_folders
        from nightsort.sources.by_hand import check_source_uri
        from nightsort.sources.source_files import source_of_day
        from nightsort.tables.reuse import empty_dropped, runs_to_reuse

        if run["source_uri"]:
            specs = load_specs(spec_folders(os.environ)).specs.values()
            check_source_uri(self.spec, run["source_uri"], day, self.access, others=specs)
        active = self._active()
        earlier = EarlierWork(self.spec, run["run_key"], active.version)
        with self.database() as connection:
            connection.autocommit = True
            earlier.read(connection)
            empty_dropped(connection, self.spec, self.access, run["run_key"])
            runs = runs_to_reuse(
                connection, self.spec, self.access, version=active.version, run_key=run["run_key"]
            )
        prepared = prepare_batches(
            self.spec,
            self.access,
            run_key=run["run_key"],
            day=day,
            source_uri=run["source_uri"],
            started=partial(earlier.started_of, self.access, self.database),
            version=active.version,
            runs=runs,
            progress=self.log_progress,
        )
        self.written_to = self.spec.layout.run(prepared.run_key).uri
        self.written_rows = prepared.documents_sent
        sent = [batch for batch in prepared.batches if batch.documents]
        self._check_mapped_tasks(len(sent))
        ways = sending(self.spec, active.arn, prepared, earlier)
        self._record_forecast(run, ways)
        self.refuse_over_budget(ways.forecast, self.spec.budget.run_usd)
        self.log.info(
            "Run %s with version %s: %s%s in, %s rejected%s, %s to classify. %s",
            run["run_key"],
            active.version,
            "" if prepared.files is None else f"files: {prepared.files}, ",
            number_of(prepared.documents_in, "document"),
            f"{prepared.rejected:,}",
            f" ({with_reasons(prepared.reject_counts)})" if prepared.reject_counts else "",
            number_of(len(sent), "batch", "batches"),
            ways,
        )
        run = {**run, "version": active.version, "arn": active.arn, **(ways.way or {})}
        context["ti"].xcom_push(key=RUN_KEY, value=run)
        context["ti"].xcom_push(key=FORECAST_KEY, value={**forecast_xcom(ways.forecast), "text": str(ways)})
        context["ti"].xcom_push(key=PREPARED_KEY, value=prepared.to_dict())
        if prepared.files == 0 and self.spec.no_files == "warn":
            where = source_of_day(self.spec.incoming, day, run["source_uri"]).uri
            notify_warning(self.spec, context, f"There is no file at {where}")
        again = self.spec.quality.retry_failed
        return [
            {
                "batch": {
                    **batch.to_dict(),
                    "retries": earlier.retries_of(batch.name, self.access),
                    "again": again or batch.name in earlier.loaded,
                },
                "job": {
                    **batch_job(self.spec, run, batch.to_dict()),
                    **ways.endpoint_of(self.spec, run, batch),
                },
            }
            for batch in sent
        ]

    def _record_forecast(self, run: dict[str, Any], ways: Sending) -> None:
        from nightsort.tables.run_rows import record_forecast

        with self.database() as connection:
            record_forecast(
                connection,
                classifier=self.spec.name,
                run_key=run["run_key"],
                units=ways.forecast.units,
                usd=ways.forecast.usd,
                way=ways.way,
            )

    def _check_mapped_tasks(self, batches: int) -> None:
        """Refuse more batches than Airflow maps. Airflow itself would retry first, and name no remedy."""
        most = conf.getint("core", "max_map_length", fallback=1024)
        if batches > most:
            raise BadInputError(
                f"{batches:,} batches are more than the {most:,} that this Airflow maps. Raise "
                f"[core] max_map_length, or batch.max_documents ({self.spec.batch.max_documents:,}) or "
                f"batch.max_bytes ({self.spec.batch.max_bytes:,}) in the spec, or use a smaller source."
            )

    def _active(self) -> ClassifierVersion:
        from nightsort.tables.versions import active_version

        with self.database() as connection:
            active = active_version(connection, self.spec.name)
        if active is None:
            raise NoActiveVersionError(
                f"{self.spec.name} has no active version yet. Run the DAG train_{self.spec.name} "
                f"({dag_title('train', self.spec.name)}) first, then clear this task."
            )
        return active

    def _record_failure(self, context: Context, error: Exception) -> None:
        from nightsort.errors import NightsortError
        from nightsort.tables.run_rows import fail_run

        # Messages of other libraries may hold what they read.
        ours = isinstance(error, (AirflowException, NightsortError))
        message = str(error) if ours else f"{type(error).__name__}: see the log of {self.task_id}"
        try:
            with self.database() as connection:
                fail_run(
                    connection, classifier=self.spec.name, airflow_run=airflow_run(context), message=message
                )
        except Exception as problem:  # The first error is the one to report.
            self.log.warning("The failure is not in the run's row: %s", type(problem).__name__)


class LoadPredictionsOperator(SpecOperator):
    """
    Load what a job or an endpoint said of a batch into ``predictions``: one row for every document of it.

    If `batch` has a ``retry``, the job is that of documents that were sent again. Their results replace the
    first ones. With ``reuse.days`` in the spec, the results are kept by the hashes of their texts, so that
    later runs can use them again.

    A repeated load leaves the same rows. The return value is the dict of
    :class:`nightsort.results.join.LoadCounts`, with ``batch`` (its name), ``job`` (``job_id``, ``job_name``,
    the times, and where its output is) and ``retries`` (the same of each retry, with its name, documents and
    units).

    :param spec: The classifier spec.
    :param run: The XCom ``run`` of :class:`PrepareBatchesOperator`. (templated)
    :param batch: The batch, from :class:`PrepareBatchesOperator` or
        :class:`~nightsort_airflow.operators.failed_documents.PrepareRetriesOperator`. (templated)
    :param job: The result of the operator that ran the job. (templated)
    """

    template_fields: Sequence[str] = ("run", "batch", "job")
    template_fields_renderers: ClassVar[dict[str, str]] = {"run": "json", "batch": "json", "job": "json"}

    def __init__(
        self, *, run: dict[str, Any], batch: dict[str, Any], job: dict[str, Any], **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.run = run
        self.batch = batch
        self.job = job

    def execute(self, context: Context) -> dict[str, Any]:
        """Load the rows; return their counts."""
        from nightsort.results.retry import JobOutput
        from nightsort.tables.load import load_predictions

        name, key = self.batch["name"], self.run["run_key"]
        job: dict[str, Any] = {part: self.job[part] for part in (*JOB_KEYS, "source") if part in self.job}
        retries = list(self.batch["retries"])
        if retry := self.batch.get("retry"):
            retries.append({**{part: retry[part] for part in RETRY_KEYS}, **job})
            job = self.batch["job"]
        folder = self.spec.layout.run(key)
        outputs: list[dict[str, Any]] = [{**job, "name": name}, *retries]
        first, *again = (JobOutput.of(folder, self.access, output) for output in outputs)
        with self.fail_on_input_errors(f"load batch {name}"), self.database() as connection:
            counts = load_predictions(
                connection,
                spec=self.spec,
                version=self.run["version"],
                run_key=key,
                batch=name,
                archive=first.archive,
                manifest=first.manifest,
                source=first.source,
                retries=again,
                access=self.access,
            )
        self.written_rows = counts.documents
        return {**counts.to_dict(), "batch": name, "job": job, "retries": retries}


class ExportPredictionsOperator(SpecOperator):
    """
    Write a complete run's results as Parquet files, where the spec has ``export``.

    It runs after :class:`~nightsort_airflow.operators.reconcile.ReconcileRunOperator`, whose row names the
    batches and their outputs. A repeated export leaves the same files. The return value is the dict of
    :class:`nightsort.exports.Exported` with the day, which an outlet that is an asset gets as event.

    :param spec: The classifier spec.
    :param run: The XCom ``run`` of :class:`PrepareBatchesOperator`. (templated)
    """

    template_fields: Sequence[str] = ("run",)
    template_fields_renderers: ClassVar[dict[str, str]] = {"run": "json"}

    def __init__(self, *, run: dict[str, Any], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.run = run

    def execute(self, context: Context) -> dict[str, Any]:
        """Write the files; return where they are and what is in them."""
        from nightsort.exports import export_run

        key = self.run["run_key"]
        with self.fail_on_input_errors(f"export run {key}"), self.database() as connection:
            exported = export_run(
                connection, spec=self.spec, access=self.access, run_key=key, progress=self.log_progress
            )
        self.written_to, self.written_rows = exported.uri, exported.rows
        summary = {**exported.to_dict(), "day": self.run["day"]}
        self.add_outlet_extra(context, summary)
        return summary

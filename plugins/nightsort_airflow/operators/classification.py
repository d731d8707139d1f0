"""The operators of the DAG ``classify_<name>``."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk.configuration import conf

from nightsort.naming import JobName, batch_job_base, run_key
from nightsort.wording import number_of
from nightsort_airflow.alerts import notify_warning
from nightsort_airflow.comprehend_requests import output_config
from nightsort_airflow.dag_docs import dag_title
from nightsort_airflow.exceptions import BadInputError, NoActiveVersionError, RunIncompleteError
from nightsort_airflow.job_xcom import FAILED_JOBS
from nightsort_airflow.operators.approval import FORECAST_KEY, forecast_xcom
from nightsort_airflow.operators.comprehend import ComprehendStartDocumentClassificationJobOperator
from nightsort_airflow.operators.spec_operator import SpecOperator
from nightsort_airflow.run_day import refuse_unknown_keys, resolve_run_day

if TYPE_CHECKING:
    from collections.abc import Sequence

    import jinja2
    from airflow.sdk import Context

    from nightsort.batches.prepare import PreparedBatches
    from nightsort.tables.versions import ClassifierVersion

RUN_KEY = "run"
PREPARED_KEY = "prepared"
# What the run's row keeps of a job.
JOB_KEYS = ("job_id", "job_name", "submitted_at", "ended_at", "output_uri")


class PrepareBatchesOperator(SpecOperator):
    """
    Write a day's documents as the batches of a run, and forecast their cost before any job is started.

    A run without any file is what ``no_files`` in the spec says: the notifiers are called, or the task fails.
    A forecast above ``budget.run_usd`` fails the task, unless the spec has ``when_over: ask`` or all of it is
    classified and loaded already.

    The operator reads the active version, which stays the version of the run even if another one is promoted
    meanwhile.

    The return value is a list with one dict per batch, the arguments of the mapped task group: ``batch`` (for
    :class:`LoadPredictionsOperator`) and ``job`` (for :class:`StartBatchJobOperator`). There are three more
    XComs: ``run`` (``run_key``, ``day``, ``version``, ``source_uri``), ``prepared`` (the dict of
    :class:`nightsort.batches.prepare.PreparedBatches`) and ``forecast`` (for
    :class:`~nightsort_airflow.operators.approval.ApproveCostOperator`).

    :param spec: The classifier spec.
    :param day: The day to classify, as YYYY-MM-DD. (default: the day of a scheduled run's data interval,
        otherwise the last complete day) (templated)
    :param source_uri: Documents to classify instead of the day's documents, below the folder of the spec's
        incoming documents or a prefix of ``incoming.by_hand``. (default: None) (templated)
    """

    template_fields: Sequence[str] = ("day", "source_uri")

    def __init__(self, *, day: str | None = None, source_uri: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.day = day
        self.source_uri = source_uri

    def execute(self, context: Context) -> list[dict[str, Any]]:
        """Write the batches; return one dict per batch."""
        from nightsort.batches.prepare import prepare_batches
        from nightsort.classifier_spec.model import load_specs, spec_folders
        from nightsort.comprehend.prices import forecast_classification
        from nightsort.sources.by_hand import check_source_uri
        from nightsort.sources.source_files import source_of_day

        refuse_unknown_keys(context)
        day = resolve_run_day(context, given=self.day, timezone=self.spec.timezone)
        self.log.info("Day: %s (%s)", day, self.spec.timezone)
        source_uri = self.source_uri or None
        key = run_key(day, source_uri)
        with self.fail_on_input_errors(f"prepare the batches of run {key}"):
            if source_uri:
                specs = load_specs(spec_folders(os.environ)).specs.values()
                check_source_uri(self.spec, source_uri, day, self.access, others=specs)
            active = self._active()
            prepared = prepare_batches(
                self.spec,
                self.access,
                run_key=key,
                day=day,
                source_uri=source_uri,
                progress=self.log_progress,
            )
            self._check_mapped_tasks(len(prepared.batches))
            paid = self._paid_units(prepared, active)
            forecast = forecast_classification(prepared.documents_sent, prepared.units, paid_units=paid)
            self.refuse_over_budget(forecast, self.spec.budget.run_usd)
        reasons = ", ".join(f"{reason} {n}" for reason, n in prepared.reject_counts.items())
        self.log.info(
            "Run %s with version %s: %s%s in, %d rejected%s, %s to classify. %s",
            key,
            active.version,
            "" if prepared.files is None else f"files: {prepared.files}, ",
            number_of(prepared.documents_in, "document"),
            prepared.rejected,
            f" ({reasons})" if reasons else "",
            number_of(len(prepared.batches), "batch", "batches"),
            forecast,
        )
        run = {"run_key": key, "day": day.isoformat(), "version": active.version, "source_uri": source_uri}
        context["ti"].xcom_push(key=RUN_KEY, value=run)
        context["ti"].xcom_push(key=FORECAST_KEY, value=forecast_xcom(forecast))
        context["ti"].xcom_push(key=PREPARED_KEY, value=prepared.to_dict())
        if prepared.files == 0 and self.spec.no_files == "warn":
            where = source_of_day(self.spec.incoming, day, source_uri).uri
            notify_warning(self.spec, context, f"There is no file at {where}")
        batches = prepared.to_dict()["batches"]
        return [self._arguments(batch, key, active) for batch in batches]

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

    def _paid_units(self, prepared: PreparedBatches, active: ClassifierVersion) -> int:
        from nightsort.tables.runs import loaded_batches

        units = {batch.name: batch.units for batch in prepared.batches}
        with self.database() as connection:
            loaded = loaded_batches(
                connection,
                classifier=self.spec.name,
                run_key=prepared.run_key,
                batches=list(units),
            )
        return sum(units[name] for name, found in loaded.items() if found.version == active.version)

    def _arguments(self, batch: dict[str, Any], key: str, active: ClassifierVersion) -> dict[str, Any]:
        return {
            "batch": batch,
            "job": {
                "job_name": batch_job_base(self.spec.name, active.version, batch["name"]),
                "document_classifier_arn": active.arn,
                "input_data_config": {"S3Uri": batch["input_uri"], "InputFormat": self.spec.input_format},
                "output_data_config": output_config(self.spec, self.spec.layout.run(key).output),
                "input_fingerprint": batch["fingerprint"],
            },
        }


class StartBatchJobOperator(ComprehendStartDocumentClassificationJobOperator):
    """
    Run the job of a batch, at most once; what differs between batches comes as one argument.

    In each task of a mapped task group, Airflow pulls the list of all batches once for every argument. So
    this operator takes one argument instead of five.

    Further parameters are those of
    :class:`~nightsort_airflow.operators.comprehend.ComprehendStartDocumentClassificationJobOperator`.

    :param job: What differs, from :class:`PrepareBatchesOperator`: ``job_name``,
        ``document_classifier_arn``, ``input_data_config``, ``output_data_config``, ``input_fingerprint``.
        (templated)
    """

    template_fields: Sequence[str] = (
        "job",
        *ComprehendStartDocumentClassificationJobOperator.template_fields,
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {
        **ComprehendStartDocumentClassificationJobOperator.template_fields_renderers,
        "job": "json",
    }

    def __init__(self, *, job: dict[str, Any], **kwargs: Any) -> None:
        super().__init__(
            job_name="", document_classifier_arn="", input_data_config={}, output_data_config={}, **kwargs
        )
        self.job = job

    def render_template_fields(self, context: Context, jinja_env: jinja2.Environment | None = None) -> None:
        """Take the five arguments out of ``job`` once it is rendered."""
        super().render_template_fields(context, jinja_env)
        self.job_name = self.job["job_name"]
        self.document_classifier_arn = self.job["document_classifier_arn"]
        self.input_data_config = self.job["input_data_config"]
        self.output_data_config = self.job["output_data_config"]
        self.input_fingerprint = self.job["input_fingerprint"]

    @property
    def batch_name(self) -> str:
        """The batch's name, which the UI shows instead of the map index."""
        return JobName(self.job_name).batch or self.job_name


class LoadPredictionsOperator(SpecOperator):
    """
    Load the output of a batch's job into ``predictions``: one row for every document of the batch.

    A repeated load leaves the same rows. The return value is the dict of
    :class:`nightsort.results.join.LoadCounts`, with ``batch`` (its name) and ``job`` (``job_id``,
    ``job_name``, the times, and where its output is).

    :param spec: The classifier spec.
    :param run: The XCom ``run`` of :class:`PrepareBatchesOperator`. (templated)
    :param batch: The batch, from :class:`PrepareBatchesOperator`. (templated)
    :param job: The result of the operator that ran the batch's job. (templated)
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
        from nightsort.tables.load import load_predictions

        with self.fail_on_input_errors(f"load batch {self.batch['name']}"), self.database() as connection:
            counts = load_predictions(
                connection,
                spec=self.spec,
                version=self.run["version"],
                run_key=self.run["run_key"],
                batch=self.batch["name"],
                archive=self.access.path(self.job["output_uri"]),
                manifest=self.access.path(self.batch["manifest_uri"]),
            )
        job = {key: self.job[key] for key in JOB_KEYS}
        return {**counts.to_dict(), "batch": self.batch["name"], "job": job}


class ReconcileRunOperator(SpecOperator):
    """
    Load the rejects, count the run's rows, and fail if a document is missing.

    The counts come from the table and become the run's row. The task has to run whether or not all batches
    were loaded (trigger rule ``all_done``), so it reads the XComs of the other tasks itself. The return value
    is the counts, which an outlet that is an asset gets as event.

    :param spec: The classifier spec.
    :param prepare_task_id: The task of :class:`PrepareBatchesOperator`.
    :param job_task_id: The mapped task that runs the jobs.
    :param load_task_id: The mapped task of :class:`LoadPredictionsOperator`.
    """

    def __init__(self, *, prepare_task_id: str, job_task_id: str, load_task_id: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.prepare_task_id = prepare_task_id
        self.job_task_id = job_task_id
        self.load_task_id = load_task_id

    def execute(self, context: Context) -> dict[str, Any]:
        """Count the rows; return the counts, or fail and say what is missing."""
        from nightsort.batches.prepare import PreparedBatches
        from nightsort.tables.runs import CountsDoNotAddUp, finish_run, load_rejects

        run, prepared = (
            context["ti"].xcom_pull(task_ids=self.prepare_task_id, key=key) for key in (RUN_KEY, PREPARED_KEY)
        )
        if not run or not prepared:
            raise RunIncompleteError(
                f"Nothing was sent, because {self.prepare_task_id} did not finish: see its log."
            )
        jobs = self._loaded_batches(context)
        with self.fail_on_input_errors(f"reconcile run {run['run_key']}"), self.database() as connection:
            rejects_path = self.access.path(prepared["rejects_uri"])
            load_rejects(connection, spec=self.spec, run_key=run["run_key"], rejects_path=rejects_path)
            try:
                counts = finish_run(
                    connection,
                    spec=self.spec,
                    run_key=run["run_key"],
                    version=run["version"] if prepared["batches"] else None,
                    prepared=PreparedBatches.from_dict(prepared),
                    source_uri=run["source_uri"],
                    started_at=context["dag_run"].start_date,
                    jobs=jobs,
                    failed_jobs=self._failed_jobs(context),
                )
            except CountsDoNotAddUp as error:
                raise RunIncompleteError(f"{error}.") from None
        summary = {key: value for key, value in counts.to_dict().items() if key != "batches"}
        self.add_outlet_extra(context, {**summary, "version": run["version"], "day": run["day"]})
        return summary

    def _loaded_batches(self, context: Context) -> dict[str, dict[str, Any]]:
        """Return what this run loaded, by batch. A task that failed or was cleared has no XCom."""
        loaded = context["ti"].xcom_pull(task_ids=[self.load_task_id])
        return {load["batch"]: load["job"] for load in loaded if load}

    def _failed_jobs(self, context: Context) -> list[dict[str, Any]]:
        """Return the jobs that failed, also those of tasks that succeeded in the end."""
        failed = context["ti"].xcom_pull(task_ids=[self.job_task_id], key=FAILED_JOBS)
        return [job for jobs in failed for job in jobs or ()]


class ExportPredictionsOperator(SpecOperator):
    """
    Write a complete run's results as Parquet files, where the spec has ``export``.

    It runs after :class:`ReconcileRunOperator`, whose row names the batches and their outputs. A repeated
    export leaves the same files. The return value is the dict of :class:`nightsort.exports.Exported` with the
    day, which an outlet that is an asset gets as event.

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
        summary = {**exported.to_dict(), "day": self.run["day"]}
        self.add_outlet_extra(context, summary)
        return summary

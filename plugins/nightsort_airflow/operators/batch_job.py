"""The operator that classifies a batch: as a job, or through the open endpoint."""

from __future__ import annotations

import threading
from datetime import datetime, timezone
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Final

from nightsort.naming import JobName
from nightsort.wording import number_of
from nightsort_airflow.aws_errors import SMALL_NIGHTS_POLICY, fail_on_permanent_aws_errors
from nightsort_airflow.exceptions import (
    RUN_AGAIN,
    BadInputError,
    BudgetExceededError,
    ClassificationInterruptedError,
    logged,
)
from nightsort_airflow.hooks.comprehend import ComprehendClassificationHook
from nightsort_airflow.hooks.endpoint_client import REAL_TIME_CONFIG, EndpointClient
from nightsort_airflow.hooks.storage import task_access
from nightsort_airflow.job_xcom import FAILED_JOBS
from nightsort_airflow.links.comprehend import JobOutputLink
from nightsort_airflow.operators.comprehend import ComprehendStartDocumentClassificationJobOperator

if TYPE_CHECKING:
    from collections.abc import Sequence

    import jinja2
    from airflow.sdk import Context

    from nightsort.batches.plan import Batch
    from nightsort.real_time.classify import RealTimeOutput
    from nightsort.storage import Access

NOTE_KEY: Final = "endpoint_note"
"""The XCom that says what became of a batch that was to go through the endpoint, where a job had to help."""


class StartBatchJobOperator(ComprehendStartDocumentClassificationJobOperator):
    """
    Classify a batch, at most once: as a job, or through the classifier's open endpoint where ``job`` says so.

    In each task of a mapped task group, Airflow pulls the list of all batches once for every argument. So
    this operator takes one argument instead of five.

    **Through the endpoint**, the answers are stored every few seconds, so a retry asks for the rest only. A
    batch whose job was started stays with its job. If the endpoint is closed, serves another version, or
    refuses everything for a minute, a job of the same version classifies what has no answer. Where nothing
    has one, that is the job of the batch. Otherwise those documents fail, and
    :class:`~nightsort_airflow.operators.failed_documents.PrepareRetriesOperator` sends them. If a job is not
    within the budget, the task fails and says so, and what was answered is kept. The task needs a worker
    while it asks; killing it stops the requests.

    The return value of a batch that an endpoint classified is that of a job, without ``job_id``, ``job_arn``
    and ``job_name``, and with ``source`` (``endpoint``), ``asked`` (in this try), ``known`` (before it),
    ``refusals`` and ``seconds``. The XCom ``endpoint_note`` says that a job had to help, and why.

    Further parameters are those of
    :class:`~nightsort_airflow.operators.comprehend.ComprehendStartDocumentClassificationJobOperator`.

    :param job: What differs, from :class:`PrepareBatchesOperator`: ``job_name``,
        ``document_classifier_arn``, ``input_data_config``, ``output_data_config``, ``input_fingerprint``; to
        go through the endpoint also ``endpoint``: ``endpoint_arn``, ``batch`` (as a dict), ``folder`` (for
        the answers) and ``job_usd`` (what a job for texts without an answer may cost; None: no limit).
        (templated)
    """

    when_gone = RUN_AGAIN
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
        self._stop: threading.Event | None = None

    def render_template_fields(self, context: Context, jinja_env: jinja2.Environment | None = None) -> None:
        """Take the five arguments out of ``job`` once it is rendered."""
        super().render_template_fields(context, jinja_env)
        self.job_name = self.job["job_name"]
        self.document_classifier_arn = self.job["document_classifier_arn"]
        self.input_data_config = self.job["input_data_config"]
        self.output_data_config = self.job["output_data_config"]
        self.input_fingerprint = self.job["input_fingerprint"]

    def execute(self, context: Context) -> dict[str, Any]:
        """Classify the batch through the endpoint, or find or start its job; return where the output is."""
        if given := self.job.get("endpoint"):
            doing = f"classify batch {given['batch']['name']} through the endpoint"
            with fail_on_permanent_aws_errors(doing, SMALL_NIGHTS_POLICY):
                result = self._through_endpoint(context, given, doing)
            if result is not None:
                return result
        return super().execute(context)

    def on_kill(self) -> None:
        """Stop the requests to an endpoint; log that a job continues."""
        if self._stop:
            self._stop.set()
            self.log.warning("No further texts are sent to the endpoint; a second run of the task goes on")
        super().on_kill()

    def _through_endpoint(self, context: Context, given: dict[str, Any], doing: str) -> dict[str, Any] | None:
        """Return the result; None if the batch is classified by its job."""
        from nightsort.batches.plan import Batch
        from nightsort.errors import NightsortError
        from nightsort.real_time.answers import StoredAnswers
        from nightsort.real_time.classify import RealTimeOutput

        access = task_access(self.aws_conn_id)
        stored = StoredAnswers(access, given["folder"])
        try:
            if stored.is_complete():
                self.log.info("Taken over, nothing is asked: the endpoint has answered the whole batch")
                output = RealTimeOutput(stored.output_uri, self.document_classifier_arn)
                return self._result(context, output, None)
            if self.hook.find_job(str(JobName(self.job_name))):
                self.log.info("The batch stays with its job, which was started before")
                return None
            return self._asked(context, given, Batch.from_dict(given["batch"]), access)
        except NightsortError as error:
            failure = ClassificationInterruptedError if error.retryable else BadInputError
            what_to_do = "" if error.retryable else f" {self.when_gone}"
            raise logged(failure(f"Cannot {doing}: {error}.{what_to_do}")) from error
        except PermissionError as error:
            raise logged(
                BadInputError(
                    f"Cannot {doing}: {error}. Grant the connection's identity this permission; "
                    "docs/iam/airflow-policy.json lists all that are needed."
                )
            ) from None

    def _asked(
        self, context: Context, given: dict[str, Any], batch: Batch, access: Access
    ) -> dict[str, Any] | None:
        from nightsort.comprehend.prices import classification_cost, usd_text
        from nightsort.real_time.classify import classify_documents, end_early, units_left
        from nightsort.real_time.documents import batch_documents
        from nightsort.real_time.endpoint import EndpointNotInServiceError, ModelChangedError
        from nightsort.real_time.small_nights import PATIENCE_SECONDS

        began = datetime.now(timezone.utc)
        arn, folder, endpoint_arn = self.document_classifier_arn, given["folder"], given["endpoint_arn"]
        per_file = self.input_data_config.get("InputFormat") == "ONE_DOC_PER_FILE"
        documents = partial(batch_documents, batch, access, per_file=per_file)
        hook = ComprehendClassificationHook(
            aws_conn_id=self.aws_conn_id,
            region_name=self.region_name,
            verify=self.verify,
            config=REAL_TIME_CONFIG,
        )
        self._stop = threading.Event()
        try:
            output = classify_documents(
                documents(),
                EndpointClient(hook, endpoint_arn),
                access,
                folder,
                model_arn=arn,
                stop=self._stop,
                patience=PATIENCE_SECONDS,
            )
        except (EndpointNotInServiceError, ModelChangedError) as error:
            usd = classification_cost(units_left(documents(), access, folder))
            if given["job_usd"] is not None and usd > given["job_usd"]:
                raise BudgetExceededError(
                    f"{error}. A job for what has no answer would cost {usd_text(usd)}, which may bring "
                    "the night above budget.run_usd. Open the endpoint with this version, and clear this "
                    "task; or clear prepare_batches and what is downstream: the budget then decides about a "
                    f"job. What was answered is kept. Batch {batch.name}"
                ) from None
            early = end_early(documents(), access, folder, arn)
            known = early.known if early else 0
            changed = isinstance(error, ModelChangedError)
            why = "the endpoint served another version" if changed else "the endpoint did not answer"
            note = f"{why}, so {batch.lines - known:,} of {number_of(batch.lines, 'text')} were left to a job"
            self.log.warning("%s. %s", error, note)
            context["ti"].xcom_push(key=NOTE_KEY, value=note)
            return self._result(context, early, began) if early else None
        return self._result(context, output, began)

    def _result(self, context: Context, output: RealTimeOutput, began: datetime | None) -> dict[str, Any]:
        from nightsort.results.join import ENDPOINT

        self.persist_link(JobOutputLink, context, uri=output.output_uri)
        return {
            "job_id": None,
            "job_arn": None,
            "job_name": None,
            "status": "COMPLETED",
            "output_uri": output.output_uri,
            "submitted_at": began.isoformat() if began else None,
            "ended_at": datetime.now(timezone.utc).isoformat() if began else None,
            FAILED_JOBS: [],
            "source": ENDPOINT,
            "asked": output.asked,
            "known": output.known,
            "refusals": output.refusals,
            "seconds": round(output.seconds, 1),
        }

    @property
    def batch_name(self) -> str:
        """The batch's name, which the UI shows instead of the map index."""
        return JobName(self.job_name).batch or self.job_name

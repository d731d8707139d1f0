"""The operator that classifies documents through an endpoint."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.providers.amazon.aws.operators.base_aws import AwsBaseOperator
from airflow.providers.amazon.aws.utils.mixins import aws_template_fields

from nightsort.naming import version_of
from nightsort_airflow.aws_errors import fail_on_permanent_aws_errors
from nightsort_airflow.exceptions import BadInputError, ClassificationInterruptedError, logged
from nightsort_airflow.hooks.comprehend import ComprehendClassificationHook
from nightsort_airflow.hooks.endpoint_client import REAL_TIME_CONFIG, EndpointClient
from nightsort_airflow.hooks.storage import task_access
from nightsort_airflow.links.comprehend import ComprehendEndpointLink, JobOutputLink
from nightsort_airflow.waiting import ComprehendWaiting

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from airflow.sdk import Context

    from nightsort.real_time.classify import RealTimeOutput
    from nightsort.real_time.documents import Document
    from nightsort.results.join import LoadCounts
    from nightsort.storage import Access

PER_FILE = "ONE_DOC_PER_FILE"


class ComprehendClassifyDocumentsOperator(ComprehendWaiting, AwsBaseOperator[ComprehendClassificationHook]):
    """
    Classify documents through an endpoint, each at most once.

    The operator asks at the pace of the endpoint: it begins with what the inference units are documented to
    do, becomes faster while the endpoint answers, and halves its speed when the endpoint refuses. No document
    is lost, and all stay in their order. A document that Comprehend cannot classify, for instance a text of
    more than 10 KB, fails with its reason.

    ``classification_name`` says what is classified: the same name stands for the same documents. Answers are
    stored every few seconds below ``<S3Uri of the output>/<name>-<version>/``, so a retry, or a second run of
    the task, asks for the rest only. If the endpoint changes to another version meanwhile, the try fails, and
    the next one classifies with that version. The task needs a worker while it asks. Killing it stops the
    requests; what was answered is stored.

    Answers of one name are never used for another one: a text that comes again under another name, or twice
    under one, is asked about again. An endpoint is paid for by the second, so that costs time and no more.
    To use answers of earlier nights, classify by a spec with ``reuse.days``.

    The output is an ``output.tar.gz`` that reads like the output of a classification job. With
    ``db_conn_id``, the results are also loaded into the table ``predictions`` with ``source: endpoint``; a
    repeated load leaves the same rows. The id of a document is the name of its file, with ``:`` and the line
    where a file has one document per line.

    The return value is a dict: ``output_uri``, ``model_arn``, ``documents_in``, ``classified``, ``failed``,
    ``rejected`` (always 0: what cannot be sent has failed, with its reason), ``reasons``, ``asked`` (in this
    try), ``known`` (answered in earlier tries), ``refusals`` and ``seconds``.

    .. seealso::
        For more information on how to use this operator, take a look at docs/operators.md. The API is
        :external+boto3:py:meth:`Comprehend.Client.classify_document`.

    :param endpoint_arn: The ARN of the endpoint, which is in service. (templated)
    :param classification_name: The name of the work; the same name stands for the same documents. (templated)
    :param input_data_config: The documents: ``S3Uri`` (a full key, or a prefix that ends in ``/``),
        ``InputFormat``, and for files ``DocumentReaderConfig``. (templated)
    :param output_data_config: Where the answers are written: ``S3Uri``. (templated)
    :param send_bytes: Send each file as it is, for PDF, Word and images of one page and 10 MB; it needs
        ``ONE_DOC_PER_FILE``. (default: False, files are sent as text)
    :param mode: ``MULTI_CLASS`` or ``MULTI_LABEL``, for the labels that are accepted. (default:
        ``MULTI_CLASS``) (templated)
    :param threshold: The lowest score of an accepted label, for ``MULTI_LABEL``. (default: 0.5)
    :param db_conn_id: The Airflow connection of the database with Nightsort's tables.
        (default: None, no rows) (templated)
    :param classifier: The name of the classifier in the table; needed with ``db_conn_id``. (templated)
    :param run_key: The run in the table, which begins with its day as YYYYMMDD; needed with ``db_conn_id``.
        (templated)
    :param aws_conn_id: The Airflow connection used for AWS credentials. (templated)
    :param region_name: AWS region_name. If not specified then the connection's is used. (templated)
    :param verify: Whether or not to verify SSL certificates. (templated)
    :param botocore_config: Configuration dictionary (key-values) for the botocore client.
        (default: one attempt a request, because the operator itself asks again)
    """

    custom_operator_name = "Endpoint documents"
    operator_extra_links = (ComprehendEndpointLink(), JobOutputLink())
    template_fields: Sequence[str] = aws_template_fields(
        "endpoint_arn",
        "classification_name",
        "input_data_config",
        "output_data_config",
        "mode",
        "db_conn_id",
        "classifier",
        "run_key",
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {
        "input_data_config": "json",
        "output_data_config": "json",
    }

    def __init__(
        self,
        *,
        endpoint_arn: str,
        classification_name: str,
        input_data_config: dict[str, Any],
        output_data_config: dict[str, Any],
        send_bytes: bool = False,
        mode: str = "MULTI_CLASS",
        threshold: float = 0.5,
        db_conn_id: str | None = None,
        classifier: str | None = None,
        run_key: str | None = None,
        botocore_config: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(botocore_config={**REAL_TIME_CONFIG, **(botocore_config or {})}, **kwargs)
        self.endpoint_arn = endpoint_arn
        self.classification_name = classification_name
        self.input_data_config = input_data_config
        self.output_data_config = output_data_config
        self.send_bytes = send_bytes
        self.mode = mode
        self.threshold = threshold
        self.db_conn_id = db_conn_id
        self.classifier = classifier
        self.run_key = run_key
        self._stop: threading.Event | None = None

    def execute(self, context: Context) -> dict[str, Any]:
        """Classify what is not answered yet, load the rows if asked to, and return the counts."""
        from nightsort.errors import NightsortError

        self._check()
        try:
            with fail_on_permanent_aws_errors(f"classify {self.classification_name}"):
                return self._classify(context)
        except NightsortError as error:
            failure = ClassificationInterruptedError if error.retryable else BadInputError
            raise logged(failure(f"{error}. {self.classification_name}")) from error
        except PermissionError as error:
            raise logged(
                BadInputError(
                    f"Cannot classify {self.classification_name}: {error}. Grant the connection's identity "
                    "this permission; docs/iam/endpoint-policy.json lists all that are needed."
                )
            ) from None

    def on_kill(self) -> None:
        """Stop the requests; what was answered is stored, and the next try goes on."""
        if self._stop:
            self._stop.set()
            self.log.warning(
                "No further documents are sent; a second run of the task goes on: %s",
                self.classification_name,
            )

    @property
    def _per_file(self) -> bool:
        return self.input_data_config.get("InputFormat") == PER_FILE

    def _check(self) -> None:
        if self.send_bytes and not self._per_file:
            raise BadInputError(f"`send_bytes` needs the InputFormat {PER_FILE}. {self.classification_name}")
        if self.db_conn_id and not (self.classifier and self.run_key):
            raise BadInputError(f"`db_conn_id` needs `classifier` and `run_key`. {self.classification_name}")

    def _classify(self, context: Context) -> dict[str, Any]:
        from nightsort.real_time.classify import classify_documents

        reader = self.input_data_config.get("DocumentReaderConfig")
        endpoint = EndpointClient(self.hook, self.endpoint_arn, reader)
        access = task_access(self.aws_conn_id)
        model_arn = endpoint.serving().model_arn
        where = self.output_data_config["S3Uri"].rstrip("/")
        folder = f"{where}/{self.classification_name}-{version_of(model_arn)}/"
        self.persist_link(ComprehendEndpointLink, context)
        self.persist_link(JobOutputLink, context, uri=f"{folder}output/output.tar.gz")
        self._stop = threading.Event()
        output = classify_documents(
            self._documents(access), endpoint, access, folder, model_arn=model_arn, stop=self._stop
        )
        counts = self._load(output, access)
        return {
            "output_uri": output.output_uri,
            "model_arn": output.model_arn,
            "documents_in": counts.documents,
            "classified": counts.classified,
            "failed": counts.failed,
            "rejected": 0,
            "reasons": counts.reasons,
            "asked": output.asked,
            "known": output.known,
            "refusals": output.refusals,
            "seconds": round(output.seconds, 1),
        }

    def _documents(self, access: Access) -> Iterable[Document]:
        from nightsort.real_time.documents import file_documents, line_documents

        uri = self.input_data_config["S3Uri"]
        if self._per_file:
            return file_documents(uri, access, as_bytes=self.send_bytes)
        return line_documents(uri, access)

    def _load(self, output: RealTimeOutput, access: Access) -> LoadCounts:
        """Read the output, into the table where there is one; return the counts."""
        from nightsort.real_time.results import output_results
        from nightsort.tables.load import replace_rows
        from nightsort.tables.schema import ensure_schema
        from nightsort_airflow.hooks.database import NightsortDatabaseHook

        results = output_results(
            access.path(output.output_uri),
            per_file=self._per_file,
            mode=self.mode,
            threshold=self.threshold,
        )
        if self.db_conn_id is None or self.classifier is None or self.run_key is None:
            for _ in results:
                pass
            return results.counts
        with NightsortDatabaseHook(postgres_conn_id=self.db_conn_id).connect() as connection:
            ensure_schema(connection)
            replace_rows(
                connection,
                classifier=self.classifier,
                run_key=self.run_key,
                batch=self.classification_name,
                version=version_of(output.model_arn),
                rows=results,
            )
        return results.counts

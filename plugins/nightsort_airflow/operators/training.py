"""The operators of the DAG ``train_<name>``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, cast

from airflow.sdk import AssetAlias
from airflow.sdk.exceptions import AirflowSkipException

from nightsort.naming import score_job_base
from nightsort.wording import number_of
from nightsort_airflow.assets import active_version_asset
from nightsort_airflow.exceptions import TRAIN_AGAIN, TrainingUnfinishedError
from nightsort_airflow.hooks.comprehend import ComprehendClassificationHook
from nightsort_airflow.operators.approval import FORECAST_KEY, forecast_xcom
from nightsort_airflow.operators.comprehend import ComprehendStartDocumentClassificationJobOperator
from nightsort_airflow.operators.spec_operator import SpecOperator
from nightsort_airflow.run_day import refuse_unknown_keys, resolve_run_day
from nightsort_airflow.run_xcoms import approved

if TYPE_CHECKING:
    from collections.abc import Sequence

    import psycopg
    from airflow.sdk import Context
    from mypy_boto3_comprehend.type_defs import DocumentClassifierPropertiesTypeDef

    from nightsort.evaluation import LabelMetrics, Metrics
    from nightsort.tables.versions import ClassifierVersion
    from nightsort.training.prepare import PreparedTraining

# Comprehend reports four decimals.
ROUNDING = 0.0001
WEAKEST_LABELS = 5


class PrepareTrainingDataOperator(SpecOperator):
    """
    Write training and test data from the spec's labelled documents, before anything is paid.

    The operator checks every limit and forecasts the cost. A forecast whose upper end is above
    ``budget.training_usd`` fails the task, unless the spec has ``when_over: ask``.

    The return value is the dict of :class:`nightsort.training.prepare.PreparedTraining` with
    ``documents_sent`` (training and test), ``forecast`` (for
    :class:`~nightsort_airflow.operators.approval.ApproveCostOperator`) and Comprehend's output prefixes
    ``training_output_uri`` and ``scores_output_uri``. Each key is an XCom of its own too.

    :param spec: The classifier spec.
    :param day: The day of the source, as YYYY-MM-DD. (default: the last complete day) (templated)
    """

    template_fields: Sequence[str] = ("day",)

    def __init__(self, *, day: str | None = None, **kwargs: Any) -> None:
        kwargs.setdefault("multiple_outputs", True)
        super().__init__(**kwargs)
        self.day = day

    def execute(self, context: Context) -> dict[str, Any]:
        """Write the data; return where it is and its counts."""
        from nightsort.comprehend.prices import forecast_training
        from nightsort.training.prepare import prepare_training_data

        refuse_unknown_keys(context)
        day = resolve_run_day(context, given=self.day, timezone=self.spec.timezone)
        with self.fail_on_input_errors(f"prepare the training data of {self.spec.name}"):
            prepared = prepare_training_data(self.spec, self.access, day=day, progress=self.log_progress)
        for warning in prepared.warnings:
            self.log.warning("%s", warning)
        self.log.info(
            "Version %s: %s for training, %s for testing, %s, %d rejected. Report: %s",
            prepared.version,
            number_of(prepared.training_documents, "document"),
            number_of(prepared.test_documents, "document"),
            number_of(len(prepared.labels), "label"),
            prepared.rejected,
            prepared.report_uri,
        )
        sent = prepared.training_documents + prepared.test_documents
        with self.fail_on_input_errors(f"train {self.spec.name}"):
            forecast = forecast_training(sent, self._units_to_score(prepared))
            self.log.info("%s", forecast)
            self.refuse_over_budget(forecast, self.spec.budget.training_usd)
        folder = self.spec.layout.training(prepared.version)
        self.written_to = folder.uri
        return {
            **prepared.to_dict(),
            FORECAST_KEY: forecast_xcom(forecast),
            "documents_sent": sent,
            "training_output_uri": folder.output,
            "scores_output_uri": folder.scores,
        }

    def _units_to_score(self, prepared: PreparedTraining) -> int:
        """Return the units of the test documents that the active version has not classified before."""
        from nightsort.storage import names_below
        from nightsort.tables.reuse import scoring_of
        from nightsort.tables.versions import active_version

        if names_below(self.spec.layout.reuse, self.access):
            with self.database() as connection:
                if champion := active_version(connection, self.spec.name):
                    found = scoring_of(connection, self.spec, self.access, prepared.version, champion.version)
                    return found.units
        return prepared.test_units


class EvaluateClassifierOperator(SpecOperator):
    """
    Read the metrics and the confusion matrix of a trained version, and write its row.

    The row is in ``classifier_versions``. The return value is a dict: ``version``, ``arn``, ``metrics``,
    ``champion`` (the active version to compare with, or None), ``score_arn``, ``score_job_name``,
    ``score_input_uri``, ``score_fingerprint``, ``score_known_uri`` (what the champion said before) and
    ``nothing_to_score``. Those with ``score`` are None, unless the champion was measured on other test data
    and has to be scored on these; ``nothing_to_score`` says why. Each key is an XCom of its own too.

    :param spec: The classifier spec.
    :param document_classifier_arn: The ARN of the version. (templated)
    :param training: The result of :class:`PrepareTrainingDataOperator`. (templated)
    :param approve_task_id: The task that asks a person about the cost. (default: None: there is none)
    """

    when_gone = TRAIN_AGAIN
    template_fields: Sequence[str] = ("document_classifier_arn", "training")
    template_fields_renderers: ClassVar[dict[str, str]] = {"training": "json"}

    def __init__(
        self,
        *,
        document_classifier_arn: str,
        training: dict[str, Any],
        approve_task_id: str | None = None,
        **kwargs: Any,
    ) -> None:
        kwargs.setdefault("multiple_outputs", True)
        super().__init__(**kwargs)
        self.document_classifier_arn = document_classifier_arn
        self.training = training
        self.approve_task_id = approve_task_id

    def execute(self, context: Context) -> dict[str, Any]:
        """Write the version's row; return its metrics and the version to compare with."""
        from nightsort import evaluation
        from nightsort.tables.versions import active_version, record_version

        with self.fail_on_input_errors(f"evaluate {self.document_classifier_arn}"):
            found = self._describe()
            matrix = evaluation.read_confusion_matrix(self.access.path(found["OutputDataConfig"]["S3Uri"]))
            reported = found["ClassifierMetadata"].get("EvaluationMetrics", {})
            metrics = evaluation.from_comprehend(cast("dict[str, float]", reported))
            self._compare(metrics, evaluation.from_confusion_matrix(matrix))
            row = self._row(found, metrics, matrix, approved(context, self.approve_task_id))
            with self.database() as connection:
                record_version(connection, row)
                champion = active_version(connection, self.spec.name)
                scoring = self.scoring(connection, champion, row)
        self.log_figures(row, metrics, evaluation.weakest_labels(matrix, WEAKEST_LABELS))
        return {
            "version": row.version,
            "arn": row.arn,
            "metrics": metrics.to_dict(),
            "champion": champion.version if champion else None,
            **scoring,
        }

    def log_figures(self, row: ClassifierVersion, metrics: Metrics, weakest: Sequence[LabelMetrics]) -> None:
        """Log a small table of the version's metrics and of its weakest labels, one line each."""
        measured_on = number_of(row.test_documents or 0, "test document")
        self.log.info("Version %s, measured on %s:", row.version, measured_on)
        for name, value in metrics.to_dict().items():
            if value is not None:
                self.log.info("  %-16s %.4f", name.replace("_", " "), value)
        if weakest:
            self.log.info("The weakest labels, by F1:")
        for label in weakest:
            self.log.info(
                "  F1 %.2f, precision %.2f, recall %.2f, %s: %s",
                label.f1,
                label.precision,
                label.recall,
                number_of(label.documents, "test document"),
                label.label,
            )

    def _describe(self) -> DocumentClassifierPropertiesTypeDef:
        hook = ComprehendClassificationHook(aws_conn_id=self.spec.aws_conn_id)
        training = hook.training_state(self.document_classifier_arn)
        if training.is_running:
            raise TrainingUnfinishedError(
                f"The version is not trained yet; a retry asks again. {self.document_classifier_arn}"
            )
        return hook.require_model(training, fail_on_warnings=self.spec.training_warnings == "fail")

    def _compare(self, metrics: Metrics, recomputed: Metrics) -> None:
        for name, value in metrics.to_dict().items():
            own = getattr(recomputed, name)
            if value is not None and own is not None and abs(value - own) > ROUNDING:
                self.log.warning(
                    "Comprehend reports %s %.4f, but its confusion matrix yields %.4f", name, value, own
                )

    def _row(
        self,
        found: DocumentClassifierPropertiesTypeDef,
        metrics: Metrics,
        matrix: dict[str, Any],
        approved: dict[str, Any],
    ) -> ClassifierVersion:
        from nightsort.comprehend.prices import training_cost
        from nightsort.tables.versions import TRAINING_REPORT, ClassifierVersion

        metadata = found["ClassifierMetadata"]
        began, ended = found.get("TrainingStartTime"), found.get("TrainingEndTime")
        seconds = (ended - began).total_seconds() if began and ended else None
        return ClassifierVersion(
            classifier=self.spec.name,
            version=self.document_classifier_arn.rpartition("/version/")[2],
            arn=self.document_classifier_arn,
            mode=self.spec.mode,
            language=self.spec.language,
            status=found.get("Status"),
            message=found.get("Message"),
            fingerprint=self.training["fingerprint"],
            test_fingerprint=self.training["test_fingerprint"],
            training_uri=self.training["training_uri"],
            test_uri=self.training["test_uri"],
            training_documents=metadata.get("NumberOfTrainedDocuments"),
            test_documents=metadata.get("NumberOfTestDocuments"),
            labels=self.training["labels"],
            metrics=metrics,
            confusion_matrix=matrix,
            training_seconds=seconds,
            cost_usd=None if seconds is None else training_cost(seconds),
            trained_at=ended,
            training_report={name: self.training[name] for name in TRAINING_REPORT},
            **approved,
        )

    def scoring(
        self,
        connection: psycopg.Connection[Any],
        champion: ClassifierVersion | None,
        row: ClassifierVersion,
    ) -> dict[str, str | None]:
        """Return what scoring the champion takes, or why it needs no job."""
        from nightsort.comprehend.prices import forecast_classification
        from nightsort.tables.reuse import scoring_of

        def nothing(reason: str, known_uri: str | None = None) -> dict[str, str | None]:
            job = dict.fromkeys(("score_arn", "score_job_name", "score_input_uri", "score_fingerprint"))
            return {**job, "score_known_uri": known_uri, "nothing_to_score": reason}

        if champion is None:
            return nothing("no version is active yet")
        if champion.version == row.version:
            return nothing(f"{row.version} is the active version")
        if champion.test_fingerprint == row.test_fingerprint:
            return nothing(f"{champion.version}, the active version, was measured on the same test data")
        split = scoring_of(connection, self.spec, self.access, self.training["version"], champion.version)
        if not split.documents:
            reason = f"{champion.version}, the active version, has classified all test documents before"
            return nothing(reason, split.known_uri)
        forecast = forecast_classification(split.documents, split.units)
        self.log.info(
            "%s was measured on other test data, so it is scored on these. %s", champion.version, forecast
        )
        fingerprint = split.fingerprint or self.training["test_fingerprint"]
        return {
            "score_arn": champion.arn,
            "score_job_name": score_job_base(self.spec.name, champion.version, fingerprint),
            "score_input_uri": split.input_uri,
            "score_fingerprint": fingerprint,
            "score_known_uri": split.known_uri,
            "nothing_to_score": None,
        }


class ScoreActiveVersionOperator(ComprehendStartDocumentClassificationJobOperator):
    """
    Let the active version classify the new version's test documents, to measure both on the same data.

    The task is skipped where :class:`EvaluateClassifierOperator` found no need for it. Further parameters are
    those of
    :class:`~nightsort_airflow.operators.comprehend.ComprehendStartDocumentClassificationJobOperator`.

    :param nothing_to_score: Why there is nothing to score; None where there is. (templated)
    """

    when_gone = TRAIN_AGAIN
    template_fields: Sequence[str] = (
        "nothing_to_score",
        *ComprehendStartDocumentClassificationJobOperator.template_fields,
    )

    def __init__(self, *, nothing_to_score: str | None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.nothing_to_score = nothing_to_score

    def execute(self, context: Context) -> dict[str, Any]:
        """Run the job; skip the task when there is no version to score."""
        if self.nothing_to_score:
            # Airflow logs the reason itself only where the UI folds it away.
            self.log.info("Nothing to score: %s.", self.nothing_to_score)
            raise AirflowSkipException(f"Nothing to score: {self.nothing_to_score}.")
        return super().execute(context)


class PromoteClassifierOperator(SpecOperator):
    """
    Promote the version if it beats the active version on the same test data, and record the decision.

    After a promotion an outlet that is an asset alias gets the event of
    :func:`~nightsort_airflow.assets.active_version_asset`. The return value is a dict: ``version``,
    ``against``, ``promoted`` and ``reason``.

    :param spec: The classifier spec.
    :param training: The result of :class:`PrepareTrainingDataOperator`. (templated)
    :param evaluation: The result of :class:`EvaluateClassifierOperator`. (templated)
    :param scores: The result of :class:`ScoreActiveVersionOperator`, or None. (templated)
    """

    when_gone = TRAIN_AGAIN
    template_fields: Sequence[str] = ("training", "evaluation", "scores")
    template_fields_renderers: ClassVar[dict[str, str]] = dict.fromkeys(template_fields, "json")

    def __init__(
        self,
        *,
        training: dict[str, Any],
        evaluation: dict[str, Any],
        scores: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.training = training
        self.evaluation = evaluation
        self.scores = scores

    def execute(self, context: Context) -> dict[str, Any]:
        """Decide, record the decision and carry it out."""
        from nightsort.evaluation import Metrics, decide_promotion
        from nightsort.tables.versions import find_version, record_decision

        version, against = self.evaluation["version"], self.evaluation["champion"]
        if version == against:
            reason = f"{version} is active already."
            self.log.info("%s", reason)
            return {"version": version, "against": against, "promoted": False, "reason": reason}
        with self.fail_on_input_errors(f"promote {version}"), self.database() as connection:
            champion = find_version(connection, self.spec.name, against) if against else None
            decision = decide_promotion(
                Metrics.from_dict(self.evaluation["metrics"]),
                self._measured(champion) if champion else None,
                self.spec.promotion,
            )
            record_decision(
                connection,
                classifier=self.spec.name,
                version=version,
                against=against,
                decision=decision,
                test_fingerprint=self.training["test_fingerprint"],
            )
        outcome = "Promoted" if decision.promote else "Not promoted"
        self.log.info("%s: %s. %s", outcome, version, decision.reason)
        if decision.promote:
            self._announce(context)
        return {
            "version": version,
            "against": against,
            "promoted": decision.promote,
            "reason": decision.reason,
        }

    def _measured(self, champion: ClassifierVersion) -> Metrics:
        from nightsort.evaluation import Metrics, from_job_output

        known_uri = self.evaluation.get("score_known_uri")
        if self.scores is None and known_uri is None:
            return champion.metrics or Metrics()
        return from_job_output(
            self.access.path(self.scores["output_uri"]) if self.scores else None,
            self.access.path(self.training["test_uri"]),
            mode=self.spec.mode,
            label_delimiter=self.spec.label_delimiter,
            known=self.access.path(known_uri) if known_uri else None,
        )

    def _announce(self, context: Context) -> None:
        extra = {
            "version": self.evaluation["version"],
            "arn": self.evaluation["arn"],
            "metrics": self.evaluation["metrics"],
        }
        for outlet in self.outlets:
            if isinstance(outlet, AssetAlias):
                context["outlet_events"][outlet].add(active_version_asset(self.spec.name), extra=extra)

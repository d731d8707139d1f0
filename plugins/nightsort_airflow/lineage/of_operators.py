"""What each operator reads and writes, from its parameters and from what it said while it ran."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from nightsort.export_names import export_partition
from nightsort.layout import REJECTS_FILE, TEST_FILE, TRAINING_FILE, RunFolder, TrainingFolder
from nightsort_airflow.lineage.datasets import (
    Dataset,
    Lineage,
    classifier_dataset,
    file_dataset,
    table_dataset,
)
from nightsort_airflow.lineage.sources import documents_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

PREDICTION: Final = ("document_id", "label", "score", "labels", "scores", "accepted")
"""The columns of ``predictions``, and of an export, that a document's line becomes."""


def lineage_of(operator: Any) -> Lineage:
    """
    Return what an operator reads and writes; nothing for one that only waits, asks or looks.

    :param operator: rendered. What is known only after it ran is left out before.
    """
    for cls in type(operator).__mro__:
        if find := OF_OPERATORS.get(cls.__name__):
            return find(operator)
    return Lineage()


def _prepared_training(operator: Any) -> Lineage:
    spec = operator.spec
    labelled = documents_of(spec.labelled)
    folder = TrainingFolder(operator.written_to or f"{spec.layout.trainings}v000000000000")
    written = [
        file_dataset(folder.file(name), "label", "text").made(label=labelled.label, text=labelled.text)
        for name in (TRAINING_FILE, TEST_FILE)
    ]
    return Lineage(labelled.datasets, _placed(operator, written))


def _training(operator: Any) -> Lineage:
    given = operator.input_data_config
    uris = [given.get(key) for key in ("S3Uri", "TestS3Uri")]
    data = [file_dataset(uri, "label", "text") for uri in uris if uri]
    arn = operator.version_arn
    return Lineage(data, [classifier_dataset(arn)] if arn else [])


def _evaluation(operator: Any) -> Lineage:
    arn = operator.document_classifier_arn
    return Lineage([classifier_dataset(arn)] if arn else [], _tables(operator, "classifier_versions"))


def _promotion(operator: Any) -> Lineage:
    scores = operator.scores or {}
    read = [file_dataset(scores["output_uri"])] if scores.get("output_uri") else []
    return Lineage(
        [*read, *_tables(operator, "classifier_versions")],
        _tables(operator, "promotion_decisions", "classifier_versions"),
    )


def _prepared_batches(operator: Any) -> Lineage:
    spec = operator.spec
    incoming = documents_of(spec.incoming, operator.source_uri or None)
    inputs, manifests = _batch_files(_run_folder(operator))
    written = [
        inputs.made(text=incoming.text, rows=operator.written_rows),
        manifests.made(document_id=incoming.id, rows=operator.written_rows),
    ]
    return Lineage(
        [*incoming.datasets, *_tables(operator, "classifier_versions")], _placed(operator, written)
    )


def _job(operator: Any) -> Lineage:
    if not operator.document_classifier_arn:
        return Lineage()
    documents = file_dataset(operator.input_data_config["S3Uri"], "text")
    output = _output(operator.output_data_config["S3Uri"])
    text = documents.column("text")
    return Lineage(
        [documents, classifier_dataset(operator.document_classifier_arn)],
        [output.made(Name=text, Score=text)],
    )


def _load(operator: Any) -> Lineage:
    folder = RunFolder(operator.spec.layout.run(operator.run["run_key"]).uri)
    output, (_, manifests) = _output(operator.job["output_uri"]), _batch_files(folder)
    predictions = [
        _prediction(table, output, manifests, operator.written_rows)
        for table in _tables(operator, "predictions", fields=PREDICTION)
    ]
    return Lineage([output, manifests], predictions)


def _retries(operator: Any) -> Lineage:
    if not operator.written_rows:
        return Lineage()
    folder = _run_folder(operator)
    inputs, manifests = _batch_files(folder)
    text, identity = inputs.column("text"), manifests.column("document_id")
    read = [_output(folder.output), inputs, manifests]
    return Lineage(read, _placed(operator, [inputs.made(text=text), manifests.made(document_id=identity)]))


def _reconciled(operator: Any) -> Lineage:
    rejects = file_dataset(_run_folder(operator).file(REJECTS_FILE), "document_id", "reason")
    read = _tables(operator, "predictions", fields=PREDICTION)
    predictions = [table.made(document_id=rejects.column("document_id")) for table in read]
    return Lineage(
        [rejects, *read],
        [*predictions, *_tables(operator, "classification_runs", "run_statistics")],
    )


def _export(operator: Any) -> Lineage:
    spec = operator.spec
    folder = RunFolder(spec.layout.run(operator.run["run_key"]).uri)
    output, (_, manifests) = _output(folder.output), _batch_files(folder)
    written = replace(
        file_dataset(export_partition(spec.export_uri, spec.name), *PREDICTION), place=operator.written_to
    )
    return Lineage(
        [output, manifests, *_tables(operator, "classification_runs")],
        [_prediction(written, output, manifests, operator.written_rows)],
    )


OF_OPERATORS: Final[dict[str, Callable[[Any], Lineage]]] = {
    "PrepareTrainingDataOperator": _prepared_training,
    "ComprehendCreateDocumentClassifierOperator": _training,
    "EvaluateClassifierOperator": _evaluation,
    "PromoteClassifierOperator": _promotion,
    "PrepareBatchesOperator": _prepared_batches,
    "ComprehendStartDocumentClassificationJobOperator": _job,
    "LoadPredictionsOperator": _load,
    "PrepareRetriesOperator": _retries,
    "ReconcileRunOperator": _reconciled,
    "ExportPredictionsOperator": _export,
}


def _output(uri: str) -> Dataset:
    """Return what Comprehend writes: for each document names of labels, with scores."""
    return file_dataset(uri, "Name", "Score")


def _batch_files(folder: RunFolder) -> tuple[Dataset, Dataset]:
    """Return the inputs of a run's jobs, and the manifests that say which document is where."""
    return file_dataset(folder.inputs, "text"), file_dataset(folder.manifests, "document_id")


def _prediction(written: Dataset, output: Dataset, manifests: Dataset, rows: int | None) -> Dataset:
    """Return a table or files of predictions, made of the output of jobs and of the manifests."""
    names, scores = output.column("Name"), output.column("Score")
    return written.made(
        rows=rows,
        document_id=manifests.column("document_id"),
        label=[*names, *scores],
        score=scores,
        labels=names,
        scores=scores,
        accepted=[*names, *scores],
    )


def _run_folder(operator: Any) -> RunFolder:
    """Return the folder of a run. Before it is known, that of any run: names leave the run out."""
    return RunFolder(operator.written_to or operator.spec.layout.run("00010101").uri)


def _placed(operator: Any, written: Sequence[Dataset]) -> list[Dataset]:
    """Return datasets with the place that was written to only where it is known."""
    return [each if operator.written_to else replace(each, place=None) for each in written]


def _tables(operator: Any, *names: str, fields: Sequence[str] = ()) -> list[Dataset]:
    """Return tables of Nightsort's database; none before it was connected to."""
    if operator.database_place is None:
        return []
    return [table_dataset(*operator.database_place, f"nightsort.{name}", *fields) for name in names]

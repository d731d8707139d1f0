"""Export the results of a complete run as Parquet files, for a warehouse or a query engine.

A run is a file per batch, one for its rejects and one for what it reused of earlier runs, in the partition of
its classifier and day::

    <export uri>/classifier=<name>/day=<YYYY-MM-DD>/<batch>.parquet
                                                    <run_key>-rejects.parquet
                                                    <run_key>-reused.parquet

The rows are those of the table ``predictions``, with its columns (:data:`EXPORT_SCHEMA`); ``classifier`` and
``day`` are in the path. They are read from the same outputs as the load. The run's row has
its state and its batches. A file appears whole or not at all, and has the name of its batch, so a second
export replaces it. Files of an earlier attempt that the run no longer has are removed last. Why not from the
table, and why not batch by batch: ``docs/adr/0021-results-as-parquet.md``.
"""

from __future__ import annotations

import logging
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from nightsort.errors import NightsortError
from nightsort.export_names import export_file, export_partition, run_of_export_file
from nightsort.layout import REJECTS_FILE
from nightsort.naming import REJECTS, REUSED_BATCH
from nightsort.results.join import RESULT_SCHEMA
from nightsort.results.retry import JobOutput, batch_results
from nightsort.sources.source_files import list_files
from nightsort.storage import remove_file, upload_whole
from nightsort.tables.run_locks import files_unchanged
from nightsort.tables.runs import LoadedBatch, loaded_batches
from nightsort.tables.unsent import read_rejects, reused_rows
from nightsort.wording import number_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import datetime

    import psycopg

    from nightsort.classifier_spec.model import ClassifierSpec
    from nightsort.storage import Access, Progress

log = logging.getLogger(__name__)

_RUN_COLUMNS: Final = pa.schema({"run_key": pa.string(), "batch": pa.string(), "version": pa.string()})

EXPORT_SCHEMA: Final = pa.schema(
    [*_RUN_COLUMNS, *RESULT_SCHEMA, pa.field("loaded_at", pa.timestamp("us", tz="UTC"))]
)
"""Columns of the files: those of ``predictions`` without the two in the path. Dictionaries are written as
plain strings."""

ROWS_PER_GROUP: Final = 250_000
"""Rows of a row group, of which one is in memory: some 25 MB there, some 5 MB in the file."""

# The other columns repeat few values: a dictionary costs them time and memory.
_DICTIONARY_COLUMNS: Final[Any] = [
    *("run_key", "batch", "version", "status", "label", "reason", "source", "source_run", "loaded_at"),
    *("labels.list.element", "accepted.list.element"),
]


class ExportError(NightsortError):
    """A run that cannot be exported: which, why, and what to do."""


@dataclass(frozen=True)
class Exported:
    """The files of an export.

    :param uri: the partition of the run's classifier and day, ending in ``/``.
    :param files: files of the run.
    :param rows: rows in them: ``classified + failed + rejected`` of the run.
    :param removed: files of an earlier attempt that the run no longer has.
    """

    uri: str
    files: int
    rows: int
    removed: int

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-safe values."""
        return asdict(self)


class _FileConstants(NamedTuple):
    """The columns with the same value in all rows of a file."""

    run_key: str
    batch: str
    version: str | None
    loaded_at: datetime | None


class _Run(NamedTuple):
    run_key: str
    version: str | None
    documents: int
    reused: int
    batches: list[dict[str, Any]]
    loaded: Mapping[str, LoadedBatch]


def partition_uri(spec: ClassifierSpec, run_key: str) -> str:
    """Return the URI of a run's files, ending in ``/``: a partition, as Hive calls it.

    :param spec: with the URI of the export.
    :param run_key: the run.
    :returns: the URI.
    :raises ExportError: the spec has no export.
    """
    if spec.export_uri is None:
        raise ExportError(f"{spec.name}: the spec has no export; add it, for instance  export: parquet")
    return export_partition(spec.export_uri, spec.name, run_key)


def export_run(
    conn: psycopg.Connection[Any],
    *,
    spec: ClassifierSpec,
    access: Access,
    run_key: str,
    progress: Progress | None = None,
) -> Exported:
    """Write a complete run's results as Parquet files, which replace those of an earlier export.

    :param conn: the database, for the run's row and the time when each batch was loaded.
    :param spec: the classifier spec.
    :param access: storage.
    :param run_key: the run.
    :param progress: called after each file with the rows written so far.
    :returns: the files.
    :raises ExportError: the run is not complete, or its outputs have another number of rows than the table.
    :raises ArchiveError: an output is damaged.
    :raises ManifestError: a manifest cannot be read.
    """
    with files_unchanged(conn, spec.name, run_key):
        return _export(conn, spec, access, run_key, progress)


def _export(
    conn: psycopg.Connection[Any],
    spec: ClassifierSpec,
    access: Access,
    run_key: str,
    progress: Progress | None,
) -> Exported:
    partition = partition_uri(spec, run_key)
    run = _complete_run(conn, spec.name, run_key)
    rows: dict[str, int] = {}
    with tempfile.TemporaryDirectory(prefix="nightsort-") as name:
        local = Path(name) / "rows.parquet"
        for constants, results in _results(spec, access, run):
            file = export_file(run_key, constants.batch)
            if written := _write(local, constants, results):
                upload_whole(local, partition + file, access)
                rows[file] = written
            if progress is not None:
                progress("exporting predictions", sum(rows.values()))
    exported = sum(rows.values())
    if exported != run.documents:
        raise ExportError(
            f"run {run_key} has {run.documents:,} rows in the table, but its outputs hold {exported:,}. "
            "Clear load_predictions and what is downstream"
        )
    removed = _remove_others(partition, run_key, rows, access)
    counted, files = number_of(exported, "row"), number_of(len(rows), "file")
    log.info("Exported %s of run %s as %s to %s", counted, run_key, files, partition)
    return Exported(partition, len(rows), exported, removed)


def _complete_run(conn: psycopg.Connection[Any], classifier: str, run_key: str) -> _Run:
    row = conn.execute(
        "SELECT state, version, classified + failed + rejected, reused, batches"
        " FROM nightsort.classification_runs WHERE classifier = %s AND run_key = %s",
        (classifier, run_key),
    ).fetchone()
    if row is None or row[0] != "complete":
        raise ExportError(
            f"run {run_key} of {classifier} is not complete, and what is not complete is not exported. "
            "Clear what failed before, reconcile_run with it"
        )
    _, version, documents, reused, every = row
    # A batch whose documents are all forgotten, or gone from the source, has no rows.
    batches = [batch for batch in every if batch["documents"]]
    if without := [batch["name"] for batch in batches if "output_uri" not in batch]:
        raise ExportError(
            f"run {run_key} does not say where the output of batch {without[0]} is: an earlier release "
            "loaded it. Clear load_predictions and what is downstream; no job is started again"
        )
    names = [batch["name"] for batch in batches] + ([REUSED_BATCH] if reused else [])
    loaded = loaded_batches(conn, classifier=classifier, run_key=run_key, batches=[*names, REJECTS])
    if dropped := [name for name in names if name not in loaded]:
        raise ExportError(
            f"run {run_key} has no rows of batch {dropped[0]} in the table any more: they were dropped. Its "
            "files are left as they are; to write them anew, clear load_predictions and what is downstream"
        )
    return _Run(run_key, version, documents, reused, batches, loaded)


def _results(
    spec: ClassifierSpec, access: Access, run: _Run
) -> Iterator[tuple[_FileConstants, Iterable[pa.RecordBatch]]]:
    """Return the results of each batch, then the reused ones, then the rejects."""
    folder = spec.layout.run(run.run_key)
    for batch in run.batches:
        first, *retries = (JobOutput.of(folder, access, job) for job in (batch, *batch.get("retries", ())))
        name = batch["name"]
        constants = _FileConstants(run.run_key, name, run.version, run.loaded[name].loaded_at)
        yield constants, batch_results(spec, first, retries)
    if run.reused:
        loaded = run.loaded[REUSED_BATCH]
        constants = _FileConstants(run.run_key, REUSED_BATCH, run.version, loaded.loaded_at)
        yield constants, reused_rows(spec, access, run.run_key, str(run.version))
    rejects = run.loaded.get(REJECTS)
    constants = _FileConstants(run.run_key, REJECTS, None, rejects and rejects.loaded_at)
    yield constants, read_rejects(access.path(folder.file(REJECTS_FILE)))


def export_writer(path: Path) -> pq.ParquetWriter:
    """Open an exported file for writing.

    :param path: a local file.
    :returns: what takes tables with :data:`EXPORT_SCHEMA`, for a ``with``.
    """
    # Without Arrow's own schema in it, readers see plain strings, as they do in every other file.
    return pq.ParquetWriter(
        path, EXPORT_SCHEMA, compression="zstd", use_dictionary=_DICTIONARY_COLUMNS, store_schema=False
    )


def _write(local: Path, constants: _FileConstants, results: Iterable[pa.RecordBatch]) -> int:
    """Write the rows of a batch to a local file, and return their number."""
    written = waiting = 0
    kept: list[pa.RecordBatch] = []
    with export_writer(local) as writer:

        def write_group() -> None:
            table = pa.Table.from_batches(kept, RESULT_SCHEMA).unify_dictionaries()
            *before, after = (
                pa.repeat(pa.scalar(value, EXPORT_SCHEMA.field(column).type), len(table))
                for column, value in constants._asdict().items()
            )
            columns = [*before, *table.columns, after]
            writer.write_table(pa.Table.from_arrays(columns, schema=EXPORT_SCHEMA), len(table))

        for rows in results:
            kept.append(rows)
            waiting += len(rows)
            if waiting >= ROWS_PER_GROUP:
                write_group()
                kept, written, waiting = [], written + waiting, 0
        if waiting:
            write_group()
    return written + waiting


def _remove_others(partition: str, run_key: str, kept: Mapping[str, int], access: Access) -> int:
    """Remove the run's files that are not of this export; other runs of the day keep theirs."""
    removed = 0
    for file in list_files(partition, access):
        if file.name not in kept and run_of_export_file(file.name) == run_key:
            remove_file(file.uri, access)
            removed += 1
    if removed:
        files = number_of(removed, "file")
        log.info("Removed %s of %s that run %s no longer has", files, partition, run_key)
    return removed

"""Predictions as files for people and other programs: JSON Lines, CSV or Parquet."""

from __future__ import annotations

import csv
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from nightsort.batches.manifest import Manifest
from nightsort.errors import NightsortError
from nightsort.results.columns import PREDICTION_SCHEMA, read_predictions
from nightsort.results.join import RESULT_SCHEMA, BatchResults
from nightsort.results.repeated import RepeatedResults

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from upath import UPath

    from nightsort.storage import Progress

    Write = Callable[[pa.RecordBatch], None]

LIST_SEPARATOR = "|"
"""Joins lists in a CSV cell."""


class UnknownFileTypeError(NightsortError):
    """A file name whose ending is not one of a known format."""


def write_predictions(
    archive: UPath, output: Path | None, *, progress: Progress | None = None
) -> dict[str, int]:
    """Count what a job's output holds and write its predictions, by file and line.

    :param output: a file that ends in ``.jsonl``, ``.csv`` or ``.parquet``; ``None``: count only.
    :param archive: the job's ``output.tar.gz``.
    :param progress: called with the number of predictions read so far.
    :returns: the numbers of ``predictions``, ``failures`` and ``unreadable`` pieces.
    :raises ArchiveError: the archive is damaged or holds no predictions.
    :raises UnknownFileTypeError: the output has another ending.
    """
    counts = dict.fromkeys(("predictions", "failures", "unreadable"), 0)
    with _writer(output, PREDICTION_SCHEMA) as write:
        for batch in read_predictions(archive):
            write(batch.predictions)
            counts["predictions"] += len(batch.predictions)
            counts["failures"] += len(batch.failures)
            counts["unreadable"] += len(batch.unreadable)
            if progress is not None:
                progress("reading predictions", counts["predictions"])
    return counts


def write_results(
    archive: UPath,
    manifest: UPath,
    output: Path | None,
    *,
    mode: str,
    threshold: float,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Count the results of a batch, and write a row for each of its documents, as in ``predictions``.

    :param output: a file that ends in ``.jsonl``, ``.csv`` or ``.parquet``; ``None``: count only.
    :param archive: the job's ``output.tar.gz``.
    :param manifest: the batch's manifest.
    :param mode: ``MULTI_CLASS`` or ``MULTI_LABEL``.
    :param threshold: the lowest score of an accepted label, in ``MULTI_LABEL``.
    :param progress: called with the number of documents so far.
    :returns: the values of :class:`nightsort.results.join.LoadCounts`.
    :raises ArchiveError: the archive is damaged or holds no predictions.
    :raises ManifestError: the manifest cannot be read.
    :raises UnknownFileTypeError: the output has another ending.
    """
    read = Manifest.read(manifest)
    results = RepeatedResults(BatchResults(archive, read, mode=mode, threshold=threshold), read)
    seen = 0
    with _writer(output, RESULT_SCHEMA) as write:
        for batch in results:
            write(batch)
            seen += len(batch)
            if progress is not None:
                progress("reading predictions", seen)
    return results.counts.to_dict()


@contextmanager
def _writer(output: Path | None, schema: pa.Schema) -> Iterator[Write]:
    if output is None:
        yield lambda batch: None
    elif output.suffix == ".parquet":
        with pq.ParquetWriter(output, schema, compression="zstd") as parquet:
            yield parquet.write_batch
    elif output.suffix == ".jsonl":
        with output.open("wb") as lines:

            def write_lines(batch: pa.RecordBatch) -> None:
                for row in batch.to_pylist():
                    lines.write(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE))

            yield write_lines
    elif output.suffix == ".csv":
        with output.open("w", encoding="utf-8", newline="") as file:
            table = csv.writer(file, lineterminator="\n")
            table.writerow(schema.names)

            def write_rows(batch: pa.RecordBatch) -> None:
                table.writerows(map(_cells, batch.to_pylist()))

            yield write_rows
    else:
        raise UnknownFileTypeError(f"{output}: write to a file that ends in .jsonl, .csv or .parquet")


def _cells(row: dict[str, Any]) -> list[Any]:
    return [
        LIST_SEPARATOR.join(map(str, value)) if isinstance(value, list) else value for value in row.values()
    ]

"""Load the documents of a run that were not sent: the rejects, and those that earlier runs classified."""

from __future__ import annotations

import logging
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

import orjson
import pyarrow as pa

from nightsort.arrow.label_lists import LABEL
from nightsort.naming import REJECTS, REUSED_BATCH
from nightsort.results.join import result_rows
from nightsort.results.reused import read_reused
from nightsort.storage import must_exist
from nightsort.tables.load import replace_rows
from nightsort.tables.run_locks import files_unchanged
from nightsort.wording import number_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    import psycopg
    from upath import UPath

    from nightsort.batches.prepare import PreparedBatches
    from nightsort.classifier_spec.model import ClassifierSpec
    from nightsort.storage import Access

log = logging.getLogger(__name__)

REJECTED: Final = "rejected"
_ROWS_AT_ONCE: Final = 20_000


def load_rejects(
    conn: psycopg.Connection[Any], *, spec: ClassifierSpec, run_key: str, rejects_path: UPath
) -> int:
    """Load the rejects of a run in one transaction; they replace those of an earlier load.

    :param conn: the database.
    :param spec: the classifier spec.
    :param run_key: the run.
    :param rejects_path: ``rejects.jsonl`` of the run.
    :returns: the number of rejects.
    """
    loaded = 0

    def counted() -> Iterator[pa.RecordBatch]:
        nonlocal loaded
        for rows in read_rejects(rejects_path):
            loaded += len(rows)
            yield rows

    with files_unchanged(conn, spec.name, run_key):
        replace_rows(conn, classifier=spec.name, run_key=run_key, batch=REJECTS, version=None, rows=counted())
    log.info("Loaded %s of run %s", number_of(loaded, "reject"), run_key)
    return loaded


def load_reused(
    conn: psycopg.Connection[Any],
    *,
    spec: ClassifierSpec,
    access: Access,
    version: str,
    prepared: PreparedBatches,
) -> None:
    """Load the reused documents of a run in one transaction; they replace those of an earlier load.

    :param conn: the database.
    :param spec: the classifier spec.
    :param access: storage.
    :param version: the classifier version of the run.
    :param prepared: the batches of the run.
    :raises MissingObjectError: the documents are gone from the storage.
    :raises ManifestError: they cannot be read.
    """
    key = {"classifier": spec.name, "run_key": prepared.run_key}
    with files_unchanged(conn, **key):
        rows = reused_rows(spec, access, prepared.run_key, version) if prepared.reused else ()
        replace_rows(conn, **key, batch=REUSED_BATCH, version=version, rows=rows)
    if prepared.reused:
        known = number_of(prepared.reused, "document")
        log.info("Loaded earlier results for %s of run %s", known, prepared.run_key)


def reused_rows(spec: ClassifierSpec, access: Access, run_key: str, version: str) -> Iterator[pa.RecordBatch]:
    """Stream the reused documents of a run as rows with :data:`~nightsort.results.join.RESULT_SCHEMA`.

    :param spec: the classifier spec.
    :param access: storage.
    :param run_key: the run.
    :param version: the classifier version of the run.
    :returns: record batches.
    :raises MissingObjectError: they are gone.
    :raises ManifestError: they cannot be read.
    """
    path = access.path(spec.layout.run(run_key).reused(version))
    return read_reused(path, mode=spec.mode, threshold=spec.threshold)


def read_rejects(path: UPath) -> Iterator[pa.RecordBatch]:
    """Stream the rejects of a run as rows with :data:`~nightsort.results.join.RESULT_SCHEMA`.

    A forgotten reject has left a line ``null``, so that all others keep their lines.

    :param path: ``rejects.jsonl`` of the run.
    :returns: record batches.
    :raises MissingObjectError: it is gone.
    """
    first = 0
    with must_exist(path):
        opened = path.open("rb")
    with opened as lines:
        while read := [orjson.loads(line) for line in islice(lines, _ROWS_AT_ONCE)]:
            yield _as_rows(read, first)
            first += len(read)


def _as_rows(lines: list[dict[str, Any] | None], first: int) -> pa.RecordBatch:
    numbers = [number for number, reject in enumerate(lines, first) if reject is not None]
    rejects = [reject for reject in lines if reject is not None]
    rows = len(rejects)
    return result_rows(
        rows,
        line=pa.array(numbers, pa.int64()),
        document_id=pa.array([reject.get("document_id") for reject in rejects], pa.string()),
        status=pa.array([REJECTED] * rows, LABEL),
        reason=pa.array([reject["reason"] for reject in rejects], LABEL),
    )

"""Find which documents were paid for in earlier runs of the same version, and keep what their results are.

The files of the earlier runs are read once, when the first documents come: their hashes go into a sorted file
with an index (:mod:`nightsort.arrow.hash_index`), their results into local files. So a file that is damaged
or gone is known as such before a document counts as paid for. Memory does not grow with the documents.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from nightsort.arrow.columns import from_numpy, joined
from nightsort.arrow.hash_index import HashIndex
from nightsort.arrow.hashing import HASH, as_column, as_hashes
from nightsort.arrow.label_lists import LABEL, SCORES, as_labels, as_scores
from nightsort.arrow.prefetch import prefetch
from nightsort.naming import run_day
from nightsort.reuse.local_results import LocalResults
from nightsort.reuse.store import LABEL_NAMES, STORED_SCHEMA
from nightsort.storage import download, names_below, upload_whole

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence
    from pathlib import Path

    import numpy.typing as npt
    from typing_extensions import Self

    from nightsort.arrow.columns import Column
    from nightsort.arrow.hashing import Hashes
    from nightsort.naming import WorkLayout
    from nightsort.storage import Access

log = logging.getLogger(__name__)

_TYPES: Final[dict[str, pa.DataType]] = {
    "document_id": pa.string(),
    "labels": LABEL_NAMES,
    "scores": SCORES,
    "run_key": LABEL,
    "text_hash": HASH,
}
REUSED_SCHEMA: Final = pa.schema(_TYPES)
"""A row for each document that was not sent, since the run ``run_key`` classified its text."""

_KNOWN: Final = pa.schema(
    [pa.field("document_id", pa.string()), pa.field("text_hash", HASH), pa.field("row", pa.int64())]
)
_ROWS: Final = 2**18
_DOWNLOADS: Final = 2


class DamagedResultsError(Exception):
    """A stored file that cannot be read, or is not as Nightsort writes it."""


def stored_runs(layout: WorkLayout, access: Access, version: str) -> list[str]:
    """Return the runs of which results of a version are stored, the newest first.

    :param layout: of the spec.
    :param access: storage.
    :param version: the version that classified.
    :returns: run keys.
    """
    found = []
    for name in names_below(layout.results_of_version(version), access):
        key = name.rstrip("/")
        with suppress(ValueError):
            found.append((run_day(key), key))
    return [key for _, key in sorted(found, reverse=True)]


def reusable_runs(layout: WorkLayout, access: Access, *, version: str, run_key: str, days: int) -> list[str]:
    """Return the runs whose results a run may use again, the newest first.

    :param layout: of the spec.
    :param access: storage.
    :param version: the version that classifies.
    :param run_key: the run itself, which is not among them.
    :param days: how many days a result may be old.
    :returns: run keys.
    """
    last = run_day(run_key)
    first = last - timedelta(days)
    runs = stored_runs(layout, access, version)
    return [key for key in runs if key != run_key and first <= run_day(key) <= last]


class Reused:
    """The documents of a run that earlier runs have paid for; use it in a ``with``.

    :attr:`number` is how many there are.

    :param layout: of the spec.
    :param access: storage.
    :param scratch: a local folder.
    :param version: the version that classifies.
    :param runs: the runs whose results may be used again; of equal texts the first run's result is used.
    """

    def __init__(
        self, layout: WorkLayout, access: Access, scratch: Path, *, version: str, runs: Sequence[str]
    ) -> None:
        self._layout = layout
        self._access = access
        self._scratch = scratch / "reuse"
        self._scratch.mkdir()
        self._version = version
        self._runs = runs
        self._stored: _Stored | None = None
        self._documents = pa.ipc.new_stream(str(self._scratch / "known.arrows"), _KNOWN)
        self.number = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._documents.close()
        if self._stored is not None:
            self._stored.__exit__(*error)

    def take(self, ids: Column, first: Hashes, second: Hashes) -> npt.NDArray[np.bool_]:
        """Return which documents need not be sent; what is known of them is kept.

        :param ids: of the documents, a column of strings.
        :param first: hashes of their texts, as ``second``; shape ``(n,)``.
        :param second: see above.
        :returns: flags; shape ``(n,)``.
        :raises OSError: no space left on local disk.
        """
        if not self._runs:
            return np.zeros(len(first), np.bool_)
        if self._stored is None:
            self._stored = _Stored(self._scratch, self._files(), self._access)
        rows = self._stored.find(first, second)
        known = rows >= 0
        number = int(np.count_nonzero(known))
        if number:
            columns = [
                ids.filter(pa.array(known)),
                as_column(first[known], second[known]),
                from_numpy(rows[known]),
            ]
            self._documents.write_batch(pa.RecordBatch.from_arrays(columns, schema=_KNOWN))
            self.number += number
        return known

    def write(self, uri: str) -> None:
        """Write the documents with their results, a Parquet file with :data:`REUSED_SCHEMA`.

        :param uri: the file; it appears whole.
        """
        local = self._scratch / "reused.parquet"
        few: Any = ["labels.list.element", "scores.list.element", "run_key"]
        with pq.ParquetWriter(local, REUSED_SCHEMA, use_dictionary=few, compression="zstd") as writer:
            for rows in self.results():
                writer.write_batch(rows)
        upload_whole(local, uri, self._access)

    def results(self) -> Iterator[pa.RecordBatch]:
        """Yield the documents with their results, in the order in which they came; no others are taken then.

        :returns: record batches with :data:`REUSED_SCHEMA`.
        """
        self._documents.close()
        if self._stored is None:
            return
        runs: Any = pa.array(self._runs, pa.string())
        path = str(self._scratch / "known.arrows")
        with pa.OSFile(path, "rb") as file, pa.ipc.open_stream(file) as stream:
            for part in joined(stream, _ROWS):
                rows = part["row"].to_numpy()
                labels, scores = self._stored.results.take(rows)
                keys = pa.DictionaryArray.from_arrays(from_numpy(self._stored.runs_of(rows)), runs)
                columns = [part["document_id"], labels, scores, keys, part["text_hash"]]
                yield pa.RecordBatch.from_arrays(columns, REUSED_SCHEMA.names).cast(REUSED_SCHEMA)

    def _files(self) -> Generator[tuple[int, str], None, None]:
        for number, run in enumerate(self._runs):
            folder = f"{self._layout.results_of_version(self._version)}{run}/"
            for name in names_below(folder, self._access):
                if name.endswith(".parquet"):
                    yield number, folder + name


class _Stored:
    """The results of the files of some runs, on local disk; use it in a ``with``.

    :param folder: a local folder.
    :param files: the index of the run and the URI of each file; of equal texts the first result counts.
    :param access: storage.
    """

    def __init__(self, folder: Path, files: Generator[tuple[int, str], None, None], access: Access) -> None:
        self.results = LocalResults(folder)
        self._index = HashIndex(folder)
        self._first_rows: list[int] = []
        self._runs: list[int] = []
        for run, uri, local in prefetch(_downloaded(files, folder, access), _DOWNLOADS):
            start = len(self.results)
            try:
                self._append(local)
            except DamagedResultsError as error:
                log.warning("%s cannot be used, so its texts may be paid for again: %s", uri, error)
                self.results.truncate(start)
            else:
                self._first_rows.append(start)
                self._runs.append(run)
            finally:
                local.unlink(missing_ok=True)
        pa.default_memory_pool().release_unused()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._index.__exit__(*error)
        self.results.__exit__(*error)

    def find(self, first: Hashes, second: Hashes) -> npt.NDArray[np.int64]:
        """Return the row of each text, -1 for those that are not there."""
        return self._index.find(first, second)

    def runs_of(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.int32]:
        """Return the index of the run of each row."""
        files = np.searchsorted(self._first_rows, rows, side="right") - 1
        return np.array(self._runs, np.int32)[files]

    def _append(self, local: Path) -> None:
        start = len(self.results)
        hashes = []
        for text_hashes, labels, scores in _read(local):
            self.results.append(labels, scores)
            hashes.append(as_hashes(text_hashes))
        # Only now, when the whole file could be read.
        for first, second in hashes:
            self._index.add(first, second, np.arange(start, start + len(first)))
            start += len(first)


def _downloaded(
    files: Iterator[tuple[int, str]], folder: Path, access: Access
) -> Generator[tuple[int, str, Path], None, None]:
    for number, (run, uri) in enumerate(files):
        local = folder / f"stored-{number}.parquet"
        # It may have been removed since it was listed: then it cannot be read below.
        with suppress(FileNotFoundError):
            download(uri, local, access)
        yield run, uri, local


def _read(local: Path) -> Iterator[tuple[Any, Any, Any]]:
    """Yield hashes, labels and scores of a stored file.

    :raises DamagedResultsError: it cannot be read, or is not as Nightsort writes it.
    """
    try:
        parquet = pq.ParquetFile(local, page_checksum_verification=True)
        for group in range(parquet.num_row_groups):
            for rows in parquet.read_row_group(group, use_threads=False).to_batches():
                hashes, labels, scores = (rows[field.name].cast(field.type) for field in STORED_SCHEMA)
                _check(hashes, labels, scores)
                yield hashes, as_labels(labels), as_scores(scores)
    except FileNotFoundError:
        raise DamagedResultsError("it is gone") from None
    except (pa.ArrowException, OSError, ValueError, KeyError) as error:
        raise DamagedResultsError((str(error).splitlines() or ["no reason given"])[0]) from error


def _check(hashes: Any, labels: Any, scores: Any) -> None:
    """Check that each text has labels, and each label a score.

    :raises ValueError: one has not.
    """
    whole = not any(column.null_count for column in (hashes, labels, scores, labels.values, scores.values))
    lengths, others = np.diff(labels.offsets), np.diff(scores.offsets)
    if not (whole and (lengths > 0).all() and np.array_equal(lengths, others)):
        raise ValueError("a text has no labels, or a label has no score")

"""Find which documents were paid for in earlier runs of the same version, and keep what their results are.

The files of the earlier runs are read once, when the first documents come: their hashes go into a sorted file
with an index (:mod:`nightsort.arrow.hash_index`), their results into local files. So a file that is damaged
or gone is known as such before a document counts as paid for. Memory does not grow with the documents.

What a run has reused stays its own: it is looked up first when the run is prepared again, whatever became of
the other runs. Its file is named after the version, so that no other version ever reads it.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from nightsort.arrow.columns import from_numpy, joined
from nightsort.arrow.hash_index import HashIndex
from nightsort.arrow.hashing import as_column, as_hashes
from nightsort.arrow.label_lists import as_labels, as_scores
from nightsort.arrow.prefetch import prefetch
from nightsort.naming import run_day
from nightsort.reuse.documents import REUSED_SCHEMA, DamagedResultsError, reused_writer
from nightsort.reuse.local_results import LocalResults
from nightsort.reuse.store import STORED_SCHEMA
from nightsort.storage import download, names_below, upload_whole
from nightsort.wording import first_line

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence
    from pathlib import Path

    import numpy.typing as npt
    from typing_extensions import Self

    from nightsort.arrow.columns import Column
    from nightsort.arrow.hashing import Hashes
    from nightsort.layout import WorkLayout
    from nightsort.storage import Access

    Rows = npt.NDArray[np.int64]

log = logging.getLogger(__name__)

_KNOWN: Final = pa.schema(
    [REUSED_SCHEMA.field(name) for name in ("document_id", "text_hash", "units")]
    + [pa.field("row", pa.int64())]
)
_ROWS: Final = 2**18
_DOWNLOADS: Final = 2


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

    Days after that of the run count as well: whoever classifies an old day after a newer one does not pay
    for its texts again. The run itself may be among them, if another version classified it meanwhile.

    :param layout: of the spec.
    :param access: storage.
    :param version: the version that classifies.
    :param run_key: the run.
    :param days: how many days may lie between that of the run and that of a result.
    :returns: run keys.
    """
    day = run_day(run_key)
    runs = stored_runs(layout, access, version)
    return [key for key in runs if abs(run_day(key) - day) <= timedelta(days)]


class Reused:
    """The documents of a run that earlier runs have paid for; use it in a ``with``.

    :attr:`number` is how many there are, :attr:`units` what they would have cost.

    :param layout: of the spec.
    :param access: storage.
    :param scratch: a local folder.
    :param version: the version that classifies; ``None``: nothing is known.
    :param runs: the runs whose results may be used again; of equal texts the first run's result is used.
    :param own: where :meth:`write` writes. What it wrote when the run was prepared before comes first.
    """

    def __init__(
        self,
        layout: WorkLayout,
        access: Access,
        scratch: Path,
        *,
        version: str | None,
        runs: Sequence[str],
        own: str | None = None,
    ) -> None:
        self.version = version
        self._access = access
        self._scratch = scratch / "reuse"
        self._scratch.mkdir()
        folder = None if version is None else layout.results_of_version(version)
        self._folders = {f"{folder}{run}/": run for run in runs if folder}
        self._own = own
        self._before = own is not None and access.path(own).exists()
        self._stored: _Stored | None = None
        self._documents = pa.ipc.new_stream(str(self._scratch / "known.arrows"), _KNOWN)
        self.number = self.units = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._documents.close()
        if self._stored is not None:
            self._stored.__exit__(*error)

    def find(self, first: Hashes, second: Hashes) -> Rows:
        """Return where the result of each text is, -1 for those that have to be sent.

        :param first: hashes of the texts, as ``second``; shape ``(n,)``.
        :param second: see above.
        :returns: numbers for :meth:`add`; shape ``(n,)``.
        :raises OSError: no space left on local disk.
        """
        if not self._before and not self._folders:
            return np.full(len(first), -1, np.int64)
        if self._stored is None:
            self._stored = _Stored(self._scratch, self._files(), self._access)
        return self._stored.find(first, second)

    def add(self, ids: Column, first: Hashes, second: Hashes, rows: Rows, units: Rows) -> None:
        """Keep documents that are not sent.

        :param ids: of the documents, a column of strings.
        :param first: hashes of their texts, as ``second``; shape ``(n,)``.
        :param second: see above.
        :param rows: where their results are, from :meth:`find`; shape ``(n,)``.
        :param units: what each of them would have cost; shape ``(n,)``.
        :raises OSError: no space left on local disk.
        """
        if not len(ids):
            return
        columns = [ids, as_column(first, second), from_numpy(units), from_numpy(rows)]
        self._documents.write_batch(pa.RecordBatch.from_arrays(columns, schema=_KNOWN))
        self.number += len(ids)
        self.units += int(units.sum())

    def write(self) -> None:
        """Write the documents with their results, a Parquet file with :data:`REUSED_SCHEMA`.

        It appears whole. Where there are no documents, and were none before, there is no file.
        """
        if self._own is None or not (self.number or self._before):
            return
        local = self._scratch / "reused.parquet"
        with reused_writer(local) as writer:
            for rows in self.results():
                writer.write_batch(rows)
        upload_whole(local, self._own, self._access)

    def results(self) -> Iterator[pa.RecordBatch]:
        """Yield the documents with their results, in the order in which they came; no others are taken then.

        :returns: record batches with :data:`REUSED_SCHEMA`.
        """
        self._documents.close()
        if self._stored is None:
            return
        runs: Any = pa.array(self._stored.runs, pa.string())
        path = str(self._scratch / "known.arrows")
        with pa.OSFile(path, "rb") as file, pa.ipc.open_stream(file) as stream:
            for part in joined(stream, _ROWS):
                rows = part["row"].to_numpy()
                labels, scores = self._stored.results.take(rows)
                keys = pa.DictionaryArray.from_arrays(from_numpy(self._stored.runs_of(rows)), runs)
                columns = [part["document_id"], labels, scores, keys, part["text_hash"], part["units"]]
                yield pa.RecordBatch.from_arrays(columns, REUSED_SCHEMA.names).cast(REUSED_SCHEMA)

    def _files(self) -> Generator[_File, None, None]:
        if self._before and self._own:
            yield _File(self._own, None)
        for folder, run in self._folders.items():
            for name in names_below(folder, self._access):
                if name.endswith(".parquet"):
                    yield _File(folder + name, run)


class _File(NamedTuple):
    """A file with results.

    :param uri: the file.
    :param run: the run that has classified its texts; ``None``: the file says it of each.
    """

    uri: str
    run: str | None


class _Stored:
    """The results of some files, on local disk; use it in a ``with``.

    :param folder: a local folder.
    :param files: the files; of equal texts the first result counts.
    :param access: storage.
    """

    def __init__(self, folder: Path, files: Generator[_File, None, None], access: Access) -> None:
        self.results = LocalResults(folder)
        self._index = HashIndex(folder)
        # Rows of one run, one behind the other, are a stretch: where each begins, and which run it is.
        self._starts: list[Rows] = []
        self._runs_of_stretches: list[npt.NDArray[np.int32]] = []
        self._numbers: dict[str, int] = {}
        for (uri, run), local in prefetch(_downloaded(files, folder, access), _DOWNLOADS):
            start = len(self.results)
            try:
                self._append(local, run)
            except DamagedResultsError as error:
                log.warning("%s cannot be used, so its texts may be paid for again: %s", uri, error)
                self.results.truncate(start)
            finally:
                local.unlink(missing_ok=True)
        pa.default_memory_pool().release_unused()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._index.__exit__(*error)
        self.results.__exit__(*error)

    @property
    def runs(self) -> list[str]:
        """The runs that :meth:`runs_of` numbers."""
        return list(self._numbers)

    def find(self, first: Hashes, second: Hashes) -> Rows:
        """Return the row of each text, -1 for those that are not there."""
        return self._index.find(first, second)

    def runs_of(self, rows: Rows) -> npt.NDArray[np.int32]:
        """Return the index of the run of each row."""
        stretches = np.searchsorted(np.concatenate(self._starts), rows, side="right") - 1
        return np.concatenate(self._runs_of_stretches)[stretches]

    def _append(self, local: Path, run: str | None) -> None:
        start = len(self.results)
        blocks = []
        for block in _read(local, run):
            self.results.append(block.labels, block.scores)
            blocks.append((*as_hashes(block.hashes), *self._stretches(block.runs)))
        # Only now, when the whole file could be read.
        for first, second, starts, runs in blocks:
            self._index.add(first, second, np.arange(start, start + len(first)))
            self._starts.append(starts + start)
            self._runs_of_stretches.append(runs)
            start += len(first)

    def _stretches(self, runs: Any) -> tuple[Rows, npt.NDArray[np.int32]]:
        """Return the rows at which other runs than before begin, and which these are."""
        indices = runs.indices.to_numpy()
        starts = np.flatnonzero(np.diff(indices, prepend=-1))
        numbers = [self._numbers.setdefault(run, len(self._numbers)) for run in runs.dictionary.to_pylist()]
        return starts, np.array(numbers, np.int32)[indices[starts]]


class _Block(NamedTuple):
    """Some rows of a file, each column as long as the others."""

    hashes: Any
    labels: Any
    scores: Any
    runs: Any


def _downloaded(
    files: Iterator[_File], folder: Path, access: Access
) -> Generator[tuple[_File, Path], None, None]:
    for number, file in enumerate(files):
        local = folder / f"stored-{number}.parquet"
        # It may have been removed since it was listed: then it cannot be read below.
        with suppress(FileNotFoundError):
            download(file.uri, local, access)
        yield file, local


def _read(local: Path, run: str | None) -> Iterator[_Block]:
    """Yield the rows of a file.

    :param local: the file.
    :param run: the run that has classified its texts; ``None``: the file says it of each, and a row may be
        that of a forgotten document.
    :raises DamagedResultsError: it cannot be read, or is not as Nightsort writes it.
    """
    names = STORED_SCHEMA.names if run else [*STORED_SCHEMA.names, "run_key"]
    try:
        parquet = pq.ParquetFile(local, page_checksum_verification=True)
        for group in range(parquet.num_row_groups):
            for rows in parquet.read_row_group(group, names, use_threads=False).to_batches():
                if not run:
                    rows = rows.filter(rows["text_hash"].is_valid())
                hashes, labels, scores = (rows[field.name].cast(field.type) for field in STORED_SCHEMA)
                _check(hashes, labels, scores)
                runs: Any = pa.repeat(pa.scalar(run, pa.string()), len(rows)) if run else rows["run_key"]
                runs = runs.cast(pa.string()).dictionary_encode()
                yield _Block(hashes, as_labels(labels), as_scores(scores), runs)
    except FileNotFoundError:
        raise DamagedResultsError("it is gone") from None
    except (pa.ArrowException, OSError, ValueError, KeyError) as error:
        raise DamagedResultsError(first_line(error)) from error


def _check(hashes: Any, labels: Any, scores: Any) -> None:
    """Check that each text has labels, and each label a score.

    :raises ValueError: one has not.
    """
    whole = not any(column.null_count for column in (hashes, labels, scores, labels.values, scores.values))
    lengths, others = np.diff(labels.offsets), np.diff(scores.offsets)
    if not (whole and (lengths > 0).all() and np.array_equal(lengths, others)):
        raise ValueError("a text has no labels, or a label has no score")

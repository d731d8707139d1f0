"""The results of a batch by the hashes of their texts: one Parquet file, sorted by hash.

It holds what a job or an endpoint has classified: no ids, no texts, and no document that failed. The label,
its score and what is accepted follow from labels and scores. Its path names the version, the run (which
begins with its day) and the batch, so that days and versions are found by listing.
``docs/adr/0044-results-by-hash.md``.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from nightsort.arrow.columns import from_numpy
from nightsort.arrow.hashing import HASH, as_hashes, in_order, is_first
from nightsort.arrow.label_lists import SCORES
from nightsort.reuse.local_results import LocalResults
from nightsort.storage import download, names_below, remove_file, upload_whole

if TYPE_CHECKING:
    from collections.abc import Collection

    from typing_extensions import Self

    from nightsort.layout import WorkLayout
    from nightsort.storage import Access

LABEL_NAMES: Final = pa.list_(pa.string())
"""Labels in a file. pyarrow cannot read lists of dictionary values that are in several row groups."""

_TYPES: Final[dict[str, pa.DataType]] = {"text_hash": HASH, "labels": LABEL_NAMES, "scores": SCORES}
STORED_SCHEMA: Final = pa.schema(_TYPES)
"""A row for each text that was classified, ascending by hash; labels best first."""

_ROWS: Final = 65_536
_FEW_VALUES: Final = ["labels.list.element", "scores.list.element"]


class ResultsWriter:
    """Keeps what was classified of a batch; use it in a ``with``.

    :param access: storage.
    :param layout: of the spec.
    :param version: that classified.
    :param run_key: the run.
    :param batch: name of the batch.
    """

    def __init__(self, access: Access, layout: WorkLayout, *, version: str, run_key: str, batch: str) -> None:
        self._access = access
        self._uri = layout.stored_results(version, run_key, batch)
        self._folder = tempfile.TemporaryDirectory(prefix="nightsort-")
        self._results = LocalResults(Path(self._folder.name))
        self._hashes: list[Any] = [pa.array([], HASH)]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._results.__exit__(*error)
        self._folder.cleanup()

    def add(self, text_hashes: Any, labels: Any, scores: Any) -> None:
        """Take texts that were classified; of equal ones the first result counts.

        :param text_hashes: a column of :data:`~nightsort.arrow.hashing.HASH`, null where a text is forgotten.
        :param labels: a column of :data:`~nightsort.arrow.label_lists.LABELS`.
        :param scores: a column of :data:`~nightsort.arrow.label_lists.SCORES`.
        """
        if text_hashes.null_count:
            there = text_hashes.is_valid()
            text_hashes, labels, scores = (column.filter(there) for column in (text_hashes, labels, scores))
        self._hashes.append(text_hashes)
        self._results.append(labels, scores)

    def upload(self) -> None:
        """Write the file; it appears whole, in the place of an earlier one."""
        hashes: Any = pa.concat_arrays(self._hashes)
        first, second = as_hashes(hashes)
        order = in_order(first, second)
        order = order[is_first(first[order], second[order])]
        local = Path(self._folder.name) / "stored.parquet"
        with stored_writer(local) as writer:
            for start in range(0, len(order), _ROWS):
                rows = order[start : start + _ROWS]
                labels, scores = self._results.take(rows)
                columns = [hashes.take(from_numpy(rows)), labels.cast(LABEL_NAMES), scores]
                writer.write_batch(pa.RecordBatch.from_arrays(columns, schema=STORED_SCHEMA))
        upload_whole(local, self._uri, self._access)


def stored_writer(path: Path) -> pq.ParquetWriter:
    """Open a Parquet file with :data:`STORED_SCHEMA` for writing, with a checksum for each page.

    :param path: a local file.
    :returns: what takes record batches, for a ``with``.
    """
    few: Any = _FEW_VALUES
    return pq.ParquetWriter(
        path, STORED_SCHEMA, use_dictionary=few, compression="zstd", write_page_checksum=True
    )


def results_of_run(layout: WorkLayout, access: Access, run_key: str) -> list[str]:
    """Return the files with what is kept of a run, of every version that classified it.

    :param layout: of the spec.
    :param access: storage.
    :param run_key: the run.
    """
    versions = [name.rstrip("/") for name in names_below(layout.reuse, access)]
    return [
        f"{layout.results_of_version(version)}{run_key}/{name}"
        for version in versions
        for name in names_below(f"{layout.results_of_version(version)}{run_key}/", access)
        if name.endswith(".parquet")
    ]


def empty_results(uri: str, access: Access) -> None:
    """Leave no text in a file of what is kept. It is not removed, since no DAG needs the right to remove.

    :param uri: the file.
    :param access: storage.
    """
    with tempfile.TemporaryDirectory(prefix="nightsort-") as folder:
        local = Path(folder) / "empty.parquet"
        stored_writer(local).close()
        upload_whole(local, uri, access)


def erase_from_store(
    access: Access, layout: WorkLayout, run_key: str, batch: str, hashes: Collection[bytes]
) -> None:
    """Take texts out of what is kept of a batch, whichever version classified it.

    A file that cannot be read is removed: that costs no more than classifying its texts again.

    :param access: storage.
    :param layout: of the spec.
    :param run_key: the run.
    :param batch: name of the batch.
    :param hashes: of the texts, 16 bytes each.
    """
    wanted: Any = pa.array(sorted(hashes), HASH)
    for name in names_below(layout.reuse, access):
        uri = layout.stored_results(name.rstrip("/"), run_key, batch)
        with tempfile.TemporaryDirectory(prefix="nightsort-") as folder:
            local, left = Path(folder) / "stored.parquet", Path(folder) / "left.parquet"
            try:
                download(uri, local, access)
            except FileNotFoundError:
                continue
            try:
                found = _copy_without(local, left, wanted)
            except (pa.ArrowException, OSError, ValueError, KeyError):
                remove_file(uri, access)
                continue
            if found:
                upload_whole(left, uri, access)


def _copy_without(local: Path, left: Path, hashes: Any) -> int:
    """Copy a file without some texts; return how many of them it has."""
    found = 0
    parquet = pq.ParquetFile(local, page_checksum_verification=True)
    with stored_writer(left) as writer:
        for group in range(parquet.num_row_groups):
            rows: Any = parquet.read_row_group(group, use_threads=False)
            keep = pc.invert(pc.is_in(rows["text_hash"], value_set=hashes))
            found += len(rows) - int(pc.sum(keep).as_py() or 0)
            writer.write_table(rows.filter(keep))
    return found

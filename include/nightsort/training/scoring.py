"""Find what the active version has said of test documents already, so that the others alone are paid for.

It is decided once for each training and version: the first call writes it, and every later one finds it. So a
job that was started is found again, whatever has been classified since.
"""

from __future__ import annotations

import logging
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from upath import UPath
from xxhash import xxh3_128

from nightsort.arrow.columns import from_numpy, offsets_and_bytes
from nightsort.arrow.hashing import hash_texts
from nightsort.arrow.label_lists import SCORES
from nightsort.comprehend.prices import document_units
from nightsort.layout import TEST_DOCUMENTS
from nightsort.reuse.lookup import Reused
from nightsort.reuse.store import LABEL_NAMES
from nightsort.sources.source_files import SourceFile, SourceGoneError
from nightsort.sources.streams import open_file
from nightsort.sources.text_files import read_lines
from nightsort.storage import must_exist, upload, upload_whole
from nightsort.wording import number_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import numpy.typing as npt

    from nightsort.arrow.columns import Column
    from nightsort.classifier_spec.model import ClassifierSpec
    from nightsort.layout import TrainingFolder
    from nightsort.storage import Access

    Lines = npt.NDArray[np.int64]

log = logging.getLogger(__name__)

_TYPES: Final[dict[str, pa.DataType]] = {"line": pa.int64(), "labels": LABEL_NAMES, "scores": SCORES}
_KNOWN: Final = pa.schema(_TYPES)


@dataclass(frozen=True)
class Scoring:
    """How a version is scored on the test documents of a training.

    :param documents: test documents that a job has to classify.
    :param units: their billed units.
    :param known: test documents that the version has classified before.
    :param input_uri: the documents of the job, one per line.
    :param fingerprint: a hash of them; ``None`` where they are all test documents.
    :param known_uri: what is known of the others.
    """

    documents: int
    units: int
    known: int
    input_uri: str
    fingerprint: str | None
    known_uri: str

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-safe values."""
        return asdict(self)


def split_scoring(
    spec: ClassifierSpec,
    access: Access,
    folder: TrainingFolder,
    *,
    version: str,
    runs: Callable[[], Sequence[str]],
) -> Scoring:
    """Return which test documents a version has to be asked about.

    :param spec: the classifier spec.
    :param access: storage.
    :param folder: of the training.
    :param version: the version that is scored.
    :param runs: returns the runs whose results may be used, the newest first.
    :raises MissingObjectError: the test documents are gone.
    """
    known_uri = folder.known_scores(version)
    with tempfile.TemporaryDirectory(prefix="nightsort-") as name:
        scratch = Path(name)
        found = scratch / "known.parquet"
        known = None
        try:
            known = known_lines(access.path(known_uri))
        except FileNotFoundError:
            _look_up(spec, access, folder, scratch, found, version=version, runs=runs())
        lines = known_lines(UPath(found)) if known is None else known
        unscored = scratch / "unscored.txt"
        documents, units = _write_unscored(unscored, folder, access, lines)
        if known is None:
            if len(lines) and documents:
                upload(unscored, folder.unscored(version), access)
            # Last: whoever finds it finds the other one too.
            upload_whole(found, known_uri, access)
    if len(lines):
        every = number_of(len(lines) + documents, "test document")
        log.info("Of %s, %s had classified %s before", every, version, f"{len(lines):,}")
    return Scoring(
        documents=documents,
        units=units,
        known=len(lines),
        input_uri=folder.unscored(version) if len(lines) else folder.file(TEST_DOCUMENTS),
        fingerprint=xxh3_128(lines.tobytes()).hexdigest() if len(lines) else None,
        known_uri=known_uri,
    )


def known_results(path: UPath) -> Iterator[tuple[int, list[str], list[float]]]:
    """Yield line, labels and scores of the test documents that a version had classified before.

    :param path: see :meth:`~nightsort.layout.TrainingFolder.known_scores`.
    :raises MissingObjectError: it is gone.
    """
    with must_exist(path):
        content = path.read_bytes()
    for rows in pq.ParquetFile(pa.BufferReader(content)).iter_batches(use_threads=False):
        yield from zip(*(rows[name].to_pylist() for name in ("line", "labels", "scores")), strict=True)


def known_lines(path: UPath) -> Lines:
    """Return the lines of the test documents that a version had classified before, ascending.

    :param path: see :meth:`~nightsort.layout.TrainingFolder.known_scores`.
    :raises FileNotFoundError: it is not there.
    """
    rows: Any = pq.read_table(pa.BufferReader(path.read_bytes()), columns=["line"])
    return np.sort(rows["line"].to_numpy())


def _look_up(
    spec: ClassifierSpec,
    access: Access,
    folder: TrainingFolder,
    scratch: Path,
    found: Path,
    *,
    version: str,
    runs: Sequence[str],
) -> None:
    """Write to local disk what a version has said of test documents: neither texts nor their hashes."""
    with (
        Reused(spec.layout, access, scratch, version=version, runs=runs) as reused,
        pq.ParquetWriter(found, _KNOWN, compression="zstd") as writer,
    ):
        for start, texts in _test_texts(folder, access):
            first, second = hash_texts(texts)
            at = reused.find(first, second)
            known = np.flatnonzero(at >= 0)
            ids = from_numpy(start + known).cast(pa.string())
            units = np.zeros(len(known), np.int64)
            reused.add(ids, first[known], second[known], at[known], units)
        for rows in reused.results():
            columns = [rows["document_id"].cast(pa.int64()), rows["labels"], rows["scores"]]
            writer.write_batch(pa.RecordBatch.from_arrays(columns, schema=_KNOWN))


def _write_unscored(path: Path, folder: TrainingFolder, access: Access, known: Lines) -> tuple[int, int]:
    """Write the test documents that are not known; return how many they are, and their units."""
    documents = units = 0
    with path.open("wb") as file:
        for start, texts in _test_texts(folder, access):
            others = np.ones(len(texts), np.bool_)
            others[
                known[np.searchsorted(known, start) : np.searchsorted(known, start + len(texts))] - start
            ] = False
            left = texts.filter(pa.array(others))
            lines: Any = pc.binary_join_element_wise(left, "", "\n")
            file.write(offsets_and_bytes(lines)[1].data)
            documents += len(left)
            units += int(document_units(left).sum())
    return documents, units


def _test_texts(folder: TrainingFolder, access: Access) -> Iterator[tuple[int, Column]]:
    """Yield the test documents as they are sent, each block with the number of its first line."""
    file = SourceFile(folder.file(TEST_DOCUMENTS), TEST_DOCUMENTS)
    start = 0
    try:
        with open_file(file, access) as stream:
            for block in read_lines([(file, stream)]):
                texts = pc.utf8_rtrim(block.texts.cast(pa.string()), "\n")
                yield start, texts
                start += len(texts)
    except SourceGoneError as error:
        with must_exist(error.uri):
            raise FileNotFoundError from error

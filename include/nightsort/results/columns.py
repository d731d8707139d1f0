"""Read the ``output.tar.gz`` of a classification job: a stream of predictions, in bounded memory.

A block of lines in exactly the layout that Comprehend writes is parsed as columns, by Arrow. Any other block
is read line by line (:mod:`nightsort.results.lines`), so the rules for odd output are in one place. Both have
the same result for the lines that both can read. Arrow's parser gets no other input, because version 26
crashes the process on a line ``null``.

The lines are in no particular order: join by file and line (:mod:`nightsort.results.join`).
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json

from nightsort.arrow.columns import from_numpy
from nightsort.arrow.label_lists import LABELS
from nightsort.comprehend.limits import MAX_JOB_DOCUMENTS
from nightsort.results.archive import max_unpacked_bytes, read_member
from nightsort.results.lines import Failure, LineReader, Unreadable, good_label

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import numpy as np
    import numpy.typing as npt
    from upath import UPath

__all__ = [
    "PREDICTION_SCHEMA",
    "Failure",
    "PredictionBatch",
    "Unreadable",
    "read_prediction_lines",
    "read_predictions",
]

MEMBER = "predictions.jsonl"
"""The archive's member with the results, one JSON object a line."""

MAX_LINE_BYTES = 16_000_000
"""A longer line is unreadable; Comprehend's have some hundred bytes. Keeps memory flat on any input."""

_TYPES: dict[str, pa.DataType] = {
    "file": pa.string(),
    "line": pa.int64(),
    "labels": LABELS,
    "scores": pa.list_(pa.float64()),
}
PREDICTION_SCHEMA = pa.schema(_TYPES)
"""Columns of :attr:`PredictionBatch.predictions`: line from 0 or null; labels best first, their scores."""

_ENTRIES = pa.list_(pa.struct([("Name", pa.string()), ("Score", pa.float64())]))
_RAW_SCHEMA = pa.schema(
    {
        "File": pa.string(),
        "Line": pa.string(),
        "Classes": _ENTRIES,
        "Labels": _ENTRIES,
    }
)
# Bytes as RE2 sees them here: one character each.
_STRING = r'"(?:[^"\\\x00-\x1f]|\\["\\/bfnrt]|\\u[0-9a-fA-F]{4})*"'
_NUMBER = r"(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?"
_ENTRY = rf'\{{"Name": ?{_STRING}, ?"Score": ?{_NUMBER}\}}'
_LAYOUT_OF_LINE = (
    rf'\{{"File": ?{_STRING}, ?(?:"Line": ?"[0-9]{{1,18}}", ?)?'
    rf'"(?:Classes|Labels)": ?\[{_ENTRY}(?:, ?{_ENTRY})*\]\}}\r?'
)
_LAYOUT = rf"\A(?:{_LAYOUT_OF_LINE}\n)*(?:{_LAYOUT_OF_LINE})?\z"
_PARSE_OPTIONS = pa.json.ParseOptions(explicit_schema=_RAW_SCHEMA, unexpected_field_behavior="ignore")
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class PredictionBatch:
    """The results in a block of lines.

    :param predictions: one row per prediction, see :data:`PREDICTION_SCHEMA`.
    :param failures: documents for which Comprehend returned an error or no label.
    :param unreadable: pieces that cannot be read.
    """

    predictions: pa.RecordBatch
    failures: tuple[Failure, ...] = ()
    unreadable: tuple[Unreadable, ...] = ()

    @property
    def results(self) -> int:
        """Number of predictions, failures and unreadable pieces."""
        return len(self.predictions) + len(self.failures) + len(self.unreadable)


def read_predictions(
    archive: UPath | IO[bytes], *, documents: int = MAX_JOB_DOCUMENTS
) -> Iterator[PredictionBatch]:
    """Stream the predictions of a job's output, about 5,000 at a time.

    :param archive: ``output.tar.gz``, as a path or an open binary stream.
    :param documents: how many documents the job has; a far larger archive is refused.
    :returns: predictions, failures and unreadable pieces, block by block.
    :raises ArchiveError: the archive is damaged, too large, or has not exactly one ``predictions.jsonl``.
    """
    return read_prediction_lines(read_member(archive, MEMBER, max_bytes=max_unpacked_bytes(documents)))


def read_prediction_lines(chunks: Iterable[bytes]) -> Iterator[PredictionBatch]:
    """Stream the predictions of JSON Lines. No content raises an exception.

    :param chunks: the bytes, in pieces of any size.
    :returns: predictions, failures and unreadable pieces, block by block.
    """
    number = 1
    for block in blocks_of_lines(chunks):
        if block is None:
            problem = f"longer than {MAX_LINE_BYTES:,} bytes"
            yield PredictionBatch(_as_columns(LineReader()), unreadable=(Unreadable(number, problem),))
            number += 1
            continue
        columns = _read_columns(block)
        yield PredictionBatch(columns) if columns is not None else _read_one_by_one(block, number)
        number += block.count(b"\n")


def blocks_of_lines(chunks: Iterable[bytes]) -> Iterator[bytes | None]:
    """Cut into blocks of whole lines; ``None`` stands for a line that is too long.

    :param chunks: the bytes, in pieces of any size.
    """
    pending: list[bytes] = []
    size = 0
    skipping = False
    at_start = True
    for piece in chunks:
        chunk = piece
        if at_start and chunk:
            chunk = chunk.removeprefix(_BOM)
            at_start = False
        if skipping:
            _, newline, chunk = chunk.partition(b"\n")
            if not newline:
                continue
            skipping = False
        cut = chunk.rfind(b"\n") + 1
        if cut:
            yield b"".join((*pending, chunk[:cut]))
            pending, size = [chunk[cut:]], len(chunk) - cut
        else:
            pending.append(chunk)
            size += len(chunk)
            if size > MAX_LINE_BYTES:
                pending, size, skipping = [], 0, True
                yield None
    if size:
        yield b"".join(pending)


def _read_one_by_one(block: bytes, first: int) -> PredictionBatch:
    reader = LineReader()
    for number, raw in enumerate(block.split(b"\n"), first):
        if raw:
            reader.read(raw, number)
    return PredictionBatch(_as_columns(reader), tuple(reader.failures), tuple(reader.unreadable))


def _as_columns(reader: LineReader) -> pa.RecordBatch:
    columns: tuple[list[Any], ...] = (reader.files, reader.lines, reader.labels, reader.scores)
    arrays = [pa.array(column, field.type) for column, field in zip(columns, PREDICTION_SCHEMA, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=PREDICTION_SCHEMA)


def _read_columns(block: bytes) -> pa.RecordBatch | None:
    """Parse a block in which every line is a prediction as Comprehend writes it; ``None`` for any other."""
    content: Any = pa.array([block], pa.binary())
    if not pc.match_substring_regex(content, _LAYOUT)[0].as_py():
        return None
    try:
        if not block.isascii():
            block.decode("utf-8")
        table = pa.json.read_json(
            io.BytesIO(block),
            # One block, on this thread: the other core is PostgreSQL's.
            read_options=pa.json.ReadOptions(use_threads=False, block_size=len(block) + 1),
            parse_options=_PARSE_OPTIONS,
        )
        (batch,) = table.combine_chunks().to_batches()
        return _regular(batch)
    except (pa.ArrowException, ValueError):
        return None


def _regular(batch: Any) -> pa.RecordBatch | None:
    rows = batch.num_rows
    file, line, entries, other = batch["File"], batch["Line"], batch["Classes"], batch["Labels"]
    if entries.null_count:
        entries, other = other, entries
    if line.null_count not in (0, rows) or entries.null_count or other.null_count != rows:
        return None
    start, end = entries.offsets[0].as_py(), entries.offsets[-1].as_py()
    flat = entries.values.slice(start, end - start)
    offsets = entries.offsets.to_numpy() - start
    names, scores = flat.field("Name"), flat.field("Score")
    if not _best_first(scores.to_numpy(), offsets):
        return None
    names = names.dictionary_encode()
    # Finds what an escape like \udc00 makes: bytes that are no UTF-8.
    names.dictionary.validate(full=True)
    file.validate(full=True)
    if not all(map(good_label, names.dictionary.to_pylist())) or pc.min(pc.binary_length(file)).as_py() == 0:
        return None
    numbers = pa.nulls(rows, pa.int64()) if line.null_count else pc.cast(line, pa.int64())
    starts = from_numpy(offsets)
    return pa.RecordBatch.from_arrays(
        [file, numbers, pa.ListArray.from_arrays(starts, names), pa.ListArray.from_arrays(starts, scores)],
        schema=PREDICTION_SCHEMA,
    )


def _best_first(scores: npt.NDArray[np.float64], offsets: npt.NDArray[np.int32]) -> bool:
    """Whether every score is between 0 and 1, and none is above the one before it."""
    if not ((scores >= 0) & (scores <= 1)).all():
        return False
    falling = scores[1:] <= scores[:-1]
    falling[offsets[1:-1] - 1] = True
    return bool(falling.all())

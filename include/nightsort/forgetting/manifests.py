"""Find documents in a manifest, and take their ids out of it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from nightsort.arrow.columns import from_numpy
from nightsort.arrow.hashing import HASH
from nightsort.arrow.manifest_schema import (
    MANIFEST_SCHEMA,
    manifest_writer,
    number_of_lines,
    rows_schema,
)
from nightsort.batches.manifest import ManifestError
from nightsort.layout import document_file, forgotten_file, line_file
from nightsort.storage import upload_whole

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    import numpy.typing as npt

    from nightsort.arrow.columns import Column
    from nightsort.forgetting.lines import Positions
    from nightsort.storage import Access

_ROWS_AT_ONCE: Final = 32_768


@dataclass(frozen=True)
class Found:
    """Where documents are in a manifest, and texts whose documents the source has lost.

    Nothing says whose such a text was, so it is forgotten with any document.

    :param positions: rows of the manifest, from 0, sorted.
    :param files: the base name of the file of each.
    :param lines: the line of each in that file.
    :param ids: how often each id is there.
    :param documents: how many documents the manifest has.
    :param owned: which of the rows are lines, rather than of documents that have the text of a line.
    :param hashes: the hash of the text of each, 16 bytes; ``None`` where the manifest has none.
    :param heirs: rows of documents that are left with the text of such a line, by the row of the line.
    :param lost: how many of the rows are texts whose documents the source has lost.
    :param passed_on: files that are named after such a document and are another one's now, by their rows.
    """

    positions: Positions
    files: list[str]
    lines: Positions
    ids: Counter[str]
    documents: int
    owned: npt.NDArray[np.bool_]
    hashes: list[bytes | None]
    heirs: dict[int, Heir] = field(default_factory=dict)
    lost: int = 0
    passed_on: dict[int, str] = field(default_factory=dict)

    @property
    def texts(self) -> Positions:
        """The rows of the lines whose texts nobody else has."""
        return np.array(
            [row for row in self.positions[self.owned].tolist() if row not in self.heirs], np.int64
        )

    @property
    def text_hashes(self) -> set[bytes]:
        """The hashes of these texts."""
        gone = set(self.texts.tolist())
        each = zip(self.positions.tolist(), self.hashes, strict=True)
        return {digest for position, digest in each if position in gone and digest is not None}

    @property
    def places(self) -> Iterator[tuple[str, int]]:
        """The files and lines of these texts."""
        gone = set(self.texts.tolist())
        for position, file, line in zip(
            self.positions.tolist(), self.files, self.lines.tolist(), strict=True
        ):
            if position in gone:
                yield file, line

    @property
    def renamed(self) -> dict[str, str]:
        """The names of the files that are passed on, where each line has one, and their new names."""
        heirs = {
            position: file
            for position, file in zip(self.positions.tolist(), self.files, strict=True)
            if position in self.heirs
        }
        # By its place: the file that is named after the document may be another line's.
        new = {file: line_file(position) for position, file in (self.passed_on | heirs).items()}
        return {file: name for file, name in new.items() if file != name}

    def lines_of(self, file: str) -> Positions:
        """Return the lines of one file, sorted."""
        return np.sort(self.lines[[name == file for name in self.files]])


class Heir(NamedTuple):
    """A document that has the text of a line which was another one's.

    :param position: its row of the manifest.
    :param document_id: its id.
    """

    position: int
    document_id: str


def find_in_manifest(uri: str, ids: Column, access: Access) -> Found:
    """Find documents in a manifest.

    :param uri: the manifest.
    :param ids: the ids.
    :param access: storage.
    :raises ManifestError: it cannot be read.
    """
    positions, lines = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    files: list[str] = []
    hashes: list[bytes | None] = []
    counts: Counter[str] = Counter()
    start = documents = number = lost = 0
    places: dict[tuple[str, int], int] = {}
    heirs: dict[int, Heir] = {}
    passed_on: dict[int, str] = {}
    named_after = {document_file(each): each for each in ids.to_pylist()}
    names: Column = pa.array(list(named_after), pa.string())
    for rows, number in _rows(uri, access):
        named = is_one_of(rows["document_id"], ids)
        without = _lost(rows, number - start)
        here = np.union1d(named, without)
        lost += len(without)
        documents += len(rows) - rows["document_id"].null_count
        if len(here):
            found = rows.take(from_numpy(here))
            positions.append(here + start)
            lines.append(found["line"].to_numpy())
            files += found["file"].to_pylist()
            hashed = "text_hash" in found.schema.names
            hashes += found["text_hash"].to_pylist() if hashed else [None] * len(found)
            counts.update(found["document_id"].drop_null().to_pylist())
        for row in named.tolist():
            if start + row < number:
                places[rows["file"][row].as_py(), rows["line"][row].as_py()] = start + row
        if places and start + len(rows) > number:
            _note_heirs(rows, max(number - start, 0), start, set(named.tolist()), places, heirs)
        # Files are named after documents where each line has one.
        for row in np.setdiff1d(is_one_of(rows["file"].cast(pa.string()), names), here).tolist():
            file, owner = rows["file"][row].as_py(), rows["document_id"][row].as_py()
            if start + row < number and owner is not None and document_file(owner) != file:
                passed_on[start + row] = file
                counts[named_after[file]] += 1
        start += len(rows)
    every = np.concatenate(positions)
    return Found(
        every,
        files,
        np.concatenate(lines),
        counts,
        documents,
        every < number,
        hashes,
        heirs,
        lost,
        passed_on,
    )


def _lost(rows: Any, lines: int) -> Positions:
    """Return which rows are texts without a document; that of a forgotten one has no hash."""
    if "text_hash" not in rows.schema.names:
        return np.zeros(0, np.int64)
    flags: Any = pc.and_(pc.is_null(rows["document_id"]), pc.is_valid(rows["text_hash"]))
    found = np.flatnonzero(flags.to_numpy(zero_copy_only=False))
    return found[found < lines]


def _note_heirs(
    rows: Any,
    first: int,
    start: int,
    named: set[int],
    places: dict[tuple[str, int], int],
    heirs: dict[int, Heir],
) -> None:
    """Note the first document that is left with the text of each line whose own document is found."""
    columns = (rows[name].to_pylist() for name in ("file", "line", "document_id"))
    for row, (file, line, document_id) in enumerate(zip(*columns, strict=True)):
        if row >= first and row not in named and document_id is not None and (file, line) in places:
            heirs.setdefault(places[file, line], Heir(start + row, document_id))


def is_one_of(column: Column, ids: Column) -> Positions:
    """Return which rows of a column hold one of the ids."""
    flags: Any = pc.is_in(column, value_set=ids, skip_nulls=True)
    return np.flatnonzero(flags.to_numpy(zero_copy_only=False))


def erase_from_manifest(uri: str, found: Found, access: Access, scratch: Path, *, per_file: bool) -> None:
    """Take the ids of documents out of a manifest; their rows stay.

    :param uri: the manifest.
    :param found: the documents.
    :param access: storage.
    :param scratch: a local folder.
    :param per_file: a file is named after its document, so its name goes as well.
    """
    local = scratch / "manifest.parquet"
    new_ids: dict[int, str | None] = dict.fromkeys(found.positions.tolist())
    for line, heir in found.heirs.items():
        new_ids |= {line: heir.document_id, heir.position: None}
    texts = set(found.texts.tolist())
    forgotten = zip(found.places, found.texts.tolist(), strict=True)
    names = {**found.renamed, **{file: forgotten_file(position) for (file, _), position in forgotten}}
    writer: pq.ParquetWriter | None = None
    start = 0
    try:
        for rows, number in _rows(uri, access):
            writer = writer or manifest_writer(local, rows.schema, lines=number)
            part = _without_ids(rows, start, new_ids, texts)
            writer.write_batch(_renamed(part, names) if per_file else part)
            start += len(rows)
    finally:
        if writer is not None:
            writer.close()
    upload_whole(local, uri, access)


def _without_ids(rows: Any, start: int, new_ids: dict[int, str | None], texts: set[int]) -> Any:
    here = [row for row in range(len(rows)) if start + row in new_ids]
    if not here:
        return rows
    columns = dict(zip(rows.schema.names, rows.columns, strict=True))
    mask = _mask(len(rows), here)
    ids = pa.array([new_ids[start + row] for row in here], pa.string())
    columns["document_id"] = pc.replace_with_mask(rows["document_id"], mask, ids)
    gone = [row for row in here if start + row in texts]
    mask = _mask(len(rows), gone)
    if "text_hash" in columns:
        columns["text_hash"] = pc.if_else(mask, pa.scalar(None, HASH), columns["text_hash"])
    return pa.record_batch(list(columns.values()), schema=rows.schema)


def _renamed(rows: Any, renamed: Mapping[str, str]) -> Any:
    if not renamed:
        return rows
    names = [renamed.get(name, name) for name in rows["file"].to_pylist()]
    files = pa.array(names, pa.string()).cast(MANIFEST_SCHEMA.field(0).type)
    return rows.set_column(0, MANIFEST_SCHEMA.field(0), files)


def _mask(rows: int, chosen: list[int]) -> Any:
    flags = np.zeros(rows, np.bool_)
    flags[chosen] = True
    return pa.array(flags)


def _rows(uri: str, access: Access) -> Iterator[tuple[Any, int]]:
    """Stream the rows of a manifest, each time with the number of those that are lines."""
    content = access.path(uri).read_bytes()
    try:
        parquet: Any = pq.ParquetFile(pa.BufferReader(content), read_dictionary=["file"])
        schema, number = rows_schema(parquet), number_of_lines(parquet)
        for rows in parquet.iter_batches(batch_size=_ROWS_AT_ONCE, columns=schema.names, use_threads=False):
            yield rows.cast(schema), number
    except (pa.ArrowException, KeyError, OSError, ValueError) as error:
        raise ManifestError(
            f"{uri}: not a manifest, so nothing says which documents its batch holds; remove it and the input"
        ) from error

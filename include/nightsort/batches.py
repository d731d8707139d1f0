"""The input of classification jobs: new documents, cut into batches, each with the manifest of what is where.

A batch's name holds a hash of its content, so the same documents give the same names and the same bytes, and
what a crashed attempt left behind is either the same or is not referred to by anything. A batch is written to
local disk first (the name is known at its end) and uploaded while the next one is written.
"""

from __future__ import annotations

import hashlib
import logging
import re
import tempfile
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from include.nightsort.costs import Forecast, document_units, forecast_classification
from include.nightsort.documents import read_documents
from include.nightsort.job_output.manifests import MANIFEST_SCHEMA
from include.nightsort.rejects import RejectLog
from include.nightsort.uploads import upload

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import date

    from include.nightsort.access import Access, Progress
    from include.nightsort.classifier_spec import ClassifierSpec
    from include.nightsort.columnar.columns import Column

log = logging.getLogger(__name__)

MAX_BATCHES: Final = 1_000
"""Batches of one run (choice: Airflow maps a task at most 1,024 times by default)."""

_MANIFEST_ROWS: Final = 65_536
_WAITING_BATCHES: Final = 2
_FILE_UPLOADS: Final = 16
_SAFE_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._\-]{0,199}")


class TooManyBatchesError(ValueError):
    """More batches than one run can carry: how many, and which limit of the spec makes them so small."""


@dataclass(frozen=True)
class Batch:
    """The input of one classification job.

    :param name: ``<run_key>-<number>-<8 hex digits of the content>``.
    :param input_uri: what the job reads: one object, or with ONE_DOC_PER_FILE a prefix that ends in ``/``.
    :param manifest_uri: which document is where in it.
    :param documents: how many there are.
    :param bytes: size of the input.
    :param units: what the job will be billed, in units of 100 characters.
    :param fingerprint: hash of the input's content.
    """

    name: str
    input_uri: str
    manifest_uri: str
    documents: int
    bytes: int
    units: int
    fingerprint: str


@dataclass(frozen=True)
class PreparedBatches:
    """The batches of a run. ``documents_in == documents_sent + rejected``, always.

    :param documents_in: records that the source held.
    :param documents_sent: documents in the batches.
    :param reject_counts: rejected documents by reason.
    :param rejects_uri: the rejects, as JSON Lines.
    :param units: what all jobs together will be billed.
    """

    run_key: str
    batches: tuple[Batch, ...]
    documents_in: int
    documents_sent: int
    rejected: int
    reject_counts: dict[str, int]
    rejects_uri: str
    units: int

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON-safe values."""
        return {**asdict(self), "batches": [asdict(batch) for batch in self.batches]}


def run_key(day: date, source_uri: str | None) -> str:
    """Name a run: its day, and a hash of the source if it is given by hand.

    :param source_uri: takes the place of the spec's incoming source; ``None``: it does not.
    """
    key = f"{day:%Y%m%d}"
    return key if source_uri is None else f"{key}-{hashlib.sha256(source_uri.encode()).hexdigest()[:8]}"


def prepare_batches(
    spec: ClassifierSpec,
    access: Access,
    *,
    run_key: str,
    day: date | None,
    source_uri: str | None = None,
    progress: Progress | None = None,
) -> PreparedBatches:
    """Write the batches of a run below ``<work_uri>/runs/<run_key>/``, with manifests and rejects.

    A source without documents gives no batches and zeros.

    :param run_key: names the run, see :func:`run_key`.
    :param day: renders ``{day}`` in the source.
    :param source_uri: read this in place of the spec's incoming URI.
    :param progress: called now and then with the documents read so far.
    :raises SourceError: the source cannot be read as the spec says.
    :raises TooManyBatchesError: the spec's limits would make more than 1,000 batches.
    """
    folder = f"{spec.work_uri.rstrip('/')}/runs/{run_key}"
    with tempfile.TemporaryDirectory(prefix="nightsort-") as name:
        local = Path(name)
        with RejectLog(local / "rejects.jsonl") as rejects:
            documents = _incoming(spec, access, day, source_uri, rejects, progress)
            with _Uploads(access, folder, per_file=spec.input_format == "ONE_DOC_PER_FILE") as uploads:
                for shard in _shards(documents, spec, local):
                    uploads.add(shard, run_key)
            batches = uploads.batches
        rejects_uri = f"{folder}/rejects.jsonl"
        upload(rejects.path, rejects_uri, access)
    sent = sum(batch.documents for batch in batches)
    if not sent:
        where = source_uri or spec.incoming.uri or "the query"
        log.info("Nothing to classify: %s holds no usable document for run %s", where, run_key)
    return PreparedBatches(
        run_key=run_key,
        batches=tuple(batches),
        documents_in=sent + rejects.total,
        documents_sent=sent,
        rejected=rejects.total,
        reject_counts=dict(rejects.counts.most_common()),
        rejects_uri=rejects_uri,
        units=sum(batch.units for batch in batches),
    )


def forecast_run(
    spec: ClassifierSpec,
    access: Access,
    *,
    day: date | None,
    source_uri: str | None = None,
    progress: Progress | None = None,
) -> tuple[Forecast, int]:
    """Forecast what :func:`prepare_batches` would have to be paid for, without writing anything.

    :return: the forecast, exact in units, and how many documents would be rejected.
    :raises SourceError: the source cannot be read as the spec says.
    """
    documents = units = 0
    with (
        tempfile.TemporaryDirectory(prefix="nightsort-") as folder,
        RejectLog(Path(folder) / "rejects.jsonl") as rejects,
    ):
        for batch in _incoming(spec, access, day, source_uri, rejects, progress):
            documents += len(batch)
            units += int(document_units(batch["text"]).sum())
    return forecast_classification(documents, units), rejects.total


def file_name(document_id: str) -> str:
    """Return the name of a document's file in ONE_DOC_PER_FILE: its id, or a hash where that is no safe name.

    A hash begins with an underscore and an id that is a safe name does not, so two ids never share a name.
    """
    if _SAFE_NAME.fullmatch(document_id):
        return document_id
    return f"_{hashlib.sha256(document_id.encode()).hexdigest()[:40]}"


def _incoming(
    spec: ClassifierSpec,
    access: Access,
    day: date | None,
    source_uri: str | None,
    rejects: RejectLog,
    progress: Progress | None,
) -> Iterator[Any]:
    return read_documents(
        spec.incoming,
        access,
        mode=spec.mode,
        label_delimiter=spec.label_delimiter,
        day=day,
        rejects=rejects,
        uri=source_uri,
        progress=progress,
    )


class _Shard:
    """One batch on local disk: a line per document, and in memory the ids (40 MB for a million)."""

    def __init__(self, number: int, path: Path) -> None:
        self.number = number
        self.path = path
        self.documents = self.text_bytes = self.units = 0
        self.ids: list[Column] = []
        self._file = path.open("wb")
        self._hash = hashlib.blake2b(digest_size=16)

    def add(self, ids: Column, texts: Column) -> None:
        lines: Column = pc.binary_join_element_wise(texts, "", "\n")
        _, offsets, data = lines.buffers()
        ends = np.frombuffer(offsets, np.int32)[lines.offset : lines.offset + len(lines) + 1]
        content = memoryview(data)[ends[0] : ends[-1]]
        self._file.write(content)
        self._hash.update(content)
        self.ids.append(ids)
        self.documents += len(ids)
        self.text_bytes += len(content) - len(ids)
        self.units += int(document_units(texts).sum())

    def close(self) -> None:
        self._file.close()

    def fingerprint(self, names: Iterable[str]) -> str:
        """Hash the content, and the names of files where each document has one."""
        for name in names:
            self._hash.update(b"\0" + name.encode())
        return self._hash.hexdigest()

    def write_manifest(self, path: Path, names: Column, lines: Column) -> None:
        ids: Column = pa.chunked_array(self.ids, pa.string())
        table = pa.table([names, lines, ids], schema=MANIFEST_SCHEMA)
        few_values: Any = ["file"]
        pq.write_table(
            table, path, row_group_size=_MANIFEST_ROWS, use_dictionary=few_values, compression="zstd"
        )


def _shards(documents: Iterable[Any], spec: ClassifierSpec, folder: Path) -> Iterator[_Shard]:
    """Cut the stream by the spec's limits. A document above the limit in bytes gets a batch of its own."""
    line_end = 0 if spec.input_format == "ONE_DOC_PER_FILE" else 1
    shard: _Shard | None = None
    number = room = 0
    try:
        for batch in documents:
            texts, ids = batch["text"], batch["document_id"]
            ends = np.cumsum(np.asarray(pc.binary_length(texts)).astype(np.int64) + line_end)
            start = 0
            while start < len(texts):
                if shard is None:
                    if number == MAX_BATCHES:
                        raise TooManyBatchesError(
                            f"{spec.name}: more than {MAX_BATCHES:,} batches, more than one run can carry. "
                            f"Raise batch.max_documents ({spec.batch.max_documents:,}) or batch.max_bytes "
                            f"({spec.batch.max_bytes:,}) in the spec, or give a smaller source"
                        )
                    shard = _Shard(number, folder / f"batch-{number:05}.txt")
                    number += 1
                    room = spec.batch.max_bytes
                before = int(ends[start - 1]) if start else 0
                fits = int(np.searchsorted(ends, before + room, side="right")) - start
                take = max(0, min(fits, spec.batch.max_documents - shard.documents))
                if not take and not shard.documents:
                    take = 1
                if take:
                    shard.add(ids.slice(start, take), texts.slice(start, take))
                    room -= int(ends[start + take - 1]) - before
                    start += take
                if start < len(texts) or shard.documents == spec.batch.max_documents:
                    shard.close()
                    yield shard
                    shard = None
        if shard is not None:
            shard.close()
            yield shard
    finally:
        if shard is not None:
            shard.close()


class _Uploads:
    """Names batches and uploads them in the background, a few at a time, so that disk use stays bounded."""

    def __init__(self, access: Access, folder: str, *, per_file: bool) -> None:
        self.batches: list[Batch] = []
        self._access = access
        self._folder = folder
        self._per_file = per_file
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="nightsort-upload")
        self._waiting: deque[Future[None]] = deque()

    def __enter__(self) -> _Uploads:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            while self._waiting and kind is None:
                self._waiting.popleft().result()
        finally:
            self._pool.shutdown(cancel_futures=True)

    def add(self, shard: _Shard, run_key: str) -> None:
        """Name a batch and have it uploaded."""
        while len(self._waiting) >= _WAITING_BATCHES:
            self._waiting.popleft().result()
        files = [file_name(i) for ids in shard.ids for i in ids.to_pylist()] if self._per_file else []
        fingerprint = shard.fingerprint(files)
        name = f"{run_key}-{shard.number:05}-{fingerprint[:8]}"
        batch = Batch(
            name=name,
            input_uri=f"{self._folder}/input/{name}" + ("/" if self._per_file else ".txt"),
            manifest_uri=f"{self._folder}/manifests/{name}.parquet",
            documents=shard.documents,
            bytes=shard.text_bytes + (0 if self._per_file else shard.documents),
            units=shard.units,
            fingerprint=fingerprint,
        )
        self.batches.append(batch)
        self._waiting.append(self._pool.submit(self._upload, shard, batch, files))

    def _upload(self, shard: _Shard, batch: Batch, files: list[str]) -> None:
        manifest = shard.path.with_suffix(".parquet")
        kind = MANIFEST_SCHEMA.field("file").type
        if self._per_file:
            names: Column = pa.array(files, kind)
            lines: Column = pa.array(np.zeros(batch.documents, np.int64))
            self._upload_files(shard.path, batch.input_uri, files)
        else:
            first = pa.repeat(pa.scalar(0, pa.int32()), batch.documents)
            names = pa.DictionaryArray.from_arrays(first, pa.array([f"{batch.name}.txt"]))
            lines = pa.array(np.arange(batch.documents))
            upload(shard.path, batch.input_uri, self._access, move=True)
        shard.write_manifest(manifest, names, lines)
        upload(manifest, batch.manifest_uri, self._access, move=True)
        shard.path.unlink(missing_ok=True)
        manifest.unlink(missing_ok=True)
        log.info("Batch %s: %d documents, %d bytes", batch.name, batch.documents, batch.bytes)

    def _upload_files(self, lines: Path, prefix: str, files: list[str]) -> None:
        root = self._access.path(prefix)
        if not prefix.startswith("s3://"):
            root.mkdir(parents=True, exist_ok=True)

        def write(name: str, text: bytes) -> None:
            (root / name).write_bytes(text.removesuffix(b"\n"))

        with ThreadPoolExecutor(_FILE_UPLOADS) as pool, lines.open("rb") as content:
            running: deque[Future[None]] = deque()
            for name, text in zip(files, content, strict=True):
                running.append(pool.submit(write, name, text))
                if len(running) >= 4 * _FILE_UPLOADS:
                    running.popleft().result()
            for upload_of_file in running:
                upload_of_file.result()

"""Name batches that are complete on local disk, and upload them; at the end their manifests."""

from __future__ import annotations

import logging
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Final

from nightsort.batches.manifest_files import Written, write_manifest
from nightsort.batches.plan import Batch
from nightsort.layout import batch_file
from nightsort.storage import upload, upload_texts
from nightsort.wording import number_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from nightsort.batches.local_batch import LocalBatch
    from nightsort.batches.repeats import Repeats
    from nightsort.layout import RunFolder
    from nightsort.storage import Access

log = logging.getLogger(__name__)

_WAITING_BATCHES: Final = 2


def named_batch(
    local: LocalBatch, folder: RunFolder, input_format: str, name: Callable[[str], object]
) -> Batch:
    """Return what is on local disk as a batch of a run, with a document for each line.

    :param local: the batch, closed; its hash is taken once.
    :param folder: the run's folder.
    :param input_format: ONE_DOC_PER_LINE or ONE_DOC_PER_FILE.
    :param name: makes its name from the hash of its content.
    :returns: the batch.
    """
    per_file = input_format == "ONE_DOC_PER_FILE"
    fingerprint = local.fingerprint(per_file=per_file)
    return Batch.below(
        folder,
        input_format,
        name=str(name(fingerprint)),
        documents=local.lines,
        lines=local.lines,
        bytes=local.text_bytes + (0 if per_file else local.lines),
        units=local.units,
        fingerprint=fingerprint,
    )


class Uploads:
    """Names batches and uploads them in the background, few at a time, so that disk use is bounded."""

    def __init__(self, access: Access, folder: RunFolder, input_format: str) -> None:
        self.batches: list[Batch] = []
        self._access = access
        self._folder = folder
        self._input_format = input_format
        self._per_file = input_format == "ONE_DOC_PER_FILE"
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="nightsort-upload")
        self._waiting: deque[Future[None]] = deque()
        self._local: list[LocalBatch] = []

    def __enter__(self) -> Uploads:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            while self._waiting and kind is None:
                self._waiting.popleft().result()
        finally:
            self._pool.shutdown(cancel_futures=True)

    def add(self, local: LocalBatch, name: Callable[[str], object]) -> None:
        """Name a batch, and upload its input in the background.

        :param local: the batch, closed.
        :param name: makes its name from the hash of its content.
        """
        while len(self._waiting) >= _WAITING_BATCHES:
            self._waiting.popleft().result()
        batch = named_batch(local, self._folder, self._input_format, name)
        self.batches.append(batch)
        self._local.append(local)
        self._waiting.append(self._pool.submit(self._upload, local, batch))

    def write_manifests(self, repeats: Repeats, first: int = 0) -> Written:
        """Write and upload the manifests of all batches, whose :attr:`batches` then have all their documents.

        :param repeats: the documents whose texts are on lines, sorted.
        :param first: place of the first batch among those by which they are sorted.
        :returns: what all of them hold.
        """
        every = Written()
        for place, (batch, local) in enumerate(zip(self.batches, self._local, strict=True)):
            path = local.path.with_suffix(".parquet")
            written = write_manifest(
                path,
                local.manifest_rows(None if self._per_file else batch_file(batch.name)),
                partial(repeats.of, first + place),
                lines=batch.lines,
                per_file=self._per_file,
            )
            every.add(written)
            self.batches[place] = replace(batch, documents=written.documents)
            upload(path, batch.manifest_uri, self._access, move=True)
            local.remove()
        return every

    def _upload(self, local: LocalBatch, batch: Batch) -> None:
        if self._per_file:
            with local.path.open("rb") as lines:
                texts = (line.removesuffix(b"\n") for line in lines)
                upload_texts(zip(local.file_names(), texts, strict=True), batch.input_uri, self._access)
        else:
            upload(local.path, batch.input_uri, self._access, move=True)
        texts_in, size = number_of(batch.lines, "text"), number_of(batch.bytes, "byte")
        log.info("Batch %s: %s, %s", batch.name, texts_in, size)

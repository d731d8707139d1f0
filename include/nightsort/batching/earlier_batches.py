"""What an earlier preparation of the same run sent, kept where it still stands in the source as it was.

A day is prepared again when documents come late. A batch whose documents are all still there, each with the
same id and the same text, keeps its name, so that its job is found again and not paid for again; only what is
new or changed goes into further batches. Where the documents stand now, and in which order, does not matter.
A batch that has lost a document is given up, since its job is about all of it: what is left of it is cut
anew.

In memory a document of an earlier batch takes 25 bytes; without an earlier preparation nothing is kept.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from include.nightsort.batching.plans import read_plan
from include.nightsort.columnar.hashing import hash_texts, mix
from include.nightsort.job_output.manifests import Manifest, ManifestError
from include.nightsort.sources.object_streams import open_file
from include.nightsort.sources.other_formats import read_files, read_lines
from include.nightsort.sources.source_files import SourceError, SourceFile

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    from include.nightsort.access import Access
    from include.nightsort.batching.plans import Batch
    from include.nightsort.columnar.columns import Column
    from include.nightsort.columnar.hashing import Hashes

    IdsAndTexts = tuple[Column, Column]

log = logging.getLogger(__name__)


class EarlierBatches:
    """The batches of a run's last preparation.

    :param folder: the run's folder.
    :param input_format: batches in another format are of no use.

    Attributes:
        next_number: the number of the first batch to be added.
    """

    def __init__(self, folder: str, input_format: str, access: Access) -> None:
        self._access = access
        self._per_file = input_format == "ONE_DOC_PER_FILE"
        self._batches: list[Batch] = []
        first: list[Hashes] = []
        second: list[Hashes] = []
        for batch in read_plan(folder, input_format, access):
            keys = self._keys_of(batch)
            if keys is not None:
                self._batches.append(batch)
                first.append(keys[0])
                second.append(keys[1])
        self.next_number = max((batch.number + 1 for batch in self._batches), default=0)
        self._starts = np.cumsum([0, *(batch.documents for batch in self._batches)])
        self._found = np.zeros(self._starts[-1], np.bool_)
        if self._batches:
            joined = np.concatenate(first)
            self._order = np.argsort(joined, kind="stable")
            self._first, self._second = joined[self._order], np.concatenate(second)[self._order]

    def without(self, documents: Iterator[pa.RecordBatch]) -> Iterator[IdsAndTexts]:
        """Give the ids and texts that no batch holds which can be kept; at the end :attr:`kept` is known."""
        for some in documents:
            ids: Column = some["document_id"]
            texts: Column = some["text"]
            if self._batches:
                new = self._not_found(ids, texts)
                ids, texts = ids.filter(new), texts.filter(new)
            if len(ids):
                yield ids, texts
        for batch, found in self._with_found():
            if found.any() and not found.all():
                log.info("Batch %s has lost documents; the rest of it is sent anew", batch.name)
                yield from self._chosen(batch, found)

    @property
    def kept(self) -> list[Batch]:
        """The batches whose documents were all found."""
        return [batch for batch, found in self._with_found() if found.all()]

    def _with_found(self) -> Iterator[tuple[Batch, npt.NDArray[np.bool_]]]:
        for number, batch in enumerate(self._batches):
            yield batch, self._found[self._starts[number] : self._starts[number + 1]]

    def _not_found(self, ids: Column, texts: Column) -> Column:
        first, second = _keys(ids, texts)
        places = np.minimum(np.searchsorted(self._first, first), len(self._first) - 1)
        known = (self._first[places] == first) & (self._second[places] == second)
        self._found[self._order[places[known]]] = True
        return pa.array(~known)

    def _chosen(self, batch: Batch, chosen: npt.NDArray[np.bool_]) -> Iterator[IdsAndTexts]:
        start = 0
        for ids, texts in self._read(batch):
            mask = pa.array(chosen[start : start + len(ids)])
            yield ids.filter(mask), texts.filter(mask)
            start += len(ids)

    def _keys_of(self, batch: Batch) -> tuple[Hashes, Hashes] | None:
        """Return the keys of a batch's documents; ``None`` if its objects are not there as they were."""
        keys: list[tuple[Hashes, Hashes]] = []
        size = 0
        try:
            for ids, texts in self._read(batch):
                keys.append(_keys(ids, texts))
                size += pc.sum(pc.binary_length(texts)).as_py() + (0 if self._per_file else len(texts))
        except (FileNotFoundError, ManifestError, SourceError, pa.ArrowInvalid):
            size = -1
        if size != batch.bytes:
            log.warning("Batch %s is not in storage any more as it was; it is made anew", batch.name)
            return None
        return np.concatenate([key for key, _ in keys]), np.concatenate([key for _, key in keys])

    def _read(self, batch: Batch) -> Iterator[IdsAndTexts]:
        """Give a batch's documents, as they were sent."""
        manifest = Manifest.read(self._access.path(batch.manifest_uri))
        start = 0
        for texts in self._texts(batch, manifest.files):
            ids = manifest.document_ids.slice(start, len(texts))
            if len(ids) < len(texts):
                raise ManifestError(f"{batch.manifest_uri}: the batch has more documents")
            yield ids.cast(pa.string()), texts
            start += len(texts)

    def _texts(self, batch: Batch, names: list[str]) -> Iterator[Column]:
        if self._per_file:
            # The number for the name: a document whose id ends in .gz is not compressed for that.
            files = [SourceFile(batch.input_uri + name, str(number)) for number, name in enumerate(names)]
            for some in read_files(files, self._access, labelled=False):
                yield some.texts.cast(pa.string())
            return
        with open_file(SourceFile(batch.input_uri, batch.name), self._access) as stream:
            for some in read_lines(stream, file=batch.name):
                yield pc.utf8_rtrim(some.texts.cast(pa.string()), "\n")


def _keys(ids: Any, texts: Any) -> tuple[Hashes, Hashes]:
    """Return 128 bits that stand for an id with its text."""
    (id_first, id_second), (text_first, text_second) = hash_texts(ids), hash_texts(texts)
    return id_first ^ mix(text_first), id_second ^ mix(text_second)

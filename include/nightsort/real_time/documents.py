"""The documents that are sent to an endpoint: those of a prepared batch, or of files on S3."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nightsort.batches.manifest import Manifest
from nightsort.batches.stored import read_batch
from nightsort.comprehend.limits import MAX_REAL_TIME_BYTES, MAX_REAL_TIME_FILE_BYTES
from nightsort.layout import batch_file
from nightsort.real_time.endpoint import RefusedDocumentError
from nightsort.sources.source_files import list_files
from nightsort.sources.streams import open_file

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nightsort.batches.plan import Batch
    from nightsort.real_time.answers import Place
    from nightsort.storage import Access


@dataclass(frozen=True)
class Document:
    """A document, and where it is in the input.

    :param file: name of its file, the path below a prefix.
    :param line: its line, from 0; 0 where a file is one document.
    :param content: its text, or the bytes of its file.
    """

    file: str
    line: int
    content: str | bytes

    @property
    def place(self) -> Place:
        """Where it is."""
        return self.file, self.line

    @property
    def characters(self) -> int:
        """Characters of a text; 0 for a file, whose text only Comprehend reads."""
        return len(self.content) if isinstance(self.content, str) else 0

    def check(self) -> None:
        """Refuse what Comprehend would refuse, without asking.

        :raises RefusedDocumentError: it is empty, or larger than a request may be.
        """
        if not self.content:
            raise RefusedDocumentError("The document is empty.", "EMPTY_DOCUMENT")
        if isinstance(self.content, bytes):
            size, most, code = len(self.content), MAX_REAL_TIME_FILE_BYTES, "DOCUMENT_SIZE_EXCEEDED"
        else:
            size, most, code = len(self.content.encode()), MAX_REAL_TIME_BYTES, "TEXT_SIZE_LIMIT_EXCEEDED"
        if size > most:
            raise RefusedDocumentError(f"The document has {size:,} bytes; an endpoint takes {most:,}.", code)


def batch_documents(batch: Batch, access: Access, *, per_file: bool) -> Iterator[Document]:
    """Stream the documents of a prepared batch; forgotten ones are left out.

    :param batch: the batch.
    :param access: storage.
    :param per_file: each document has a file of its own.
    :raises MissingObjectError: its input or its manifest is gone.
    :raises ManifestError: the manifest cannot be read, or is another batch's.
    """
    names = Manifest.read(access.path(batch.manifest_uri)).files if per_file else [batch_file(batch.name)]
    number = 0
    for ids, texts in read_batch(batch, access, per_file=per_file):
        for document_id, text in zip(ids.to_pylist(), texts.to_pylist(), strict=True):
            if document_id is not None:
                place = (names[number], 0) if per_file else (names[0], number)
                yield Document(*place, text)
            number += 1


def line_documents(uri: str, access: Access) -> Iterator[Document]:
    """Stream the lines of text files; a line ends with a line feed, with or without a carriage return.

    :param uri: a full key, or a prefix that ends in ``/``.
    :param access: storage.
    :raises SourceError: a file does not exist or cannot be read.
    """
    for source in list_files(uri, access):
        with open_file(source, access) as stream:
            for number, raw in enumerate(stream):
                text = raw.rstrip(b"\r\n").decode("utf-8", "replace")
                yield Document(source.name, number, text)


def file_documents(uri: str, access: Access, *, as_bytes: bool) -> Iterator[Document]:
    """Stream files, each of which is one document.

    :param uri: a full key, or a prefix that ends in ``/``.
    :param access: storage.
    :param as_bytes: send the file as it is: a PDF, Word file, image or plain text.
    :raises SourceError: a file does not exist or cannot be read.
    """
    for source in list_files(uri, access):
        fs, path = access.file(source.uri)
        content = fs.cat_file(path, start=0, end=MAX_REAL_TIME_FILE_BYTES + 1) if source.size else b""
        yield Document(source.name, 0, content if as_bytes else content.decode("utf-8", "replace"))

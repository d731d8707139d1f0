"""Read the documents of a classification job, one per line or one per file."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

from nightsort.comprehend.limits import MAX_DOCUMENT_BYTES, MAX_JOB_BYTES, MAX_JOB_DOCUMENTS
from nightsort_local.local_aws.task_errors import TaskError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from nightsort_local.local_aws.s3.location import S3Location
    from nightsort_local.local_aws.work.object_store import ObjectStore

_CHUNK = 1 << 20
_SEED = 0


@dataclass(frozen=True)
class Document:
    """One document of a job, or the reason why it cannot be classified.

    :param file: the base name of its object's key.
    :param line: its zero-based line; 0 with one document per file, as recorded.
    :param text: its text; None for a document with an error.
    :param error_code: an ErrorCode, with its ErrorMessage.
    """

    file: str
    line: int
    text: str | None
    error_code: str | None = None
    error_message: str | None = None


def read_job_input(store: ObjectStore, uri: str, one_per_line: bool) -> Iterator[Document]:
    """Yield the documents of every object whose key begins with the URI's key, file by file.

    The files have an order of their own, as recorded; the same files always have the same one.

    :raises TaskError: an object cannot be read, or the input exceeds the limits of a job.
    """
    objects = store.list(uri)
    if sum(size for _, size in objects) > MAX_JOB_BYTES:
        raise TaskError(f"INPUT_SIZE_EXCEEDED: More than {MAX_JOB_BYTES:,} bytes.")
    number = 0
    for location in shuffled([location for location, _ in objects]):
        file = location.key.rpartition("/")[2]
        with store.open(location) as stream:
            for document in _lines(stream, file) if one_per_line else _file(stream, file):
                number += 1
                if number > MAX_JOB_DOCUMENTS:
                    raise TaskError(f"INPUT_SIZE_EXCEEDED: More than {MAX_JOB_DOCUMENTS:,} documents.")
                yield document


def shuffled(locations: Sequence[S3Location]) -> list[S3Location]:
    """Return objects in another order than the given one.

    So a caller who takes the output's lines in the order of the files sees the mistake with two files, too.
    """
    order = list(locations)
    random.Random(_SEED).shuffle(order)
    return order[::-1] if order == list(locations) else order


def _file(stream: BinaryIO, file: str) -> Iterator[Document]:
    yield _document(stream.read(MAX_DOCUMENT_BYTES + 1), file, 0)


def _lines(stream: BinaryIO, file: str) -> Iterator[Document]:
    for line, content in enumerate(split_lines(iter(lambda: stream.read(_CHUNK), b""))):
        document = _document(content, file, line)
        yield document
        if document.error_code == "UNSUPPORTED_ENCODING":
            # "All subsequent lines are ignored" (guide, on the other asynchronous operations).
            return


def split_lines(chunks: Iterator[bytes], max_line: int = MAX_DOCUMENT_BYTES) -> Iterator[bytes]:
    r"""Yield the lines. Only ``\n``, ``\r`` and ``\r\n`` end a line: U+2028 is text.

    A line of more than `max_line` bytes is cut, to a length that still exceeds `max_line`.
    """
    rest = b""
    for chunk in chunks:
        lines = (rest + chunk).splitlines(keepends=True)
        # The last piece may continue in the next chunk, and its CR may be the first half of a CRLF.
        rest = lines.pop() if not lines[-1].endswith(b"\n") else b""
        for line in lines:
            yield line.rstrip(b"\r\n")
        if len(rest) > 2 * max_line and not rest.endswith(b"\r"):
            rest = rest[: max_line + 1]
    if rest:
        yield rest.rstrip(b"\r\n")


def _document(content: bytes, file: str, line: int) -> Document:
    if len(content) > MAX_DOCUMENT_BYTES:
        return Document(
            file,
            line,
            None,
            "DOCUMENT_SIZE_EXCEEDED",
            f"Document size exceeds size limit {MAX_DOCUMENT_BYTES} bytes.",
        )
    try:
        return Document(file, line, content.decode("utf-8"))
    except UnicodeDecodeError:
        return Document(
            file,
            line,
            None,
            "UNSUPPORTED_ENCODING",
            "The document is not in UTF-8 format and all subsequent lines are ignored.",
        )

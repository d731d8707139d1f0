"""What a classification job reads: documents out of files, one per line or one per file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

from nightsort.comprehend.limits import MAX_DOCUMENT_BYTES, MAX_JOB_BYTES, MAX_JOB_DOCUMENTS
from nightsort_local.local_aws.task_errors import TaskError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nightsort_local.local_aws.work.object_store import ObjectStore

_CHUNK = 1 << 20


@dataclass(frozen=True)
class Document:
    """One document of a job, or why it cannot be classified.

    :param file: the base name of its object's key.
    :param line: its zero-based line; None when the file is the document.
    :param text: its text; None with an error.
    :param error_code: an ErrorCode, with its ErrorMessage.
    """

    file: str
    line: int | None
    text: str | None
    error_code: str | None = None
    error_message: str | None = None


def read_job_input(store: ObjectStore, uri: str, one_per_line: bool) -> Iterator[Document]:
    """Yield the documents of every object whose key begins with the URI's, in the order of the keys.

    :raises TaskError: unreadable objects, or more input than a job may have.
    """
    objects = store.list(uri)
    if sum(size for _, size in objects) > MAX_JOB_BYTES:
        raise TaskError(f"INPUT_SIZE_EXCEEDED: More than {MAX_JOB_BYTES:,} bytes.")
    number = 0
    for location, _ in objects:
        file = location.key.rpartition("/")[2]
        with store.open(location) as stream:
            for document in _lines(stream, file) if one_per_line else _whole(stream, file):
                number += 1
                if number > MAX_JOB_DOCUMENTS:
                    raise TaskError(f"INPUT_SIZE_EXCEEDED: More than {MAX_JOB_DOCUMENTS:,} documents.")
                yield document


def _whole(stream: BinaryIO, file: str) -> Iterator[Document]:
    yield _document(stream.read(MAX_DOCUMENT_BYTES + 1), file, None)


def _lines(stream: BinaryIO, file: str) -> Iterator[Document]:
    for line, content in enumerate(split_lines(iter(lambda: stream.read(_CHUNK), b""))):
        document = _document(content, file, line)
        yield document
        if document.error_code == "UNSUPPORTED_ENCODING":
            # "All subsequent lines are ignored", the guide says of the sibling operations.
            return


def split_lines(chunks: Iterator[bytes], longest: int = MAX_DOCUMENT_BYTES) -> Iterator[bytes]:
    r"""Yield the lines, ended by ``\n``, ``\r`` or ``\r\n`` and by nothing else (U+2028 is text).

    A line of more than `longest` bytes is cut, to a length that is still above it.
    """
    rest = b""
    for chunk in chunks:
        lines = (rest + chunk).splitlines(keepends=True)
        # The last piece may go on, and its CR may be the half of a CRLF.
        rest = lines.pop() if not lines[-1].endswith(b"\n") else b""
        for line in lines:
            yield line.rstrip(b"\r\n")
        if len(rest) > 2 * longest and not rest.endswith(b"\r"):
            rest = rest[: longest + 1]
    if rest:
        yield rest.rstrip(b"\r\n")


def _document(content: bytes, file: str, line: int | None) -> Document:
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

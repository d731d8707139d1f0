"""Look at files that nobody has described yet: their format, their columns, and how they are written."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from nightsort.sources.augmented_manifest import METADATA, labels_in
from nightsort.sources.column_names import ID_WORDS, LABEL_WORDS, TEXT_WORDS, words_of
from nightsort.sources.csv_dialects import Dialect
from nightsort.sources.csv_headers import escapes_quotes, without_excel_line
from nightsort.sources.file_kinds import LOOK_BYTES, unlike_format
from nightsort.sources.json_lines import objects_of
from nightsort.sources.row_blocks import BYTE_ORDER_MARK
from nightsort.sources.source_files import SourceError, list_files
from nightsort.sources.streams import open_files, open_for_seeking
from nightsort.sources.text_streams import text_of
from nightsort.wording import number_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from nightsort.sources.source_files import SourceFile
    from nightsort.storage import Access

_SAMPLE_BYTES: Final = 1_000_000
_MAX_ROWS: Final = 2_000
_DELIMITERS: Final = (",", ";", "\t", "|")
_LEAST_REGULAR: Final = 0.8
_NAME: Final = re.compile(r"[^\W\d][\w .:/#-]{0,39}")
_JSON: Final = re.compile(rb"\s*(\[\s*)?\{")
_MAX_DEPTH: Final = 3
_MAX_DOCUMENTS: Final = 50
_PARQUET: Final = b"PAR1"
_DOCUMENT_SUFFIXES: Final = frozenset({"", ".txt", ".text", ".md", ".html", ".htm", ".eml"})
_PACKED_SUFFIXES: Final = frozenset({".gz", ".zst", ".zstd", ".bz2", ".xz"})

Values = list[Any]


@dataclass(frozen=True)
class FirstLook:
    """What files seem to hold.

    :param keys: how a spec's source says it, without the columns of text, label and id.
    :param columns: values of the first rows, by column; none where a line or a file is a document.
    :param files: how many files there are.
    :param first: the URI of the file that was looked at.
    :param notes: what was seen, for a person: one phrase each.
    """

    keys: dict[str, Any]
    columns: dict[str, Values] = field(default_factory=dict)
    files: int = 1
    first: str = ""
    notes: tuple[str, ...] = ()


def look_at(uri: str, access: Access, *, named: Collection[str] = ()) -> FirstLook:
    """Look at the first file of a source that is not empty.

    :param uri: a file, a prefix or a glob.
    :param access: storage.
    :param named: columns that a person has named: a first row that has all of them is a header row.
    :returns: what it seems to be.
    :raises SourceError: there is no file, or it cannot be read.
    """
    files = list_files(uri, access)
    if not files:
        raise SourceError(f"{uri} holds no file; correct it, or put the labelled documents there")
    if len(files) > 1 and all("/" in file.name and _suffix(file) in _DOCUMENT_SUFFIXES for file in files):
        encoding = _encoding_of_documents(files[:_MAX_DOCUMENTS], access)
        notes = ("a document per file", *(f"encoding {name}" for name in encoding.values()))
        return FirstLook({"format": "files", **encoding}, files=len(files), first=files[0].uri, notes=notes)
    first = next((file for file in files if file.size), files[0])
    return replace(_look_at_rows(first, access, named), files=len(files), first=first.uri)


def _look_at_rows(file: SourceFile, access: Access, named: Collection[str]) -> FirstLook:
    with closing(open_files([file], access)) as opened:
        for _, stream in opened:
            text, kind = text_of(stream, "utf-8")
            sample = text.peek(_SAMPLE_BYTES + 1)
    if sample.startswith(_PARQUET) or _suffix(file) in (".parquet", ".pq"):
        with closing(open_for_seeking([file], access)) as opened:
            for _, stream in opened:
                columns = _parquet_columns(stream, file.uri)
        return FirstLook({"format": "parquet"}, columns, notes=("Parquet",))
    kind = kind or unlike_format(sample[:LOOK_BYTES], "lines")
    if kind is not None:
        raise SourceError(f"{file.uri} {kind}")
    if not sample.strip():
        raise SourceError(f"{file.uri} is empty; put the labelled documents there")
    return _look_at_text(sample[:_SAMPLE_BYTES], file, named, cut_off=len(sample) > _SAMPLE_BYTES)


def _encoding_of_documents(files: Sequence[SourceFile], access: Access) -> dict[str, str]:
    """Return the encoding of files that are documents, if one of them is not UTF-8."""
    with closing(open_files(files, access)) as opened:
        for _, stream in opened:
            text, kind = text_of(stream, "utf-8")
            if kind is None and (encoding := _decoded(text.peek(_SAMPLE_BYTES))[1]):
                return encoding
    return {}


def _suffix(file: SourceFile) -> str:
    path = PurePosixPath(file.name.lower())
    return (path.with_suffix("") if path.suffix in _PACKED_SUFFIXES else path).suffix


def _parquet_columns(stream: Any, where: str) -> dict[str, Values]:
    try:
        for batch in pq.ParquetFile(stream).iter_batches(batch_size=_MAX_ROWS):
            return batch.to_pydict()
    except pa.ArrowException as error:
        raise SourceError(
            f"{where} is not a Parquet file, or is damaged ({error}); upload it again"
        ) from None
    return {}


def _look_at_text(sample: bytes, file: SourceFile, named: Collection[str], *, cut_off: bool) -> FirstLook:
    data = without_excel_line(sample.removeprefix(BYTE_ORDER_MARK))
    if _JSON.match(data):
        return _look_at_json(data, file)
    if cut_off:
        data = data[: data.rfind(b"\n") + 1] or data
    text, encoding = _decoded(data)
    found = _delimited(text)
    if found is None:
        return FirstLook({"format": "lines", **encoding}, notes=("a document per line",))
    delimiter, escape, rows = found
    keys: dict[str, Any] = {"format": "tsv" if delimiter == "\t" else "csv", **encoding}
    if delimiter not in (",", "\t"):
        keys["delimiter"] = delimiter
    if escape is not None:
        keys["escape"] = escape
    names = rows[0]
    header = _is_header(rows) or (bool(named) and set(named) <= set(names))
    if not header:
        names = [f"column_{number}" for number in range(1, len(rows[0]) + 1)]
        keys |= {"header": False, "columns": names}
    columns = {
        name: [row[index] for row in rows[header:] if len(row) == len(names)]
        for index, name in enumerate(names)
    }
    shown = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "vertical bars"}[delimiter]
    notes = (
        f"{number_of(len(names), 'column')} separated by {shown}",
        "a header row" if header else "no header row",
        *(["quotes escaped by backslashes"] if escape else []),
        *(f"encoding {name}" for name in encoding.values()),
    )
    return FirstLook(keys, columns, notes=notes)


def _decoded(data: bytes) -> tuple[str, dict[str, str]]:
    """Return a sample as text, and the encoding if it is not UTF-8."""
    try:
        return data.decode(), {}
    except UnicodeDecodeError as error:
        if error.start >= len(data) - 3:
            # The last character is cut off.
            return data[: error.start].decode(), {}
        return data.decode("cp1252", errors="replace"), {"encoding": "cp1252"}


def _delimited(text: str) -> tuple[str, str | None, list[list[str]]] | None:
    """Return the delimiter that gives the most regular rows, the escape character, and these rows."""
    best: tuple[float, int] = (0, 0)
    found = None
    for delimiter in _DELIMITERS:
        escape = "\\" if escapes_quotes(text.encode(), Dialect(delimiter)) else None
        rows = list(islice(_rows(text, delimiter, escape), _MAX_ROWS))
        width, count = Counter(map(len, rows)).most_common(1)[0] if rows else (0, 0)
        share = count / max(1, len(rows))
        if width > 1 and share >= _LEAST_REGULAR and (share, width) > best:
            best, found = (share, width), (delimiter, escape, rows)
    return found


def _rows(text: str, delimiter: str, escape: str | None) -> Iterator[list[str]]:
    reader = csv.reader(io.StringIO(text), delimiter=delimiter, escapechar=escape, doublequote=escape is None)
    try:
        yield from (row for row in reader if row)
    except csv.Error:
        # A field is too long: another delimiter, or a quote that is never closed.
        return


def _is_header(rows: Sequence[Sequence[str]]) -> bool:
    """Return whether the first row names the columns: short words, none of which is a value below."""
    first, *others = rows
    if not all(map(_NAME.fullmatch, first)) or len(set(first)) < len(first):
        return False
    below = [{row[index] for row in others if index < len(row)} for index in range(len(first))]
    if any(name in values for name, values in zip(first, below, strict=True)):
        return False
    words = frozenset().union(*map(words_of, first))
    return bool(words & (TEXT_WORDS | LABEL_WORDS | ID_WORDS)) or all(
        len(name.split()) == 1 for name in first
    )


def _look_at_json(data: bytes, file: SourceFile) -> FirstLook:
    objects: list[dict[str, Any]] = []
    try:
        rows = islice(objects_of(file, io.BytesIO(data)), _MAX_ROWS)
        objects.extend(row for row in rows if isinstance(row, dict))
    except SourceError:
        # The sample may end within an array.
        if not objects:
            raise
    names = dict.fromkeys(name for value in objects for name in value)
    attributes = [name.removesuffix(METADATA) for name in names if _labels_of(objects, name)]
    if attributes and ("source" in names or "source-ref" in names):
        attribute = attributes[0]
        texts = [value.get("source", "") for value in objects]
        columns = {"source": texts, "label": _labels_of(objects, attribute + METADATA)}
        note = f"an augmented manifest with the attribute {', '.join(attributes)}"
        return FirstLook({"format": "augmented_manifest", "attribute": attribute}, columns, notes=(note,))
    flat = [dict(_flattened(value)) for value in objects]
    paths = dict.fromkeys(path for value in flat for path in value)
    columns = {path: [value.get(path) for value in flat] for path in paths}
    return FirstLook(
        {"format": "jsonl"}, columns, notes=(f"JSON objects with {number_of(len(paths), 'key')}",)
    )


def _labels_of(objects: Sequence[dict[str, Any]], name: str) -> Values:
    """Return the labels that the metadata of a labelling job hold, of each row; none if no row has some."""
    if not name.endswith(METADATA):
        return []
    answers = [labels_in(value.get(name), name) for value in objects]
    found = [answer if isinstance(answer, list) else None for answer in answers]
    return found if any(found) else []


def _flattened(value: dict[str, Any], prefix: str = "", depth: int = 1) -> Iterator[tuple[str, Any]]:
    for name, inner in value.items():
        if isinstance(inner, dict) and depth < _MAX_DEPTH:
            yield from _flattened(inner, f"{prefix}{name}.", depth + 1)
        else:
            yield prefix + name, inner

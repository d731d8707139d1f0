"""Look at files that nobody has described yet: their format, their columns, and how they are written."""

from __future__ import annotations

import csv
import io
import json
import re
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from itertools import islice
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from nightsort.sources.column_names import ID_WORDS, LABEL_WORDS, TEXT_WORDS, words_of
from nightsort.sources.source_files import SourceError, list_files
from nightsort.sources.streams import open_files, open_for_seeking
from nightsort.wording import number_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from nightsort.sources.source_files import SourceFile
    from nightsort.storage import Access

_SAMPLE_BYTES: Final = 1_000_000
_MAX_ROWS: Final = 2_000
_DELIMITERS: Final = (",", ";", "\t", "|")
_LEAST_REGULAR: Final = 0.8
_NAME: Final = re.compile(r"[^\W\d][\w .:/#-]{0,39}")
_BETWEEN_OBJECTS: Final = re.compile(r"[\s,\[\]]*")
_MAX_DEPTH: Final = 3
_DOCUMENT_SUFFIXES: Final = frozenset({"", ".txt", ".text", ".md", ".html", ".htm", ".eml"})
_PACKED_SUFFIXES: Final = frozenset({".gz", ".zst", ".zstd", ".bz2", ".xz"})

Values = list[Any]


@dataclass(frozen=True)
class FirstLook:
    """What files seem to hold.

    :param keys: how a spec's source says it, without the columns of text, label and id.
    :param columns: values of the first rows, by column; none where a line or a file is a document.
    :param files: how many files there are.
    :param notes: what was seen, for a person: one phrase each.
    """

    keys: dict[str, Any]
    columns: dict[str, Values] = field(default_factory=dict)
    files: int = 1
    notes: tuple[str, ...] = ()


def look_at(uri: str, access: Access) -> FirstLook:
    """Look at the first file of a source.

    :param uri: a file, a prefix or a glob.
    :param access: storage.
    :returns: what it seems to be.
    :raises SourceError: there is no file, or it cannot be read.
    """
    files = list_files(uri, access)
    if not files:
        raise SourceError(f"{uri} holds no file; correct it, or put the labelled documents there")
    if len(files) > 1 and all(_suffix(file) in _DOCUMENT_SUFFIXES for file in files):
        return FirstLook({"format": "files"}, files=len(files), notes=("a document per file",))
    first = files[0]
    if _suffix(first) in (".parquet", ".pq"):
        with closing(open_for_seeking([first], access)) as opened:
            for _, stream in opened:
                columns = _parquet_columns(stream, first.uri)
        return FirstLook({"format": "parquet"}, columns, len(files), ("Parquet",))
    with closing(open_files([first], access)) as opened:
        for _, stream in opened:
            sample = stream.read(_SAMPLE_BYTES + 1)
    text, keys = _decoded(sample[:_SAMPLE_BYTES])
    look = _look_at_text(text, cut_off=len(sample) > _SAMPLE_BYTES)
    notes = (*look.notes, *(f"encoding {encoding}" for encoding in keys.values()))
    return FirstLook({**look.keys, **keys}, look.columns, len(files), notes)


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


def _decoded(sample: bytes) -> tuple[str, dict[str, str]]:
    """Return a sample as text, and the encoding if it is not UTF-8."""
    try:
        # The last character may be cut off.
        return sample.decode("utf-8-sig"), {}
    except UnicodeDecodeError as error:
        if error.start >= len(sample) - 3:
            return sample[: error.start].decode("utf-8-sig"), {}
        return sample.decode("cp1252", errors="replace"), {"encoding": "cp1252"}


def _look_at_text(text: str, *, cut_off: bool) -> FirstLook:
    if re.match(r"\s*(\[\s*)?\{", text):
        return _look_at_json(text)
    lines = text.splitlines()
    if cut_off and len(lines) > 1:
        lines.pop()
    text = "\n".join(lines)
    escape = "\\" if _escapes_quotes(text) else None
    found = _delimited(text, escape)
    if found is None:
        return FirstLook({"format": "lines"}, notes=("a document per line",))
    delimiter, rows = found
    keys: dict[str, Any] = {"format": "tsv" if delimiter == "\t" else "csv"}
    if delimiter not in (",", "\t"):
        keys["delimiter"] = delimiter
    if escape is not None:
        keys["escape"] = escape
    names = rows[0]
    header = _is_header(rows)
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
    )
    return FirstLook(keys, columns, notes=notes)


def _delimited(text: str, escape: str | None) -> tuple[str, list[list[str]]] | None:
    """Return the delimiter that gives the most regular rows, and these rows."""
    best: tuple[float, int, str, list[list[str]]] | None = None
    for delimiter in _DELIMITERS:
        rows = list(islice(_rows(text, delimiter, escape), _MAX_ROWS))
        if not rows:
            continue
        width, count = Counter(map(len, rows)).most_common(1)[0]
        share = count / len(rows)
        if width > 1 and share >= _LEAST_REGULAR and (best is None or (share, width) > best[:2]):
            best = share, width, delimiter, rows
    return None if best is None else best[2:]


def _rows(text: str, delimiter: str, escape: str | None) -> Iterator[list[str]]:
    reader = csv.reader(io.StringIO(text), delimiter=delimiter, escapechar=escape, doublequote=escape is None)
    try:
        yield from (row for row in reader if row)
    except csv.Error:
        # A field is too long: another delimiter, or a quote that is never closed.
        return


def _escapes_quotes(text: str) -> bool:
    return re.search(r'(?:^|[,;|\t\n])"[^"\n]*\\"[^",;|\t\n]', text) is not None and '""' not in text


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


def _look_at_json(text: str) -> FirstLook:
    objects = list(islice(_objects(text), _MAX_ROWS))
    names = dict.fromkeys(name for value in objects for name in value)
    metadata = [name.removesuffix("-metadata") for name in names if name.endswith("-metadata")]
    if metadata and ("source" in names or "source-ref" in names):
        keys = {"format": "augmented_manifest", "attribute": metadata[0]}
        labels = [value.get(f"{metadata[0]}-metadata", {}) for value in objects]
        texts = [value.get("source", "") for value in objects]
        columns = {"source": texts, "label": [list(label.get("class-map", {}).values()) for label in labels]}
        if not any(columns["label"]):
            columns["label"] = [label.get("class-name", "") for label in labels]
        return FirstLook(keys, columns, notes=(f"an augmented manifest with the attribute {metadata[0]}",))
    flat = [dict(_flattened(value)) for value in objects]
    paths = dict.fromkeys(path for value in flat for path in value)
    columns = {path: [value.get(path) for value in flat] for path in paths}
    return FirstLook(
        {"format": "jsonl"}, columns, notes=(f"JSON objects with {number_of(len(paths), 'key')}",)
    )


def _objects(text: str) -> Iterator[dict[str, Any]]:
    """Yield the objects of a JSON file, whatever stands between them; damaged ones are left out."""
    decode = json.JSONDecoder().raw_decode
    position = 0
    while True:
        between = _BETWEEN_OBJECTS.match(text, position)
        position = between.end() if between else position
        if position >= len(text):
            return
        try:
            value, position = decode(text, position)
        except (ValueError, RecursionError):
            position = text.find("\n", position) + 1 or len(text)
            continue
        if isinstance(value, dict):
            yield value


def _flattened(value: dict[str, Any], prefix: str = "", depth: int = 1) -> Iterator[tuple[str, Any]]:
    for name, inner in value.items():
        if isinstance(inner, dict) and depth < _MAX_DEPTH:
            yield from _flattened(inner, f"{prefix}{name}.", depth + 1)
        else:
            yield prefix + name, inner

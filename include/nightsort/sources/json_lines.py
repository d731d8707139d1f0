"""JSON Lines: one object per line, many lines at a time.

pyarrow parses a stretch of lines at once where all of them look as expected. One line that does not makes
it refuse the stretch; then each line of that stretch is parsed on its own, and only the damaged ones are
rejected.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Any, Final, TypeAlias, cast

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.json as pa_json

from nightsort.arrow.columns import Column, one_column, true_indices
from nightsort.sources.cleaning import is_utf8
from nightsort.sources.row_blocks import BadRow, ColumnSelection, RawDocuments, lines, stretches

if TYPE_CHECKING:
    from collections.abc import Iterator

Json: TypeAlias = Any

_LINE_FEED: Final = 0x0A
_CARRIAGE_RETURN: Final = 0x0D


def read_json_lines(
    stream: IO[bytes], *, file: str, where: str, selection: ColumnSelection, delimiter: str | None
) -> Iterator[RawDocuments]:
    """Read a JSON Lines file; empty lines are no rows, a key that a line lacks counts as empty.

    :param where: the file's URI, for errors.
    :param delimiter: splits a label that is a text where others are lists; ``None``: it is one label.
    :raises SourceError: the first rows all lack a selected key.
    """
    number = 0
    checked = False
    for stretch in stretches(stream, lines):
        if stretch.detail is not None:
            yield RawDocuments.only_bad(file, BadRow(number, stretch.detail))
            number += 1
            continue
        if not checked:
            checked = _check_keys(stretch.data, selection, where)
        columns = _parse_together(stretch.data, selection)
        if columns is None:
            documents = _parse_singly(stretch.data, file, selection, number, delimiter)
        else:
            rows = np.arange(number, number + len(columns[selection.text]))
            documents = RawDocuments(file, rows, *_in_order(columns, selection))
        number += len(documents.rows) + len(documents.bad)
        yield documents


def _in_order(
    columns: dict[str, Column], selection: ColumnSelection
) -> tuple[Column, Column | None, Column | None]:
    ids = None if selection.id is None else columns[selection.id]
    return columns[selection.text], ids, None if selection.label is None else columns[selection.label]


def _check_keys(data: bytes, selection: ColumnSelection, where: str) -> bool:
    """Check the keys of the first lines together; return whether there was a line to look at."""
    keys: dict[str, None] = {}
    seen = False
    for line in data.splitlines()[:100]:
        value = _object(line)
        if isinstance(value, dict):
            seen = True
            keys.update(dict.fromkeys(value))
    if seen:
        selection.check(keys, where)
    return seen


def _parse_together(data: bytes, selection: ColumnSelection) -> dict[str, Column] | None:
    """Parse all lines at once, or return ``None`` where one of them is unlike the first."""
    rows = _count_rows(data)
    if rows is None:
        return None
    first = _object(data[: data.find(b"\n") + 1 or len(data)])
    if not isinstance(first, dict):
        return None
    schema = pa.schema({name: _type_of(name, first.get(name), selection) for name in selection.names})
    try:
        table = pa_json.read_json(
            cast("IO[bytes]", pa.BufferReader(data)),
            read_options=pa_json.ReadOptions(use_threads=False, block_size=len(data) + 1),
            parse_options=pa_json.ParseOptions(explicit_schema=schema, unexpected_field_behavior="ignore"),
        )
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return None
    if len(table) != rows:
        return None
    return {name: _as_bytes(one_column(table[name])) for name in selection.names}


def _count_rows(data: bytes) -> int | None:
    """Return how many lines there are, or ``None`` where one is empty."""
    values = np.frombuffer(data, dtype=np.uint8)
    ends = true_indices(values == _LINE_FEED)
    if not data.endswith(b"\n"):
        ends = np.append(ends, len(data))
    lengths = np.diff(ends, prepend=-1) - 1
    short = np.flatnonzero(lengths < 2)
    empty = (lengths[short] == 0) | (values[ends[short] - 1] == _CARRIAGE_RETURN)
    return None if empty.any() else len(ends)


def _type_of(name: str, value: Json, selection: ColumnSelection) -> pa.DataType:
    """Return the type that a column may have throughout, judged by its first value."""
    if name == selection.label and isinstance(value, list):
        return pa.list_(pa.string())
    whole_number = isinstance(value, int) and not isinstance(value, bool)
    return pa.int64() if whole_number and name != selection.text else pa.string()


def _as_bytes(column: Column) -> Column:
    if pa.types.is_list(column.type):
        return column
    return column.cast(pa.string()).cast(pa.binary())


@dataclass
class _Singly:
    rows: list[int] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    labels: list[list[str]] = field(default_factory=list)
    bad: list[BadRow] = field(default_factory=list)


def _parse_singly(
    data: bytes, file: str, selection: ColumnSelection, number: int, delimiter: str | None
) -> RawDocuments:
    found = _Singly()
    for line in data.split(b"\n"):
        if not line.strip():
            continue
        bad = _take(line, number, selection, found, delimiter)
        if bad is not None:
            found.bad.append(bad)
        number += 1
    return RawDocuments(
        file=file,
        rows=np.array(found.rows, dtype=np.int64),
        texts=pa.array(found.texts, pa.string()).cast(pa.binary()),
        ids=None if selection.id is None else pa.array(found.ids, pa.string()).cast(pa.binary()),
        labels=None if selection.label is None else pa.array(found.labels, pa.list_(pa.string())),
        bad=found.bad,
    )


def _take(
    line: bytes, number: int, selection: ColumnSelection, found: _Singly, delimiter: str | None
) -> BadRow | None:
    """Take one line in, or return why not."""
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        if not is_utf8(line):
            return BadRow(number, "the line is not UTF-8", "invalid_utf8")
        return BadRow(number, f"no JSON: {error.msg} at character {error.pos}")
    if not isinstance(value, dict):
        return BadRow(number, f"a JSON {_name_of(value)}, not an object")
    document_id = as_text(value.get(selection.id)) if selection.id is not None else ""
    if document_id is None:
        return BadRow(
            number, f"{selection.id} is a {_name_of(value[selection.id])}, not a text or a whole number"
        )
    text = value.get(selection.text)
    if text is not None and not isinstance(text, str):
        detail = f"{selection.text} is a {_name_of(text)}, not a text"
        return BadRow(number, detail, document_id=document_id or None)
    labels = as_labels(value.get(selection.label), delimiter) if selection.label is not None else []
    if labels is None:
        detail = f"{selection.label} is neither a text nor a list of texts"
        return BadRow(number, detail, document_id=document_id or None)
    found.rows.append(number)
    found.texts.append(text or "")
    found.ids.append(document_id)
    found.labels.append(labels)
    return None


def as_text(value: object) -> str | None:
    """Return an id or label as text (null as empty), or ``None`` if it is neither a text nor a whole
    number."""
    if value is None or isinstance(value, str):
        return value or ""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else None


def as_labels(value: object, delimiter: str | None) -> list[str] | None:
    """Return labels as a list: a text is split, a list taken as it is; ``None`` if it is neither."""
    if isinstance(value, list | tuple):
        labels = [as_text(label) for label in value]
        return None if None in labels else [label for label in labels if label is not None]
    text = as_text(value)
    if text is None:
        return None
    return text.split(delimiter) if delimiter is not None else [text]


def _object(line: bytes) -> Json:
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError:
        return None


def _name_of(value: Json) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true or false"
        case int() | float():
            return "number"
        case str():
            return "text"
        case list():
            return "list"
    return "object"

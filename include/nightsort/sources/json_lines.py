"""JSON Lines: one object per line, many lines at a time.

pyarrow parses a block of lines in one call if all of them have the expected types. One other line makes it
refuse the block; then each line of that block is parsed on its own, and only the damaged ones are rejected.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Any, Final, TypeAlias, cast

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.json as pa_json

from nightsort.arrow.columns import Column, as_bytes, is_utf8, one_column, true_indices
from nightsort.sources.labels import as_labels, as_text
from nightsort.sources.row_blocks import BadRow, ColumnSelection, RawRows, find_lines, split_into_row_blocks

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from nightsort.sources.source_files import SourceFile
    from nightsort.sources.streams import OpenedFile

Json: TypeAlias = Any

_LINE_FEED: Final = 0x0A
_CARRIAGE_RETURN: Final = 0x0D


def read_json_lines(opened: Iterable[OpenedFile], selection: ColumnSelection) -> Iterator[RawRows]:
    """Read JSON Lines files; empty lines are no rows, a key that a line lacks counts as empty.

    :param opened: the files, each with its bytes.
    :raises SourceError: the first rows of a file all lack a selected key.
    """
    for file, stream in opened:
        yield from _read_file(file, stream, selection)


def _read_file(file: SourceFile, stream: IO[bytes], selection: ColumnSelection) -> Iterator[RawRows]:
    number = 0
    checked = False
    for block in split_into_row_blocks(stream, find_lines):
        if block.detail is not None:
            yield RawRows.only_bad(file.name, BadRow(number, block.detail))
            number += 1
            continue
        if not checked:
            checked = _check_keys(block.data, selection, file.uri)
        columns = _parse_together(block.data, selection)
        if columns is None:
            raw = _parse_one_by_one(block.data, file.name, selection, number)
        else:
            rows = np.arange(number, number + len(columns[selection.text]))
            raw = RawRows.from_columns(file.name, rows, columns, selection)
        number += len(raw) + len(raw.bad)
        yield raw


def _check_keys(data: bytes, selection: ColumnSelection, where: str) -> bool:
    """Check the keys of the first lines together; return whether there was an object among them."""
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
    """Parse all lines in one call, or return ``None`` if one of them is unlike the first."""
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
    columns = {name: one_column(table[name]) for name in selection.names}
    return {
        name: column if pa.types.is_list(column.type) else as_bytes(column.cast(pa.string()))
        for name, column in columns.items()
    }


def _count_rows(data: bytes) -> int | None:
    """Return the number of lines, or ``None`` if one is empty."""
    values = np.frombuffer(data, dtype=np.uint8)
    ends = true_indices(values == _LINE_FEED)
    if not data.endswith(b"\n"):
        ends = np.append(ends, len(data))
    lengths = np.diff(ends, prepend=-1) - 1
    short = np.flatnonzero(lengths < 2)
    empty = (lengths[short] == 0) | (values[ends[short] - 1] == _CARRIAGE_RETURN)
    return None if empty.any() else len(ends)


def _type_of(name: str, value: Json, selection: ColumnSelection) -> pa.DataType:
    """Return the type expected of all values of a column, from its first value."""
    if name == selection.label and isinstance(value, list):
        return pa.list_(pa.string())
    whole_number = isinstance(value, int) and not isinstance(value, bool)
    return pa.int64() if whole_number and name != selection.text else pa.string()


@dataclass
class _ParsedLines:
    """What was read of lines that were parsed one by one."""

    selection: ColumnSelection
    rows: list[int] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    labels: list[list[str]] = field(default_factory=list)

    def add(self, line: bytes, number: int) -> BadRow | None:
        """Add one line, or return why it cannot be read."""
        value, problem = _parsed_object(line, number)
        if problem is not None:
            return problem
        names = self.selection
        identity = None if names.id is None else value.get(names.id)
        document_id = as_text(identity)
        if document_id is None:
            detail = f"{names.id} is a {_name_of(identity)}, not a text or a whole number"
            return BadRow(number, detail)
        text = value.get(names.text)
        if text is not None and not isinstance(text, str):
            detail = f"{names.text} is a {_name_of(text)}, not a text"
            return BadRow(number, detail, document_id=document_id or None)
        labels = as_labels(value.get(names.label), names.label_delimiter) if names.label is not None else []
        if labels is None:
            detail = f"{names.label} is neither a text nor a list of texts"
            return BadRow(number, detail, document_id=document_id or None)
        self.rows.append(number)
        self.texts.append(text or "")
        self.ids.append(document_id)
        self.labels.append(labels)
        return None


def _parse_one_by_one(data: bytes, file: str, selection: ColumnSelection, number: int) -> RawRows:
    parsed = _ParsedLines(selection)
    lines = (line for line in data.split(b"\n") if line.strip())
    bad = [problem for row, line in enumerate(lines, number) if (problem := parsed.add(line, row))]
    return RawRows(
        file=file,
        rows=np.array(parsed.rows, dtype=np.int64),
        texts=as_bytes(pa.array(parsed.texts, pa.string())),
        ids=None if selection.id is None else as_bytes(pa.array(parsed.ids, pa.string())),
        labels=None if selection.label is None else pa.array(parsed.labels, pa.list_(pa.string())),
        bad=bad,
    )


def _parsed_object(line: bytes, number: int) -> tuple[dict[str, Json], BadRow | None]:
    """Return the object in a line, or why there is none."""
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        if not is_utf8(line):
            return {}, BadRow(number, "the line is not UTF-8", "invalid_utf8")
        return {}, BadRow(number, f"not JSON: {error.msg} at character {error.pos}")
    if not isinstance(value, dict):
        return {}, BadRow(number, f"a JSON {_name_of(value)}, not an object")
    return value, None


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

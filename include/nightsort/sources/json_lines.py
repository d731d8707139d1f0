"""JSON Lines: one object per line, many lines at a time.

pyarrow parses a block of lines in one call if all of them have the expected types. One other line makes it
refuse the block; then each line of that block is parsed on its own, and only the damaged ones are rejected.
"""

from __future__ import annotations

import re
from typing import IO, TYPE_CHECKING, Any, Final, NamedTuple, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as pa_json

from nightsort.arrow.columns import Column, as_bytes, one_column, true_indices
from nightsort.sources.json_keys import KeyCheck
from nightsort.sources.json_layouts import JsonRowFinder, lines_of
from nightsort.sources.json_structure import deepest
from nightsort.sources.json_values import (
    ABSENT,
    LONG_LINE,
    Damage,
    DamagedArrayError,
    Json,
    encoded,
    find_value,
    has_many_values,
    kind_of,
    objects_in,
    parse_objects,
)
from nightsort.sources.labels import as_label, as_labels, as_text
from nightsort.sources.rejects import MAX_LABELS_OF_REJECT
from nightsort.sources.row_blocks import BadRow, ColumnSelection, RawRows, split_into_row_blocks
from nightsort.sources.source_files import SourceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from nightsort.sources.source_files import SourceFile
    from nightsort.sources.streams import OpenedFile

_DEEPEST: Final = 1_000_000
_MOST_ROWS: Final = 16_384
_LABELS_TYPE: Final = pa.list_(pa.binary())
_LABELS: Final = "a label is a text, a whole number, true or false, or a list of these"

# Characters that a key may have, written as \\u002e.
_ESCAPED_IN_NAMES: Final = re.compile(rb"\\u00(?:2[dDeE]|[3-7])")

_LINE_FEED: Final = 0x0A
_CARRIAGE_RETURN: Final = 0x0D
_OPENING: Final = ord("{")
_CLOSING: Final = ord("}")


def read_json_lines(opened: Iterable[OpenedFile], selection: ColumnSelection) -> Iterator[RawRows]:
    """Read JSON Lines files; empty lines are no rows, a key that a line lacks counts as empty.

    Arrays of objects, objects that spread over several lines and several objects on a line are read, too.

    :param opened: the files, each with its bytes.
    :raises SourceError: no row of any file has a selected key, or an array is damaged.
    """
    keys = KeyCheck(selection)
    for file, stream in opened:
        number = 0
        for block in split_into_row_blocks(stream, JsonRowFinder(file.uri)):
            if block.detail is not None:
                yield RawRows.only_bad(file.name, BadRow(number, block.detail))
                number += 1
                continue
            for raw in _read_block(block.data, file, selection, number, keys):
                number += len(raw) + len(raw.bad)
                yield raw
    keys.check()


def _read_block(
    data: bytes, file: SourceFile, selection: ColumnSelection, number: int, keys: KeyCheck
) -> Iterator[RawRows]:
    columns = _parse_together(data, selection)
    if columns is not None:
        keys.see_columns(columns, data, file.uri)
        rows = np.arange(number, number + len(columns[selection.text]))
        yield RawRows.from_columns(file.name, rows, columns, selection)
        return
    read: list[Row | BadRow] = []
    for line in lines_of(data):
        if LONG_LINE < len(line) < len(data):
            yield from _in_groups(read, file, selection)
            number += len(read)
            read = []
            for raw in _read_block(line, file, selection, number, keys):
                number += len(raw) + len(raw.bad)
                yield raw
            continue
        read += _read_line(line, file, selection, number + len(read), keys)
        if len(read) >= _MOST_ROWS:
            yield from _in_groups(read, file, selection)
            number += len(read)
            read = []
    yield from _in_groups(read, file, selection)


def _in_groups(rows: list[Row | BadRow], file: SourceFile, selection: ColumnSelection) -> Iterator[RawRows]:
    for start in range(0, len(rows), _MOST_ROWS):
        yield raw_rows(file, rows[start : start + _MOST_ROWS], selection)


def _parse_together(data: bytes, selection: ColumnSelection) -> dict[str, Column] | None:
    """Parse all lines in one call, or return ``None`` if they have to be parsed one by one."""
    if not _has_one_or_more_objects_on_each_line(data):
        return None
    line = data[: data.find(b"\n") + 1 or len(data)]
    first = _peek(line, selection) if len(line) > LONG_LINE else next(iter(objects_in(line)), None)
    if not isinstance(first, dict):
        return None
    if selection.label and isinstance(find_value(first, selection.label), list) and has_many_values(data):
        # pyarrow would hold millions of labels several times.
        return None
    paths: dict[str, list[str]] = {}
    for name in selection.names:
        path = _path(name, data)
        if path is None:
            return None
        paths[name] = path
    schema = _schema((path, _type_of(name, first, selection)) for name, path in paths.items())
    if schema is None:
        return None
    try:
        table = pa_json.read_json(
            cast("IO[bytes]", pa.BufferReader(data)),
            read_options=pa_json.ReadOptions(use_threads=False, block_size=len(data) + 1),
            parse_options=pa_json.ParseOptions(explicit_schema=schema, unexpected_field_behavior="ignore"),
        )
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return None
    columns = {}
    for name, path in paths.items():
        column = one_column(table[path[0]])
        if len(path) > 1:
            column = pc.struct_field(column, path[1:])
        elif "." in name and column.null_count:
            # Rows without this key may have the nested one.
            return None
        columns[name] = column if pa.types.is_list(column.type) else as_bytes(column.cast(pa.string()))
    return columns


def _peek(line: bytes, selection: ColumnSelection) -> dict[str, Json]:
    """Return values of the types that a long line seems to have, without parsing all of it."""
    examples = {b"[": [], b"t": True, b"f": False, **{b"%d" % digit: digit for digit in range(10)}}
    found: dict[str, Json] = {}
    for name in selection.names:
        key = re.escape(name.rpartition(".")[2].encode())
        begins = re.search(rb'"%b"\s*:\s*-?(.)' % key, line)
        found[name] = None if begins is None else examples.get(begins[1])
    return found


def _has_one_or_more_objects_on_each_line(data: bytes) -> bool:
    """Return whether each line that is not empty begins and ends like an object.

    Where this is so, and all of it is JSON, no object goes on in the next line: in a string there can be no
    line feed, and between the parts of an object there is a comma.
    """
    values = np.frombuffer(data, dtype=np.uint8)
    ends = true_indices(values == _LINE_FEED)
    if not data.endswith(b"\n"):
        ends = np.append(ends, len(data))
    starts = np.concatenate(([0], ends[:-1] + 1))
    lasts = ends - 1
    lasts = lasts - (values[lasts] == _CARRIAGE_RETURN)
    filled = lasts >= starts
    if not filled.all():
        starts, lasts = starts[filled], lasts[filled]
    # pyarrow stops at a NUL, and takes much memory for what is very deep.
    return bool(
        len(starts)
        and (values[starts] == _OPENING).all()
        and (values[lasts] == _CLOSING).all()
        and b"\0" not in data
        and ((lasts - starts).max() <= LONG_LINE or deepest(data) <= _DEEPEST)
    )


def _path(name: str, data: bytes) -> list[str] | None:
    """Return the keys that lead to a column, or ``None`` where only looking at each line can tell."""
    if "." not in name:
        return [name]
    if b"\\u" in data and not (name.isascii() and _ESCAPED_IN_NAMES.search(data) is None):
        return None
    rest = name.partition(".")[2]
    if f'"{name}"'.encode() in data:
        return [name]
    while "." in rest:
        if f'"{rest}"'.encode() in data:
            return None
        rest = rest.partition(".")[2]
    return name.split(".")


def _schema(types: Iterable[tuple[list[str], pa.DataType]]) -> pa.Schema | None:
    """Return the schema of columns at these paths, or ``None`` if one is inside of another."""
    fields: dict[str, Any] = {}
    for path, kind in types:
        inside = fields
        for name in path[:-1]:
            inside = inside.setdefault(name, {})
            if not isinstance(inside, dict):
                return None
        if path[-1] in inside:
            return None
        inside[path[-1]] = kind
    return pa.schema(_fields(fields))


def _fields(types: dict[str, Any]) -> list[pa.Field[Any]]:
    return [
        pa.field(name, pa.struct(_fields(kind)) if isinstance(kind, dict) else kind)
        for name, kind in types.items()
    ]


def _type_of(name: str, first: dict[str, Json], selection: ColumnSelection) -> pa.DataType:
    """Return the type expected of all values of a column, from its value in the first object."""
    value = find_value(first, name)
    if name == selection.label and isinstance(value, list):
        return pa.list_(pa.string())
    if name == selection.label and isinstance(value, bool):
        return pa.bool_()
    whole_number = isinstance(value, int) and not isinstance(value, bool)
    return pa.int64() if whole_number and name != selection.text else pa.string()


class Row(NamedTuple):
    """A row whose values have the right types."""

    number: int
    id: bytes
    text: bytes
    labels: list[bytes]


def read_row(value: dict[str, Json], number: int, selection: ColumnSelection) -> Row | BadRow:
    """Return the row in an object, or what is wrong with one of its values."""
    given = None if selection.label is None else _value_of(value, selection.label)
    problem = label_problem(given)
    written_labels = [] if problem else as_labels(given, selection.label_delimiter) or []
    labels = [encoded(label) or b"" for label in written_labels]
    identity = None if selection.id is None else _value_of(value, selection.id)
    document_id = encoded(as_text(identity))
    if document_id is None:
        detail = f"{selection.id} is {kind_of(identity)}, not a text or a whole number"
        return BadRow(number, detail, labels=_decoded(labels))
    named = document_id.decode(errors="replace") or None
    written = _value_of(value, selection.text)
    text = encoded("" if written is None else written)
    if text is None:
        detail = f"{selection.text} is {kind_of(written)}, not a text"
        return BadRow(number, detail, document_id=named, labels=_decoded(labels))
    if problem:
        return BadRow(number, f"{selection.label} {problem}", document_id=named)
    return Row(number, document_id, text, labels)


def labels_of(row: Row) -> tuple[str, ...]:
    """Return the labels of a row as texts."""
    return _decoded(row.labels)


def _decoded(labels: list[bytes]) -> tuple[str, ...]:
    return tuple(label.decode(errors="replace") for label in labels[:MAX_LABELS_OF_REJECT])


def label_problem(value: Json) -> str | None:
    """Return what is wrong with a label or a list of labels, or ``None``; null is no label, and not wrong."""
    is_list = isinstance(value, list)
    for item in value if is_list else [value]:
        if encoded(as_label(item)) is None:
            return f"{'holds' if is_list else 'is'} {kind_of(item)}; {_LABELS}"
    return None


def _value_of(value: dict[str, Json], name: str) -> Json:
    found = find_value(value, name)
    return None if found is ABSENT else found


def raw_rows(file: SourceFile, rows: Iterable[Row | BadRow], selection: ColumnSelection) -> RawRows:
    """Return rows of one file as columns."""
    good = [row for row in rows if isinstance(row, Row)]
    return RawRows(
        file=file.name,
        rows=np.array([row.number for row in good], dtype=np.int64),
        texts=pa.array([row.text for row in good], pa.binary()),
        ids=None if selection.id is None else pa.array([row.id for row in good], pa.binary()),
        labels=None if selection.label is None else pa.array([row.labels for row in good], _LABELS_TYPE),
        bad=[row for row in rows if isinstance(row, BadRow)],
    )


def objects_of(file: SourceFile, stream: IO[bytes]) -> Iterator[dict[str, Json] | Damage]:
    """Yield the objects of a file one by one, for readers that look at each.

    :raises SourceError: an array is damaged.
    """
    number = 0
    for block in split_into_row_blocks(stream, JsonRowFinder(file.uri)):
        for line in lines_of(block.data) if block.detail is None else [b""]:
            objects = [Damage(block.detail)] if block.detail else _objects_in(line, file, number)
            number += len(objects)
            yield from objects


def _objects_in(
    line: bytes,
    file: SourceFile,
    number: int,
    parse: Callable[[bytes], list[dict[str, Json] | Damage]] = objects_in,
) -> list[dict[str, Json] | Damage]:
    try:
        return parse(line)
    except DamagedArrayError as error:
        raise SourceError(
            f"{file.uri} holds an array that is damaged in row {number + error.objects:,}; the rows behind "
            "it cannot be counted; mend the file, or write one object a line"
        ) from None


def _read_line(
    line: bytes, file: SourceFile, selection: ColumnSelection, number: int, keys: KeyCheck
) -> list[Row | BadRow]:
    objects = _objects_in(line, file, number)
    rows = _read_objects(objects, selection, number)
    unfit = [value for value, row in zip(objects, rows, strict=True) if isinstance(row, BadRow)]
    if any(isinstance(value, dict) for value in unfit):
        # A whole number may be too large for orjson.
        objects = _objects_in(line, file, number, parse_objects)
        rows = _read_objects(objects, selection, number)
    keys.see(objects, file.uri)
    return rows


def _read_objects(
    objects: Iterable[dict[str, Json] | Damage], selection: ColumnSelection, number: int
) -> list[Row | BadRow]:
    return [
        BadRow(row, value.detail, value.reason)
        if isinstance(value, Damage)
        else read_row(value, row, selection)
        for row, value in enumerate(objects, number)
    ]

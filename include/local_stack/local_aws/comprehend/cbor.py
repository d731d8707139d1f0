"""CBOR (RFC 8949), as much of it as Smithy's RPC v2 protocol sends and gets."""

from __future__ import annotations

import struct
from typing import Any

UNSIGNED, NEGATIVE, BYTES, TEXT, ARRAY, MAP, TAG, SIMPLE = range(8)
"""The major types."""

EPOCH_SECONDS = 1
"""The tag of a timestamp."""

DEEPEST = 100

_INDEFINITE = 31
_SIMPLE_VALUES: dict[int, Any] = {20: False, 21: True, 22: None, 23: None}
_FLOATS = {25: (">e", 2), 26: (">f", 4), 27: (">d", 8)}
_BREAK = object()


class CborError(ValueError):
    """Bytes that are not one CBOR value."""


class Timestamp(float):
    """Epoch seconds that are written with their tag."""


# --- writing ------------------------------------------------------------------------------------------------


def encode(value: Any) -> bytes:
    """Return a value of JSON's types, bytes and :class:`Timestamp` as CBOR."""
    if isinstance(value, dict):
        items = (encode(name) + encode(member) for name, member in value.items())
        return _head(MAP, len(value)) + b"".join(items)
    if isinstance(value, (list, tuple)):
        return _head(ARRAY, len(value)) + b"".join(map(encode, value))
    if isinstance(value, str):
        text = value.encode()
        return _head(TEXT, len(text)) + text
    if isinstance(value, bytes):
        return _head(BYTES, len(value)) + value
    if isinstance(value, bool) or value is None:
        return bytes([SIMPLE << 5 | {False: 20, True: 21, None: 22}[value]])
    if isinstance(value, int):
        return _head(UNSIGNED, value) if value >= 0 else _head(NEGATIVE, -1 - value)
    tag = _head(TAG, EPOCH_SECONDS) if isinstance(value, Timestamp) else b""
    return tag + b"\xfb" + struct.pack(">d", value)


def _head(major: int, number: int) -> bytes:
    if number < 24:
        return bytes([major << 5 | number])
    for code, size in ((24, 1), (25, 2), (26, 4), (27, 8)):
        if number < 1 << 8 * size:
            return bytes([major << 5 | code]) + number.to_bytes(size, "big")
    raise CborError(f"{number} takes more than 64 bits")


# --- reading ------------------------------------------------------------------------------------------------


def decode(data: bytes) -> Any:
    """Return the one value that the bytes hold; a timestamp is its epoch seconds.

    Raises:
        CborError: they are not CBOR, or more than one value, or nested too deep.
    """
    reader = _Reader(data)
    value = reader.value()
    if value is _BREAK or reader.position != len(data):
        raise CborError("there is something behind the value")
    return value


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self.position = 0

    def value(self, depth: int = 0) -> Any:
        if depth > DEEPEST:
            raise CborError("it is nested too deep")
        (first,) = self._take(1)
        major, code = first >> 5, first & 31
        if major == SIMPLE:
            return self._simple(code)
        length = None if code == _INDEFINITE else self._number(code)
        if major in (BYTES, TEXT):
            return self._string(major, length, depth)
        if major == ARRAY:
            return self._items(length, depth)
        if major == MAP:
            return self._map(length, depth)
        if length is None:
            raise CborError("a number cannot be of indefinite length")
        if major == TAG:
            return self.value(depth + 1)
        return length if major == UNSIGNED else -1 - length

    def _take(self, size: int) -> bytes:
        taken = self._data[self.position : self.position + size]
        if len(taken) < size:
            raise CborError("it breaks off")
        self.position += size
        return taken

    def _number(self, code: int) -> int:
        if code < 24:
            return code
        if code > 27:
            raise CborError(f"a length cannot be coded as {code}")
        return int.from_bytes(self._take(1 << code - 24), "big")

    def _simple(self, code: int) -> Any:
        if code == _INDEFINITE:
            return _BREAK
        if code in _FLOATS:
            form, size = _FLOATS[code]
            return struct.unpack(form, self._take(size))[0]
        if code not in _SIMPLE_VALUES:
            raise CborError(f"there is no simple value {code}")
        return _SIMPLE_VALUES[code]

    def _string(self, major: int, length: int | None, depth: int) -> str | bytes:
        if length is None:
            pieces = self._items(None, depth)
            kind = str if major == TEXT else bytes
            if not all(isinstance(piece, kind) for piece in pieces):
                raise CborError("the pieces of a string are of another kind")
            return kind().join(pieces)
        taken = self._take(length)
        if major == BYTES:
            return taken
        try:
            return taken.decode()
        except UnicodeDecodeError as error:
            raise CborError("a text is not UTF-8") from error

    def _items(self, length: int | None, depth: int) -> list[Any]:
        found: list[Any] = []
        while length is None or len(found) < length:
            item = self.value(depth + 1)
            if item is _BREAK:
                if length is not None:
                    raise CborError("an item is missing")
                break
            found.append(item)
        return found

    def _map(self, length: int | None, depth: int) -> dict[str, Any]:
        flat = self._items(None if length is None else 2 * length, depth)
        names, members = flat[::2], flat[1::2]
        if len(names) != len(members) or not all(isinstance(name, str) for name in names):
            raise CborError("a map has a member without a name or a value")
        return dict(zip(names, members, strict=True))

"""Whether the keys that a spec selects occur in JSON at all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from nightsort.sources.json_values import ABSENT, Damage, Json, find_value, objects_in

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from nightsort.arrow.columns import Column
    from nightsort.sources.row_blocks import ColumnSelection

_LOOKED_AT: Final = 100
"""So many objects of a block are looked at where a key seems to be missing."""

_MOST_KEYS: Final = 1_000


class KeyCheck:
    """Finds out whether the selected keys occur at all.

    One row may lack a key. That no row of the source has it shows that the spec names the wrong one.
    """

    def __init__(self, selection: ColumnSelection) -> None:
        self._selection = selection
        self._missing = selection.names
        self._where: str | None = None
        self._present: dict[str, None] = {}

    def see(self, objects: Iterable[dict[str, Json] | Damage], where: str) -> None:
        """Note the keys of some objects.

        :param where: the URI of their file.
        """
        for value in objects if self._missing else ():
            if isinstance(value, dict):
                self._missing = [name for name in self._missing if find_value(value, name) is ABSENT]
                self._where = self._where or where
                if self._where == where and len(self._present) < _MOST_KEYS:
                    self._present.update(dict.fromkeys(_names_in(value)))

    def see_columns(self, columns: dict[str, Column], data: bytes, where: str) -> None:
        """Note the keys of objects that were parsed together, as lines of data."""
        if any(columns[name].null_count == len(columns[name]) for name in self._missing):
            for line in data.split(b"\n", _LOOKED_AT)[:_LOOKED_AT]:
                self.see(objects_in(line), where)
        self._missing = [name for name in self._missing if columns[name].null_count == len(columns[name])]

    def check(self) -> None:
        """Check that each key was seen.

        :raises SourceError: one was not, in any of the objects.
        """
        if self._where is not None and self._missing:
            seen = [name for name in self._selection.names if name not in self._missing]
            self._selection.check(dict.fromkeys([*self._present, *seen]), self._where)


def _names_in(value: dict[str, Json]) -> Iterator[str]:
    """Yield the keys of an object, and those one level below as a spec would name them."""
    for key, inner in value.items():
        if isinstance(key, str):
            yield key
            if isinstance(inner, dict):
                yield from (f"{key}.{name}" for name in inner if isinstance(name, str))

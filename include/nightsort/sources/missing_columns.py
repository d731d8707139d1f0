"""Names of columns in error messages: enough to find a mistake, and never a document's text."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from nightsort.wording import number_of

if TYPE_CHECKING:
    from collections.abc import Sequence

MOST_NAMES: Final = 10
_NAME: Final = re.compile(r"[^\W\d][\w.:/#-]{0,39}")
_DIGIT: Final = re.compile(r"\d")

NAME_THE_RIGHT_ONE: Final = "Name the right one in the spec (text_column, label_column, id_column)"


def look_like_names(names: Sequence[str]) -> bool:
    """Return whether all of these are short words with few digits, as columns have for names.

    A row that is no header has texts, keys or numbers among its cells.
    """
    return bool(names) and all(_NAME.fullmatch(name) and len(_DIGIT.findall(name)) <= 4 for name in names)


def missing_column(where: str, wanted: str, present: Sequence[str], remedy: str) -> str:
    """Return the error for a column that a file or query lacks.

    :param where: its URI.
    :param wanted: the column that the spec names.
    :param present: the columns that there are. They are shown if all of them look like names, at most
        ten; a name that differs from the wanted one only in case, blanks or signs is shown always.
    :param remedy: what to do about it, without a full stop.
    """
    return f'{where} has no column "{wanted}"; {_shown(wanted, present)}. {remedy}'


def _shown(wanted: str, present: Sequence[str]) -> str:
    if not present:
        return "it has no columns"
    if look_like_names(present):
        more = len(present) - MOST_NAMES
        listed = ", ".join(present[:MOST_NAMES]) + (f" and {more:,} more" if more > 0 else "")
        return f"its columns are: {listed}"
    alike = names_alike(present, wanted)
    close = f', one of them "{alike[0]}"' if alike and alike[0].isprintable() else ""
    return f"it has {number_of(len(present), 'column')}{close}"


def names_alike(present: Sequence[str], wanted: str) -> list[str]:
    """Return the names that differ from a wanted one only in case, blanks or signs."""
    return [name for name in present if len(name) <= 2 * len(wanted) + 2 and _bare(name) == _bare(wanted)]


def _bare(name: str) -> str:
    return re.sub(r"[\W_]", "", name).casefold()

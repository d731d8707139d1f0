"""Small parts of sentences for logs, errors and questions."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


def number_of(number: float, singular: str, plural: str = "") -> str:
    """
    Return a number with its noun, for instance ``1 batch`` or ``2 batches``.

    :param number: how many.
    :param singular: the noun for one.
    :param plural: the noun for all other numbers. (default: the singular with an s)
    """
    noun = singular if number == 1 else plural or f"{singular}s"
    return f"{number:,} {noun}" if isinstance(number, int) else f"{number:g} {noun}"


def with_reasons(reasons: Mapping[str, int]) -> str:
    """
    Return how many documents have each reason, for instance ``blank 2, duplicate_id 1``.

    :param reasons: the numbers by reason, the most frequent one first.
    """
    return ", ".join(f"{reason} {number:,}" for reason, number in reasons.items())

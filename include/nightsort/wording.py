"""Small parts of sentences for logs, errors and questions."""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

# Control characters and lone halves of characters; what turns the direction of text around, breaks lines, or
# takes no room. Not what joins emoji and letters (U+200C, U+200D).
_INVISIBLE: Final = (
    r"\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff"
    r"\ufeff\ufff9-\ufffb"
)
_UNSEEN: Final = re.compile(f"[{_INVISIBLE}]")
_UNSEEN_OR_BREAK: Final = re.compile(f"[{_INVISIBLE}\\t\\n]")


def visible(text: str) -> str:
    r"""
    Return a text that can do nothing to a terminal: an escape character is written as ``\x1b``.

    Line ends and tabs stay, and so do emoji.

    :param text: any text.
    """
    return _UNSEEN.sub(_escaped, text.replace("\r\n", "\n"))


def one_line(text: str) -> str:
    r"""
    Return a text as :func:`visible` does, with line ends and tabs as ``\n`` and ``\t``.

    A name with a line end could otherwise write a line of its own into a log.

    :param text: a name, or a message that holds one.
    """
    return _UNSEEN_OR_BREAK.sub(_escaped, text)


def _escaped(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode()


def first_line(error: BaseException) -> str:
    """
    Return the first line of an error's message: what a library adds below it helps nobody.

    :param error: any error.
    """
    return (str(error).splitlines() or ["no reason given"])[0]


def number_of(number: float, singular: str, plural: str = "") -> str:
    """
    Return a number with its noun, for instance ``1 batch`` or ``2 batches``.

    :param number: how many.
    :param singular: the noun for one.
    :param plural: the noun for all other numbers. (default: the singular with an s)
    """
    noun = singular if number == 1 else plural or f"{singular}s"
    return f"{number:,} {noun}" if isinstance(number, int) else f"{number:g} {noun}"


def did_you_mean(given: str, known: Iterable[str]) -> str:
    """
    Return the question whether another name was meant, for instance ``Did you mean "threshold"?``.

    :param given: a name that is not known.
    :param known: all names that are.
    :returns: the question; empty if no known name is like the given one.
    """
    close = difflib.get_close_matches(given, list(known), n=1)
    return f'Did you mean "{close[0]}"?' if close else ""


def with_reasons(reasons: Mapping[str, int]) -> str:
    """
    Return how many documents have each reason, for instance ``blank 2, duplicate_id 1``.

    :param reasons: the numbers by reason, the most frequent one first.
    """
    return ", ".join(f"{reason} {number:,}" for reason, number in reasons.items())

"""The base of all errors that a user can correct."""

from __future__ import annotations

from typing import ClassVar

from nightsort.wording import one_line


class NightsortError(Exception):
    """An error that the user can correct: in the input, the spec, the tables or the permissions.

    The message says what is wrong, where, and what to do. Operators and the command line show it instead of a
    traceback. It is not a ``ValueError``, so code that catches a wrong number does not catch it. Its text is
    one line, so that the name of a file in it can do nothing to a terminal or a log.
    """

    retryable: ClassVar[bool] = False
    """Whether another try may succeed without a person's help. Airflow then tries the task again."""

    def __str__(self) -> str:
        return one_line(super().__str__())

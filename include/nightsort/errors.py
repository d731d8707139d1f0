"""The base of all errors that a user can correct."""

from __future__ import annotations

from typing import ClassVar


class NightsortError(Exception):
    """An error that the user can correct: in the input, the spec, the tables or the permissions.

    The message says what is wrong, where, and what to do. Operators and the command line show it instead of a
    traceback. It is not a ``ValueError``, so code that catches a wrong number does not catch it.
    """

    retryable: ClassVar[bool] = False
    """Whether another try may succeed without a person's help. Airflow then tries the task again."""

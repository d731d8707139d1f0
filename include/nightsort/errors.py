"""What all errors have in common that a user of Nightsort has to mend."""

from __future__ import annotations

from typing import ClassVar


class NightsortError(Exception):
    """Something that the user has to mend: input, spec, tables or rights; the message says what to do.

    Operators and the command line show the message instead of a traceback. It is no ``ValueError``, so that
    code which catches a wrong number does not catch it as well.
    """

    retryable: ClassVar[bool] = False
    """Whether a second try may succeed without anybody's help: a task that raises it is then tried again."""

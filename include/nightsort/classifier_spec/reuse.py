"""Which texts are not sent because their result is known."""

from __future__ import annotations

from typing import Final

from pydantic import Field

from nightsort.classifier_spec.source import SpecPart

MAX_DAYS: Final = 366
"""A look-up reads the results of so many days (choice: a year, of a million texts a night 24 GB)."""


class Reuse(SpecPart):
    """Which texts are paid for once.

    :param same_night: equal texts of a night are sent once, and each of their documents gets the result.
    :param days: a text that the same version classified in a run of a day at most so many days away is not
        sent; ``None``: each night stands alone.
    """

    same_night: bool = True
    days: int | None = Field(None, ge=1, le=MAX_DAYS, strict=True)

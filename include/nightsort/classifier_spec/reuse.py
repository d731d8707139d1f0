"""Which texts are not sent because their result is known."""

from __future__ import annotations

from typing import Any, Final

from pydantic import Field, field_validator

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

    @field_validator("days", mode="before")
    @classmethod
    def _off_is_none(cls, days: Any) -> Any:
        # YAML 1.1 reads off without quotes as false.
        return None if days is False or days == "off" else days

"""Which texts are not sent because their result is known."""

from __future__ import annotations

from nightsort.classifier_spec.source import SpecPart


class Reuse(SpecPart):
    """Which texts are paid for once.

    :param same_night: equal texts of a night are sent once, and each of their documents gets the result.
    """

    same_night: bool = True

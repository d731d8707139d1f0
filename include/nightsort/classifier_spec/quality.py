"""The part of a classifier spec that says how many documents a night or a training may lose."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from nightsort.classifier_spec.source import SpecPart


class Quality(SpecPart):
    """How many documents may have no label, and what happens when there are more.

    :param max_rejected_share: of the documents that come in, the share that may be rejected; 1.0: all.
    :param max_failed_share: of the documents that are sent, the share that may fail; 1.0: all.
    :param when_over: what happens to a night above a limit: it fails, or it succeeds with a warning and the
        notifiers are called. Either way all its documents are loaded first.
    :param retry_failed: send documents that failed for a passing reason once more in the same night.
    """

    max_rejected_share: float = Field(0.5, ge=0, le=1, strict=True)
    max_failed_share: float = Field(0.05, ge=0, le=1, strict=True)
    when_over: Literal["fail", "warn"] = "fail"
    retry_failed: bool = True


def is_above(number: int, of: int, share: float) -> bool:
    """Return whether more than a share of the documents are rejected or failed.

    :param number: how many are.
    :param of: how many documents there are.
    :param share: the most that is allowed.
    """
    # Divided, because 0.29 * 100 is less than 29.
    return number > 0 and number / of > share

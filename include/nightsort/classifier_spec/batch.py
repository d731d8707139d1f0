"""The part of a classifier spec about what is sent together, and how."""

from __future__ import annotations

from typing import Final

from pydantic import Field

from nightsort.classifier_spec.source import SpecPart
from nightsort.comprehend import limits

MOST_BELOW: Final = 10_000
"""The most that ``endpoint_below`` may be: one inference unit needs more than an hour for so many."""


class BatchLimits(SpecPart):
    """The size limits of one classification job, and of a night that needs none.

    :param max_documents: the most documents of one job.
    :param max_bytes: the most bytes of its input file.
    :param endpoint_below: a night with fewer texts to send goes through the classifier's endpoint, where that
        is open; ``None``: each night is sent as jobs.
    """

    max_documents: int = Field(limits.MAX_JOB_DOCUMENTS, ge=1, le=limits.MAX_JOB_DOCUMENTS, strict=True)
    max_bytes: int = Field(limits.MAX_JOB_BYTES, ge=1, le=limits.MAX_JOB_BYTES, strict=True)
    endpoint_below: int | None = Field(None, ge=1, le=MOST_BELOW, strict=True)

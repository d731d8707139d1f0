"""The errors of trainings and jobs."""

from __future__ import annotations

from typing import Final

INTERNAL_ERROR: Final = "INTERNAL_ERROR: Amazon Comprehend was unable to process the request. Try again."
"""The Message of a failure that the caller did not cause."""


class TaskError(Exception):
    """A training or a job failed; the text becomes the Message of its IN_ERROR or FAILED state."""


class TransientError(Exception):
    """A training or a job met a failure, such as a lost connection, that a retry may cure."""

"""
The states of Comprehend's models and jobs, as closed sets.

The members are those of botocore's enums ``ModelStatus`` and ``JobStatus``. Success is listed, never "not
running"; a state that is in no set is an error. ``waiters/comprehend.json`` says the same as data, and a
contract test compares this module, that file and botocore: a state that AWS adds fails the test, not a night.
"""

from __future__ import annotations

from typing import Final

# STOP_REQUESTED is not an end: a training may still come out TRAINED, if it was done before the stop took
# hold.
MODEL_TRAINING: Final = ("SUBMITTED", "TRAINING", "STOP_REQUESTED")
MODEL_TRAINED: Final = ("TRAINED", "TRAINED_WITH_WARNING")
MODEL_FAILED: Final = ("STOPPED", "IN_ERROR", "DELETING")

JOB_ACTIVE: Final = ("SUBMITTED", "IN_PROGRESS", "STOP_REQUESTED")
JOB_COMPLETED: Final = ("COMPLETED",)
JOB_FAILED: Final = ("FAILED", "STOPPED")

STOP_REQUESTED: Final = "STOP_REQUESTED"
STOPPED: Final = "STOPPED"
TRAINED_WITH_WARNING: Final = "TRAINED_WITH_WARNING"

"""What the local AWS can be told: by its command line, and by the environment."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from nightsort.comprehend.limits import MIN_DOCUMENTS_PER_LABEL

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

LEAST_DOCUMENTS = "NIGHTSORT_LOCAL_AWS_MIN_DOCUMENTS_PER_LABEL"
WORKERS = "NIGHTSORT_LOCAL_AWS_WORKERS"


class SettingError(Exception):
    """A setting cannot be used; the message names it, its value and what it may be."""


@dataclass(frozen=True)
class Settings:
    """The settings of a running server.

    :param endpoint: its own URL.
    :param models: the folder of the trained models.
    :param least_documents_per_label: documents that each label of training data must have.
    """

    endpoint: str
    models: Path
    least_documents_per_label: int = MIN_DOCUMENTS_PER_LABEL

    def model_path(self, name: str) -> Path:
        """Return where a model file is."""
        return self.models / name


def least_documents_per_label(environment: Mapping[str, str]) -> int:
    """Return the floor of documents per label: AWS's pages say 10 and 50, so it can be set."""
    return _positive(environment, LEAST_DOCUMENTS, MIN_DOCUMENTS_PER_LABEL)


def workers(environment: Mapping[str, str]) -> int:
    """Return how many worker processes there are: one per core, at least two and at most four."""
    return _positive(environment, WORKERS, min(4, max(2, os.cpu_count() or 1)))


def _positive(environment: Mapping[str, str], name: str, default: int) -> int:
    value = environment.get(name, str(default))
    if not value.isdecimal() or int(value) < 1:
        raise SettingError(f"{name} is {value!r}; it must be a whole number from 1 on.")
    return int(value)

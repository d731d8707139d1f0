"""The spec of a classifier as its file has it, without what may be a secret."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from nightsort.classifier_spec.masking import masked_text
from nightsort.classifier_spec.model import ClassifierSpec

if TYPE_CHECKING:
    from pathlib import Path

    from nightsort.classifier_spec.model import SpecError

_LONGEST: Final = 100_000


def spec_text(file: Path | None, error: SpecError | None) -> str | None:
    """
    Return the text of a spec's file without what may be a secret; None if it cannot be read.

    :param file: the file of a valid spec.
    :param error: what is wrong with a broken one.
    """
    path = file or (error.file if error else None)
    if path is None:
        return None
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    return masked_text(text[:_LONGEST], ClassifierSpec.model_fields)

"""The spec of a classifier as its file has it, without what may be a secret."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

    from nightsort.classifier_spec.model import SpecError

_SECRET: Final = re.compile(
    r"(?im)^(\s*[\"']?[\w.-]*(?:password|passwd|secret|token|api_?key|webhook)[\w.-]*[\"']?\s*:\s*)(\S.*)$"
)
_HIDDEN: Final = r"\1***"
_LONGEST: Final = 200_000


def spec_text(file: Path | None, error: SpecError | None) -> str | None:
    """
    Return the text of a spec's file; None if it cannot be read.

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
    # Secrets belong into connections; who wrote one here all the same does not see it on a page.
    return _SECRET.sub(_HIDDEN, text[:_LONGEST])

"""Clean and check texts for an endpoint, by the rules of the nightly batches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pyarrow as pa

from nightsort.comprehend.limits import MAX_REAL_TIME_BYTES
from nightsort.sources.cleaning import BLANK, GOOD, INVALID_UTF8, TOO_LARGE, clean_texts

if TYPE_CHECKING:
    from collections.abc import Sequence

REFUSED: Final = {
    BLANK: "has no visible character",
    INVALID_UTF8: "is not UTF-8",
    TOO_LARGE: f"is larger than {MAX_REAL_TIME_BYTES:,} bytes, which is the most that an endpoint takes",
}
"""Why a text cannot be classified, by its status."""


def checked_texts(texts: Sequence[str | bytes]) -> list[tuple[str, str | None]]:
    """
    Return each text as a nightly batch would hold it, and why it cannot be classified, or None.

    The same text so gets the same answer from an endpoint and from a job.

    :param texts: the texts as they came; bytes are UTF-8, or refused.
    """
    # JSON can hold half of a character: its bytes are found to be no UTF-8 like those of a file.
    raw = [text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass") for text in texts]
    cleaned = clean_texts(pa.array(raw, pa.binary()), max_bytes=MAX_REAL_TIME_BYTES)
    return [
        (str(text), None if status == GOOD else REFUSED[int(status)])
        for text, status in zip(cleaned.texts.to_pylist(), cleaned.status, strict=True)
    ]

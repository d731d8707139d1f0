"""The counts of a run, as its row has them."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class RunCounts:
    """The counts of a run. In a complete run ``documents_in == classified + failed + rejected``.

    :param documents_in: documents in the source.
    :param reasons: failed and rejected documents by reason.
    :param batches: for each batch its name, its documents, how many of them have a row, and what is known of
        its job and of its retries.
    :param retried: failed documents that were sent again; each time counts.
    :param units: billed units of the loaded batches and of their retries.
    :param cost_usd: their price.
    :param repeated: documents that were not sent, because one with the same text was.
    :param reused: documents that were not sent, because an earlier run classified their text.
    :param saved_units: units that these would have cost.
    :param saved_usd: their price.
    :param warning: which limit of the spec's ``quality`` is exceeded, where that is no failure.
    :param drift: that the labels drifted, in a sentence.
    """

    run_key: str
    documents_in: int
    classified: int
    failed: int
    rejected: int
    reasons: dict[str, int]
    batches: list[dict[str, Any]] = field(default_factory=list)
    retried: int = 0
    units: int = 0
    cost_usd: float = 0.0
    repeated: int = 0
    reused: int = 0
    saved_units: int = 0
    saved_usd: float = 0.0
    warning: str | None = None
    drift: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-safe values."""
        return asdict(self)

"""How a night went, in a word: the same on the pages, on the command line and in metrics."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from nightsort.tables.run_rows import COMPLETE
from nightsort.wording import number_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nightsort.tables.run_summaries import RunSummary

WITH_WARNINGS: Final = "with warnings"

_NOTHING_GIVEN: Final = "No documents came in: the source that was given holds none."
_NOTHING_CAME: Final = (
    "No documents came in: look whether they arrived where the spec says. If days without documents are "
    "usual, write no_files: ok into the spec."
)


@dataclass(frozen=True)
class Outcome:
    """How a night went, as far as its row says it.

    :param word: the state of the run; ``with warnings`` instead of ``complete`` where a person should look.
    :param reasons: why, in sentences; empty if all is well.
    """

    word: str
    reasons: Sequence[str] = ()

    @property
    def is_complete(self) -> bool:
        """Whether every document is accounted for, and no limit is exceeded that fails a night."""
        return self.word in (COMPLETE, WITH_WARNINGS)


def outcome(run: RunSummary, no_files: str = "warn") -> Outcome:
    """Return how a night went.

    :param run: its row.
    :param no_files: the spec's; with ``ok`` a night without documents is no warning. (default: that of a spec
        that says nothing)
    """
    if run.state != COMPLETE:
        return Outcome(run.state, (sentence(run.message),) if run.message else ())
    warnings = _warnings(run, no_files)
    return Outcome(WITH_WARNINGS if warnings else COMPLETE, warnings)


def _warnings(run: RunSummary, no_files: str) -> list[str]:
    warnings = []
    if run.message:
        warnings.append(sentence(run.message))
    elif run.failed:
        sent = run.classified + run.failed
        warnings.append(
            f"{run.failed:,} of {number_of(sent, 'document')} that were sent have no label "
            f"({run.failed / sent:.1%})."
        )
    if not run.documents_in and no_files != "ok":
        warnings.append(_NOTHING_GIVEN if run.source_uri else _NOTHING_CAME)
    if run.drifted:
        warnings.append(run.drift or "The labels are distributed otherwise than in the nights before.")
    return warnings


def sentence(text: str) -> str:
    """Return a text with a full stop, unless it ends like a sentence."""
    return text if text.endswith((".", "!", "?")) else f"{text}."

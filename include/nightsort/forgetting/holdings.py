"""What Nightsort holds of some documents, place by place."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nightsort.forgetting.run_files import FoundInRun
    from nightsort.forgetting.trainings import FoundTraining


@dataclass
class RunHoldings:
    """What a run holds of some documents.

    :param files: in its files below ``work_uri``; ``None``: there are none.
    :param rows: rows of ``predictions``, by id.
    :param exported: rows of exported files, by the URI of the file and by id.
    :param source_uri: its source, if it was set by hand.
    """

    files: FoundInRun | None = None
    rows: Counter[str] = field(default_factory=Counter)
    exported: dict[str, Counter[str]] = field(default_factory=dict)
    source_uri: str | None = None

    @property
    def ids(self) -> Counter[str]:
        """How often each id is there."""
        return sum(self.exported.values(), self.rows + (self.files.ids if self.files else Counter()))


@dataclass
class Holdings:
    """What Nightsort holds of some documents of a classifier.

    :param runs: what runs hold, by run key; those that hold something.
    :param trainings: what trainings hold, by the name of their folder; those that hold something.
    :param left: what could not be read or done: what, where and the remedy.
    """

    runs: dict[str, RunHoldings] = field(default_factory=dict)
    trainings: dict[str, FoundTraining] = field(default_factory=dict)
    left: list[str] = field(default_factory=list)

    @property
    def ids(self) -> Counter[str]:
        """How often each id is there."""
        of_runs = sum((run.ids for run in self.runs.values()), Counter[str]())
        return sum((training.ids for training in self.trainings.values()), of_runs)

    @property
    def learned_from(self) -> list[str]:
        """The trainings whose training or test data holds a document."""
        return [name for name, found in self.trainings.items() if found.documents and found.documents.ids]

    @property
    def strays(self) -> int:
        """How many inputs without a manifest there are."""
        return sum(len(run.files.strays) for run in self.runs.values() if run.files)

    @property
    def lost(self) -> int:
        """How many texts there are whose documents the source has lost."""
        return sum(run.files.lost for run in self.runs.values() if run.files)

    @property
    def empty(self) -> bool:
        """Whether there is nothing to do."""
        return not self.runs and not self.trainings

"""How much of Comprehend's model the conformance test went through, shown after the tests."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

KINDS = ("members in", "rules refused", "members out", "errors")


@dataclass
class Coverage:
    """For each operation and kind: how many there are, how many were covered, and why others were not."""

    counts: dict[str, dict[str, tuple[int, int]]] = field(default_factory=dict)
    reasons: dict[str, set[str]] = field(default_factory=dict)

    def record(
        self, operation: str, kind: str, covered: Collection[object], known: Collection[object]
    ) -> None:
        """Keep how many of the known were covered."""
        self.counts.setdefault(operation, {})[kind] = (len(covered), len(known))

    def explain(self, reason: str, what: str) -> None:
        """Keep what has a reason not to be covered, or to be covered in another way."""
        self.reasons.setdefault(reason, set()).add(what)

    def lines(self) -> Iterator[str]:
        """A table of all, and the reasons."""
        yield f"{'operation':34}" + "".join(f"{kind:>16}" for kind in KINDS)
        for operation, counts in self.counts.items():
            yield f"{operation:34}" + "".join(_share(counts.get(kind, (0, 0))) for kind in KINDS)
        totals = [
            tuple(map(sum, zip(*(counts.get(kind, (0, 0)) for counts in self.counts.values()), strict=True)))
            for kind in KINDS
        ]
        yield f"{'all':34}" + "".join(map(_share, totals))
        for reason, what in self.reasons.items():
            yield f"{reason}: {', '.join(sorted(what))}"


def _share(count: tuple[int, ...]) -> str:
    covered, known = count
    return f"{f'{covered}/{known}' if known else '-':>16}"

"""The report of a comparison: what is the same, what differs, and what could not be reached."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, Final

from nightsort.comprehend.prices import usd_text
from nightsort.wording import number_of
from nightsort_local.compare.side import NOT_REACHED

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from nightsort_local.compare.checks import Check

FORMAT: Final = 1
REPORT: Final = "report"


class Verdict(str, Enum):
    """The outcome of a check, or of one thing that it compares."""

    SAME = "same"
    DIFFERENT = "different"
    NOT_REACHED = "not reached"


@dataclass(frozen=True)
class Compared:
    """One thing that a check compares.

    :param what: its name.
    :param verdict: the outcome.
    :param here: the value of the local service; None where it has none.
    :param there: the value of the other one.
    """

    what: str
    verdict: Verdict
    here: Any
    there: Any


@dataclass(frozen=True)
class Outcome:
    """The outcome of a check.

    :param check: the check.
    :param compared: all that it compares.
    :param why: why it, or a part of it, was not reached.
    """

    check: Check
    compared: tuple[Compared, ...]
    why: str = ""

    @property
    def verdict(self) -> Verdict:
        """Different if anything is; same if all that was reached is."""
        verdicts = {item.verdict for item in self.compared}
        if Verdict.DIFFERENT in verdicts:
            return Verdict.DIFFERENT
        return Verdict.SAME if Verdict.SAME in verdicts else Verdict.NOT_REACHED


@dataclass(frozen=True)
class Results:
    """What one side gave.

    :param observed: the observations, by check.
    :param unreached: why a check has none.
    """

    observed: Mapping[str, Mapping[str, Any]]
    unreached: Mapping[str, str]


def outcomes(checks: Sequence[Check], here: Results, there: Results) -> list[Outcome]:
    """Compare two sides, check by check."""
    return [_outcome(check, here, there) for check in checks]


def _outcome(check: Check, here: Results, there: Results) -> Outcome:
    reasons = [
        f"{side}: {results.unreached.get(check.name, 'interrupted before it')}"
        for side, results in (("here", here), ("there", there))
        if check.name not in results.observed
    ]
    if reasons:
        return Outcome(check, (), "; ".join(reasons))
    # As JSON holds them: a tuple of this run equals a list of an earlier one.
    ours, theirs = (json.loads(json.dumps(side.observed[check.name])) for side in (here, there))
    compared = tuple(
        _compared(what, ours, theirs) for what in [*ours, *(what for what in theirs if what not in ours)]
    )
    missing = [_missing(item) for item in compared if item.verdict is Verdict.NOT_REACHED]
    return Outcome(check, compared, "; ".join(missing))


def _compared(what: str, ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> Compared:
    here, there = (side.get(what, {NOT_REACHED: "not shown"}) for side in (ours, theirs))
    if any(isinstance(value, dict) and NOT_REACHED in value for value in (here, there)):
        verdict = Verdict.NOT_REACHED
    else:
        verdict = Verdict.SAME if here == there else Verdict.DIFFERENT
    return Compared(what, verdict, here, there)


def _missing(item: Compared) -> str:
    """Say on which side there is nothing to compare, and why."""
    sides = (("here", item.here), ("there", item.there))
    return f"{item.what}: " + ", ".join(
        f"{name}: {value[NOT_REACHED]}"
        for name, value in sides
        if isinstance(value, dict) and NOT_REACHED in value
    )


def write_report(folder: Path, found: Sequence[Outcome], about: Mapping[str, str], usd: float) -> Path:
    """Write the report as Markdown and as JSON; return the Markdown file.

    :param folder: where.
    :param found: the outcomes.
    :param about: what was compared: versions, region, month.
    :param usd: what it cost.
    """
    content = {
        "format": FORMAT,
        "about": dict(about),
        "usd": usd,
        "checks": [
            {
                "check": outcome.check.name,
                "assumes": outcome.check.assumes,
                "verdict": outcome.verdict.value,
                **({"why": outcome.why} if outcome.why else {}),
                "compared": [
                    {
                        "what": item.what,
                        "verdict": item.verdict.value,
                        "here": item.here,
                        **({} if item.verdict is Verdict.SAME else {"there": item.there}),
                    }
                    for item in outcome.compared
                ],
            }
            for outcome in found
        ],
    }
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    text = json.dumps(content, indent=1, ensure_ascii=False) + "\n"
    (folder / f"{REPORT}.json").write_text(text, encoding="utf-8")
    file = folder / f"{REPORT}.md"
    file.write_text(markdown(found, about, usd), encoding="utf-8")
    return file


def counted(found: Sequence[Outcome]) -> str:
    """Return how many checks had which outcome, in words."""
    numbers = {verdict: sum(outcome.verdict is verdict for outcome in found) for verdict in Verdict}
    return f"{number_of(len(found), 'check')}: " + ", ".join(
        f"{number} {verdict.value}" for verdict, number in numbers.items()
    )


def markdown(found: Sequence[Outcome], about: Mapping[str, str], usd: float) -> str:
    """Return the report for people: the differences first."""
    lines = [
        "# The local Comprehend, compared",
        "",
        f"{counted(found)}. It cost {usd_text(usd)}.",
        "",
        "| | |",
        "|---|---|",
        *(f"| {name} | {value} |" for name, value in about.items()),
        "",
        "All documents were generated. Account, ARNs, bucket, role, ids and times are masked.",
    ]
    for verdict in (Verdict.DIFFERENT, Verdict.NOT_REACHED, Verdict.SAME):
        of_it = [outcome for outcome in found if outcome.verdict is verdict]
        lines += ["", f"## {verdict.value.capitalize()} ({len(of_it)})"]
        for outcome in of_it:
            lines += ["", f"### {outcome.check.name}", "", f"Assumed: {outcome.check.assumes}"]
            lines += ["", f"Not reached: {_cell(outcome.why)}"] if outcome.why else []
            different = [item for item in outcome.compared if item.verdict is Verdict.DIFFERENT]
            if different:
                lines += ["", "| what | here | there |", "|---|---|---|"]
                lines += [
                    f"| {_cell(item.what)} | {_value(item.here)} | {_value(item.there)} |"
                    for item in different
                ]
            same = [item.what for item in outcome.compared if item.verdict is Verdict.SAME]
            lines += ["", f"Same: {_cell(', '.join(same))}."] if same else []
    return "\n".join(lines) + "\n"


def _value(value: Any) -> str:
    return f"`{_cell(json.dumps(value, ensure_ascii=False))}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("`", "'").replace("\n", " ")

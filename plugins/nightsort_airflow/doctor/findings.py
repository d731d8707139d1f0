"""The doctor's checks and findings: one check, one line."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping


class State(str, Enum):
    """The state of a check. ``CANNOT_TELL`` is not a pass: the check could not be made."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    CANNOT_TELL = "cannot tell"


@dataclass(frozen=True)
class Outcome:
    """
    The outcome of a check.

    :param state: its state.
    :param says: what was found.
    :param remedy: what to do; empty where nothing has to be done.
    """

    state: State
    says: str
    remedy: str = ""


def ok(says: str) -> Outcome:
    """Report that the check passed."""
    return Outcome(State.OK, says)


def warning(says: str, remedy: str) -> Outcome:
    """Report that it works, but not well or not always."""
    return Outcome(State.WARNING, says, remedy)


def failed(says: str, remedy: str) -> Outcome:
    """Report what would make a night or a training fail."""
    return Outcome(State.FAILED, says, remedy)


def cannot_tell(says: str, remedy: str) -> Outcome:
    """
    Report that the check cannot be made here.

    :param says: why.
    :param remedy: how it can be made.
    """
    return Outcome(State.CANNOT_TELL, says, remedy)


@dataclass(frozen=True, eq=False)
class Check:
    """
    One check.

    :param group: the heading above its line.
    :param subject: what is checked, the beginning of its line.
    :param look: makes the check. It may raise, which makes a failed line.
    :param needs: checks that must pass first; otherwise this one would fail for their reason.
    :param seconds: the time that it may take, if it needs more than other checks.
    :param apart: whether another process makes it, while the other checks are made.
    """

    group: str
    subject: str
    look: Callable[[], Outcome]
    needs: tuple[Check, ...] = ()
    seconds: float | None = None
    apart: bool = False


@dataclass(frozen=True)
class Finding:
    """One line of the report: a check with its outcome."""

    group: str
    subject: str
    state: State
    says: str
    remedy: str = ""

    @classmethod
    def of(cls, check: Check, outcome: Outcome) -> Finding:
        """Combine a check and its outcome."""
        return cls(check.group, check.subject, outcome.state, outcome.says, outcome.remedy)

    def to_dict(self) -> dict[str, str]:
        """Return the finding as plain strings, for JSON."""
        return {**asdict(self), "state": self.state.value}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Finding:
        """Read what :meth:`to_dict` returned."""
        return cls(**{**values, "state": State(values["state"])})


def counted(findings: Iterable[Finding]) -> dict[str, int]:
    """Return the number of findings in each state."""
    counts = dict.fromkeys((state.value for state in State), 0)
    for finding in findings:
        counts[finding.state.value] += 1
    return counts


def report_lines(findings: Iterable[Finding]) -> Iterator[tuple[State | None, str]]:
    """
    Return the report line by line, each with its state; headings have none.

    :param findings: in the order of the report; those of one group follow each other.
    """
    listed = list(findings)
    width = max((len(finding.subject) for finding in listed), default=0)
    group = None
    for finding in listed:
        if finding.group != group:
            group = finding.group
            yield None, group
        yield finding.state, f"  {finding.state.value:<12}{finding.subject:<{width}}  {finding.says}"
        if finding.remedy:
            yield finding.state, f"{'':<14}{'':<{width}}  -> {finding.remedy}"

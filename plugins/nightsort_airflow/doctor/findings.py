"""What the doctor looks at, and what it says: one check, one line."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping


class State(str, Enum):
    """How something stands. ``CANNOT_TELL`` is no good news: it says that nobody looked, and why."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"
    CANNOT_TELL = "cannot tell"


@dataclass(frozen=True)
class Outcome:
    """
    What a look came to.

    :param state: how it stands.
    :param says: what was seen.
    :param remedy: what to do; empty where nothing has to be done.
    """

    state: State
    says: str
    remedy: str = ""


def ok(says: str) -> Outcome:
    """Say that something is as it must be."""
    return Outcome(State.OK, says)


def warning(says: str, remedy: str) -> Outcome:
    """Say that it works, but not well, or not always."""
    return Outcome(State.WARNING, says, remedy)


def failed(says: str, remedy: str) -> Outcome:
    """Say that a night or a training would fail on this."""
    return Outcome(State.FAILED, says, remedy)


def cannot_tell(says: str, remedy: str) -> Outcome:
    """
    Say that this cannot be found out here.

    :param says: why.
    :param remedy: how it can be found out.
    """
    return Outcome(State.CANNOT_TELL, says, remedy)


@dataclass(frozen=True, eq=False)
class Check:
    """
    One thing to look at.

    :param group: the heading under which its line stands.
    :param subject: what is looked at, as its line begins.
    :param look: looks, and says what it saw. It may raise: that is a failed line, too.
    :param needs: checks without whose success this one would only fail for their reason.
    :param seconds: the time that it may take, where that is more than the time of every check.
    """

    group: str
    subject: str
    look: Callable[[], Outcome]
    needs: tuple[Check, ...] = ()
    seconds: float | None = None


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
        """Put a check and its outcome together."""
        return cls(check.group, check.subject, outcome.state, outcome.says, outcome.remedy)

    def to_dict(self) -> dict[str, str]:
        """Return it as plain strings, for JSON."""
        return {**asdict(self), "state": self.state.value}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Finding:
        """Read what :meth:`to_dict` gave."""
        return cls(**{**values, "state": State(values["state"])})


def counted(findings: Iterable[Finding]) -> dict[str, int]:
    """Return the number of findings in each state, all states named."""
    counts = dict.fromkeys((state.value for state in State), 0)
    for finding in findings:
        counts[finding.state.value] += 1
    return counts


def report_lines(findings: Iterable[Finding]) -> Iterator[tuple[State | None, str]]:
    """
    Return the report line by line, each with the state that it tells of; headings have none.

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

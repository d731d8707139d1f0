"""What tests found that is worth reading, as tables at the end of the tests' output."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest


CONFORMANCE: Final = "conformance"
"""The property of the conformance test that holds lines to show."""


def show(reporter: pytest.TerminalReporter) -> None:
    """Write what those tests found that ran."""
    for _, lines in _recorded(reporter, CONFORMANCE):
        reporter.section("the local Comprehend against its service model")
        for line in lines:
            reporter.line(line)
    matrix = list(_recorded(reporter, "crash"))
    if matrix:
        reporter.section("crash matrix")
        rows: dict[tuple[str, str], list[str]] = {}
        for passed, (task, point, means, _, _) in matrix:
            rows.setdefault((task, point), []).append(f"{'ok' if passed else 'FAILED'} {means}")
        for (task, point), results in rows.items():
            reporter.line(f"{task:<22} {point:<52} {'; '.join(results)}")
        twice, lost = (sum(row[column] for _, row in matrix) for column in (3, 4))
        reporter.line(f"{len(matrix)} cases; paid twice: {twice}; documents lost: {lost}")
    times = list(_recorded(reporter, "recovery"))
    if times:
        reporter.section("from kill to recovery")
        for _, (what, seconds) in times:
            reporter.line(f"{seconds:6.1f} s  {what}")


def _recorded(reporter: pytest.TerminalReporter, name: str) -> Iterator[tuple[bool, Any]]:
    for outcome in ("passed", "failed"):
        for report in reporter.getreports(outcome):
            yield from (
                (report.passed, value)
                for key, value in getattr(report, "user_properties", ())
                if key == name and report.when == "call"
            )

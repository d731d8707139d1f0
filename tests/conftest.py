"""What holds for all tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import settings

from tests import found_by_tests

if TYPE_CHECKING:
    import pytest

# How long one example takes says more about the machine than about the code.
settings.register_profile("nightsort", deadline=None)
settings.load_profile("nightsort")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show what tests found that is worth reading."""
    found_by_tests.show(terminalreporter)

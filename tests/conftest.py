"""What holds for all tests."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from hypothesis import settings

from tests import found_by_tests

if TYPE_CHECKING:
    import pytest

# pytest-xdist gives its workers the size of the terminal. Consoles keep what they find when they are made, so
# a test could not choose a width of its own.
for name in ("COLUMNS", "LINES"):
    os.environ.pop(name, None)

# How long one example takes says more about the machine than about the code.
settings.register_profile("nightsort", deadline=None)
settings.load_profile("nightsort")

LONGEST_FIRST = (
    "test_crash_matrix.py",
    "test_whole_trip.py",
    "test_crash_stack.py",
    "test_operators_whole_trip.py",
    "test_compare.py",
    "test_local_aws_endpoints.py",
    "test_stack_lifecycle.py",
)
"""At the end of a run no process waits for another one's long file; the others follow as they are found."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sort by file alone: within a file the order stays."""
    places = {name: place for place, name in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: places.get(item.path.name, len(places)))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show what tests found that is worth reading."""
    found_by_tests.show(terminalreporter)

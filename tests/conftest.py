"""What holds for all tests."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import settings

from tests import found_by_tests

TESTS = Path(__file__).parent

pytest_plugins = ["include.local_stack.local_aws.pytest_plugin"]

# How long one example takes says more about the machine than about the code.
settings.register_profile("nightsort", deadline=None)
settings.load_profile("nightsort")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep together what shares a server when several processes test: each module, and all that is e2e."""
    for item in items:
        module = item.path.relative_to(TESTS)
        item.add_marker(pytest.mark.xdist_group("e2e" if module.parts[0] == "e2e" else str(module)))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show what tests found that is worth reading."""
    found_by_tests.show(terminalreporter)

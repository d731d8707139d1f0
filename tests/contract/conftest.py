from __future__ import annotations

import pytest
from conformance_coverage import Coverage

import tests.airflow_environment  # noqa: F401 - before Airflow

COVERAGE = pytest.StashKey[Coverage]()


@pytest.fixture(scope="session")
def coverage(pytestconfig: pytest.Config) -> Coverage:
    """Shown after the tests."""
    return pytestconfig.stash.setdefault(COVERAGE, Coverage())


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if COVERAGE in config.stash:
        terminalreporter.section("the local Comprehend against its service model")
        for line in config.stash[COVERAGE].lines():
            terminalreporter.write_line(line)

"""One browser and one stack for all tests of the pages."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.stack_homes import make_home, specs, whole_stack
from tests.ui.browser import running_browser

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

__all__ = ["browser", "make_home", "specs", "whole_stack"]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A headless Chromium; each test opens contexts of its own in it."""
    with running_browser() as running:
        yield running

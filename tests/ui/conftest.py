"""One browser and one stack for all tests of the pages."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect

from tests.stack_homes import make_home, specs, whole_stack
from tests.ui.browser import SLOW, new_context, running_browser
from tests.ui.nights import make_nights

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, ConsoleMessage, Page, Request, StorageState

    from nightsort_local.stack import LocalStack

__all__ = ["browser", "make_home", "specs", "whole_stack"]

expect.set_options(timeout=SLOW)

AIRFLOWS_OWN = (
    # The frame of every plugin page may run scripts of its own origin.
    r"An iframe which has both allow-scripts and allow-same-origin",
    # Airflow 3.3.2 is packaged without this file of its SQL editor.
    r"sqlparser_rs_wasm\.js",
)
"""What Airflow itself says in the console."""


class Watched:
    """What a browser's pages said and asked for."""

    def __init__(self) -> None:
        self.complaints: list[str] = []
        self.hosts: set[str] = set()

    def watch(self, page: Page) -> None:
        page.on("console", self._said)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", self._asked)

    def _said(self, message: ConsoleMessage) -> None:
        text = f"{message.text} {message.location.get('url', '')}"
        if message.type in ("error", "warning") and not any(re.search(own, text) for own in AIRFLOWS_OWN):
            self.complaints.append(f"{message.type}: {text}")

    def _asked(self, request: Request) -> None:
        if request.url.startswith("http"):
            self.hosts.add(urlsplit(request.url).netloc)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A headless Chromium; each test opens contexts of its own in it."""
    with running_browser() as running:
        yield running


@pytest.fixture(scope="module")
def nights(whole_stack: LocalStack, specs: Path) -> dict[str, str]:
    """The ids of the DAG runs by kind, on a stack that has a night of each."""
    return make_nights(whole_stack, specs)


@pytest.fixture(scope="module")
def session(browser: Browser, whole_stack: LocalStack, nights: dict[str, str]) -> StorageState:
    """The cookies of a person who logged in by the form."""
    context = new_context(browser)
    page = context.new_page()
    page.goto(whole_stack.airflow_url)
    page.get_by_label("Username").fill("admin")
    page.get_by_label("Password").fill(whole_stack.password)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("link", name="Nightsort", exact=True)).to_be_visible()
    state = context.storage_state()
    context.close()
    return state


@pytest.fixture
def watched(whole_stack: LocalStack) -> Iterator[Watched]:
    """What the pages said: nothing, by the end, and they asked no other host."""
    found = Watched()
    yield found
    assert found.complaints == []
    assert found.hosts <= {urlsplit(whole_stack.airflow_url).netloc}


@pytest.fixture
def open_page(
    browser: Browser, session: StorageState, whole_stack: LocalStack, watched: Watched
) -> Iterator[Callable[..., Page]]:
    """Opens pages below Airflow's address, each in a context of its own."""
    contexts = []

    def open_one(
        path: str, *, width: int = 1280, height: int = 900, theme: str = "light", zone: str = "UTC"
    ) -> Page:
        context = new_context(
            browser,
            storage_state=session,
            base_url=whole_stack.airflow_url,
            viewport={"width": width, "height": height},
            timezone_id=zone,
            color_scheme="dark" if theme == "dark" else "light",
            accept_downloads=True,
        )
        contexts.append(context)
        context.add_init_script(f"localStorage.theme ??= '{theme}'")
        page = context.new_page()
        watched.watch(page)
        page.goto(path)
        return page

    yield open_one
    for context in contexts:
        context.close()

"""The pages by themselves, without Airflow around them: what a test of their looks needs, in seconds."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import uvicorn

from tests.integration.ui_client import TOKEN, pages
from tests.ui.browser import new_context

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, BrowserContext

PATIENCE_SECONDS = 240


@contextmanager
def served(dsn: str) -> Iterator[str]:
    """Yield the address at which the pages of a database are served; they end with the block."""
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(pages(dsn).app, log_level="warning"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not server.started:
        assert time.monotonic() < deadline, "the pages are not served"
        time.sleep(0.05)
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/nightsort"
    finally:
        server.should_exit = True
        thread.join(PATIENCE_SECONDS)
        listening.close()


def reader(browser: Browser, *, width: int = 1280, theme: str = "light") -> BrowserContext:
    """Return a context of a person who is logged in."""
    return new_context(
        browser,
        viewport={"width": width, "height": 900},
        color_scheme="dark" if theme == "dark" else "light",
        extra_http_headers=TOKEN,
        accept_downloads=True,
        timezone_id="UTC",
    )

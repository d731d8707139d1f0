"""The browser that looks at the pages: one that is installed, else the one that Playwright downloads.

``python -m tests.ui.browser`` sees to it that there is one, before any test begins.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from playwright.sync_api import Error, sync_playwright

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, BrowserContext, Playwright

INSTALLED = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
"""Names under which distributions install a Chromium. Playwright drives any of the last few years."""

# Without a graphics card, and in a container, whose /dev/shm is small. A name of another site that leads to
# this machine is what a page has that rebinds its name.
ARGUMENTS = (
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--host-resolver-rules=MAP *.test 127.0.0.1",
)

SLOW = 180_000
"""Milliseconds for what a busy machine has to do first."""

NO_BROWSER = """\
There is no browser for the tests of the pages, and Playwright could not download one:
{reason}
Install Chromium, as Debian's and Ubuntu's packages have it:
  sudo apt-get install chromium
or name the one that you have: NIGHTSORT_CHROMIUM=/path/to/chromium make test-ui"""


def installed_browser() -> str | None:
    """Return the path of a Chromium: the one that the user named, else one on the path."""
    if named := os.environ.get("NIGHTSORT_CHROMIUM"):
        return named
    return next((path for name in INSTALLED if (path := shutil.which(name))), None)


def has_browser(playwright: Playwright) -> bool:
    """Whether a browser is there, without a download."""
    return installed_browser() is not None or Path(playwright.chromium.executable_path).exists()


@contextmanager
def running_browser() -> Iterator[Browser]:
    """Yield a headless Chromium; it ends with the block."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=installed_browser(), args=ARGUMENTS)
        yield browser
        browser.close()


def new_context(browser: Browser, **settings: Any) -> BrowserContext:
    """
    Open a context whose pages wait for each step as long as a busy machine needs.

    :param browser: the browser.
    :param settings: as :meth:`playwright.sync_api.Browser.new_context` takes them.
    """
    context = browser.new_context(**settings)
    context.set_default_timeout(SLOW)
    return context


def main() -> None:
    """Download Playwright's Chromium, unless a browser is there; end with what to do where that fails."""
    with sync_playwright() as playwright:
        there = has_browser(playwright)
    if not there:
        done = subprocess.run(
            [sys.executable, "-m", "playwright", "install", "chromium"],
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
        if done.returncode:
            errors = [line for line in done.stderr.splitlines() if line.startswith("Error")]
            raise SystemExit(NO_BROWSER.format(reason=f"  {' '.join(errors) or done.returncode}"))
    try:
        with running_browser() as browser:
            print(f"Chromium {browser.version}")
    except Error as error:
        reason = "\n".join(f"  {line}" for line in str(error).splitlines()[:12])
        raise SystemExit(
            f"The browser {installed_browser() or 'of Playwright'} does not start:\n{reason}"
        ) from None


if __name__ == "__main__":
    main()

"""What an engineer asks at eight in the morning: the table of ``docs/monitoring.md``, walked as it says."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

from playwright.sync_api import expect

from tests.e2e.sample_stack import SERVICES
from tests.ui.nights import ASKING, LAST

if TYPE_CHECKING:
    from playwright.sync_api import FrameLocator, Locator, Page

_DOCS: Final = Path(__file__).parents[2] / "docs" / "monitoring.md"
_SECTION: Final = "## What you see at eight in the morning"

MOST_CLICKS: Final = 2
FIRST_PAGE: Final = "Airflow's first page"
RUN: Final = "the run in the grid"


@dataclass(frozen=True)
class Question:
    """
    One row of the table.

    :param begin: where the engineer is.
    :param clicks: what to click, one after the other.
    :param part: the column of the overview, or the part of a page, that has the answer.
    """

    text: str
    begin: str
    clicks: tuple[str, ...]
    part: str


def _questions() -> list[Question]:
    section = _DOCS.read_text(encoding="utf-8").partition(_SECTION)[2].partition("\n## ")[0]
    rows = [line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("| ")]
    found = []
    for text, begin, clicks, answer in rows[1:]:
        (part, *_) = re.findall(r"\*([^*]+)\*", answer)
        found.append(Question(text, begin, tuple(clicks.replace("*", "").split(", ")), part))
    return found


QUESTIONS: Final = _questions()

ANSWERS: Final[dict[str, tuple[str, tuple[str, ...]]]] = {
    "did it run, is it green, is one late": ("tickets", ("with warnings", f"{LAST}")),
    "did a night go red although a later one is green": (
        "mails",
        ("with warnings", f"Red before: {LAST - timedelta(days=2)}"),
    ),
    "why is it red, and what do I do": (
        "reviews",
        ("4,021 of 4,021 documents are missing", "INTERNAL_ERROR", "Clear the tasks", "Run in Airflow"),
    ),
    "how many documents: classified, failed, rejected": ("mails", ("900", "30 failed", "0 rejected")),
    "were many left without a label": ("mails", ("30 of 900 documents that were sent have no label (3.3%)",)),
    "failures by reason, with ids and what to do": (
        "mails",
        ("missing_from_output", "T-", "run the day again"),
    ),
    "are the labels distributed as usual": ("tickets", ("Beside 28 nights of the same version before",)),
    "did something drift": ("tickets", ("are distributed otherwise than in the 28 nights before",)),
    "which documents was it least sure of": ("tickets", ("The 50 documents with the lowest scores", "T-")),
    "what did the night cost, and what was the forecast": ("tickets", ("This night", "Forecast", "USD")),
    "what did this month cost, what is its budget, what did equal texts save": (
        "tickets",
        ("budget", "USD saved, 42 documents not sent"),
    ),
    "which version is active, and how good is it": ("tickets", ("v5e0c41d97ab2", "macro F1 0.")),
    "which labels does it confuse": ("tickets", ("Each row is a label of the test documents",)),
    "was a version promoted or not, and why": (
        "tickets",
        ("not promoted", "Gain too small on the same test set", "against v77a40e9b12cf"),
    ),
    "which day did a run classify": (SERVICES, (SERVICES, "2026-")),
    "does it wait for a person": (ASKING, ("waiting for approval", "Approve ", "Answer the question")),
    "when is the next run": (SERVICES, ("schedules are off",)),
}
"""By question the classifier that shows it, and what its answer says."""


def walk(page: Page, question: Question) -> None:
    """
    Click as the table says, and see the answer there.

    :param page: open where the question begins.
    :param question: the row of the table.
    """
    classifier, answer = ANSWERS[question.text]
    for click in question.clicks:
        _link(page, question, click, classifier).click()
    frame = page.frame_locator("iframe")
    place = _place(frame, question, classifier)
    for text in answer:
        expect(place).to_contain_text(text)


def tab_of_run(page: Page) -> Locator:
    """Return the tab of a run; the link of the menu has the same name, and is there first."""
    return page.get_by_role("link", name="Nightsort", exact=True).and_(page.locator("a[href*='/runs/']"))


def _link(page: Page, question: Question, click: str, classifier: str) -> Locator:
    if click == "Nightsort":
        return tab_of_run(page) if question.begin == RUN else page.get_by_role("link", name=click, exact=True)
    row = _row(page.frame_locator("iframe"), classifier)
    if click == "the day":
        return row.get_by_role("link", name=re.compile(r"^\d{4}-\d\d-\d\d")).first
    assert click == "the classifier", click
    return row.get_by_role("link", name=classifier, exact=True)


def _row(frame: FrameLocator, classifier: str) -> Locator:
    name = frame.get_by_role("link", name=classifier, exact=True)
    return frame.locator("#nights tbody").filter(has=name)


def _place(frame: FrameLocator, question: Question, classifier: str) -> Locator:
    """Return the row of the overview, or the part of a page, that has the answer."""
    if question.begin == FIRST_PAGE and len(question.clicks) == 1:
        expect(frame.locator("#nights th", has_text=question.part).first).to_be_visible()
        return _row(frame, classifier)
    if question.part == "The heading":
        return frame.get_by_role("heading", level=1)
    heading = frame.get_by_role("heading", name=question.part, exact=True)
    return frame.locator("section, .head").filter(has=heading).first

"""The tables of the pages: they fit whatever is in them, and as CSV they hold what they show."""

from __future__ import annotations

import csv
import io
import json
import re
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from playwright.sync_api import expect
from psycopg.types.json import Jsonb

from nightsort.opening.bill import Change
from nightsort.opening.record import Record
from nightsort.tables.endpoint_hours import save_opening
from nightsort.tables.schema import ensure_schema
from tests.integration.conftest import postgres_dsn
from tests.integration.temporary_databases import temporary_database
from tests.integration.ui_client import NOW, write_specs
from tests.made_nights import FIRST_NIGHT, MadeNights, make_months
from tests.ui.served_pages import reader, served

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

__all__ = ["postgres_dsn"]

pytestmark = [pytest.mark.ui, pytest.mark.timeout(600)]

LONG = [
    "x" * 200,
    "\u8bf7\u6c42\u9000\u6b3e" * 50,
    "\u0637\u0644\u0628\u0627\u0633\u062a\u0631\u062f\u0627\u062f" * 20,
    "-".join(["very", "long", "label"] * 13),
    "\u05d1\u05e7\u05e9\u05d4 " * 40,
    "W" * 200,
    "two  blanks",
    *(f"label {number}" for number in range(6)),
]
"""Labels as people may write them: without a space, in wide letters, from right to left."""

OF_A_CLASSIFIER = ("", "/nights/20261130", "/drift")
USUAL = ["/", *(f"/classifiers/tickets{page}" for page in OF_A_CLASSIFIER)]
WIDE = [*(f"/classifiers/wide{page}" for page in OF_A_CLASSIFIER), "/classifiers/wide/nights/1"]
WITHOUT_NIGHTS = ["/classifiers/chats", "/classifiers/chats/drift", "/classifiers/broken"]

OUTSIDE = (Path(__file__).parent / "outside.js").read_text(encoding="utf-8")
"""What of a page is wider than what holds it; a table may scroll in its own box, but not on a wide screen."""


@pytest.fixture(scope="module")
def address(postgres_dsn: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where the pages are served."""
    folder = write_specs(
        tmp_path_factory.mktemp("looks") / "specs", "tickets", "reviews", "mails", "chats", "wide"
    )
    (folder / "broken.yaml").write_text(f"name: broken\nmode: {'x' * 200}\n")
    with temporary_database(postgres_dsn) as dsn, pytest.MonkeyPatch.context() as changed:
        changed.setenv("NIGHTSORT_SPECS", str(folder))
        with psycopg.connect(dsn, autocommit=True) as connection:
            ensure_schema(connection)
            make_months(connection)
            make_wide(connection)
        with served(dsn) as url:
            yield url


def make_wide(connection: psycopg.Connection[Any]) -> None:
    """Write nights whose labels, ids, messages and reasons are long."""
    made = MadeNights(connection, "wide", LONG)
    for number in range(3):
        made.train(f"v{number:012x}", quality=0.5 + number / 10, day=FIRST_NIGHT + timedelta(days=number))
    for day in range(20, 31):
        made.night(
            NOW.date().replace(month=11, day=day), failed=9, rejects={"r" * 60: 7}, message="m" * 300,
            source_uri=None,
        )  # fmt: skip
    connection.execute(
        "UPDATE nightsort.run_statistics SET least_confident = %s, examples = %s WHERE classifier = 'wide'",
        (
            Jsonb([{"document_id": id_, "labels": LONG[:4], "scores": [0.3, 0.2, 0.1, 0.1]} for id_ in LONG]),
            Jsonb({"r" * 60: LONG[:3], "missing_from_output": LONG[:3]}),
        ),
    )
    model = "arn:aws:comprehend:us-east-1:123456789012:document-classifier/wide/version/v000000000002"
    opened = NOW.replace(hour=1)
    record = Record("wide", "arn:e", opened, "w" * 200, (Change(opened, 1, model),), NOW, usage={opened: 0.5},
                    closed_at=NOW, closing_why="=" * 200)  # fmt: skip
    save_opening(connection, record)


def opened(browser: Browser, address: str, path: str, width: int = 1280, theme: str = "light") -> Page:
    page = reader(browser, width=width, theme=theme).new_page()
    page.goto(f"{address}{path}")
    expect(page.locator("footer")).to_be_visible()
    for details in page.locator("details").all():
        details.evaluate("element => element.open = true")
    for chart in page.locator(".chart[data-figure]").all():
        chart.scroll_into_view_if_needed()
        expect(chart.locator(".main-svg").first).to_be_visible()
    return page


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("path", [*USUAL, *WIDE, *WITHOUT_NIGHTS])
def test_nothing_is_wider_than_what_holds_it(browser: Browser, address: str, path: str, width: int) -> None:
    page = opened(browser, address, path, width)
    assert page.evaluate(OUTSIDE) == []
    page.context.close()


def table_as_csv(page: Page, name: str) -> list[list[str]]:
    with page.expect_download() as download:
        page.locator(f'button[data-csv-of="{name}"]').click()
    text = Path(download.value.path()).read_text(encoding="utf-8")
    return [*csv.reader(io.StringIO(text, newline=""))]


@pytest.mark.parametrize("path", [*USUAL, *WIDE[:3]])
def test_each_table_as_csv_has_a_name_and_a_value_for_each_column(
    browser: Browser, address: str, path: str
) -> None:
    page = opened(browser, address, path)
    buttons = page.locator("button[data-csv-of]").all()
    names = {str(button.get_attribute("data-csv-of")) for button in buttons}
    assert names == {str(table.get_attribute("id")) for table in page.locator("table").all()}, (
        "each table has its button"
    )
    for name in names:
        head, *rows = table_as_csv(page, name)
        assert rows
        assert all(head), (name, head)
        assert len({*head}) == len(head), (name, head)
        assert {len(row) for row in rows} == {len(head)}, name
        for column, values in zip(head, zip(*rows, strict=True), strict=True):
            assert not any(re.fullmatch(r"[\d.,]+ (USD|%|s|min.*)|\u2013", value) for value in values), (
                name,
                column,
            )
    page.context.close()


def test_the_overview_as_csv_holds_what_the_screen_shows(browser: Browser, address: str) -> None:
    page = opened(browser, address, "/")
    head, *rows = table_as_csv(page, "nights")
    of = {row["Classifier"]: row for row in (dict(zip(head, row, strict=True)) for row in rows)}
    tickets = of["tickets"]
    documents, failed, rejected = (int(tickets[name]) for name in ("Documents", "Failed", "Rejected"))
    assert int(tickets["Classified"]) == documents - failed - rejected
    assert (documents, rejected) == (3120, 14)
    assert 0 < float(tickets["Macro F1"]) < 1
    assert float(tickets["Cost, USD"]) > 0
    assert tickets["Day"] == "2026-11-30"
    assert of["reviews"]["Last night"] == "incomplete"
    assert "4,021 of 4,021 documents are missing" in of["reviews"]["Reason"]
    assert not any("30 nights" in column for column in head)
    for column in head:
        assert any(row[column] for row in of.values()) or column in ("Next run",), column
    page.context.close()


def test_a_cell_that_begins_like_a_formula_is_text_in_a_csv(browser: Browser, address: str) -> None:
    page = opened(browser, address, WIDE[0])
    head, *rows = table_as_csv(page, "endpoint-table")
    assert rows[0][head.index("Closed because")] == f"'{'=' * 200}"
    cells = ["=1+1", "+cmd", "-cmd", "@SUM(A1)", " =1", "-5", "0.5", "a=b"]
    table = page.locator("#endpoint-table")
    add = "(table, cells) => { for (const cell of cells) table.insertRow().insertCell().textContent = cell; }"
    table.evaluate(add, cells)
    # A browser lets a page begin ten downloads at once, so only this table is read again.
    shown = [row[0] for row in table_as_csv(page, "endpoint-table")[-len(cells) :]]
    assert shown == ["'=1+1", "'+cmd", "'-cmd", "'@SUM(A1)", "'=1", "-5", "0.5", "a=b"]
    page.context.close()


def test_on_paper_each_table_and_section_keeps_its_head_and_nothing_scrolls(
    browser: Browser, address: str
) -> None:
    page = opened(browser, address, USUAL[2])
    page.emulate_media(media="print")
    expect(page.get_by_role("heading", name="Least sure")).to_be_visible()
    expect(page.locator("#unsure-table th", has_text="Score")).to_be_visible()
    expect(page.get_by_text("Table as CSV").first).to_be_hidden()
    region = page.locator(".region").first
    assert region.evaluate("box => box.scrollHeight <= box.clientHeight + 1")
    page.context.close()


@pytest.mark.parametrize("path", ["/", *WITHOUT_NIGHTS])
def test_where_there_are_no_nights_no_button_fails(browser: Browser, address: str, path: str) -> None:
    page = reader(browser).new_page()
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.goto(f"{address}{path}")
    for button in page.locator("button:visible").all():
        button.click()
    assert faults == []
    assert [button for button in page.locator("button[data-csv-of]").all() if not button.is_visible()] == []
    page.context.close()


@pytest.mark.parametrize("path", ["/classifiers/wide/nights/20261130", "/classifiers/wide/drift"])
def test_each_label_can_be_chosen(browser: Browser, address: str, path: str) -> None:
    page = reader(browser).new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(f"{address}{path}")
    choice = page.locator("select[data-figure-of]")
    chart = page.locator(f"#{choice.get_attribute('data-figure-of')}")
    chart.scroll_into_view_if_needed()
    expect(chart.locator(".main-svg").first).to_be_visible()
    labels = json.loads(page.locator(f"#{choice.get_attribute('data-choices')}").text_content() or "")
    assert choice.locator("option").count() == len(labels)
    for place in range(len(labels)):
        choice.select_option(index=place)
    assert errors == []

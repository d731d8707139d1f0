"""The pages in Airflow's UI, in a real browser, after real nights."""

from __future__ import annotations

import csv
import io
import os
import re
from datetime import datetime, time, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

import pyarrow.parquet as pq
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from tests.e2e.sample_stack import FIRST, SECOND, SERVICES
from tests.ui.browser import new_context
from tests.ui.eight_in_the_morning import (
    ANSWERS,
    FIRST_PAGE,
    MOST_CLICKS,
    QUESTIONS,
    RUN,
    Question,
    tab_of_run,
    walk,
)
from tests.ui.nights import ASKING, CLASSIFY, LAST, UNTRAINED

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import FrameLocator, Page

    Opener = Callable[..., Page]

pytestmark = [pytest.mark.ui, pytest.mark.timeout(1_800)]

MENU = "/plugin/nightsort"
GREEN = f"/nightsort/classifiers/{SERVICES}/nights/{FIRST:%Y%m%d}"
WARNED = f"/nightsort/classifiers/{SERVICES}/nights/{SECOND:%Y%m%d}"
DRIFTED = f"/nightsort/classifiers/tickets/nights/{LAST:%Y%m%d}"
PAGES = {
    "overview": "/nightsort/",
    "night": DRIFTED,
    "classifier": "/nightsort/classifiers/tickets",
    "drift": "/nightsort/classifiers/tickets/drift",
}
PICTURES = {"overview": 800, "night": 1500, "classifier": 1500, "drift": 1400}
"""Heights of the pictures, in pixels."""

themes = pytest.mark.parametrize("theme", ["light", "dark"])
widths = pytest.mark.parametrize("width", [1280, 390])


def frame(page: Page) -> FrameLocator:
    return page.frame_locator("iframe")


def heading(page: Page, text: str) -> None:
    expect(frame(page).get_by_role("heading", name=text, level=1)).to_be_visible()


def wait_for_scripts(page: Page) -> None:
    """Before, a link out of the frame opens in it: a deferred script leads the click to Airflow around it."""
    expect(frame(page).locator("footer")).to_be_visible()
    loaded = "new Promise((done) => addEventListener('load', () => done()))"
    frame(page).locator("html").evaluate(f"() => document.readyState === 'complete' || {loaded}")


def in_zone(moment: datetime, zone: str) -> str:
    return f"{moment.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M}"


def wait_for_charts(where: Any) -> None:
    # Of a page that is still on its way there would be no chart to wait for.
    expect(where.locator("footer")).to_be_visible()
    for chart in where.locator(".chart[data-figure]").all():
        chart.scroll_into_view_if_needed()
        expect(chart.locator(".main-svg").first).to_be_visible()


def test_from_the_menu_to_the_overview_a_classifier_and_its_night(open_page: Opener) -> None:
    page = open_page("/")
    page.get_by_role("link", name="Nightsort", exact=True).click()
    heading(page, "Nights")
    rows = frame(page).locator("#nights tbody")
    expect(rows.filter(has_text=UNTRAINED).first).to_contain_text("none yet")
    expect(rows.filter(has_text=ASKING).first).to_contain_text("waiting for approval")
    red = rows.filter(has_text=SERVICES).first
    expect(red).to_contain_text("incomplete")
    expect(red).to_contain_text("INTERNAL_ERROR")
    expect(red.get_by_role("link", name="Run in Airflow")).to_be_visible()
    frame(page).get_by_role("link", name="tickets", exact=True).click()
    heading(page, "tickets")
    expect(frame(page).get_by_role("heading", name="Confusion matrix")).to_be_visible()
    frame(page).get_by_role("link", name=f"{LAST}").first.click()
    heading(page, f"tickets, {LAST:%A} {LAST}")
    expect(page).to_have_url(re.compile(f"{MENU}{DRIFTED}$"))


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.text)
def test_what_is_asked_at_eight_in_the_morning_is_answered_where_the_docs_say(
    open_page: Opener, nights: dict[str, str], question: Question
) -> None:
    run = f"/dags/{CLASSIFY}/runs/{quote(nights['failures'], safe='')}"
    walk(open_page({FIRST_PAGE: "/", RUN: run}[question.begin]), question)


def test_each_question_of_eight_in_the_morning_has_an_answer_in_two_clicks() -> None:
    assert {question.text for question in QUESTIONS} == {*ANSWERS}
    assert max(len(question.clicks) for question in QUESTIONS) <= MOST_CLICKS


def test_each_page_has_an_address_in_airflow_that_can_be_sent_to_somebody(open_page: Opener) -> None:
    page = open_page(f"{MENU}{GREEN}")
    heading(page, f"{SERVICES}, Sunday {FIRST}")
    expect(frame(page).locator("main")).to_contain_text("324 came in")
    expect(frame(page).locator("main")).to_contain_text("The sums add up.")


def test_from_a_run_its_tab_leads_to_its_night(open_page: Opener, nights: dict[str, str]) -> None:
    page = open_page(f"/dags/{CLASSIFY}/runs/{quote(nights['failures'], safe='')}")
    tab_of_run(page).click()
    heading(page, f"{SERVICES}, Monday {SECOND}")
    expect(frame(page).locator("#reasons")).to_contain_text("error:TEXT_SIZE_LIMIT_EXCEEDED")


def test_the_tab_of_a_dag_leads_to_its_classifier_and_that_of_a_foreign_one_says_so(
    open_page: Opener,
) -> None:
    page = open_page(f"/dags/train_{SERVICES}/plugin/nightsort-dag")
    heading(page, SERVICES)
    page.goto("/dags/nightsort_doctor/plugin/nightsort-dag")
    heading(page, "Not a Nightsort DAG")


def test_a_night_that_waits_for_a_person_leads_to_the_question(
    open_page: Opener, nights: dict[str, str]
) -> None:
    page = open_page(f"{MENU}/nightsort/")
    wait_for_scripts(page)
    row = frame(page).locator("#nights tbody").filter(has_text=ASKING).first
    expect(row).to_contain_text("Approve ")
    row.get_by_role("link", name="Answer the question").click()
    expect(page).to_have_url(re.compile("classify_asking.*required_actions"))


def test_a_red_night_leads_to_the_log_of_its_task_and_to_the_job_in_the_console(
    open_page: Opener, nights: dict[str, str]
) -> None:
    page = open_page(f"{MENU}/nightsort/")
    wait_for_scripts(page)
    row = frame(page).locator("#nights tbody").filter(has_text=SERVICES).first
    # The console is another host: it is enough that a new page is opened for it.
    page.context.route("https://console.aws.amazon.com/**", lambda route: route.fulfill(body="console"))
    with page.expect_popup() as opened:
        row.get_by_role("link", name="Failed job in the AWS console").click()
    console = re.escape("https://console.aws.amazon.com/comprehend/home?region=us-east-1")
    expect(opened.value).to_have_url(re.compile(f"^{console}"))
    row.get_by_role("link", name="Log of").click()
    expect(page).to_have_url(re.compile(f"/dags/{CLASSIFY}/runs/.*/tasks/"))


@themes
@widths
@pytest.mark.parametrize("name", [*PAGES])
def test_each_page_fits_its_width_in_both_themes(
    open_page: Opener, name: str, theme: str, width: int
) -> None:
    page = open_page(f"{MENU}{PAGES[name]}", width=width, theme=theme)
    expect(frame(page).locator("main")).to_be_visible()
    expect(frame(page).locator("html")).to_have_attribute("data-theme", theme)
    wait_for_charts(frame(page))
    inner, outer = frame(page).locator("html").evaluate("e => [e.scrollWidth, e.clientWidth]")
    assert inner <= outer


def test_a_change_of_the_theme_is_followed_at_once(open_page: Opener) -> None:
    page = open_page(f"{MENU}{DRIFTED}")
    html = frame(page).locator("html")
    expect(html).to_have_attribute("data-theme", "light")
    wait_for_charts(frame(page))
    label = frame(page).locator("#score-chart .xtick text").first
    before = label.evaluate("e => getComputedStyle(e).fill")
    page.evaluate("document.documentElement.classList.remove('light')")
    page.evaluate("document.documentElement.classList.add('dark')")
    expect(html).to_have_attribute("data-theme", "dark")
    expect(label).not_to_have_css("fill", before)


@themes
@pytest.mark.parametrize("name", [*PAGES])
def test_a_screen_reader_meets_no_serious_obstacle(open_page: Opener, name: str, theme: str) -> None:
    page = open_page(PAGES[name], theme=theme)
    wait_for_charts(page)
    found = Axe().run(page).response["violations"]
    serious = [
        (
            violation["id"],
            [node["target"] for node in violation["nodes"]][:5],
            violation["nodes"][0]["failureSummary"],
        )
        for violation in found
        if violation["impact"] in ("serious", "critical")
    ]
    assert serious == []


def test_a_table_sorts_by_keyboard_and_by_mouse_and_downloads_as_csv(open_page: Opener) -> None:
    page = open_page(f"{MENU}/nightsort/classifiers/tickets")
    table = frame(page).locator("#weakest-table")
    header = table.locator("th", has_text="Test documents")
    header.get_by_role("button").focus()
    page.keyboard.press("Enter")
    expect(header).to_have_attribute("aria-sort", "descending")
    shown = [int(text) for text in table.locator("tbody tr td:nth-child(5)").all_inner_texts()]
    assert shown == sorted(shown, reverse=True)
    header.click()
    expect(header).to_have_attribute("aria-sort", "ascending")
    with page.expect_download() as download:
        frame(page).locator('button[data-csv-of="weakest-table"]').click()
    rows = list(csv.reader(io.StringIO(Path(download.value.path()).read_text(encoding="utf-8"))))
    assert rows[0] == ["Label", "F1", "Precision", "Recall", "Test documents", "Training documents"]
    assert [int(row[4]) for row in rows[1:]] == sorted(shown)
    assert download.value.suggested_filename == "tickets-v5e0c41d97ab2-labels.csv"


def test_the_predictions_and_the_rejects_of_a_night_are_downloaded(open_page: Opener) -> None:
    page = open_page(f"{MENU}{GREEN}")
    with page.expect_download() as download:
        frame(page).get_by_role("link", name="Predictions, Parquet").click()
    table = pq.read_table(download.value.path())
    assert len(table) == 322
    assert set(table["status"].to_pylist()) == {"classified"}
    with page.expect_download() as download:
        frame(page).get_by_role("link", name="Rejects, CSV").click()
    rows = list(csv.DictReader(io.StringIO(Path(download.value.path()).read_text(encoding="utf-8"))))
    assert sorted(row["reason"] for row in rows) == ["blank", "duplicate_id"]


def test_the_heat_map_has_another_order_and_the_histogram_another_label(open_page: Opener) -> None:
    page = open_page("/nightsort/classifiers/tickets")
    wait_for_charts(page)
    ticks = page.locator("#confusion-chart .ytick text")
    by_name = ticks.all_text_contents()
    page.get_by_role("button", name="confusion", exact=True).click()
    expect(ticks).not_to_have_text(by_name)
    assert sorted(ticks.all_text_contents()) == sorted(by_name)
    page.goto(DRIFTED)
    wait_for_charts(page)
    counts = page.locator("#score-chart .ytick text")
    of_all = counts.all_text_contents()
    page.locator('select[data-figure-of="score-chart"]').select_option("refund")
    expect(counts).not_to_have_text(of_all)


def test_times_are_in_the_zone_that_the_reader_chose_in_airflow(open_page: Opener) -> None:
    began = datetime.combine(LAST + timedelta(days=1), time(2, 0), timezone.utc)
    page = open_page(DRIFTED, zone="Europe/Berlin")
    expect(page.locator("footer")).to_contain_text("Europe/Berlin")
    expect(page.locator(".sub time").first).to_have_text(in_zone(began, "Europe/Berlin"))
    page.evaluate("localStorage.timezone = 'Asia/Tokyo'")
    page.reload()
    expect(page.locator(".sub time").first).to_have_text(in_zone(began, "Asia/Tokyo"))


def test_what_became_of_the_training_data_is_shown_and_leads_to_their_report(open_page: Opener) -> None:
    page = open_page(f"{MENU}/nightsort/classifiers/{SERVICES}")
    expect(frame(page).locator("dl").filter(has_text="Duplicates")).to_contain_text("Left out")
    expect(frame(page).get_by_text("report.json")).to_be_visible()


def test_a_page_prints_with_its_charts_and_without_its_buttons(open_page: Opener) -> None:
    page = open_page(DRIFTED, theme="dark")
    wait_for_charts(page)
    page.emulate_media(media="print")
    expect(page.get_by_text("Table as CSV").first).to_be_hidden()
    assert page.locator("body").evaluate("e => getComputedStyle(e).color") == "rgb(0, 0, 0)"
    assert page.pdf()[:5] == b"%PDF-"


def test_nobody_sees_anything_without_a_login(browser: Any, whole_stack: Any, nights: dict[str, str]) -> None:
    context = new_context(browser, base_url=whole_stack.airflow_url)
    for path in (*PAGES.values(), "/nightsort/icon.svg", f"{GREEN}/predictions.csv"):
        assert context.request.get(path).status == 401
    context.close()


def test_screenshots(open_page: Opener, tmp_path: Path) -> None:
    """What README and docs show; ``NIGHTSORT_SCREENSHOTS=docs/images make test-ui`` writes them there."""
    folder = Path(os.environ.get("NIGHTSORT_SCREENSHOTS") or tmp_path)
    for name, path in PAGES.items():
        page = open_page(f"{MENU}{path}", height=PICTURES[name])
        wait_for_charts(frame(page))
        frame(page).locator("html").evaluate("e => e.scrollTo(0, 0)")
        page.screenshot(path=folder / f"pages-{name}.png")
        assert (folder / f"pages-{name}.png").stat().st_size > 10_000
    page = open_page(f"{MENU}{PAGES['classifier']}", height=900)
    wait_for_charts(frame(page))
    frame(page).locator("section[aria-labelledby=endpoint]").screenshot(path=folder / "pages-endpoint.png")
    assert (folder / "pages-endpoint.png").stat().st_size > 10_000

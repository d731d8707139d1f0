"""A schedule that leaves days out reads all of them, or is refused with the documents that it would miss."""

from __future__ import annotations

from datetime import date, datetime, timezone

import pytest

from nightsort.classifier_spec.schedule import (
    last_complete_day,
    last_start,
    leaves_days_out,
    one_run_per_day,
    schedule_problem,
    unread_days,
)


@pytest.mark.parametrize(
    ("cron", "says"),
    [
        ("0 2 * *", "five fields"),
        ("0 2 * * * *", "five fields"),
        ("0 25 * * *", "is not a cron expression"),
        ("@once", "is not a cron expression"),
        ("0 0 31 2 *", "does not exist"),
        ("@hourly", "more than one run a day"),
        ("0 2,14 * * *", "more than one run a day"),
        ("*/30 2 * * *", "more than one run a day"),
        ("0 */12 * * 1", "more than one run a day"),
    ],
)
def test_a_schedule_that_cannot_work_is_refused(cron: str, says: str) -> None:
    assert says in (schedule_problem(cron) or "")


@pytest.mark.parametrize("cron", ["0 2 * * *", "@daily", "30 23 * * 0-6", "0 2 */1 * *"])
def test_a_daily_schedule_leaves_no_day_out(cron: str) -> None:
    assert schedule_problem(cron) is None
    assert not leaves_days_out(cron)
    assert not one_run_per_day(cron, "s3://b/{day}/")


@pytest.mark.parametrize(
    "cron", ["0 2 * * 1-5", "@weekly", "@monthly", "0 2 1,15 * *", "0 2 * 1 *", "0 2 */2 * *", "0 2 1 * 1"]
)
def test_a_schedule_that_leaves_days_out_gives_each_day_its_run(cron: str) -> None:
    assert schedule_problem(cron) is None
    assert leaves_days_out(cron)
    assert one_run_per_day(cron, "s3://b/{day}/")
    assert one_run_per_day(cron, "SELECT id, text FROM t WHERE day = '{day:%Y%m%d}'")
    assert unread_days(cron, "s3://b/{day}/") is None


@pytest.mark.parametrize("template", ["s3://b/all/", "s3://b/{day:%Y-%m}/"])
def test_one_run_reads_what_all_its_days_share(template: str) -> None:
    assert not one_run_per_day("@monthly", template)
    assert unread_days("@monthly", template) is None


@pytest.mark.parametrize(
    ("cron", "template", "first"),
    [
        ("0 2 1 1,7 *", "s3://b/{day:%Y-%m}/", "s3://b/2026-02/, s3://b/2026-03/"),
        ("@monthly", "{day:%G-W%V}", "2026-W02, 2026-W03, 2026-W04"),
    ],
)
def test_documents_that_no_run_would_read_are_named(cron: str, template: str, first: str) -> None:
    assert (unread_days(cron, template) or "").startswith(first)


@pytest.mark.parametrize(
    ("moment", "zone", "day"),
    [
        ("2026-11-29T21:32", "UTC", "2026-11-28"),
        ("2026-11-29T21:32", "Asia/Tokyo", "2026-11-29"),
        ("2026-11-29T03:00", "America/New_York", "2026-11-27"),
        ("2026-03-29T22:30", "Europe/Berlin", "2026-03-29"),
        ("2026-10-25T23:30", "Europe/Berlin", "2026-10-25"),
    ],
)
def test_the_last_complete_day_is_that_of_the_time_zone(moment: str, zone: str, day: str) -> None:
    now = datetime.fromisoformat(moment).replace(tzinfo=timezone.utc)

    assert last_complete_day(zone, now) == date.fromisoformat(day)


@pytest.mark.parametrize(
    ("cron", "zone", "moment", "start", "day"),
    [
        ("0 2 * * *", "UTC", "2026-11-03T12:00", "2026-11-03T02:00+00:00", "2026-11-02"),
        ("0 2 * * *", "UTC", "2026-11-03T01:00", "2026-11-02T02:00+00:00", "2026-11-01"),
        ("0 2 * * *", "Asia/Tokyo", "2026-11-03T20:00", "2026-11-04T02:00+09:00", "2026-11-03"),
        ("0 2 * * 1-5", "UTC", "2026-11-09T12:00", "2026-11-09T02:00+00:00", "2026-11-06"),
    ],
)
def test_the_last_start_is_about_the_day_of_the_start_before(
    cron: str, zone: str, moment: str, start: str, day: str
) -> None:
    now = datetime.fromisoformat(moment).replace(tzinfo=timezone.utc)

    assert last_start(cron, zone, now) == (datetime.fromisoformat(start), date.fromisoformat(day))

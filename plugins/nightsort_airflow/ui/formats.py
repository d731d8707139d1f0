"""Numbers, shares, money and times as the pages write them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from markupsafe import Markup

from nightsort.comprehend.prices import usd_text
from nightsort.wording import number_of

if TYPE_CHECKING:
    from datetime import datetime

    from nightsort.tables.overview import Spending
    from nightsort.tables.run_summaries import RunSummary

NOTHING: Final = "–"  # noqa: RUF001 - a dash, as tables have it


def number(value: float | None) -> str:
    """Return a whole number with commas."""
    return NOTHING if value is None else f"{value:,.0f}"


def share(value: float | None, digits: int = 1) -> str:
    """Return a share as a percentage; a small one is not written as nothing."""
    if value is None:
        return NOTHING
    smallest = 10.0**-digits
    if 0 < value * 100 < smallest:
        return f"< {smallest:.{digits}f}%"
    return f"{value * 100:.{digits}f}%"


def usd(value: float | None) -> str:
    """Return an amount of US dollars."""
    return NOTHING if value is None else usd_text(value)


def metric(value: float | None) -> str:
    """Return a figure between 0 and 1."""
    return NOTHING if value is None else f"{value:.3f}"


def duration(seconds: float | None) -> str:
    """Return how long something took, in its two largest units."""
    if seconds is None:
        return NOTHING
    whole = int(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02} min"


def moment(value: datetime | None, style: str = "short") -> Any:
    """
    Return a time as an element that the browser rewrites in the time zone that the reader chose in Airflow.

    :param value: the time, with its zone.
    :param style: ``short``: day and minute; ``time``: the minute alone.
    """
    if value is None:
        return NOTHING
    shown = value.strftime("%H:%M" if style == "time" else "%Y-%m-%d %H:%M")
    return Markup('<time datetime="{}" data-style="{}">{} UTC</time>').format(value.isoformat(), style, shown)


def of(value: float, run: RunSummary) -> float | None:
    """
    Return a figure of a run; None while it is not known.

    :param value: as the run's row has it.
    :param run: the run.
    """
    return value if run.counted else None


def spent(month: Spending, budget: float | None = None) -> str:
    """
    Return what was paid for in a month, and what was saved: the end of a sentence that begins with the sum.

    :param month: what a classifier cost in a month.
    :param budget: what its nights together may have cost, in USD; None: no limit.
    """
    nights = number_of(month.nights, "night") + (f" (budget {usd(budget)})" if budget else "")
    kinds = {
        nights: month.nights_usd,
        "runs by hand": month.by_hand_usd,
        "trainings": month.trainings_usd,
        "the endpoint": month.endpoint_usd,
    }
    paid = {kind: cost for kind, cost in kinds.items() if cost}
    if len(paid) == 1:
        words = f"all for {next(iter(paid))}"
    else:
        *most, last = [f"{usd(cost)} for {kind}" for kind, cost in paid.items()] or ["nothing paid"]
        words = f"{', '.join(most)} and {last}" if most else last
    if month.saved.documents:
        not_sent = number_of(month.saved.documents, "document")
        words += f"; {usd(month.saved.usd)} saved, {not_sent} not sent"
    return words


FILTERS: Final = {
    "of": of,
    "number": number,
    "share": share,
    "usd": usd,
    "metric": metric,
    "duration": duration,
    "moment": moment,
    "spent": spent,
}
"""The filters of the templates, by name."""

"""What is legitimate in a spec, but probably not meant."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from itertools import islice
from typing import TYPE_CHECKING, Final

from nightsort.classifier_spec.day_template import comes_back, has_day, tells_days_apart
from nightsort.classifier_spec.problems import Problem, shown
from nightsort.classifier_spec.schedule import next_starts
from nightsort.layout import S3

if TYPE_CHECKING:
    from nightsort.classifier_spec.model import ClassifierSpec

_STARTS_LOOKED_AT: Final = 400
"""More than those of a year."""

_SOON_ENOUGH: Final = timedelta(minutes=30)
"""A night that starts so long before an opening may find the endpoint open when its batches are prepared."""


def dag_problems(spec: ClassifierSpec) -> list[Problem]:
    """Return what is good enough for the commands, but not for the DAGs."""
    if spec.work_uri.startswith(S3):
        return []
    message = (
        f"{shown(spec.work_uri)} is a folder, which only the commands can use: Comprehend reads and writes "
        "S3; write s3://bucket/prefix"
    )
    return [Problem("work_uri", message)]


def spec_warnings(spec: ClassifierSpec) -> list[Problem]:
    """Return the warnings of a valid spec, by key.

    :param spec: the classifier spec.
    """
    return [
        *dag_problems(spec),
        *_ids_that_repeat(spec),
        *_documents_read_again(spec),
        *_nights_outside_of_hours(spec),
    ]


def _ids_that_repeat(spec: ClassifierSpec) -> list[Problem]:
    source = spec.incoming
    if source.uri is None or source.id_column is not None:
        return []
    if has_day(source.uri):
        if not comes_back(source.uri):
            return []
        remedy = "write the year, the month and the day" + _or_a_column(source.format)
        message = (
            f"{shown(source.uri)} is the same on several days, so ids made of its files repeat; {remedy}"
        )
        return [Problem("incoming.uri", message)]
    if source.format == "files":
        # A file that is replaced is the same document in a newer version.
        return []
    message = (
        "is missing, and incoming.uri has no day: an id is then the file and the row, so a file that is "
        "replaced gives its rows the ids of other documents. Name the column of the id, or write {day} in "
        "incoming.uri"
    )
    return [Problem("incoming.id_column", message)]


def _or_a_column(of: str | None) -> str:
    return "" if of in ("files", "lines") else ", or name the column of the id: incoming.id_column"


def _documents_read_again(spec: ClassifierSpec) -> list[Problem]:
    template = spec.incoming.template
    if not has_day(template) or tells_days_apart(template):
        return []
    message = (
        f"{shown(template)} is the same on days that follow each other: each of their runs reads all of it, "
        "and pays for it"
    )
    return [Problem("incoming.uri" if spec.incoming.uri else "incoming.sql", message)]


def _nights_outside_of_hours(spec: ClassifierSpec) -> list[Problem]:
    if spec.batch.endpoint_below is None or spec.real_time is None or spec.schedule is None:
        return []
    hours = spec.real_time.opening_hours(spec.timezone)
    starts = next_starts(spec.schedule, spec.timezone, datetime.now(timezone.utc))
    for start in islice(starts, _STARTS_LOOKED_AT):
        if hours.period_at(start) or hours.period_at(start + _SOON_ENOUGH):
            return []
    message = (
        f"the endpoint is closed ({hours}) whenever the schedule {shown(spec.schedule)} starts a night, so "
        "each is sent as jobs; move the schedule or real_time.hours, or remove this key"
    )
    return [Problem("batch.endpoint_below", message)]

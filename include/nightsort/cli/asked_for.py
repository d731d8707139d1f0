"""What a command is asked to read: the day, and the source where it is not the spec's."""

from __future__ import annotations

import os
from datetime import date, datetime, timezone
from typing import TYPE_CHECKING, Annotated

import typer

from nightsort.cli.output import err

if TYPE_CHECKING:
    from nightsort.classifier_spec.model import ClassifierSpec
    from nightsort.storage import Access

Day = Annotated[
    datetime | None,
    typer.Option(
        formats=["%Y-%m-%d"],
        help="The day of the documents, as 2026-11-18. Default: the last complete day in the spec's time "
        "zone.",
        show_default=False,
    ),
]
SourceUri = Annotated[
    str | None,
    typer.Option(
        help="Read this source instead of the spec's incoming source: below its folder, or a prefix of "
        "incoming.by_hand.",
        show_default=False,
    ),
]
Anywhere = Annotated[
    bool, typer.Option("--anywhere", help="Let --source-uri name any place on S3 or local disk.")
]


def day_of(value: datetime | None, spec: ClassifierSpec) -> date:
    """Return the day of the option; without it the last complete day, and say so.

    :param value: the option.
    :param spec: for its time zone.
    """
    if value is not None:
        return value.date()
    from nightsort.classifier_spec.schedule import last_complete_day

    day = last_complete_day(spec.timezone, datetime.now(timezone.utc))
    err.print(f"Day: {day}, the last complete day ({spec.timezone}).", highlight=False)
    return day


def check_source(spec: ClassifierSpec, uri: str | None, day: date, access: Access, *, anywhere: bool) -> None:
    """Check the source of the option, as the DAG checks the one of a run.

    :raises SourceError: the spec does not allow it, and ``--anywhere`` was not said.
    """
    from nightsort.classifier_spec.model import load_specs, spec_folders
    from nightsort.sources.by_hand import check_source_uri

    if uri is not None and not anywhere:
        others = load_specs(spec_folders(os.environ)).specs.values()
        check_source_uri(spec, uri, day, access, others=others)

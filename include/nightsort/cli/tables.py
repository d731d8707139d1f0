"""The commands that create and empty the tables."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Annotated

import typer

from nightsort.cli.command import app
from nightsort.cli.output import out, user_errors
from nightsort.wording import number_of

Dsn = Annotated[
    str, typer.Argument(help="PostgreSQL connection string. Default: PGHOST, PGDATABASE and so on.")
]


@app.command()
def init_db(
    dsn: Dsn = "",
) -> None:
    """Create the schema nightsort and its tables, or migrate them to the current version."""
    import psycopg

    from nightsort.tables.schema import SCHEMA_VERSION, ensure_schema

    with user_errors(psycopg.OperationalError), psycopg.connect(dsn) as connection:
        ensure_schema(connection)
    out.print(f"The schema nightsort has version {SCHEMA_VERSION}.")


@app.command()
def drop_runs(
    dsn: Dsn = "",
    keep_days: Annotated[
        int, typer.Option(min=1, help="Keep the runs of this many days before today.")
    ] = 400,
    classifier: Annotated[
        str | None, typer.Option(help="Only runs of this classifier.", show_default=False)
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Delete without asking.")] = False,
) -> None:
    """Delete the predictions of old runs. The counts and the cost of each run stay in classification_runs."""
    import psycopg

    from nightsort.tables.retention import check_classifier, drop_run, find_runs
    from nightsort.tables.schema import ensure_schema

    before = date.today() - timedelta(days=keep_days)
    with user_errors(psycopg.OperationalError), psycopg.connect(dsn, autocommit=True) as connection:
        ensure_schema(connection)
        runs = find_runs(connection, before=before, classifier=classifier)
        if classifier is not None and not runs:
            check_classifier(connection, classifier)
        rows = number_of(sum(run.rows for run in runs), "prediction")
        selected = f"{rows} of {number_of(len(runs), 'run')} before {before}"
        if runs and not yes:
            typer.confirm(f"Delete {selected}?", abort=True)
        for run in runs:
            drop_run(connection, run)
    out.print(f"Deleted {selected}.")

"""The command ``nightsort``: each step of the DAGs without Airflow, and the doctor, which needs Airflow."""

from __future__ import annotations

import gc
import os
import warnings
from datetime import datetime  # noqa: TC003 (Typer reads annotations)
from pathlib import Path  # noqa: TC003 (Typer reads annotations)
from typing import Annotated

import typer

import nightsort.cli  # noqa: F401 (adds the commands)
from nightsort.classifier_spec.finding import is_file
from nightsort.cli.command import AsJson, app, named_spec
from nightsort.cli.output import err, out, user_errors
from nightsort.cli.tables import Dsn  # noqa: TC001 (Typer reads annotations)
from nightsort.terminal import run as run_command_line


@app.command()
def doctor(
    spec: Annotated[
        list[str] | None,
        typer.Option(help="Check only this spec (file or name); may be repeated.", show_default=False),
    ] = None,
    as_json: AsJson = False,
    seconds: Annotated[float, typer.Option(min=1, help="Time limit of each check.")] = 30,
) -> None:
    """Check a deployment from inside: versions, connections, roles, buckets, database, Airflow's parts.

    Needs Airflow; run it in the environment of one of its processes. It calls nothing that costs money.
    Exit code 0: no check failed; 1: a check failed; 2: Airflow or the plugin is not installed here.
    """
    # This command imports all of Airflow. Like `airflow connections`, it looks for
    # connections in Airflow's database too.
    os.environ["_AIRFLOW_PROCESS_CONTEXT"] = "server"
    # Each check prints its own line; log lines would stand between them.
    os.environ["AIRFLOW__LOGGING__LOGGING_LEVEL"] = "CRITICAL"
    warnings.simplefilter("ignore")
    # Looking for garbage among all that Airflow imports would take a third of the time.
    gc.disable()
    try:
        import airflow
    except ModuleNotFoundError as error:
        raise _refusal(
            f"The doctor checks Airflow from inside, but Airflow is not installed here ({error}): run it "
            "with the Python and the environment of your workers."
        ) from error
    try:
        # Importing Airflow has put its plugins folder on the path.
        from nightsort_airflow.doctor.command import run
    except ModuleNotFoundError as error:
        raise _refusal(
            f"Airflow {airflow.__version__} is installed, but the plugin is not complete ({error}): install "
            "nightsort[airflow] there. Without the wheel, set [core] plugins_folder to the folder plugins/, "
            "and install the packages of requirements.txt."
        ) from error
    with user_errors():
        # A name that is unknown is a line of the report.
        names = [named_spec(called).name if is_file(called) else called for called in spec or []]
    raise typer.Exit(run(names, as_json=as_json, seconds=seconds))


@app.command()
def report(
    classifier: Annotated[str, typer.Argument(help="The classifier's name.", show_default=False)],
    day: Annotated[
        datetime,
        typer.Argument(formats=["%Y-%m-%d"], help="The day that was classified.", show_default=False),
    ],
    html: Annotated[Path, typer.Option(help="The file to write.", show_default=False)],
    dsn: Dsn = "",
    run_key: Annotated[
        str | None,
        typer.Option("--run", help="The key of the run, if the day has several.", show_default=False),
    ] = None,
    airflow_url: Annotated[str, typer.Option(help="Airflow's address, for links to the run.")] = "",
) -> None:
    """Write the page of a night as one HTML file that loads nothing, for a mail. Needs nightsort[airflow]."""
    import psycopg

    from nightsort.cli.night import asked_for

    try:
        from nightsort_airflow.ui.report import night_file
    except ModuleNotFoundError as error:
        raise _refusal(f"The pages are part of nightsort[airflow]: install it ({error}).") from error
    with user_errors(psycopg.OperationalError), psycopg.connect(dsn) as connection:
        connection.read_only = True
        run, _ = asked_for(connection, classifier, day.date(), run_key)
        page = night_file(connection, classifier, run.run_key, airflow_url)
        html.write_text(page or "", encoding="utf-8")
    out.print(f"Wrote {html}", highlight=False)


@app.command()
def close_endpoints(
    classifiers: Annotated[
        list[str] | None, typer.Argument(help="Classifiers whose endpoints are closed.", show_default=False)
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="All endpoints of Nightsort.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Close them; without it they are only shown.")] = False,
    minutes: Annotated[
        int, typer.Option(min=0, help="How long to wait for one that is being opened or changed.")
    ] = 30,
) -> None:
    """Show the open endpoints of Nightsort in this account and region, and what they cost; close them.

    For when Airflow cannot: AWS is reached by the environment (AWS_PROFILE, AWS_DEFAULT_REGION). An endpoint
    is found by its name and its tag, whatever the specs say. Needs nightsort[airflow].
    Exit code 0: done; 1: an endpoint could not be closed; 2: the input cannot be used.
    """
    try:
        from nightsort_airflow.close_endpoints import run
    except ModuleNotFoundError as error:
        raise _refusal(f"This command is part of nightsort[airflow]: install it ({error}).") from error
    raise typer.Exit(run(classifiers or [], everything=everything, yes=yes, minutes=minutes))


def _refusal(message: str) -> typer.Exit:
    err.print(message, style="red", soft_wrap=True)
    return typer.Exit(2)


def main() -> None:
    """Run the command line."""
    run_command_line(app, "nightsort")


if __name__ == "__main__":
    main()

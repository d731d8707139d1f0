"""The command ``nightsort``: each step of the DAGs without Airflow, and the commands that need Airflow."""

from __future__ import annotations

import contextlib
import gc
import os
import sys
import warnings
from contextlib import contextmanager
from datetime import datetime  # noqa: TC003 (Typer reads annotations)
from pathlib import Path  # noqa: TC003 (Typer reads annotations)
from typing import TYPE_CHECKING, Annotated

import typer

import nightsort.cli  # noqa: F401 (adds the commands)
from nightsort.classifier_spec.finding import is_file
from nightsort.cli.command import AsJson, Spec, app, named_spec
from nightsort.cli.output import err, out, user_errors
from nightsort.cli.tables import Dsn  # noqa: TC001 (Typer reads annotations)
from nightsort.terminal import run as run_command_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


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
    # Each check prints its own line; log lines would stand between them.
    with _airflow("The doctor checks Airflow from inside", log_level="CRITICAL"):
        from nightsort_airflow.doctor.command import run
    # Looking for garbage among all that the checks import would take a third of the time.
    gc.disable()
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
    Exit code 0: done; 1: an endpoint could not be closed, or its state is not known; 2: the input cannot be
    used.
    """
    with _airflow("Endpoints are closed by Airflow's plugin", log_level="ERROR"):
        from nightsort_airflow.close_endpoints import run
    raise typer.Exit(run(classifiers or [], everything=everything, yes=yes, minutes=minutes))


@app.command()
def classify(
    spec: Spec,
    text: Annotated[
        str | None,
        typer.Argument(help="The text; - reads one a line from standard input.", show_default=False),
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option(
            help="Read one text a line from this file instead.",
            exists=True,
            dir_okay=False,
            show_default=False,
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Classify a text now, through the classifier's open endpoint: label, score and version, one line a text.

    Needs nightsort[airflow], and the AWS connection of the spec. On the local stack the endpoint is opened
    for the command, where it costs nothing. Exit code 0: each text has an answer; 1: a text cannot be
    classified, and its line says why; 2: no endpoint is open, or the input cannot be used.
    """
    if (text is None) == (file is None):
        raise _refusal("Give a text, - for standard input, or --file.")
    with _airflow("Endpoints are asked through Airflow's AWS connections", log_level="ERROR"):
        from nightsort_airflow.serving import command
    with user_errors(), contextlib.ExitStack() as opened:
        if file is not None:
            lines = opened.enter_context(file.open("rb"))
            texts: Iterable[str | bytes] = (line.rstrip(b"\r\n") for line in lines)
        elif text == "-":
            texts = (line.rstrip(b"\r\n") for line in sys.stdin.buffer)
        else:
            texts = [text or ""]
        refused = command.classify(named_spec(spec), texts, _print_line, as_json=as_json)
    raise typer.Exit(1 if refused else 0)


@app.command()
def serve(
    spec: Annotated[
        list[str], typer.Argument(help="The classifiers: their files or names.", show_default=False)
    ],
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="The port.", min=1, max=65_535)] = 8090,
) -> None:
    """Answer POST /classify over HTTP, through the classifiers' open endpoints, at the pace of their units.

    Callers need the token of NIGHTSORT_SERVE_TOKEN, or one of the file that NIGHTSORT_SERVE_TOKEN_FILE names.
    Needs nightsort[airflow]. It ends on SIGTERM when all that it took is answered.
    """
    with _airflow("Endpoints are asked through Airflow's AWS connections", log_level="WARNING"):
        from nightsort_airflow.serving import command
    with user_errors():
        specs = [named_spec(called) for called in spec]
        command.serve(specs, host, port, lambda line: err.print(line, highlight=False, soft_wrap=True))


def _print_line(line: str) -> None:
    out.print(line, highlight=False, soft_wrap=True)


@contextmanager
def _airflow(why: str, *, log_level: str) -> Iterator[None]:
    """Import a part of the plugin in the block; say what is missing if it cannot be imported.

    :param why: what needs Airflow.
    :param log_level: of Airflow.
    """
    # Like `airflow connections`, these commands look for connections in Airflow's database too.
    os.environ["_AIRFLOW_PROCESS_CONTEXT"] = "server"
    os.environ["AIRFLOW__LOGGING__LOGGING_LEVEL"] = log_level
    warnings.simplefilter("ignore")
    # Looking for garbage among what is only imported takes a third of the time.
    gc.disable()
    try:
        import airflow
    except ModuleNotFoundError as error:
        raise _refusal(
            f"{why}, but Airflow is not installed here ({error}): run it with the Python and the environment "
            "of your workers."
        ) from error
    try:
        # Importing Airflow has put its plugins folder on the path.
        yield
    except ModuleNotFoundError as error:
        raise _refusal(
            f"Airflow {airflow.__version__} is installed, but the plugin is not complete ({error}): install "
            "nightsort[airflow] there. Without the wheel, set [core] plugins_folder to the folder plugins/, "
            "and install the packages of requirements.txt."
        ) from error
    finally:
        gc.freeze()
        gc.enable()


def _refusal(message: str) -> typer.Exit:
    err.print(message, style="red", soft_wrap=True)
    return typer.Exit(2)


def main() -> None:
    """Run the command line."""
    run_command_line(app, "nightsort")


if __name__ == "__main__":
    main()

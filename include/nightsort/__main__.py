"""The command ``nightsort``: each step of the DAGs without Airflow, and the doctor with it."""

from __future__ import annotations

import os
import warnings
from typing import Annotated

import typer

from nightsort.cli import AsJson, app, err


@app.command()
def doctor(
    spec: Annotated[
        list[str] | None,
        typer.Option(help="Look at this spec alone, by its name; may be given again.", show_default=False),
    ] = None,
    as_json: AsJson = False,
    seconds: Annotated[float, typer.Option(min=1, help="How long one check may take.")] = 30,
) -> None:
    """Check a deployment from inside: versions, connections, roles, buckets, database, Airflow's parts.

    Needs Airflow, in the environment of one of its processes. Nothing that costs money is called. Exit code
    0: no line failed; 1: one did; 2: there is no Airflow here, or it does not see the plugin.
    """
    # The one place where the domain's command line meets the plugin; no other command knows of Airflow.
    # As `airflow connections` does: connections are looked for in Airflow's database, too.
    os.environ["_AIRFLOW_PROCESS_CONTEXT"] = "server"
    # What matters becomes a line; the rest would be written between the lines.
    os.environ["AIRFLOW__LOGGING__LOGGING_LEVEL"] = "CRITICAL"
    warnings.simplefilter("ignore")
    try:
        import airflow
    except ModuleNotFoundError as error:
        raise _refusal(
            f"The doctor looks at an Airflow from inside, and there is none here ({error}): run it with the "
            "Python, and in the environment, of your workers."
        ) from error
    try:
        # Importing Airflow has put its plugins folder on the path.
        from nightsort_airflow.doctor.command import run
    except ModuleNotFoundError as error:
        raise _refusal(
            f"Airflow {airflow.__version__} is here, but something of the plugin is not ({error}): install "
            "nightsort[airflow] there. Without the wheel, let [core] plugins_folder be the folder plugins/, "
            "and install the packages of requirements.txt."
        ) from error
    raise typer.Exit(run(spec or [], as_json=as_json, seconds=seconds))


def _refusal(message: str) -> typer.Exit:
    err.print(message, style="red", markup=False, soft_wrap=True)
    return typer.Exit(2)


def main() -> None:
    """Run the command line."""
    app(prog_name="nightsort")


if __name__ == "__main__":
    main()

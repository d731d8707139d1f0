"""The command line: each step of the two DAGs on its own, on local files or S3, without Airflow.

S3 is configured by the environment (``AWS_ENDPOINT_URL``, ``AWS_PROFILE``, …). Steps and storage are imported
inside the commands: ``--help`` and ``validate-spec`` need no pyarrow and no fsspec.
"""

# Importing a module of commands adds its commands, in this order.
from nightsort.cli import init, specs, steps, forecasts, predictions, tables, night, forget  # noqa: F401, I001
from nightsort.cli.command import app

__all__ = ["app"]

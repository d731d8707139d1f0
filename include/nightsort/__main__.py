"""``python -m include.nightsort``: each step of the two DAGs on its own, without Airflow."""

from include.nightsort.cli import app

app(prog_name="python -m include.nightsort")

"""The Nightsort pages in Airflow's UI: what a night did, what it cost, which version answered, what to do."""

from typing import Final

PREFIX: Final = "/nightsort"
"""Where the app is mounted below Airflow's base URL."""

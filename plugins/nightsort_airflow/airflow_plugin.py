"""The plugin ``nightsort``: Airflow finds it by the installed package's entry point, or in ``plugins/``.

Of this folder Airflow's scanner may execute this one file (see the ``.airflowignore`` beside it).
"""

from __future__ import annotations

from airflow.sdk import conf
from airflow.sdk.plugins_manager import AirflowPlugin

from nightsort_airflow.deadlines import NightLoadedBy
from nightsort_airflow.timetables import EveryDayTimetable, OpeningHoursTimetable
from nightsort_airflow.ui import menu

if not conf.getboolean("core", "lazy_load_plugins", fallback=True):
    from nightsort_airflow.preloading import preload

    preload()


class NightsortPlugin(AirflowPlugin):
    """Register deadline, timetables and pages; links need no plugin, as operators name their own."""

    name = "nightsort"
    fastapi_apps = menu.fastapi_apps()
    external_views = menu.external_views()
    deadline_references = [NightLoadedBy]  # noqa: RUF012
    timetables = [EveryDayTimetable, OpeningHoursTimetable]  # noqa: RUF012

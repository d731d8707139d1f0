"""The one file of ``plugins/`` that Airflow's plugin scanner may execute (see ``plugins/.airflowignore``)."""

from __future__ import annotations

from airflow.sdk import conf
from airflow.sdk.plugins_manager import AirflowPlugin

from nightsort_airflow.deadlines import NightLoadedBy
from nightsort_airflow.links.comprehend import ComprehendClassificationJobLink

if not conf.getboolean("core", "lazy_load_plugins", fallback=True):
    from nightsort_airflow.preloading import preload

    preload()


class NightsortPlugin(AirflowPlugin):
    """Register Nightsort's links and its deadline with Airflow."""

    name = "nightsort"
    operator_extra_links = [ComprehendClassificationJobLink()]  # noqa: RUF012 - Airflow declares it so
    deadline_references = [NightLoadedBy]  # noqa: RUF012 - Airflow declares it so

"""
Where the pages are in Airflow's UI, as Airflow's plugin interface wants it.

Every component of Airflow imports this, so it imports nothing: the app is built at its first request.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from nightsort_airflow.ui import PREFIX

if TYPE_CHECKING:
    from collections.abc import Callable

ROUTE: Final = "nightsort"
"""Name of the pages in the addresses of Airflow's UI: ``/plugin/nightsort``."""

TITLE: Final = "Nightsort"


class LazyApp:
    """An ASGI application that is built at its first request, in the API server alone."""

    def __init__(self) -> None:
        self.app: Callable[..., Any] | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer a request."""
        if self.app is None:
            from nightsort_airflow.ui.application import build

            self.app = build()
        await self.app(scope, receive, send)


def fastapi_apps() -> list[dict[str, Any]]:
    """Return the app for Airflow's plugin interface."""
    return [{"app": LazyApp(), "url_prefix": PREFIX, "name": TITLE}]


def external_views() -> list[dict[str, Any]]:
    """
    Return the entry in the navigation, and a tab on DAGs and runs.

    The addresses are relative, so that they also hold where Airflow itself is below a path.
    """
    base = PREFIX.removeprefix("/")
    icons = {"icon": f"{base}/icon.svg", "icon_dark_mode": f"{base}/icon-dark.svg"}
    run = f"{base}/run?dag_id={{DAG_ID}}&run_id={{RUN_ID}}"
    return [
        {
            "name": TITLE,
            "href": f"{base}/",
            "url_route": ROUTE,
            "destination": "nav",
            "nav_top_level": True,
            **icons,
        },
        {"name": TITLE, "href": run, "url_route": f"{ROUTE}-run", "destination": "dag_run", **icons},
        {
            "name": TITLE,
            "href": f"{base}/dag?dag_id={{DAG_ID}}",
            "url_route": f"{ROUTE}-dag",
            "destination": "dag",
            **icons,
        },
    ]

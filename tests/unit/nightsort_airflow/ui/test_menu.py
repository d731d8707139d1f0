from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from airflow.plugins_manager import get_fastapi_plugins, get_plugin_info

from nightsort_airflow.ui import menu

if TYPE_CHECKING:
    import pytest


def test_airflow_has_an_entry_in_its_navigation_and_a_tab_on_dags_and_runs() -> None:
    from airflow.plugins_manager import _get_ui_plugins

    ours = [view for view in _get_ui_plugins()[0] if view["name"] == "Nightsort"]
    assert {view["destination"] for view in ours} == {"nav", "dag", "dag_run"}
    assert len({view["url_route"] for view in ours}) == 3
    assert all(not view["href"].startswith("/") for view in ours), "relative, for an Airflow below a path"
    (run,) = (view["href"] for view in ours if view["destination"] == "dag_run")
    assert run == "nightsort/run?dag_id={DAG_ID}&run_id={RUN_ID}"
    assert [app["url_prefix"] for app in get_fastapi_plugins()[0] if app["name"] == "Nightsort"] == [
        "/nightsort"
    ]
    assert [plugin for plugin in get_plugin_info() if plugin["name"] == "nightsort"]


def test_the_app_is_built_once_at_its_first_request(monkeypatch: pytest.MonkeyPatch) -> None:
    from nightsort_airflow.ui import application

    built: list[str] = []
    answered: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        answered.append(scope)

    def build() -> Any:
        built.append("app")
        return app

    monkeypatch.setattr(application, "build", build)
    lazy = menu.LazyApp()
    assert not built
    for _ in range(2):
        asyncio.run(lazy({"type": "http"}, None, None))
    assert (len(built), len(answered)) == (1, 2)

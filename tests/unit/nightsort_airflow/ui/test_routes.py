"""The routes answer over real tables in tests/integration/test_ui_pages.py."""

from __future__ import annotations

import inspect

from nightsort_airflow.ui import routes


def test_no_route_runs_in_the_event_loop_of_the_api_server() -> None:
    """Starlette runs a plain function in a thread; a query in a coroutine would stop all of Airflow."""
    functions = dict(inspect.getmembers(routes, inspect.isfunction)).values()
    ours = [found for found in functions if found.__module__ == routes.__name__]
    assert len(ours) > 5
    assert not [found.__name__ for found in ours if inspect.iscoroutinefunction(found)]

"""Put the app of the pages together. Imported at the first request, in the API server alone."""

from __future__ import annotations

import logging
import traceback
from functools import wraps
from typing import TYPE_CHECKING, Any, Final

from starlette.applications import Starlette
from starlette.routing import Route

from nightsort_airflow.ui import downloads, routes
from nightsort_airflow.ui.guard import Guard
from nightsort_airflow.ui.rendering import page
from nightsort_airflow.ui.site import NotFoundError, Site, TablesError
from nightsort_airflow.ui.static_files import ICONS, serve_icon, serve_static

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request
    from starlette.responses import Response

log = logging.getLogger(__name__)

RETRY_SECONDS: Final = 5
"""What an answer to come back later says: so long a statement of a page may take."""

_NIGHT = "/classifiers/{classifier}/nights/{run_key}"


def build(site: Site | None = None, resolve: Callable[..., Any] | None = None) -> Callable[..., Any]:
    """
    Return the app, behind its guard.

    :param site: what the pages are made of. (default: this Airflow's)
    :param resolve: returns the user of a token. (default: Airflow's)
    """
    paths = {
        "/": routes.overview,
        "/run": routes.of_run,
        "/dag": routes.of_dag,
        "/classifiers/{classifier}": routes.classifier,
        "/classifiers/{classifier}/drift": routes.drift,
        "/classifiers/{classifier}/versions/{version}": routes.classifier,
        _NIGHT: routes.night,
        f"{_NIGHT}/{{what}}.{{suffix}}": downloads.download,
    }
    app = Starlette(
        routes=[
            *(Route(path, answered(function), methods=["GET"]) for path, function in paths.items()),
            Route("/static/{edition}/{name}", serve_static, methods=["GET"]),
            *(Route(f"/{name}", serve_icon, methods=["GET"]) for name in ICONS),
        ],
        exception_handlers={404: lambda request, error: _nothing_there(request, NotFoundError())},
    )
    app.state.site = site or Site()
    return Guard(app, resolve) if resolve else Guard(app)


def answered(function: Callable[[Request], Response]) -> Callable[[Request], Response]:
    """
    Return a route that answers with a page whatever happens, and never with the text of an error.

    The log has the place of an error, not its message: a database may quote values in it.

    :param function: the route.
    """

    @wraps(function)
    def answer(request: Request) -> Response:
        try:
            # Nothing is named with a NUL, and no database takes one.
            if any("\0" in part for part in (request.scope["path"], *request.query_params.values())):
                raise NotFoundError
            return function(request)
        except NotFoundError as error:
            return _nothing_there(request, error)
        except TablesError as error:
            return _trouble(
                request, 503, error.kind, error.conn_id, retry_after=RETRY_SECONDS if error.passes else None
            )
        except Exception as error:
            places = [
                f"{frame.name} ({frame.filename}:{frame.lineno})"
                for frame in traceback.extract_tb(error.__traceback__)
            ]
            log.error("A page failed: %s in %s", type(error).__name__, " < ".join(reversed(places[-4:])))
            return _trouble(request, 500, "fault")

    return answer


def _nothing_there(request: Request, error: NotFoundError) -> Response:
    return _trouble(request, 404, error.what, error.classifier or "")


def _trouble(
    request: Request, status: int, kind: str, what: str = "", retry_after: int | None = None
) -> Response:
    answer = page(request, "trouble", status, title=f"Error {status}", kind=kind, what=what)
    if retry_after is not None:
        answer.headers["Retry-After"] = str(retry_after)
    return answer

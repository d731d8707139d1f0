"""The app of the pages with a real database and a real auth manager, without a browser."""

from __future__ import annotations

from datetime import datetime, timezone
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
from fastapi import HTTPException
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient

import tests.airflow_environment as airflow_environment

if TYPE_CHECKING:
    from collections.abc import Callable

NOW = datetime(2026, 12, 1, 8, 0, tzinfo=timezone.utc)
TOKEN = {"Authorization": "Bearer a-token"}
ROUTE_VALUES = {
    "classifier": "tickets",
    "run_key": "20261130",
    "version": "v5e0c41d97ab2",
    "what": "predictions",
    "suffix": "csv",
    "edition": "x",
    "name": "app.css",
}
"""A value for each parameter of a route; the page of all of them together is there."""

NIGHT = "/classifiers/tickets/nights/20261130"
SCRIPT = "<script>alert(1)</script>"

SAMPLE = Path(airflow_environment.SAMPLE_SPECS) / "aws-services.yaml"


class Found(HTMLParser):
    """The text of a page, and the addresses in it."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.links: list[str] = []
        self.sources: list[str] = []
        self._in_script = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self._in_script = tag in ("script", "style")
        if tag == "a" and values.get("href"):
            self.links.append(str(values["href"]))
        self.sources += [str(value) for name, value in attrs if name == "src" and value]
        if tag == "link":
            self.sources.append(str(values["href"]))

    def handle_endtag(self, tag: str) -> None:
        self._in_script = False

    def handle_data(self, data: str) -> None:
        if not self._in_script:
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def write_specs(folder: Path, *names: str) -> Path:
    """Write valid specs."""
    folder.mkdir(exist_ok=True)
    sample = SAMPLE.read_text(encoding="utf-8")
    for name in names:
        (folder / f"{name}.yaml").write_text(sample.replace("aws-services", name), encoding="utf-8")
    return folder


async def resolve(token: str | None) -> Any:
    """Return Airflow's administrator for any token; as Airflow does, refuse a request without one."""
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser

    if not token:
        raise HTTPException(401, "Not authenticated")
    return SimpleAuthManagerUser(username="admin", role="ADMIN")


def pages(
    dsn: str,
    *,
    prefix: str = "/nightsort",
    who: Callable[..., Any] = resolve,
    connect: Callable[[str], Any] | None = None,
) -> TestClient:
    """
    Return a client of the app, mounted as Airflow mounts it.

    :param connect: opens a connection to the database of an Airflow connection. (default: all are `dsn`)
    """
    from airflow.api_fastapi.app import create_auth_manager

    from nightsort_airflow.ui.application import build
    from nightsort_airflow.ui.database import Tables
    from nightsort_airflow.ui.site import Site

    create_auth_manager()
    tables = Tables(connect or (lambda conn_id: psycopg.connect(dsn)))
    app = build(Site(tables=tables, clock=lambda: NOW), who)
    return TestClient(
        Starlette(routes=[Mount(prefix, app=app)]),
        base_url="http://airflow",
        headers=TOKEN,
        follow_redirects=False,
    )


def site_of(client: TestClient) -> Any:
    """What the pages of a client are made of."""
    return client.app.routes[0].app.app.state.site  # type: ignore[attr-defined]


def look(client: TestClient, path: str, status: int = 200) -> Found:
    answer = client.get(f"/nightsort{path}")
    assert answer.status_code == status, answer.text[:500]
    return Found(answer.text)

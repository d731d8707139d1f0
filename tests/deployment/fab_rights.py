"""Ask for pages as users of the compose file's auth manager, in an Airflow of its own; print what they see.

Run by ``test_pages_with_fab.py`` in an environment that has the FAB provider.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

MAY_READ = {"ann": ["classify_tickets"], "bob": [], "chief": None}
"""The DAGs that each user may read; None: all of them."""

FAB = "airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager"
PAGES = ("/nightsort/", "/nightsort/classifiers/tickets", "/nightsort/classifiers/reviews")


def main(home: Path, specs: str) -> None:
    """Set Airflow up, then ask."""
    os.environ.update(
        {
            "AIRFLOW_HOME": str(home),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__AUTH_MANAGER": FAB,
            "AIRFLOW__API_AUTH__JWT_SECRET": "of this test alone, and long enough for a key of 512 bits, "
            * 2,
            "NIGHTSORT_SPECS": specs,
        }
    )
    from airflow.utils.db import initdb

    initdb()

    from airflow.api_fastapi.app import create_app, get_auth_manager
    from starlette.testclient import TestClient

    app = create_app(apps="core")
    manager = get_auth_manager()
    tokens = {name: manager.generate_jwt(user) for name, user in _users(manager).items()}
    client = TestClient(app, raise_server_exceptions=False)
    found: dict[str, dict[str, list[object]]] = {}
    for name, token in {**tokens, "nobody": ""}.items():
        client.cookies.clear()
        if token:
            client.cookies.set("_token", token)
        found[name] = {}
        for path in PAGES:
            answer = client.get(path)
            seen = [known for known in ("tickets", "reviews") if f">{known}</a>" in answer.text]
            found[name][path] = [answer.status_code, seen]
    print(json.dumps(found))


def _users(manager: object) -> dict[str, object]:
    """Make a user and a role for each name."""
    security = manager.security_manager  # type: ignore[attr-defined]
    with manager.flask_app.app_context():  # type: ignore[attr-defined]
        users = {}
        for name, dags in MAY_READ.items():
            permissions = (
                [("can_read", "DAGs")] if dags is None else [("can_read", f"DAG:{dag}") for dag in dags]
            )
            role = security.add_role(f"role-{name}")
            for action, resource in permissions:
                security.add_permission_to_role(role, security.create_permission(action, resource))
            users[name] = security.add_user(
                username=name,
                first_name=name,
                last_name=name,
                email=f"{name}@example.com",
                role=role,
                password=name,
            )
        return users


if __name__ == "__main__":
    with TemporaryDirectory() as folder:
        main(Path(folder), sys.argv[1])

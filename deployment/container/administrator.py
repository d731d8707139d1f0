"""The administrator of the compose file's Airflow, made in this process: no password on a command line."""

from __future__ import annotations

from typing import Final

ADMIN: Final = "admin"


def set_administrator(password: str) -> None:
    """
    Create the administrator, or give the one who is there this password.

    :param password: the password.
    :raises SystemExit: Airflow refused; its log says why.
    """
    # Of the FAB provider, which only images with requirements/celery.txt have.
    from airflow.providers.fab.auth_manager.cli_commands.utils import get_application_builder

    with get_application_builder() as builder:
        security = builder.sm
        user = security.find_user(username=ADMIN)
        if user is not None:
            done = security.reset_password(user.id, password)
        else:
            role = security.find_role("Admin")
            done = bool(security.add_user(ADMIN, "Airflow", "Admin", "admin@localhost", role, password))
    if not done:
        raise SystemExit(f"Airflow could not make the user {ADMIN}, see above.")
    print(f"The user {ADMIN} has the password AIRFLOW_ADMIN_PASSWORD.")

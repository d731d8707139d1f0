"""
The databases of the compose file's PostgreSQL, and who may do what in them.

Each service has a role of its own. ``airflow`` owns Airflow's tables. The DAG processor and the triggerer
cannot do without them in Airflow 3.3, and execute code of DAG authors: their roles can neither read nor
change users, nor change connections, Variables, pools and the rights of users' roles.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import psycopg
from psycopg import sql

if TYPE_CHECKING:
    from collections.abc import Mapping

DATABASES: Final = {
    "airflow": "AIRFLOW_DB_PASSWORD",
    "nightsort": "NIGHTSORT_DB_PASSWORD",
}
"""A database and its owner have one name; the variable holds the owner's password."""

GUESTS: Final = {
    "airflow_dag_processor": "AIRFLOW_DAG_PROCESSOR_DB_PASSWORD",
    "airflow_triggerer": "AIRFLOW_TRIGGERER_DB_PASSWORD",
    "airflow_doctor": "AIRFLOW_DOCTOR_DB_PASSWORD",
}
"""Roles with rights in the database ``airflow``, which they do not own; the variables of their passwords."""

USERS: Final = frozenset(
    {"ab_user", "ab_user_role", "ab_user_group", "ab_group", "ab_group_role", "ab_register_user", "session"}
)
"""Users, the hashes of their passwords, their roles and sessions: no guest reads or writes them."""

DECIDED_BY_PEOPLE: Final = frozenset(
    {"connection", "variable", "slot_pool", "ab_role", "ab_permission_view_role"}
)
"""What people decide in the UI: guests read it, and change nothing."""

PERMISSIONS: Final = frozenset({"ab_permission", "ab_view_menu", "ab_permission_view"})
"""Where the DAG processor adds the names of the permissions of a new DAG; they give nobody anything."""


def create_databases(environment: Mapping[str, str]) -> None:
    """
    Create each role and its database, and give the role its password.

    :param environment: the passwords, and where the server is.
    """
    with _connect(environment, "postgres") as server:
        for name, variable in {**DATABASES, **GUESTS}.items():
            role, password = sql.Identifier(name), sql.Literal(environment[variable])
            if not server.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (name,)).fetchone():
                server.execute(sql.SQL("CREATE ROLE {} LOGIN").format(role))
            server.execute(sql.SQL("ALTER ROLE {} PASSWORD {}").format(role, password))
        for name in DATABASES:
            role = sql.Identifier(name)
            if not server.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,)).fetchone():
                # A server made without a locale would give SQL_ASCII, whose texts psycopg reads as bytes.
                create = sql.SQL("CREATE DATABASE {} OWNER {} ENCODING 'UTF8' TEMPLATE template0")
                server.execute(create.format(role, role))
            # Nobody but the owner, who has every right in it.
            server.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(role))


def grant_rights(environment: Mapping[str, str]) -> None:
    """
    Give the guests their rights in the tables that are there, and take all others from them.

    :param environment: the superuser's password, and where the server is.
    """
    with _connect(environment, "airflow") as server, server.transaction():
        tables = [
            name for (name,) in server.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        ]
        for guest in GUESTS:
            role = sql.Identifier(guest)
            server.execute(sql.SQL("REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {}").format(role))
            server.execute(sql.SQL("GRANT CONNECT ON DATABASE airflow TO {}").format(role))
            server.execute(sql.SQL("GRANT USAGE ON SCHEMA public TO {}").format(role))
            server.execute(sql.SQL("GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {}").format(role))
            for table in tables:
                if rights := rights_of(guest, table):
                    grant = sql.SQL("GRANT {} ON {} TO {}")
                    server.execute(
                        grant.format(sql.SQL(", ").join(map(sql.SQL, rights)), sql.Identifier(table), role)
                    )


def rights_of(guest: str, table: str) -> tuple[str, ...]:
    """
    Return what a guest may do with a table of Airflow's.

    :param guest: one of :data:`GUESTS`.
    :param table: a table's name.
    """
    if table in USERS:
        return ()
    if guest == "airflow_doctor" or table in DECIDED_BY_PEOPLE or table.startswith("alembic_version"):
        return ("SELECT",)
    if table in PERMISSIONS:
        return ("SELECT", "INSERT") if guest == "airflow_dag_processor" else ("SELECT",)
    return ("SELECT", "INSERT", "UPDATE", "DELETE")


def _connect(environment: Mapping[str, str], database: str) -> psycopg.Connection[Any]:
    return psycopg.connect(
        host=environment["POSTGRES_HOST"],
        user="postgres",
        password=environment["POSTGRES_PASSWORD"],
        dbname=database,
        autocommit=True,
    )

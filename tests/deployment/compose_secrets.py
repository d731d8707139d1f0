"""Who holds which secret of docker-compose.yaml: the file must say so, and its running processes too."""

from __future__ import annotations

from deployment.container.database_roles import DATABASES, GUESTS

METADATA = {"AIRFLOW_DB_PASSWORD", "AIRFLOW_FERNET_KEY"}
CELERY = {"REDIS_PASSWORD"}
HOLDS: dict[str, set[str]] = {
    "postgres": {"POSTGRES_PASSWORD"},
    "redis": {"REDIS_PASSWORD"},
    "init": {"POSTGRES_PASSWORD", *DATABASES.values(), *GUESTS.values(), "AIRFLOW_ADMIN_PASSWORD"},
    "api-server": METADATA | {"AIRFLOW_API_SECRET_KEY", "AIRFLOW_JWT_SECRET", "NIGHTSORT_DB_PASSWORD"},
    "scheduler": METADATA | CELERY | {"AIRFLOW_JWT_SECRET"},
    "dag-processor": {"AIRFLOW_DAG_PROCESSOR_DB_PASSWORD", "AIRFLOW_FERNET_KEY"},
    "triggerer": {"AIRFLOW_TRIGGERER_DB_PASSWORD", "AIRFLOW_FERNET_KEY"},
    "worker-1": CELERY | {"NIGHTSORT_DB_PASSWORD"},
    "worker-2": CELERY | {"NIGHTSORT_DB_PASSWORD"},
    "doctor": {"AIRFLOW_DOCTOR_DB_PASSWORD", "AIRFLOW_FERNET_KEY", "NIGHTSORT_DB_PASSWORD"},
    "serve": {"NIGHTSORT_SERVE_TOKEN"},
    "local-aws": set(),
    "local-setup": METADATA,
}
"""The secrets of `.env` that each service gets: those that it cannot do without, and no other."""

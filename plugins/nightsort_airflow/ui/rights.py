"""Who may see which classifier: whoever may read one of its DAGs in Airflow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.resource_details import AccessView, DagAccessEntity, DagDetails

if TYPE_CHECKING:
    from collections.abc import Iterable

CLASSIFY: Final = "classify"
TRAIN: Final = "train"


def dag_id(kind: str, classifier: str) -> str:
    """
    Return the id of a classifier's DAG.

    :param kind: :data:`CLASSIFY` or :data:`TRAIN`.
    :param classifier: name of the spec.
    """
    return f"{kind}_{classifier}"


def classifier_of(dag_id: str) -> str | None:
    """
    Return the classifier that a DAG's id names; None if it can be none of Nightsort's.

    :param dag_id: the id of any DAG.
    """
    kind, _, name = dag_id.partition("_")
    return name if kind in (CLASSIFY, TRAIN) and name else None


def readable(user: Any, classifiers: Iterable[str]) -> set[str]:
    """
    Return the classifiers that a user may see.

    :param user: who is asking.
    :param classifiers: names of classifiers, whether or not their DAGs are there.
    """
    names = list(classifiers)
    asked = {dag_id(kind, name) for name in names for kind in (CLASSIFY, TRAIN)}
    allowed = get_auth_manager().filter_authorized_dag_ids(dag_ids=asked, user=user, method="GET")
    return {name for name in names if {dag_id(CLASSIFY, name), dag_id(TRAIN, name)} & allowed}


def may_read_spec(user: Any, classifier: str) -> bool:
    """
    Return whether a user may read a classifier's spec: whoever may read the code of its DAG.

    :param user: who is asking.
    :param classifier: name of the spec.
    """
    return get_auth_manager().is_authorized_dag(
        method="GET",
        access_entity=DagAccessEntity.CODE,
        details=DagDetails(id=dag_id(CLASSIFY, classifier)),
        user=user,
    )


def may_read_import_errors(user: Any) -> bool:
    """
    Return whether a user may see what is wrong with specs that make no DAG.

    :param user: who is asking.
    """
    return get_auth_manager().is_authorized_view(access_view=AccessView.IMPORT_ERRORS, user=user)

from __future__ import annotations

from typing import Any

import pytest

from nightsort_airflow.ui import rights


class Manager:
    """Knows which DAGs may be read."""

    def __init__(self, *allowed: str) -> None:
        self.allowed = {*allowed}

    def filter_authorized_dag_ids(self, *, dag_ids: set[str], user: Any, method: str) -> set[str]:
        assert method == "GET"
        return dag_ids & self.allowed


def test_a_classifier_is_seen_by_whoever_may_read_one_of_its_dags(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        rights, "get_auth_manager", lambda: Manager("train_a", "classify_b", "classify_", "other")
    )
    assert rights.readable("ann", ["a", "b", "c"]) == {"a", "b"}


@pytest.mark.parametrize(
    ("dag", "name"),
    [
        ("classify_a-b", "a-b"),
        ("train_a", "a"),
        ("classify_", None),
        ("classify", None),
        ("check_specs", None),
        ("", None),
    ],
)
def test_a_dags_name_tells_its_classifier(dag: str, name: str | None) -> None:
    assert rights.classifier_of(dag) == name

"""A spec with an export has one more task, after the run's sums."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from airflow.sdk import TriggerRule
from airflow.serialization.serialized_objects import DagSerialization

from tests.dags.dag_bags import SPEC, parse

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("export", "place"),
    [
        ("parquet", "s3://bucket/work/tickets/predictions/classifier=tickets/"),
        ("{uri: s3://lake/nightsort}", "s3://lake/nightsort/classifier=tickets/"),
    ],
)
def test_only_a_complete_run_is_exported_and_the_page_says_where(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, export: str, place: str
) -> None:
    (tmp_path / "tickets.yaml").write_text(SPEC.format(name="tickets") + f"export: {export}\n")
    (tmp_path / "plain.yaml").write_text(SPEC.format(name="plain"))
    bag = parse(monkeypatch, (tmp_path,))
    assert bag.import_errors == {}
    plain, dag = bag.dags["classify_plain"], bag.dags["classify_tickets"]
    assert set(dag.task_ids) - set(plain.task_ids) == {"export_predictions"}
    task = dag.get_task("export_predictions")
    assert task.upstream_task_ids == {"reconcile_run"}
    assert task.trigger_rule == TriggerRule.ALL_SUCCESS
    assert [asset.uri for asset in task.outlets] == ["x-nightsort://nightsort/tickets/export"]
    text = dag.doc_md or ""
    assert place in text
    assert "| `export_predictions` |" in text
    assert "Parquet" not in (plain.doc_md or "")
    DagSerialization.from_dict(DagSerialization.to_dict(dag))

from __future__ import annotations

from typing import TYPE_CHECKING

from nightsort_airflow.spec_loading import dag_specs, read_specs
from tests.unit.nightsort_airflow.airflow_specs import local_spec

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


ON_S3 = {"work_uri": "s3://bucket/work"}


def test_a_folder_for_the_work_is_an_error_by_key_and_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NIGHTSORT_SPECS", str(tmp_path))
    (tmp_path / "tickets.yaml").write_text(local_spec(tmp_path).model_dump_json(exclude_unset=True))
    loaded = dag_specs()
    assert loaded.specs == {}
    (error,) = loaded.errors
    assert str(error).startswith(f'{tmp_path / "tickets.yaml"}: work_uri: "{tmp_path}/work" is a folder')
    assert "write s3://bucket/prefix" in str(error)


def test_a_spec_whose_notifier_cannot_be_called_is_an_error_and_hurts_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NIGHTSORT_SPECS", str(tmp_path))
    good = local_spec(tmp_path, **ON_S3)
    bad = local_spec(tmp_path, **ON_S3, name="mute", notifiers=[{"import_path": "nowhere.at.All"}])
    for spec in (good, bad):
        (tmp_path / f"{spec.name}.yaml").write_text(spec.model_dump_json(exclude_unset=True))
    loaded = dag_specs()
    assert loaded.specs == {"tickets": good}
    (error,) = loaded.errors
    assert str(error).startswith(f"{tmp_path / 'mute.yaml'}: notifiers.0: nowhere.at.All cannot be imported")


def test_a_task_reads_the_spec_of_its_own_dag_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NIGHTSORT_SPECS", str(tmp_path))
    own, other = (local_spec(tmp_path, **ON_S3, name=name) for name in ("own-tickets", "mails"))
    for spec in (own, other):
        (tmp_path / f"{spec.name}.yaml").write_text(spec.model_dump_json(exclude_unset=True))
    # What Airflow's task process sets while it parses the file of its DAG.
    monkeypatch.setenv("_AIRFLOW_PARSING_CONTEXT_DAG_ID", "classify_own-tickets")
    assert dag_specs().specs == {"own-tickets": own}
    # The doctor, whose DAG is of no spec, looks at all of them.
    monkeypatch.setenv("_AIRFLOW_PARSING_CONTEXT_DAG_ID", "nightsort_doctor")
    assert set(read_specs().specs) == {"own-tickets", "mails"}

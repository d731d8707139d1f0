from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from airflow.sdk.exceptions import AirflowNotFoundException
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from nightsort_airflow.ui.database import Tables
from nightsort_airflow.ui.site import Site, TablesError
from tests.airflow_environment import SAMPLE_SPECS

if TYPE_CHECKING:
    from pathlib import Path


def test_the_connections_are_those_of_the_specs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NIGHTSORT_SPECS", str(tmp_path))
    site = Site()
    assert site.connections() == ["nightsort_db"]
    sample = (SAMPLE_SPECS / "aws-services.yaml").read_text()
    for name in ("one", "two"):
        changed = sample.replace("aws-services", name).replace("nightsort_db", f"{name}_db")
        (tmp_path / f"{name}.yaml").write_text(changed)
    assert site.connections() == ["one_db", "two_db"]
    assert site.connection_of("two") == "two_db"


def test_a_broken_spec_is_known_by_the_name_in_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NIGHTSORT_SPECS", str(tmp_path))
    (tmp_path / "file.yaml").write_text("name: tickets\nmode: MANY\n")
    assert [*Site().broken()] == ["tickets"]


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (AirflowNotFoundException("SECRET"), "unknown_connection"),
        (psycopg.OperationalError("SECRET"), "unreachable"),
        (ValueError("SECRET: the port is no number"), "unreachable"),
        (PoolTimeoutError("SECRET"), "busy"),
    ],
)
def test_a_connection_that_does_not_open_is_named_with_the_reason(
    error: Exception, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    def connect(_: str) -> Any:
        raise error

    with pytest.raises(TablesError) as raised, Site(tables=Tables(connect)).reading("their_db"):
        pass
    assert (raised.value.conn_id, raised.value.kind) == ("their_db", kind)
    assert "SECRET" not in caplog.text

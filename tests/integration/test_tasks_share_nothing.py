"""CeleryExecutor and Kubernetes spread tasks: none finds anything of another but in S3 and the database."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from nightsort.classifier_spec.model import Export
from tests.integration.fresh_processes import FreshProcesses
from tests.integration.operator_trips import make_trip

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.local_aws_server import LocalAwsServer

pytestmark = pytest.mark.integration


def test_both_dags_pass_with_each_task_on_a_machine_of_its_own_and_no_file_is_left_there(
    aws: LocalAwsServer,
    empty_database: str,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
    tmp_path: Path,
) -> None:
    trip = make_trip(aws, empty_database, monkeypatch, request.node.name)
    trip.spec = trip.spec.model_copy(update={"export": Export()})
    trip.label(40)
    trip.bring(30)
    training, night = FreshProcesses(machines=tmp_path), FreshProcesses(machines=tmp_path)
    assert trip.train(training)["promoted"]
    counts = trip.classify(night)
    assert (counts["documents_in"], counts["classified"], counts["rejected"]) == (31, 30, 1)
    assert night.xcoms["export_predictions", "return_value"][0]["rows"] == len(trip.table()) == 31
    assert len(list(tmp_path.iterdir())) == 5 + 1 + 2 * 2 + 1 + 1 + 1
    assert training.left == night.left == []

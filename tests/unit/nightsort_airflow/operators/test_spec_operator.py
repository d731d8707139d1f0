from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk.exceptions import AirflowFailException

from nightsort.batches.manifest import ManifestError
from nightsort.batches.prepare import TooManyBatchesError
from nightsort.comprehend.prices import OverBudgetError
from nightsort.evaluation import EvaluationError
from nightsort.exports import ExportError
from nightsort.results.archive import (
    ArchiveError,
    DamagedArchiveError,
)
from nightsort.results.join import WrongOutputError
from nightsort.sources.source_files import SourceError
from nightsort.tables.schema import (
    DatabaseEncodingError,
    SchemaError,
    SchemaRightsError,
    SchemaVersionError,
)
from nightsort.tables.versions import ActiveVersionChangedError, VersionNotRecordedError
from nightsort.training.checks import TrainingDataError
from nightsort_airflow.exceptions import BadInputError, BudgetExceededError
from nightsort_airflow.operators.spec_operator import SpecOperator
from tests.unit.nightsort_airflow.airflow_specs import local_spec

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def operator(tmp_path: Path) -> SpecOperator:
    return SpecOperator(task_id="step", spec=local_spec(tmp_path))


# SpecError and CountsDoNotAddUp are not here: no operator lets them come this far.
FAILS_AT_ONCE = [
    DatabaseEncodingError,
    EvaluationError,
    ExportError,
    ManifestError,
    SchemaError,
    SchemaRightsError,
    SchemaVersionError,
    SourceError,
    TooManyBatchesError,
    TrainingDataError,
    WrongOutputError,
]
TRIED_AGAIN = [
    ActiveVersionChangedError,
    ArchiveError,
    DamagedArchiveError,
    VersionNotRecordedError,
]


@pytest.mark.parametrize("kind", FAILS_AT_ONCE)
def test_what_a_person_has_to_mend_ends_the_task_at_once(
    operator: SpecOperator, kind: type[Exception]
) -> None:
    with (
        pytest.raises(BadInputError, match=r"Cannot load batch 7: .*do this") as raised,
        operator.fail_on_input_errors("load batch 7"),
    ):
        raise kind("do this")
    assert isinstance(raised.value, AirflowFailException)
    assert raised.value.__suppress_context__, "the message says it all"


def test_a_forecast_over_budget_ends_the_task_at_once(operator: SpecOperator) -> None:
    with pytest.raises(BudgetExceededError, match="Raise budget"), operator.fail_on_input_errors("start"):
        raise OverBudgetError("Raise budget.run_usd")


def test_a_missing_right_on_s3_names_the_connection_and_the_policy(operator: SpecOperator) -> None:
    """s3fs tells it as a PermissionError."""
    with pytest.raises(BadInputError, match=r"aws_default.*docs/iam"), operator.fail_on_input_errors("read"):
        raise PermissionError("Access Denied")


@pytest.mark.parametrize(
    "error",
    [*(kind("x") for kind in TRIED_AGAIN), OSError("connection reset"), ValueError("x")],
    ids=lambda error: type(error).__name__,
)
def test_what_may_pass_by_itself_stays_as_it_is(operator: SpecOperator, error: Exception) -> None:
    with pytest.raises(type(error)) as raised, operator.fail_on_input_errors("load"):
        raise error
    assert raised.value is error


def test_progress_is_logged_while_the_work_goes_on_and_not_at_every_call(
    operator: SpecOperator, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0
    monkeypatch.setattr("nightsort_airflow.operators.spec_operator.time.monotonic", lambda: now)
    for number in range(1, 1001):
        operator.log_progress("reading", number)
    assert "so far" not in capsys.readouterr().out, "short work is not reported"
    now = 11.0
    for number in range(1001, 2001):
        operator.log_progress("reading", number)
    out = capsys.readouterr().out
    assert out.count("so far") == 1
    assert "reading: 1,001 documents so far" in out


def test_files_are_reached_as_the_spec_says(operator: SpecOperator, tmp_path: Path) -> None:
    access: Any = operator.access
    assert access.path(str(tmp_path / "a")).parent.exists()
    assert access is operator.access


def test_a_name_with_a_line_end_writes_no_line_of_its_own(
    operator: SpecOperator, caplog: pytest.LogCaptureFixture
) -> None:
    name = "s3://bucket/a\x1b[2J\n2026-11-18 ERROR all is lost\r.csv"

    with pytest.raises(BadInputError) as raised, operator.fail_on_input_errors("read"):
        raise SourceError(f"{name} is empty; put documents there")

    shown = r"s3://bucket/a\x1b[2J\n2026-11-18 ERROR all is lost\r.csv is empty"
    assert str(raised.value) == f"Cannot read: {shown}; put documents there"
    assert [record.getMessage() for record in caplog.records] == [
        f"Cannot read: {shown}; put documents there."
    ]

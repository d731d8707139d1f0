"""The DataFrames hold what the tables and the files hold, and the example in docs/ shows it."""

from __future__ import annotations

import runpy
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest

from nightsort.evaluation import Metrics
from nightsort.exports import export_run
from nightsort.naming import run_key
from nightsort.reports import from_files, from_tables
from nightsort.storage import plain_access
from nightsort.tables.versions import ClassifierVersion, promote, record_version
from tests.airflow_environment import ROOT
from tests.integration.local_nights import DAY, Nights

if TYPE_CHECKING:
    from pathlib import Path

    import psycopg

pytestmark = pytest.mark.integration

NEXT_DAY = DAY + timedelta(days=1)
MATRIX = {"type": "multi_label", "confusion_matrix": [[[1, 2], [3, 4]]], "labels": ["iam"]}


class LabelledNights(Nights):
    """Each word of a text is a label; a text in capitals fails."""

    def says(self, text: str) -> dict[str, Any]:
        if text.isupper():
            return {"ErrorCode": "INTERNAL_SERVER_ERROR", "ErrorMessage": "no luck"}
        return {"Labels": [{"Name": word, "Score": 0.9 - n / 5} for n, word in enumerate(text.split())]}


@pytest.fixture
def nights(tmp_path: Path, database: psycopg.Connection[Any]) -> LabelledNights:
    nights = LabelledNights(tmp_path, database, mode="MULTI_LABEL", export="parquet")
    nights.arrives("a.jsonl", {"a1": "iam s3", "a2": "s3", "a3": "S3", "a4": " "})
    nights.arrives("b.jsonl", {"b1": "iam"}, NEXT_DAY)
    for day in (DAY, NEXT_DAY):
        nights.classify(day)
        export_run(database, spec=nights.spec, access=plain_access(), run_key=run_key(day, None))
    record_version(
        database,
        ClassifierVersion(
            "tickets", "v1", "arn", "MULTI_LABEL", "en", metrics=Metrics(), confusion_matrix=MATRIX
        ),
    )
    promote(database, classifier="tickets", version="v1")
    return nights


def export_uri(nights: Nights) -> str:
    return f"{nights.folder}/work/predictions"


def test_the_tables_and_the_export_give_the_same_night(nights: LabelledNights) -> None:
    table = from_tables.predictions(nights.database, "tickets", DAY)
    files = from_files.predictions(export_uri(nights), "tickets", DAY)

    assert dict(table["document_id"].groupby(table["status"], observed=True).agg(sorted)) == {
        "classified": ["a1", "a2"],
        "failed": ["a3"],
        "rejected": ["a4"],
    }
    as_lists = {
        name: frame.assign(
            **{c: frame[c].map(lambda v: None if v is None else list(v)) for c in ("labels", "accepted")}
        ).drop(columns="scores")
        for name, frame in (("table", table), ("files", files))
    }
    pd.testing.assert_frame_equal(as_lists["table"], as_lists["files"], check_categorical=False)


def test_runs_have_their_sums(nights: LabelledNights) -> None:
    runs = from_tables.runs(nights.database, "tickets").set_index("run_key")
    counted = from_files.runs(from_files.predictions(export_uri(nights), "tickets", DAY)).set_index("run_key")
    sums = ["documents_in", "classified", "failed", "rejected"]

    assert list(runs.index) == ["20261118", "20261119"]
    assert list(runs.loc["20261118", sums]) == [4, 2, 1, 1] == list(counted.loc["20261118", sums])
    assert runs.loc["20261118", "reasons"] == {"error:INTERNAL_SERVER_ERROR": 1, "blank": 1}
    assert list(runs.loc["20261118", ["state", "retried"]]) == ["complete", 0]
    assert {"message", "dag_id", "run_id"} <= set(runs.columns)
    assert runs["day"].dtype.kind == "M"
    assert len(from_tables.runs(nights.database, since=NEXT_DAY)) == 1
    assert from_tables.runs(nights.database, "nobody").empty


def test_labels_are_counted_by_day(nights: LabelledNights) -> None:
    labels = from_tables.label_distribution(nights.database, "tickets")
    files = from_files.label_distribution(from_files.predictions(export_uri(nights), "tickets", DAY))

    assert labels.loc[pd.Timestamp(DAY)].to_dict() == {"s3": 2, "iam": 1}
    assert labels.loc[pd.Timestamp(NEXT_DAY)].to_dict() == {"s3": 0, "iam": 1}
    assert files.loc[pd.Timestamp(DAY)].to_dict() == {"s3": 2, "iam": 1}
    assert len(from_tables.label_distribution(nights.database, "tickets", since=NEXT_DAY)) == 1


def test_rejects_have_their_reason(nights: LabelledNights) -> None:
    table = from_tables.rejects(nights.database, "tickets", DAY)
    file = from_files.rejects(f"{nights.folder}/work/runs/20261118/rejects.jsonl")

    assert table.to_dict("records") == [{"document_id": "a4", "reason": "blank"}]
    assert file[["document_id", "reason", "file", "row"]].to_dict("records") == [
        {"document_id": "a4", "reason": "blank", "file": f"{DAY}/a.jsonl", "row": 3}
    ]


def test_the_confusion_matrix_is_the_active_versions_or_a_named_ones(nights: LabelledNights) -> None:
    for version in (None, "v1"):
        matrix = from_tables.confusion_matrix(nights.database, "tickets", version)
        assert matrix.loc["iam", "true_positive"] == 4
    with pytest.raises(LookupError, match="tickets has no version v2 with a confusion matrix"):
        from_tables.confusion_matrix(nights.database, "tickets", "v2")


def test_a_day_without_export_is_an_error_that_names_it(nights: LabelledNights) -> None:
    with pytest.raises(FileNotFoundError, match="no export of tickets for 2026-01-01"):
        from_files.predictions(export_uri(nights), "tickets", date(2026, 1, 1))


def test_the_example_prints_a_night(
    nights: LabelledNights, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    nights.database.commit()
    arguments = [nights.database.info.dsn, "tickets", DAY.isoformat(), "--export", export_uri(nights)]
    monkeypatch.setattr("sys.argv", ["read_a_night.py", *arguments])
    runpy.run_path(str(ROOT / "docs" / "examples" / "read_a_night.py"), run_name="__main__")

    printed = capsys.readouterr().out
    for expected in ("The last runs", "blank", "s3", "The export"):
        assert expected in printed

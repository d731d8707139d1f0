from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from nightsort.classifier_spec.source import IncomingSource, LabelledSource
from nightsort_airflow.lineage.sources import documents_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nightsort_airflow.lineage.datasets import Column

SECRET = "a-secret-that-nobody-learns"  # noqa: S105


def names(columns: Sequence[Column]) -> list[str]:
    return [f"{column.dataset.name}.{column.name}" for column in columns]


def incoming(**keys: Any) -> IncomingSource:
    return IncomingSource.model_validate(keys)


def test_files_of_all_days_are_one_dataset_with_the_columns_of_the_spec() -> None:
    found = documents_of(
        incoming(uri="s3://bucket/in/{day}/*.csv", format="csv", id_column="number", text_column="body")
    )
    (dataset,) = found.datasets
    assert (dataset.namespace, dataset.name, dataset.fields) == ("s3://bucket", "in", ("number", "body"))
    assert (names(found.text), names(found.id), names(found.label)) == (["in.body"], ["in.number"], [])


def test_documents_that_were_given_by_hand() -> None:
    found = documents_of(incoming(uri="s3://bucket/in/{day}/", format="lines"), "s3://bucket/in/special/")
    assert [dataset.name for dataset in found.datasets] == ["in/special"]
    assert (names(found.text), names(found.id)) == (["in/special.text"], [])


@pytest.mark.parametrize(
    ("keys", "text", "label"),
    [
        ({"format": "jsonl", "label_column": "kind"}, ["in.text"], ["in.kind"]),
        ({"format": "files"}, ["in.text"], []),
        ({"format": "augmented_manifest", "attribute": "topic"}, ["in.source"], ["in.topic"]),
    ],
)
def test_labelled_documents(keys: dict[str, str], text: list[str], label: list[str]) -> None:
    found = documents_of(LabelledSource.model_validate({"uri": "s3://bucket/in/", **keys}))
    assert (names(found.text), names(found.label)) == (text, label)


@pytest.fixture
def help_desk(monkeypatch: pytest.MonkeyPatch) -> None:
    connection = {"conn_type": "postgres", "host": "db.example.com", "login": "reader", "password": SECRET}
    monkeypatch.setenv("AIRFLOW_CONN_HELP_DESK", json.dumps({**connection, "schema": "desk"}))


@pytest.mark.usefixtures("help_desk")
def test_a_query_reads_tables_and_their_columns() -> None:
    sql = (
        "SELECT t.number AS id, m.body AS text FROM help.tickets t JOIN messages m ON m.ticket = t.number "
        "WHERE m.day = '{day}'"
    )
    found = documents_of(incoming(sql=sql, conn_id="help_desk", id_column="id"))
    assert {dataset.namespace for dataset in found.datasets} == {"postgres://db.example.com:5432"}
    assert sorted(dataset.name for dataset in found.datasets) == ["desk.help.tickets", "desk.public.messages"]
    assert names(found.text) == ["desk.public.messages.body"]
    assert names(found.id) == ["desk.help.tickets.number"]
    assert SECRET not in repr(found)


@pytest.mark.usefixtures("help_desk")
def test_a_query_for_all_columns_of_a_table() -> None:
    found = documents_of(incoming(sql="SELECT * FROM tickets", conn_id="help_desk", id_column="number"))
    assert names(found.text) == ["desk.public.tickets.text"]
    assert names(found.id) == ["desk.public.tickets.number"]


def test_a_database_of_which_openlineage_knows_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_FILES", json.dumps({"conn_type": "aws"}))
    assert documents_of(incoming(sql="SELECT text FROM tickets", conn_id="files")).datasets == []

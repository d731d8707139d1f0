from __future__ import annotations

import pytest
from openlineage.client.naming.dataset import Postgres

from nightsort_airflow.lineage.datasets import classifier_dataset, file_dataset, table_dataset


@pytest.mark.parametrize(
    ("uri", "namespace", "name"),
    [
        ("s3://bucket/tickets/incoming/", "s3://bucket", "tickets/incoming"),
        ("s3://bucket/work/runs/20261118/input/a.txt", "s3://bucket", "work/runs/input"),
        ("s3://bucket/", "s3://bucket", "/"),
        ("file:///data/incoming/", "file", "/data/incoming"),
        ("/data/work/training/v0123456789ab/training.csv", "file", "/data/work/training/training.csv"),
    ],
)
def test_files_are_one_dataset_over_all_nights(uri: str, namespace: str, name: str) -> None:
    dataset = file_dataset(uri, "text")
    assert (dataset.namespace, dataset.name, dataset.place) == (namespace, name, uri)
    assert dataset.fields == ("text",)


@pytest.mark.parametrize("host", ["/run/postgres", ""])
def test_a_socket_is_on_this_machine(host: str) -> None:
    assert table_dataset(host, 5432, "db", "nightsort.predictions").namespace == "postgres://localhost:5432"


def test_a_table_is_named_as_openlineage_names_it() -> None:
    rule = Postgres("db.example.com", "5433", "labels", "nightsort", "predictions")
    table = table_dataset("db.example.com", 5433, "labels", "nightsort.predictions")
    assert (table.namespace, table.name) == (rule.get_namespace(), rule.get_name())


def test_a_classifier_is_one_dataset_and_its_version_another_fact() -> None:
    dataset = classifier_dataset("arn:aws:comprehend:eu-west-1:1:document-classifier/tickets/version/v1")
    assert (dataset.namespace, dataset.name) == (
        "arn:aws:comprehend:eu-west-1:1",
        "document-classifier/tickets",
    )
    assert dataset.version == "v1"


def test_a_column_that_was_made_of_none_is_left_out() -> None:
    source = file_dataset("s3://bucket/in/", "text")
    made = file_dataset("s3://bucket/out/").made(text=source.column("text"), document_id=(), rows=3)
    assert made.made_of == {"text": source.column("text")}
    assert made.rows == 3

"""What `make run` reports is what the tables hold, judged by the known labels."""

from __future__ import annotations

import io
from datetime import date
from typing import TYPE_CHECKING

import pytest
from psycopg.types.json import Jsonb

from nightsort.tables.schema import ensure_schema
from nightsort.terminal import Terminal
from nightsort_local import postgres
from nightsort_local.errors import StackError
from nightsort_local.night_report import read_known_labels, read_night, show_night
from nightsort_local.stack import LocalStack

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from typing import Any

    import psycopg

pytestmark = pytest.mark.e2e

DAY = date(2026, 11, 1)
KNOWN = read_known_labels("id,label\na,ec2\nb,s3\nc,s3\n", "|")
ROWS = [
    ("b0", 0, "a", "classified", "ec2", 0.9, None),
    ("b0", 1, "b", "classified", "ec2", 0.6, None),
    ("b0", 2, "c", "classified", "s3", 0.8, None),
    ("rejects", 0, "d", "rejected", None, None, "blank"),
]


@pytest.fixture(scope="module")
def connection(make_home: Callable[[str], Path]) -> Iterator[psycopg.Connection[Any]]:
    stack = LocalStack(make_home("report"), components=["postgres"], first_slot=60)
    stack.up()
    with postgres.connect(stack.home, "nightsort") as opened:
        ensure_schema(opened)
        for batch, line, document_id, status, label, score, reason in ROWS:
            opened.execute(
                "INSERT INTO nightsort.predictions (classifier, run_key, day, version,"
                " batch, line, document_id, status, label, score, accepted, reason)"
                " VALUES ('x', '20261101', %s, 'v1', %s, %s, %s, %s, %s, %s, %s, %s)",
                (DAY, batch, line, document_id, status, label, score, label and [label], reason),
            )
        opened.execute(
            "INSERT INTO nightsort.classifier_versions (classifier, version, arn, mode, language,"
            " training_documents, test_documents) VALUES ('x', 'v1', 'arn', 'MULTI_CLASS', 'en', 2700, 300)"
        )
        opened.execute(
            "INSERT INTO nightsort.classification_runs (classifier, run_key, day, version, state,"
            " message, documents_in, classified, failed, rejected, reasons, retried, units, cost_usd)"
            " VALUES ('x', '20261101', %s, 'v1', 'complete', 'Rejected: 1 of 4 documents', 4, 3, 0, 1, %s, 1,"
            " 12, 0.006)",
            (DAY, Jsonb({"blank": 1})),
        )
        yield opened
    stack.remove()


def test_sums_labels_and_metrics_are_those_of_the_night(connection: psycopg.Connection[Any]) -> None:
    report = read_night(connection, "x", DAY, KNOWN)
    assert (report.run.documents_in, report.run.classified, report.run.rejected) == (4, 3, 1)
    assert report.label_counts == {"ec2": 2, "s3": 1}
    assert report.metrics is not None
    assert report.metrics.accuracy == pytest.approx(2 / 3)
    # ec2: precision 1/2, recall 1; s3: precision 1, recall 1/2; F1 is 2/3 for both.
    assert report.metrics.macro_f1 == pytest.approx(2 / 3)
    assert [(example.document_id, example.label, example.known) for example in report.examples] == [
        ("a", "ec2", "ec2"),
        ("b", "ec2", "s3"),
        ("c", "s3", "s3"),
    ]


def test_a_person_reads_the_sums_the_reasons_the_metrics_and_the_price(
    connection: psycopg.Connection[Any],
) -> None:
    out = io.StringIO()
    show_night(Terminal(file=out, width=118), read_night(connection, "x", DAY, KNOWN))
    told = " ".join(out.getvalue().split())
    assert "x, 2026-11-01, version v1: with warnings Rejected: 1 of 4 documents." in told
    assert "sent again: 1 failed document" in told
    assert "documents in classified failed rejected 4 3 0 1" in told
    assert "blank 1" in told
    assert "ec2 2" in told
    assert "accuracy 0.667, macro-F1 0.667" in told
    assert "3 documents = 12 units" in told
    assert "0.0060 USD" in told
    assert "Estimate for 3,000 documents:" in told


def test_a_night_that_is_not_in_the_tables_is_an_error_that_names_it(
    connection: psycopg.Connection[Any],
) -> None:
    with pytest.raises(StackError, match="no run of x for 2026-12-24"):
        read_night(connection, "x", date(2026, 12, 24), KNOWN)

"""What the Parquet files of a run promise: the rows of the table, once each, whatever happens on the way."""

from __future__ import annotations

import os
import re
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import numpy as np
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from psycopg.rows import dict_row

from nightsort import exports
from nightsort.classifier_spec.model import Reuse
from nightsort.exports import EXPORT_SCHEMA, Exported, ExportError, export_run
from nightsort.naming import run_key
from nightsort.storage import plain_access
from nightsort.tables.retention import drop_run, find_runs
from tests.integration.local_nights import DAY, Nights

if TYPE_CHECKING:
    import psycopg

pytestmark = pytest.mark.integration

RUN = "20261118"
PARTITION = "classifier=tickets/day=2026-11-18"
EARLY = {f"doc-{n}": f"text {n}" for n in range(6)}


class ExportedNights(Nights):
    """Of a text in capitals this Comprehend says nothing but an error; of others, each word is a label."""

    def says(self, text: str) -> dict[str, Any]:
        if text.isupper():
            return {"ErrorCode": "INTERNAL_SERVER_ERROR", "ErrorMessage": "no luck"}
        return {"Labels": [{"Name": word, "Score": 0.9 - n / 5} for n, word in enumerate(text.split())]}

    def export(self, source_uri: str | None = None, day: date = DAY) -> Exported:
        key = run_key(day, source_uri)
        return export_run(self.database, spec=self.spec, access=plain_access(), run_key=key)

    @property
    def place(self) -> Path:
        return self.folder / "work" / "predictions"

    def files(self) -> dict[str, bytes]:
        return {str(p.relative_to(self.place)): p.read_bytes() for p in self.place.rglob("*") if p.is_file()}

    def rows(self) -> list[dict[str, Any]]:
        return in_order(ds.dataset(self.place, partitioning="hive").to_table().to_pylist())

    def table_rows(self) -> list[dict[str, Any]]:
        with self.database.cursor(row_factory=dict_row) as cursor:
            rows = cursor.execute("SELECT * FROM nightsort.predictions").fetchall()
        return in_order([{**row, "day": row["day"].isoformat()} for row in rows])


def in_order(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows as any two readers give them: in one order, and real numbers in their own precision."""
    single = [
        {
            **row,
            "score": None if row["score"] is None else np.float32(row["score"]),
            "scores": None if row["scores"] is None else [np.float32(score) for score in row["scores"]],
        }
        for row in rows
    ]
    return sorted(single, key=lambda row: (row["run_key"], row["batch"], row["line"]))


@pytest.fixture
def nights(tmp_path: Path, database: psycopg.Connection[Any]) -> ExportedNights:
    return ExportedNights(tmp_path, database, mode="MULTI_LABEL", export="parquet")


def test_the_files_hold_the_rows_of_the_table_classified_failed_and_rejected(nights: ExportedNights) -> None:
    nights.arrives("m.jsonl", {**EARLY, "odd": "NOTHING", "two": "one two", "blank": " "})
    nights.classify()
    exported = nights.export()
    assert (exported.rows, exported.files, exported.removed) == (9, 3, 0)
    assert exported.uri == f"{nights.place}/{PARTITION}/"
    rows = nights.rows()
    assert rows == nights.table_rows()
    assert {row["status"] for row in rows} == {"classified", "failed", "rejected"}
    assert {tuple(row["accepted"] or ()) for row in rows} > {("one", "two"), ()}


def test_the_types_are_plain_and_those_that_are_documented(nights: ExportedNights) -> None:
    """No dictionaries, which are Arrow's own, and no column of the path, of which Athena takes one only."""
    nights.arrives("m.jsonl", EARLY)
    nights.classify()
    nights.export()
    found = [pq.read_schema(file) for file in (nights.place / PARTITION).iterdir()]
    assert {str(schema) for schema in found} == {str(found[0])}
    assert found[0].names == EXPORT_SCHEMA.names
    types = {str(field.type) for field in found[0]}
    assert types == {"string", "int64", "float", "list<element: string>", "list<element: float>"} | {
        "timestamp[us, tz=UTC]"
    }


def test_large_batches_are_written_in_row_groups_of_one_size(
    nights: ExportedNights, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exports, "ROWS_PER_GROUP", 2)
    monkeypatch.setattr("nightsort.results.join._SLICE", 1)
    nights.spec = nights.spec.model_copy(
        update={
            "batch": nights.spec.batch.model_copy(update={"max_documents": 9}),
            "reuse": Reuse(same_night=False),
        }
    )
    nights.arrives("m.jsonl", {f"odd-{n}": "NOTHING" for n in range(5)})
    nights.classify()
    nights.export()
    (file,) = (nights.place / PARTITION).iterdir()
    metadata = pq.read_metadata(file)
    assert [metadata.row_group(n).num_rows for n in range(metadata.num_row_groups)] == [2, 2, 1]
    assert nights.rows() == nights.table_rows()


def test_done_again_it_leaves_the_same_files(nights: ExportedNights) -> None:
    nights.arrives("m.jsonl", EARLY)
    nights.classify()
    nights.export()
    before = nights.files()
    nights.export()
    assert nights.files() == before


def test_late_and_changed_documents_replace_what_they_concern(nights: ExportedNights) -> None:
    nights.arrives("m.jsonl", EARLY)
    nights.classify()
    nights.export()
    before = set(nights.files())
    nights.arrives("m.jsonl", {**EARLY, "doc-5": "corrected"})
    nights.arrives("n.jsonl", {"late": "late one"})
    nights.classify()
    exported = nights.export()
    assert exported.removed == 0
    assert before < set(nights.files())
    assert nights.rows() == nights.table_rows()


def test_equal_texts_have_a_row_each_that_says_so(nights: ExportedNights) -> None:
    nights.arrives("m.jsonl", {**EARLY, "again": "text 0", "other": "text 0"})
    nights.classify()
    nights.export()
    sources = {row["document_id"]: row["source"] for row in nights.rows()}
    assert (sources["doc-0"], sources["again"], sources["other"]) == ("job", "repeat", "repeat")
    assert nights.rows() == nights.table_rows()


def test_another_version_replaces_the_rows_of_the_one_before(nights: ExportedNights) -> None:
    nights.arrives("m.jsonl", EARLY)
    for version in ("v1", "v2"):
        nights.classify(version=version)
        nights.export()
    assert {row["version"] for row in nights.rows()} == {"v2"}
    assert nights.rows() == nights.table_rows()


def test_other_runs_of_the_day_and_other_days_are_left_alone(nights: ExportedNights) -> None:
    nights.arrives("m.jsonl", EARLY)
    by_hand = nights.arrives("by-hand.jsonl", {"hand": "given by hand"}, day=DAY - timedelta(days=9))
    nights.classify(source_uri=by_hand)
    nights.export(by_hand)
    nights.classify()
    nights.export()
    nights.arrives("m.jsonl", {"doc-0": "corrected"})
    nights.classify()
    assert nights.export().removed == 2
    assert {row["run_key"] for row in nights.rows()} == {RUN, run_key(DAY, by_hand)}
    assert nights.rows() == nights.table_rows()


def test_a_day_that_has_no_documents_any_more_has_no_files(nights: ExportedNights) -> None:
    nights.arrives("m.jsonl", EARLY)
    nights.classify()
    nights.export()
    nights.arrives("m.jsonl", {})
    nights.classify()
    assert nights.export() == Exported(f"{nights.place}/{PARTITION}/", files=0, rows=0, removed=2)
    assert nights.files() == {}


@pytest.mark.parametrize("done", [0, 1, 2], ids=["at first", "between two files", "before the removal"])
def test_a_crash_on_the_way_leaves_whole_files_and_is_mended_by_the_next_try(
    nights: ExportedNights, monkeypatch: pytest.MonkeyPatch, done: int
) -> None:
    nights.arrives("m.jsonl", EARLY)
    nights.classify()
    nights.export()
    before = nights.files()
    nights.arrives("m.jsonl", {**EARLY, "doc-5": "corrected", "new": "document"})
    nights.classify()
    with monkeypatch.context() as patch:
        left = iter([os.replace, os.replace][:done])

        def place(source: str, target: str) -> None:
            next(left)(source, target)

        patch.setattr(os, "replace", place)
        patch.setattr(exports, "list_files", lambda *_: next(left))
        with pytest.raises(StopIteration):
            nights.export()
    after = {name: content for name, content in nights.files().items() if name.endswith(".parquet")}
    assert set(before) <= set(after)
    assert all(content.startswith(b"PAR1") and content.endswith(b"PAR1") for content in after.values())
    nights.export()
    assert nights.rows() == nights.table_rows()
    assert all(name.endswith(".parquet") for name in nights.files())


def test_a_run_that_is_not_complete_leaves_the_files_as_they_were(nights: ExportedNights) -> None:
    nights.arrives("m.jsonl", EARLY)
    nights.classify()
    nights.export()
    before = nights.files()
    nights.database.execute("UPDATE nightsort.classification_runs SET state = 'incomplete', message = 'x'")
    with pytest.raises(ExportError, match=r"run 20261118 of tickets is not complete.*reconcile_run"):
        nights.export()
    assert nights.files() == before
    nights.database.execute("DELETE FROM nightsort.classification_runs")
    with pytest.raises(ExportError, match="is not complete"):
        nights.export()


def test_a_run_of_an_earlier_release_says_what_to_clear(nights: ExportedNights) -> None:
    nights.arrives("m.jsonl", EARLY)
    nights.classify()
    nights.database.execute(
        "UPDATE nightsort.classification_runs SET batches = jsonb_build_array((batches->0) - 'output_uri')"
    )
    with pytest.raises(ExportError, match=r"does not say where.*Clear load_predictions"):
        nights.export()


def test_a_run_whose_rows_were_dropped_keeps_its_files(nights: ExportedNights) -> None:
    nights.arrives("m.jsonl", EARLY)
    nights.classify()
    nights.export()
    before = nights.files()
    (run,) = find_runs(nights.database, before=DAY + timedelta(days=1))
    drop_run(nights.database, run)
    with pytest.raises(ExportError, match=r"they were dropped. Its files are left as they are"):
        nights.export()
    assert nights.files() == before


def test_rows_that_the_table_does_not_count_are_an_error(nights: ExportedNights) -> None:
    nights.arrives("m.jsonl", EARLY)
    nights.classify()
    nights.database.execute("UPDATE nightsort.classification_runs SET rejected = 1")
    with pytest.raises(ExportError, match=r"has 7 rows in the table, but its outputs hold 6"):
        nights.export()


def test_a_spec_without_export_says_how_to_ask_for_one(nights: ExportedNights) -> None:
    nights.spec = nights.spec.model_copy(update={"export": None})
    with pytest.raises(ExportError, match="export: parquet"):
        nights.export()


# --- docs/parquet-export.md, docs/scaling.md
# ---------------------------------------------------------------------------------------------------

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "parquet-export.md").read_text(encoding="utf-8")
SCALING = (DOCS / "scaling.md").read_text(encoding="utf-8")
STATEMENTS = re.findall(r"^```sql\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
SQL_TYPES = {
    "string": "string",
    "bigint": "int64",
    "float": "float",
    "real": "float",
    "array<string>": "list<element: string>",
    "array<float>": "list<element: float>",
    "array<real>": "list<element: float>",
    "timestamp": "timestamp[us, tz=UTC]",
}


@pytest.mark.parametrize("table", ["nightsort.predictions", "lake.predictions"])
def test_the_documented_tables_of_athena_and_redshift_have_the_columns_of_the_files(
    nights: ExportedNights, table: str
) -> None:
    nights.arrives("m.jsonl", EARLY)
    nights.classify()
    nights.export()
    schema = pq.read_schema(next((nights.place / PARTITION).iterdir()))
    (statement,) = (text for text in STATEMENTS if text.startswith(f"CREATE EXTERNAL TABLE {table} ("))
    inner, _, partitions = statement.partition("(\n")[2].partition("\n)\nPARTITIONED BY ")
    columns = [line.strip().rstrip(",").split(maxsplit=1) for line in inner.splitlines()]
    plain = [(name, SQL_TYPES[re.sub(r"varchar\(\d+\)", "string", type_)]) for name, type_ in columns]
    assert plain == [(field.name, str(field.type)) for field in schema]
    assert re.findall(r"(\w+) (?:string|date|varchar)", partitions.splitlines()[0]) == ["classifier", "day"]
    assert PARTITION.replace("tickets", "${classifier}").replace("2026-11-18", "${day}") in PAGE


def test_the_documented_queries_run_and_the_newest_rows_are_those_of_the_view(
    nights: ExportedNights,
) -> None:
    for day in (DAY, DAY + timedelta(days=1)):
        nights.arrives("m.jsonl", {**EARLY, "blank": " ", f"only-{day}": "one"}, day=day)
        nights.classify(day=day)
        nights.export(day=day)
    newest, by_label = (text for text in STATEMENTS if text.startswith("SELECT"))
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        files = f"{nights.place}/*/*/*.parquet"
        connection.read_parquet(files, hive_partitioning=True).create_view("predictions")
        keys = "classifier, document_id, day, run_key, batch, line"
        found = connection.sql(newest).order(keys).select(keys).fetchall()
        counted = connection.execute(
            by_label.replace("s3://your-lake/nightsort/predictions/*/*/*.parquet", files).replace(
                "support-tickets", "tickets"
            )
        ).fetchall()
    view = nights.database.execute(
        "SELECT classifier, document_id, day, run_key, batch, line FROM nightsort.latest_predictions"
        " ORDER BY 1, 2, 3, 4, 5, 6"
    ).fetchall()
    assert found == view
    assert len(view) == len(EARLY) + 2
    assert (DAY, "text", 6) in counted


def test_how_long_jobs_took_is_asked_as_documented(nights: ExportedNights) -> None:
    nights.arrives("m.jsonl", EARLY)
    prepared, _ = nights.classify()
    (question,) = re.findall(r"^```sql\n(.*?)^```$", SCALING, re.DOTALL | re.MULTILINE)
    answer = nights.database.execute(question.replace("support-tickets", "tickets")).fetchall()
    assert [row[:3] for row in answer] == [(RUN, batch.name, batch.documents) for batch in prepared.batches]

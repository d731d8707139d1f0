"""What the tables promise, on a real PostgreSQL: one row per document, the same after every repetition, sums
that add up, one active version with the reason why."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
import threading
import time
from contextlib import closing
from dataclasses import replace
from datetime import date, datetime, timezone
from typing import TYPE_CHECKING, Any

import psycopg
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import sql
from psycopg.rows import dict_row
from upath import UPath

from nightsort.arrow.manifest_schema import MANIFEST_SCHEMA
from nightsort.arrow.prefetch import THREAD
from nightsort.batches.manifest import Manifest
from nightsort.batches.prepare import Batch, PreparedBatches
from nightsort.classifier_spec.model import ClassifierSpec
from nightsort.evaluation import Metrics, PromotionDecision
from nightsort.naming import run_day
from nightsort.results.archive import DamagedArchiveError
from nightsort.results.join import RESULT_SCHEMA, BatchResults, LoadCounts, WrongOutputError
from nightsort.sources.rejects import RejectLog
from nightsort.tables import binary_copy, schema
from nightsort.tables.load import load_predictions, replace_rows
from nightsort.tables.runs import CountsDoNotAddUp, finish_run
from nightsort.tables.schema import SchemaVersionError, ensure_schema
from nightsort.tables.unsent import load_rejects
from nightsort.tables.versions import (
    ActiveVersionChangedError,
    ClassifierVersion,
    VersionNotRecordedError,
    active_version,
    find_version,
    promote,
    record_decision,
    record_version,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

pytestmark = pytest.mark.integration

Connection = psycopg.Connection[Any]
RUN = "20261118"
VERSION = "v0123456789ab"


ANY_NUMBER = {"max_rejected_share": 1.0, "max_failed_share": 1.0}


def spec(mode: str = "MULTI_CLASS", **quality: Any) -> ClassifierSpec:
    return ClassifierSpec.model_validate(
        {
            "name": "tickets",
            "mode": mode,
            "labelled": {"uri": "/data/labelled.csv", "format": "csv"},
            "incoming": {"uri": "/data/incoming.csv", "format": "csv"},
            "work_uri": "/data/work",
            "data_access_role_arn": "arn:aws:iam::123456789012:role/Comprehend",
            "quality": {**ANY_NUMBER, **quality},
        }
    )


class Job:
    """A batch of some documents, and an output for it."""

    def __init__(self, folder: Path, number: int = 0, documents: int = 4, run_key: str = RUN) -> None:
        self.name = f"{run_key}-{number:05}-0123abcd"
        self.file = f"{self.name}.txt"
        self.ids = [f"doc-{number}-{n}" for n in range(documents)]
        self.manifest = folder / f"{self.name}.parquet"
        self.archive = folder / f"{self.name}.tar.gz"
        self.batch = Batch(
            self.name, "s3://b/in", str(self.manifest), documents, documents, 100, 3 * documents, "f" * 32
        )
        names = pa.array([self.file] * documents, pa.string()).dictionary_encode()
        table = pa.table(
            [names, pa.array(range(documents), pa.int64()), pa.array(self.ids, pa.string())],
            schema=MANIFEST_SCHEMA,
        )
        pa.parquet.write_table(table, self.manifest)
        self.write([self.line(n) for n in range(documents)])

    def line(self, number: int, *labels: tuple[str, float], key: str = "Classes") -> dict[str, Any]:
        entries = labels or (("BUG", 0.75), ("OTHER", 0.25))
        return {
            "File": self.file,
            "Line": str(number),
            key: [{"Name": name, "Score": score} for name, score in entries],
        }

    def write(self, lines: Sequence[Any]) -> None:
        texts = [line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines]
        content = b"".join(text + b"\n" for text in texts)
        with tarfile.open(self.archive, "w:gz") as tar:
            member = tarfile.TarInfo("predictions.jsonl")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))

    def load(
        self, conn: Connection, mode: str = "MULTI_CLASS", version: str = VERSION, run: str = RUN
    ) -> LoadCounts:
        return load_predictions(
            conn,
            spec=spec(mode),
            version=version,
            run_key=run,
            batch=self.batch.name,
            archive=UPath(self.archive),
            manifest=UPath(self.manifest),
        )


def table(conn: Connection, columns: str = "*", name: str = "predictions") -> list[dict[str, Any]]:
    with conn.cursor(row_factory=dict_row) as cursor:
        query = sql.SQL("SELECT {} FROM nightsort.{} ORDER BY 1, 2, 3, 4, 5, 6").format(
            sql.SQL(columns), sql.Identifier(name)
        )
        return cursor.execute(query).fetchall()


ALL_BUT_TIME = (
    "classifier, run_key, batch, line, document_id, status, "
    "day, version, label, score, labels, scores, accepted, reason"
)


class TestSchema:
    def test_it_is_made_once_however_many_come_at_once(self, empty_database: str) -> None:
        problems: list[BaseException] = []
        gate = threading.Barrier(6)

        def create() -> None:
            try:
                with psycopg.connect(empty_database) as conn:
                    gate.wait()
                    ensure_schema(conn)
            except BaseException as error:
                problems.append(error)

        threads = [threading.Thread(target=create) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert problems == []
        with psycopg.connect(empty_database) as conn:
            made = conn.execute("SELECT version FROM nightsort.schema_version ORDER BY 1").fetchall()
        assert made == [(version,) for version in range(1, schema.SCHEMA_VERSION + 1)]

    def test_it_needs_no_rights_to_create_where_it_is_there(
        self, empty_database: str, database: Connection
    ) -> None:
        database.execute("CREATE ROLE loader")
        try:
            database.execute("GRANT USAGE ON SCHEMA nightsort TO loader")
            database.execute("GRANT SELECT ON ALL TABLES IN SCHEMA nightsort TO loader")
            with psycopg.connect(empty_database) as conn:
                conn.execute("SET ROLE loader")
                ensure_schema(conn)
        finally:
            database.execute("DROP OWNED BY loader")
            database.execute("DROP ROLE loader")

    def test_a_newer_schema_is_not_touched(self, database: Connection) -> None:
        database.execute("INSERT INTO nightsort.schema_version (version) VALUES (99)")
        with pytest.raises(
            SchemaVersionError, match=rf"version 99.*needs {schema.SCHEMA_VERSION}.*newer code everywhere"
        ):
            ensure_schema(database)

    def test_every_table_and_column_is_explained(self, database: Connection) -> None:
        silent = database.execute(
            """
            SELECT c.relname, a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
            WHERE c.relnamespace = 'nightsort'::regnamespace AND c.relkind = 'r' AND a.attnum > 0
              AND NOT a.attisdropped AND col_description(c.oid, a.attnum) IS NULL
            UNION ALL
            SELECT relname, '' FROM pg_class
            WHERE relnamespace = 'nightsort'::regnamespace AND relkind IN ('r', 'v')
              AND obj_description(oid, 'pg_class') IS NULL
            """
        ).fetchall()
        assert silent == []

    @pytest.mark.parametrize(
        "values",
        [
            {"status": "classified", "label": None, "reason": None},
            {"status": "classified", "label": "A", "reason": "x"},
            {"status": "failed", "label": None, "reason": None},
            {"status": "failed", "label": None, "reason": "x", "document_id": None},
            {"status": "unsure", "label": None, "reason": "x"},
        ],
    )
    def test_a_row_that_contradicts_itself_cannot_be_stored(
        self, database: Connection, values: dict[str, Any]
    ) -> None:
        row = {"document_id": "d", **values}
        with pytest.raises(psycopg.errors.CheckViolation):
            database.execute(
                "INSERT INTO nightsort.predictions"
                " (classifier, run_key, batch, day, line, document_id, status, label, reason)"
                " VALUES ('c', '20261118', 'b', '2026-11-18', 0,"
                " %(document_id)s, %(status)s, %(label)s, %(reason)s)",
                row,
            )


class TestLoad:
    def test_a_row_holds_what_comprehend_said(self, database: Connection, tmp_path: Path) -> None:
        job = Job(tmp_path, documents=1)
        job.write([job.line(0, ("Größe 'x'", 0.8123), ('a\\b|{c},"d"', 0.1), ("\u2028", 0.0))])
        counts = job.load(database)
        (row,) = table(database)
        assert row.pop("loaded_at") is not None
        assert row == {
            "classifier": "tickets",
            "run_key": RUN,
            "batch": job.name,
            "day": date(2026, 11, 18),
            "version": VERSION,
            "line": 0,
            "document_id": "doc-0-0",
            "status": "classified",
            "label": "Größe 'x'",
            "score": pytest.approx(0.8123),
            "labels": ["Größe 'x'", 'a\\b|{c},"d"', "\u2028"],
            "scores": [pytest.approx(0.8123), pytest.approx(0.1), 0.0],
            "accepted": ["Größe 'x'"],
            "reason": None,
            "source": "job",
            "source_run": None,
        }
        assert counts == LoadCounts(1, 1, 0, 0, 0, 0, 0, {})

    def test_multi_label_with_any_number_of_labels(self, database: Connection, tmp_path: Path) -> None:
        job = Job(tmp_path)
        labels = [("A", 0.9), ("B", 0.5), ("C", 0.4999), ("D", 0.1)]
        job.write([job.line(n, *labels[n:], key="Labels") for n in range(4)])
        job.load(database, "MULTI_LABEL")
        assert [row["accepted"] for row in table(database, ALL_BUT_TIME)] == [["A", "B"], ["B"], [], []]
        assert [len(row["labels"]) for row in table(database, ALL_BUT_TIME)] == [4, 3, 2, 1]

    def test_every_document_of_the_manifest_has_one_row(self, database: Connection, tmp_path: Path) -> None:
        job = Job(tmp_path, documents=6)
        error = {"File": job.file, "Line": 1, "ErrorCode": "UNSUPPORTED_ENCODING", "ErrorMessage": "?"}
        empty = {"File": job.file, "Line": "2", "Classes": []}
        job.write([job.line(5), job.line(0), error, empty, b"no json", job.line(0), job.line(77)])
        counts = job.load(database)
        assert [(row["document_id"], row["reason"]) for row in table(database, ALL_BUT_TIME)] == [
            ("doc-0-0", None),
            ("doc-0-1", "error:UNSUPPORTED_ENCODING"),
            ("doc-0-2", "no_labels"),
            ("doc-0-3", "missing_from_output"),
            ("doc-0-4", "missing_from_output"),
            ("doc-0-5", None),
        ]
        assert (counts.classified, counts.failed, counts.missing) == (2, 4, 2)
        assert (counts.unreadable, counts.duplicates, counts.unknown) == (1, 1, 1)

    def test_done_again_it_leaves_the_same_table(self, database: Connection, tmp_path: Path) -> None:
        job, other = Job(tmp_path), Job(tmp_path, 1)
        job.load(database)
        other.load(database)
        before = table(database, ALL_BUT_TIME)
        job.load(database)
        assert table(database, ALL_BUT_TIME) == before

    def test_a_load_replaces_what_an_earlier_one_of_its_batch_left(
        self, database: Connection, tmp_path: Path
    ) -> None:
        job = Job(tmp_path)
        job.write([])
        assert job.load(database).missing == 4
        job.write([job.line(n) for n in range(4)])
        assert job.load(database).classified == 4
        assert {row["status"] for row in table(database, ALL_BUT_TIME)} == {"classified"}

    def test_an_archive_that_is_cut_off_changes_nothing(self, database: Connection, tmp_path: Path) -> None:
        job = Job(tmp_path, documents=2_000)
        job.load(database)
        before = table(database)
        whole = job.archive.read_bytes()
        job.archive.write_bytes(whole[: len(whole) - 20])
        with pytest.raises(DamagedArchiveError):
            job.load(database)
        job.archive.write_bytes(gzip.compress(gzip.decompress(whole)[:90_000]))
        with pytest.raises(DamagedArchiveError):
            job.load(database)
        assert table(database) == before

    def test_the_output_of_another_batch_changes_nothing(self, database: Connection, tmp_path: Path) -> None:
        job, other = Job(tmp_path), Job(tmp_path, 1)
        job.load(database)
        before = table(database)
        other.archive.replace(job.archive)
        with pytest.raises(WrongOutputError):
            job.load(database)
        assert table(database) == before

    def test_a_server_that_dies_during_the_load_leaves_nothing(
        self, database: Connection, empty_database: str, tmp_path: Path
    ) -> None:
        job = Job(tmp_path)
        batches = 0

        def rows() -> Iterator[pa.RecordBatch]:
            nonlocal batches
            while True:
                batches += 1
                if batches == 3:
                    database.execute(
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                        " WHERE application_name = 'victim'"
                    )
                columns = [pa.nulls(1, field.type) for field in RESULT_SCHEMA]
                columns[0] = pa.array([batches])
                columns[1] = pa.array(["d"])
                columns[2] = pa.array(["failed"]).dictionary_encode()
                columns[8] = pa.array(["x"]).dictionary_encode()
                yield pa.RecordBatch.from_arrays(columns, schema=RESULT_SCHEMA)
                time.sleep(0.01)

        with (
            closing(psycopg.connect(empty_database, application_name="victim")) as victim,
            pytest.raises(psycopg.OperationalError),
        ):
            replace_rows(victim, classifier="tickets", run_key=RUN, batch=job.name, version=None, rows=rows())
        assert table(database) == []
        assert not [thread for thread in threading.enumerate() if thread.name.startswith(THREAD)]
        job.load(database)
        assert len(table(database)) == 4

    def test_loads_of_one_run_do_not_wait_for_each_other(
        self, database: Connection, empty_database: str, tmp_path: Path
    ) -> None:
        job, other = Job(tmp_path), Job(tmp_path, 1)
        with psycopg.connect(empty_database) as slow:
            job.load(slow)
            slow_is_open = slow.info.transaction_status
            with slow.transaction():
                job.load(slow)
                database.execute("SET statement_timeout = '60s'")
                assert other.load(database).classified == 4
        assert slow_is_open == psycopg.pq.TransactionStatus.IDLE
        assert len(table(database)) == 8

    def test_loads_of_one_run_go_on_at_the_same_time(
        self, database: Connection, empty_database: str, tmp_path: Path
    ) -> None:
        """One stays in the middle of its COPY until the other is done: a lock between them is an error."""
        job, other = Job(tmp_path), Job(tmp_path, 1)
        copying, other_is_done = threading.Event(), threading.Event()
        results = list(
            BatchResults(UPath(job.archive), Manifest.read(UPath(job.manifest)), mode="", threshold=0)
        )

        def rows() -> Iterator[pa.RecordBatch]:
            yield results[0].slice(0, 2)
            copying.set()
            assert other_is_done.wait(240)
            yield results[0].slice(2)

        def load() -> None:
            with psycopg.connect(empty_database) as conn:
                replace_rows(
                    conn, classifier="tickets", run_key=RUN, batch=job.name, version=VERSION, rows=rows()
                )

        thread = threading.Thread(target=load)
        thread.start()
        try:
            assert copying.wait(240)
            database.execute("SET lock_timeout = '60s'")
            assert other.load(database).classified == 4
        finally:
            other_is_done.set()
            thread.join()
        assert {row["batch"] for row in table(database)} == {job.name, other.name}
        assert len(table(database)) == 8

    def test_two_loads_of_one_batch_at_once_leave_its_rows_once(
        self, database: Connection, empty_database: str, tmp_path: Path
    ) -> None:
        job = Job(tmp_path, documents=500)
        problems: list[BaseException] = []

        def load() -> None:
            try:
                with psycopg.connect(empty_database) as conn:
                    job.load(conn)
            except BaseException as error:
                problems.append(error)

        threads = [threading.Thread(target=load) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert problems == []
        assert len(table(database)) == 500

    def test_rows_are_committed_by_the_load_itself(
        self, database: Connection, empty_database: str, tmp_path: Path
    ) -> None:
        with closing(psycopg.connect(empty_database)) as conn:
            active_version(conn, "tickets")
            Job(tmp_path).load(conn)
        assert len(table(database)) == 4

    def test_no_text_of_a_document_can_be_stored(self, database: Connection) -> None:
        names = {
            row[0]
            for row in database.execute(
                "SELECT attname FROM pg_attribute WHERE attrelid = 'nightsort.predictions'::regclass"
            )
        }
        assert not names & {"text", "document", "content", "body"}

    @pytest.mark.parametrize("key", ["", "2026", "yesterday", "20261345"])
    def test_a_run_key_without_day_is_refused(self, key: str) -> None:
        with pytest.raises(ValueError, match="does not begin with a day"):
            run_day(key)


class TestBinaryCopy:
    """What is encoded is what PostgreSQL reads back."""

    @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(st.data())
    def test_any_values_come_back(self, database: Connection, data: st.DataObject) -> None:
        text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)
        float4 = st.floats(width=32, allow_nan=False)
        column_types = {
            "n": (pa.int64(), st.integers(-(2**63), 2**63 - 1)),
            "f": (pa.float32(), float4),
            "s": (pa.string(), text),
            "d": (pa.dictionary(pa.int32(), pa.string()), text),
            "ds": (pa.list_(pa.dictionary(pa.int32(), pa.string())), st.lists(text, max_size=4)),
            "fs": (pa.list_(pa.float32()), st.lists(float4, max_size=4)),
        }
        rows = data.draw(
            st.lists(
                st.tuples(*(st.none() | values for _, values in column_types.values())),
                min_size=1,
                max_size=6,
            )
        )
        arrays = [
            pa.array(column, kind)
            for column, (kind, _) in zip(zip(*rows, strict=True), column_types.values(), strict=True)
        ]
        batch = pa.RecordBatch.from_arrays(arrays, list(column_types))
        cut = data.draw(st.integers(0, len(rows) - 1))
        with database.transaction(), database.cursor() as cursor:
            cursor.execute(
                "CREATE TEMPORARY TABLE t"
                " (p text, q text, n int8, f float4, s text, d text, ds text[], fs float4[]) ON COMMIT DROP"
            )
            with cursor.copy("COPY t FROM STDIN (FORMAT binary)") as copy:
                copy.write(binary_copy.HEADER)
                for part in (batch.slice(0, cut), batch.slice(cut)):
                    copy.write(binary_copy.encode_rows([binary_copy.encode_text("é"), None], part))
                copy.write(binary_copy.TRAILER)
            # As float8, because a float4 prints as the shortest decimal that means the same.
            found = cursor.execute("SELECT p, q, n, f::float8, s, d, ds, fs::float8[] FROM t").fetchall()
            assert found == [("é", None, *row) for row in rows]

    def test_a_nul_that_postgresql_cannot_store_is_replaced(self, database: Connection) -> None:
        kind = pa.dictionary(pa.int32(), pa.string())
        batch = pa.RecordBatch.from_arrays([pa.array(["a\0b"]), pa.array(["c\0"], kind)], ["s", "d"])
        with database.transaction(), database.cursor() as cursor:
            cursor.execute("CREATE TEMPORARY TABLE t (s text, d text) ON COMMIT DROP")
            with cursor.copy("COPY t FROM STDIN (FORMAT binary)") as copy:
                copy.write(
                    binary_copy.HEADER + bytes(binary_copy.encode_rows([], batch)) + binary_copy.TRAILER
                )
            assert cursor.execute("SELECT * FROM t").fetchall() == [("a\ufffdb", "c\ufffd")]


def prepared(*jobs: Job, rejected: int = 0, documents_in: int | None = None) -> PreparedBatches:
    sent = sum(job.batch.documents for job in jobs)
    return PreparedBatches(
        run_key=RUN,
        batches=tuple(job.batch for job in jobs),
        documents_in=sent + rejected if documents_in is None else documents_in,
        documents_sent=sent,
        rejected=rejected,
        reject_counts={"blank": rejected} if rejected else {},
        rejects_uri="",
        units=3 * sent,
    )


def rejects(folder: Path, *reasons: str) -> UPath:
    path = folder / "rejects.jsonl"
    with RejectLog(path) as log:
        for row, reason in enumerate(reasons):
            log.add(document_id=f"bad-{row}", file="f.csv", row=row, reason=reason, detail="of no interest")
    return UPath(path)


def failed_job(batch: str) -> dict[str, str]:
    return {
        "job_id": "f" * 32,
        "job_name": f"tickets-{VERSION}-{batch}-g1",
        "status": "FAILED",
        "message": "INTERNAL: no",
    }


class TestRun:
    def test_a_run_whose_sums_add_up_is_complete(self, database: Connection, tmp_path: Path) -> None:
        jobs = [Job(tmp_path, n) for n in range(2)]
        jobs[1].write([jobs[1].line(0)])
        for job in jobs:
            job.load(database)
        path = rejects(tmp_path, "blank", "duplicate_id", "blank")
        assert load_rejects(database, spec=spec(), run_key=RUN, rejects_path=path) == 3
        began = datetime(2026, 11, 19, 2, tzinfo=timezone.utc)
        counts = finish_run(
            database,
            spec=spec(),
            run_key=RUN,
            version=VERSION,
            prepared=prepared(*jobs, rejected=3),
            started_at=began,
            jobs={jobs[0].name: {"job_id": "a" * 32}, jobs[1].name: {}},
            failed_jobs=[failed_job(jobs[0].name)],
        )
        assert (counts.documents_in, counts.classified, counts.failed, counts.rejected) == (11, 5, 3, 3)
        (row,) = table(database, name="classification_runs")
        assert row["finished_at"] is not None
        assert float(row.pop("cost_usd")) == counts.cost_usd == 0.012
        assert {key: value for key, value in row.items() if key != "finished_at"} == {
            "classifier": "tickets",
            "run_key": RUN,
            "day": date(2026, 11, 18),
            "version": VERSION,
            "state": "complete",
            "approved_by": None,
            "approved_at": None,
            "forecast_units": None,
            "forecast_usd": None,
            "message": None,
            "documents_in": 11,
            "classified": 5,
            "failed": 3,
            "rejected": 3,
            "reasons": {"missing_from_output": 3, "blank": 2, "duplicate_id": 1},
            "batches": [
                {"name": jobs[0].name, "documents": 4, "loaded": 4, "job_id": "a" * 32},
                {"name": jobs[1].name, "documents": 4, "loaded": 4},
            ],
            "failed_jobs": [failed_job(jobs[0].name)],
            "retried": 0,
            "repeated": 0,
            "reused": 0,
            "saved_units": 0,
            "saved_usd": 0,
            "way": None,
            "way_why": None,
            "units": 24,
            "source_uri": None,
            "dag_id": None,
            "run_id": None,
            "started_at": began,
        }
        rejected = [row for row in table(database) if row["status"] == "rejected"]
        assert [(row["batch"], row["line"], row["document_id"], row["reason"]) for row in rejected] == [
            ("rejects", 0, "bad-0", "blank"),
            ("rejects", 1, "bad-1", "duplicate_id"),
            ("rejects", 2, "bad-2", "blank"),
        ]

    def test_done_again_it_leaves_the_same_tables(self, database: Connection, tmp_path: Path) -> None:
        job = Job(tmp_path)
        path = rejects(tmp_path, "blank")
        states = []
        for _ in range(2):
            job.load(database)
            load_rejects(database, spec=spec(), run_key=RUN, rejects_path=path)
            finish_run(
                database,
                spec=spec(),
                run_key=RUN,
                version=VERSION,
                prepared=PreparedBatches.from_dict(prepared(job, rejected=1).to_dict()),
            )
            runs = [{**row, "finished_at": None} for row in table(database, name="classification_runs")]
            states.append((table(database, ALL_BUT_TIME), runs))
        assert states[0] == states[1]

    def test_a_day_without_documents_is_complete_with_zeros(
        self, database: Connection, tmp_path: Path
    ) -> None:
        load_rejects(database, spec=spec(), run_key=RUN, rejects_path=rejects(tmp_path))
        counts = finish_run(database, spec=spec(), run_key=RUN, version=None, prepared=prepared())
        assert (counts.documents_in, counts.classified, counts.cost_usd) == (0, 0, 0.0)
        (row,) = table(database, name="classification_runs")
        assert (row["state"], row["version"]) == ("complete", None)

    def test_rows_of_another_version_do_not_stand_for_a_batch_that_failed_to_load(
        self, database: Connection, tmp_path: Path
    ) -> None:
        first, second = Job(tmp_path), Job(tmp_path, 1)
        for job in (first, second):
            job.load(database, version="v000000000001")
        first.load(database)
        with pytest.raises(
            CountsDoNotAddUp, match=f"4 of 8 documents are missing: batch {second.name}. Clear"
        ):
            finish_run(database, spec=spec(), run_key=RUN, version=VERSION, prepared=prepared(first, second))
        assert len(table(database)) == 8, "what the earlier version said is kept until it is replaced"

    def test_a_batch_that_is_missing_is_named_with_the_numbers(
        self, database: Connection, tmp_path: Path
    ) -> None:
        loaded, missing = Job(tmp_path), Job(tmp_path, 1)
        loaded.load(database)
        with pytest.raises(CountsDoNotAddUp) as caught:
            finish_run(
                database,
                spec=spec(),
                run_key=RUN,
                version=VERSION,
                prepared=prepared(loaded, missing),
                failed_jobs=[failed_job(missing.name)],
            )
        assert str(caught.value) == (
            f"4 of 8 documents are missing: batch {missing.name}, job {'f' * 32} FAILED: INTERNAL: no. Clear "
            "the tasks of these batches, or the whole run: finished jobs are not paid for again"
        )
        assert loaded.name not in str(caught.value)
        assert (caught.value.counts.documents_in, caught.value.counts.units) == (8, 12)
        (row,) = table(database, name="classification_runs")
        assert row["state"] == "incomplete"
        assert row["message"] == str(caught.value)
        missing.load(database)
        finish_run(database, spec=spec(), run_key=RUN, version=VERSION, prepared=prepared(loaded, missing))
        (row,) = table(database, name="classification_runs")
        assert (row["state"], row["message"]) == ("complete", None)

    def test_rows_of_an_earlier_run_do_not_stand_for_a_batch_that_this_one_did_not_load(
        self, database: Connection, tmp_path: Path
    ) -> None:
        jobs = [Job(tmp_path, n) for n in range(2)]
        for job in jobs:
            job.load(database)
        with pytest.raises(CountsDoNotAddUp, match=f"4 of 8 documents.*{jobs[1].name} was not loaded"):
            finish_run(
                database,
                spec=spec(),
                run_key=RUN,
                version=VERSION,
                prepared=prepared(*jobs),
                jobs={jobs[0].name: {}},
            )
        (row,) = table(database, name="classification_runs")
        assert row["state"] == "incomplete"

    def test_rejects_that_were_not_loaded_are_told(self, database: Connection, tmp_path: Path) -> None:
        job = Job(tmp_path)
        job.load(database)
        with pytest.raises(CountsDoNotAddUp, match="0 rows for 2 rejects"):
            finish_run(
                database, spec=spec(), run_key=RUN, version=VERSION, prepared=prepared(job, rejected=2)
            )

    def test_counts_of_the_first_step_that_are_wrong_are_told(
        self, database: Connection, tmp_path: Path
    ) -> None:
        job = Job(tmp_path)
        job.load(database)
        with pytest.raises(CountsDoNotAddUp, match="5 documents in, but 4 classified"):
            finish_run(
                database, spec=spec(), run_key=RUN, version=VERSION, prepared=prepared(job, documents_in=5)
            )

    def test_rows_of_batches_that_the_run_no_longer_has_are_deleted(
        self, database: Connection, tmp_path: Path
    ) -> None:
        kept, gone = Job(tmp_path), Job(tmp_path, 1)
        other_day = Job(tmp_path, 1, run_key="20261119")
        by_hand = Job(tmp_path, 1, run_key=f"{RUN}-12345678")
        for job in (kept, gone):
            job.load(database)
        other_day.load(database, run="20261119")
        by_hand.load(database, run=f"{RUN}-12345678")
        counts = finish_run(database, spec=spec(), run_key=RUN, version=VERSION, prepared=prepared(kept))
        assert counts.classified == 4
        assert {row["batch"] for row in table(database)} == {kept.name, other_day.name, by_hand.name}


class TestLatestPredictions:
    def test_the_newest_day_counts_even_if_an_older_one_is_loaded_later(
        self, database: Connection, tmp_path: Path
    ) -> None:
        newer, older = Job(tmp_path, run_key="20261119"), Job(tmp_path, run_key="20261118")
        older.write([older.line(n, ("OLD", 0.9)) for n in range(4)])
        newer.load(database, run="20261119")
        older.load(database, run="20261118")
        latest = table(database, name="latest_predictions")
        assert [(row["document_id"], row["label"]) for row in latest] == [
            (f"doc-0-{n}", "BUG") for n in range(4)
        ]

    def test_of_one_day_the_run_that_was_loaded_last_counts(
        self, database: Connection, tmp_path: Path
    ) -> None:
        by_hand = Job(tmp_path, run_key=f"{RUN}-12345678")
        by_hand.write([by_hand.line(n, ("BY HAND", 0.9)) for n in range(4)])
        by_hand.load(database, run=f"{RUN}-12345678")
        Job(tmp_path).load(database)
        assert {row["label"] for row in table(database, name="latest_predictions")} == {"BUG"}
        by_hand.load(database, run=f"{RUN}-12345678")
        assert {row["label"] for row in table(database, name="latest_predictions")} == {"BY HAND"}

    def test_a_rejected_double_does_not_hide_its_document(self, database: Connection, tmp_path: Path) -> None:
        Job(tmp_path, documents=1).load(database)
        path = tmp_path / "rejects.jsonl"
        with RejectLog(path) as log:
            log.add(document_id="doc-0-0", file="f.csv", row=1, reason="duplicate_id")
        load_rejects(database, spec=spec(), run_key=RUN, rejects_path=UPath(path))
        (row,) = table(database, name="latest_predictions")
        assert (row["document_id"], row["status"]) == ("doc-0-0", "classified")


def version(name: str = VERSION, **more: Any) -> ClassifierVersion:
    return ClassifierVersion(
        "tickets", name, f"arn:aws:comprehend:…/version/{name}", "MULTI_CLASS", "en", **more
    )


def decision(promote: bool = True, old: float | None = None, new: float = 0.9) -> PromotionDecision:
    return PromotionDecision(promote, "because", "macro_f1", old, new)


class TestVersions:
    def test_what_is_recorded_comes_back(self, database: Connection) -> None:
        whole = version(
            status="TRAINED_WITH_WARNING",
            message="skipped 2 documents",
            fingerprint="f",
            test_fingerprint="t",
            training_uri="s3://b/training.csv",
            test_uri="s3://b/test.csv",
            training_documents=90,
            test_documents=10,
            labels={"BUG": {"training": 90, "test": 10}},
            metrics=Metrics(accuracy=0.9, macro_f1=0.8),
            confusion_matrix={"type": "multi_class", "confusion_matrix": [[10]], "labels": ["BUG"]},
            training_seconds=1800.5,
            cost_usd=1.5004,
            trained_at=datetime(2026, 11, 18, tzinfo=timezone.utc),
        )
        record_version(database, whole)
        assert find_version(database, "tickets", VERSION) == whole
        assert find_version(database, "tickets", "v-other") is None
        assert active_version(database, "tickets") is None

    def test_what_is_not_known_now_keeps_its_value(self, database: Connection) -> None:
        record_version(database, version(metrics=Metrics(accuracy=0.9), training_documents=5))
        record_version(database, version(status="TRAINED"))
        found = find_version(database, "tickets", VERSION)
        assert found == version(metrics=Metrics(accuracy=0.9), training_documents=5, status="TRAINED")

    def test_one_version_is_active_at_a_time(self, database: Connection) -> None:
        for name in ("v1", "v2"):
            record_version(database, version(name))
            promote(database, classifier="tickets", version=name)
            active = active_version(database, "tickets")
            assert active is not None
            assert (active.version, active.active) == (name, True)
        first = find_version(database, "tickets", "v1")
        assert first is not None
        assert first.promoted_at is not None
        assert not first.active
        with pytest.raises(psycopg.errors.UniqueViolation):
            database.execute("UPDATE nightsort.classifier_versions SET active = true")

    def test_recording_the_active_version_again_leaves_it_active(self, database: Connection) -> None:
        record_version(database, version())
        promote(database, classifier="tickets", version=VERSION)
        before = active_version(database, "tickets")
        record_version(database, version())
        promote(database, classifier="tickets", version=VERSION)
        assert active_version(database, "tickets") == before

    def test_classifiers_do_not_touch_each_other(self, database: Connection) -> None:
        record_version(database, version())
        record_version(database, replace(version(), classifier="other"))
        promote(database, classifier="tickets", version=VERSION)
        promote(database, classifier="other", version=VERSION)
        assert active_version(database, "tickets") is not None
        assert active_version(database, "other") is not None

    def test_a_version_without_row_cannot_become_active(self, database: Connection) -> None:
        record_version(database, version("v1"))
        promote(database, classifier="tickets", version="v1")
        with pytest.raises(VersionNotRecordedError, match="tickets has no version v2"):
            promote(database, classifier="tickets", version="v2")
        active = active_version(database, "tickets")
        assert active is not None
        assert active.version == "v1"


class TestDecisions:
    def test_a_decision_is_a_row_and_is_carried_out(self, database: Connection) -> None:
        for name in ("v1", "v2", "v3"):
            record_version(database, version(name))
        record_decision(database, classifier="tickets", version="v1", against=None, decision=decision())
        record_decision(
            database,
            classifier="tickets",
            version="v2",
            against="v1",
            decision=decision(False, 0.9, 0.8),
            test_fingerprint="t",
        )
        record_decision(
            database, classifier="tickets", version="v3", against="v1", decision=decision(True, 0.9, 0.95)
        )
        active = active_version(database, "tickets")
        assert active is not None
        assert active.version == "v3"
        rows = table(
            database,
            "version, against, test_fingerprint, old, new, promoted, metric, reason",
            "promotion_decisions",
        )
        assert [tuple(row.values()) for row in rows] == [
            ("v1", "", "", None, 0.9, True, "macro_f1", "because"),
            ("v2", "v1", "t", 0.9, 0.8, False, "macro_f1", "because"),
            ("v3", "v1", "", 0.9, 0.95, True, "macro_f1", "because"),
        ]

    def test_decided_again_it_replaces_its_row_and_changes_nothing(self, database: Connection) -> None:
        record_version(database, version())
        for _ in range(2):
            record_decision(
                database, classifier="tickets", version=VERSION, against=None, decision=decision()
            )
        assert len(table(database, name="promotion_decisions")) == 1
        assert active_version(database, "tickets") is not None

    def test_a_decision_against_a_version_that_is_no_longer_active_is_refused(
        self, database: Connection
    ) -> None:
        for name in ("v1", "v2", "v3"):
            record_version(database, version(name))
        promote(database, classifier="tickets", version="v2")
        with pytest.raises(
            ActiveVersionChangedError, match="v3 was compared with v1, but by now v2 is active"
        ):
            record_decision(
                database, classifier="tickets", version="v3", against="v1", decision=decision(True, 0.8)
            )
        assert table(database, name="promotion_decisions") == []
        active = active_version(database, "tickets")
        assert active is not None
        assert active.version == "v2"


def test_the_schema_file_and_the_code_speak_of_the_same_version(database: Connection) -> None:
    assert database.execute("SELECT max(version) FROM nightsort.schema_version").fetchone() == (
        schema.SCHEMA_VERSION,
    )

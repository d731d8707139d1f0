"""The statistics of a run are those of its rows, whatever happens to the run."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from psycopg import sql

from nightsort.naming import REJECTS, REUSED_BATCH
from nightsort.results.join import result_rows
from nightsort.tables.load import replace_rows
from nightsort.tables.recount import recount_run
from nightsort.tables.retention import drop_run, find_runs
from nightsort.tables.runs import CountsDoNotAddUp
from tests.integration.local_nights import DAY, Nights
from tests.integration.recounted import check_statistics, stored

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import psycopg

pytestmark = pytest.mark.integration

RUN = "20261118"


class ScoredNights(Nights):
    """A Comprehend whose answer is in the text: labels and scores, or none."""

    def says(self, text: str) -> dict[str, Any]:
        if text == "nothing":
            return {"Classes": []}
        if text == "error":
            return {"ErrorCode": "INTERNAL_SERVER_ERROR", "ErrorMessage": "try again"}
        key = "Labels" if self.spec.mode == "MULTI_LABEL" else "Classes"
        answers = [entry.split("=") for entry in text.split(";")]
        return {key: [{"Name": name, "Score": float(score)} for name, score in answers]}


def documents(number: int, seed: int = 1, prefix: str = "doc") -> dict[str, str]:
    """Documents of many labels and scores, also on the edges of the bins; some get no label."""
    chance = random.Random(seed)
    texts = ["A=1.0;B=0.0", "A=0.05;B=0.05", "B=0.35;C=0.15", "nothing", "error", "nothing", "Ä \u2028=0.95"]
    while len(texts) < number:
        scores = sorted((round(chance.random(), 4) for _ in range(3)), reverse=True)
        labels = chance.sample("ABCDEFG", 3)
        texts.append(";".join(f"{label}={score}" for label, score in zip(labels, scores, strict=True)))
    return {f"{prefix}-{place}": text for place, text in enumerate(texts[:number])}


@pytest.fixture(params=["MULTI_CLASS", "MULTI_LABEL"])
def nights(request: pytest.FixtureRequest, tmp_path: Path, database: psycopg.Connection[Any]) -> ScoredNights:
    return ScoredNights(tmp_path, database, mode=request.param, batch={"max_documents": 30})


def test_they_are_those_of_the_rows(nights: ScoredNights, database: psycopg.Connection[Any]) -> None:
    nights.arrives("a.jsonl", {**documents(100), "blank": " "})
    nights.classify()
    check_statistics(database, RUN)
    found = stored(database, RUN)
    assert found["failed_reasons"] == {"no_labels": 2, "error:INTERNAL_SERVER_ERROR": 1}
    assert found["rejected_reasons"] == {"blank": 1}
    assert len(found["least_confident"]) == 50


def test_late_documents_are_in_them(nights: ScoredNights, database: psycopg.Connection[Any]) -> None:
    nights.arrives("m.jsonl", documents(50))
    nights.classify()
    nights.arrives("a-late.jsonl", documents(20, seed=2, prefix="late"))
    nights.classify()
    check_statistics(database, RUN)


def test_documents_that_are_gone_are_gone_from_them(
    nights: ScoredNights, database: psycopg.Connection[Any]
) -> None:
    nights.arrives("m.jsonl", documents(100))
    nights.classify()
    nights.arrives("m.jsonl", documents(20))
    prepared, _ = nights.classify()
    check_statistics(database, RUN)
    kept = {batch.name for batch in prepared.batches if batch.documents}
    counted = database.execute("SELECT batch FROM nightsort.batch_statistics").fetchall()
    assert {name for (name,) in counted} == {*kept, REJECTS, REUSED_BATCH}
    assert len(kept) == 1


def test_a_run_that_is_loaded_again_has_the_same(
    nights: ScoredNights, database: psycopg.Connection[Any]
) -> None:
    nights.arrives("m.jsonl", documents(50))
    nights.classify()
    before = stored(database, RUN)
    nights.classify()
    assert stored(database, RUN) == before
    check_statistics(database, RUN)


def test_another_version_counts_anew(nights: ScoredNights, database: psycopg.Connection[Any]) -> None:
    nights.arrives("m.jsonl", documents(50))
    nights.classify(version="v1")
    nights.arrives("m.jsonl", {**documents(50), "one-more": "Z=0.5"})
    nights.classify(version="v2")
    check_statistics(database, RUN)


def test_a_day_without_documents_has_empty_ones(
    nights: ScoredNights, database: psycopg.Connection[Any]
) -> None:
    nights.classify()
    check_statistics(database, RUN)
    assert stored(database, RUN)["drifted"] is None


def test_a_batch_that_was_loaded_before_there_were_statistics_is_counted_in_the_table(
    nights: ScoredNights, database: psycopg.Connection[Any]
) -> None:
    nights.arrives("m.jsonl", documents(50))
    prepared, _ = nights.classify()
    lost = prepared.batches[0].name
    before = stored(database, RUN)
    database.execute("DELETE FROM nightsort.batch_statistics WHERE batch = %s", (lost,))
    database.execute("DELETE FROM nightsort.run_statistics")
    nights.finish(prepared)
    check_statistics(database, RUN)
    assert stored(database, RUN) == before


def test_a_batch_that_is_loaded_again_alone_leaves_the_same(
    nights: ScoredNights, database: psycopg.Connection[Any]
) -> None:
    """As when its task alone is cleared."""
    nights.arrives("m.jsonl", documents(70))
    prepared, _ = nights.classify()
    nights.load(prepared.batches[1])
    check_statistics(database, RUN)
    nights.finish(prepared)
    check_statistics(database, RUN)


def test_a_load_that_dies_changes_neither_rows_nor_statistics(
    nights: ScoredNights, database: psycopg.Connection[Any]
) -> None:
    nights.arrives("m.jsonl", documents(70))
    prepared, _ = nights.classify()

    def rows() -> Iterator[pa.RecordBatch]:
        yield result_rows(
            1,
            line=pa.array([0]),
            document_id=pa.array(["other"]),
            status=pa.array(["failed"]).dictionary_encode(),
            reason=pa.array(["no_labels"]).dictionary_encode(),
        )
        raise ConnectionError("the worker dies")

    with pytest.raises(ConnectionError):
        replace_rows(
            database,
            classifier="tickets",
            run_key=RUN,
            batch=prepared.batches[0].name,
            version="v1",
            rows=rows(),
        )
    nights.finish(prepared)
    check_statistics(database, RUN)


def test_documents_that_are_missing_are_no_drift(
    nights: ScoredNights, database: psycopg.Connection[Any]
) -> None:
    nights.arrives("m.jsonl", documents(70))
    prepared, _ = nights.classify()
    lost = prepared.batches[0].name
    for table in ("predictions", "batch_statistics"):
        database.execute(
            sql.SQL("DELETE FROM nightsort.{} WHERE batch = %s").format(sql.Identifier(table)), (lost,)
        )
    with pytest.raises(CountsDoNotAddUp):
        nights.finish(prepared)
    check_statistics(database, RUN)
    assert stored(database, RUN)["drift"] is None


def test_an_id_with_a_nul_is_as_in_the_table(nights: ScoredNights, database: psycopg.Connection[Any]) -> None:
    nights.arrives("m.jsonl", {"a\0b": "A=0.1", "c\0d": "nothing"})
    nights.classify()
    check_statistics(database, RUN)


def test_dropping_a_run_keeps_its_sums_and_no_ids(
    nights: ScoredNights, database: psycopg.Connection[Any]
) -> None:
    """Later nights are compared with them."""
    nights.arrives("m.jsonl", documents(50))
    nights.classify()
    before = stored(database, RUN)
    (run,) = find_runs(database, before=DAY + timedelta(days=1))
    drop_run(database, run)
    assert stored(database, RUN) == {**before, "least_confident": [], "examples": {}}
    assert database.execute("SELECT count(*) FROM nightsort.batch_statistics").fetchall() == [(0,)]


def test_rows_that_are_deleted_are_taken_out(nights: ScoredNights, database: psycopg.Connection[Any]) -> None:
    """As when documents are forgotten: no id stays, and the sums are those of the rows that are left."""
    nights.arrives("a.jsonl", {**documents(100), "blank": " "})
    nights.classify()
    least = stored(database, RUN)["least_confident"][0]["document_id"]
    gone = [least, "doc-3", "blank", "doc-99"]
    with database.transaction():
        batches = database.execute(
            "DELETE FROM nightsort.predictions WHERE document_id = ANY(%s) RETURNING batch", (gone,)
        ).fetchall()
        recount_run(
            database, classifier="tickets", run_key=RUN, batches=sorted({batch for (batch,) in batches})
        )
    check_statistics(database, RUN)
    kept = database.execute(
        "SELECT string_agg(least_confident::text || examples::text, '') FROM nightsort.batch_statistics"
    ).fetchall()
    assert not any(f'"{document_id}"' in str(kept) for document_id in gone)

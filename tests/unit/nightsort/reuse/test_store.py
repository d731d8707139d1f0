"""A stored file holds what a job classified, and a text that is erased is in no file of its batch."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nightsort.arrow.hashing import as_column, hash_texts
from nightsort.layout import WorkLayout
from nightsort.reuse.store import STORED_SCHEMA, empty_results, erase_from_store, results_of_run
from nightsort.storage import plain_access
from tests.unit.nightsort.reuse.stored_nights import VERSION, Result, keep

RUN, BATCH = "20261118", "20261118-00000-0123abcd"


def hashes_of(*texts: str) -> list[bytes]:
    column: pa.BinaryArray = as_column(*hash_texts(pa.array(texts)))
    return [digest.as_py() for digest in column]


def test_no_text_and_no_id_and_nothing_that_failed(tmp_path: Path) -> None:
    uri = keep(
        WorkLayout(str(tmp_path)),
        RUN,
        BATCH,
        [Result("good", {"A": 0.75, "B": 0.25}), Result("bad", None), Result("again", {"B": 1.0})],
    )

    rows = pq.read_table(uri).to_pylist()

    good, again = hashes_of("good", "again")
    assert sorted(rows, key=lambda row: row["labels"]) == [
        {"text_hash": good, "labels": ["A", "B"], "scores": [0.75, 0.25]},
        {"text_hash": again, "labels": ["B"], "scores": [1.0]},
    ]
    assert [row["text_hash"] for row in rows] == sorted([good, again])


def test_what_is_kept_again_takes_the_place_of_what_was_kept(tmp_path: Path) -> None:
    layout = WorkLayout(str(tmp_path))
    keep(layout, RUN, BATCH, [Result("text", None), Result("other", {"A": 1.0})])
    uri = keep(layout, RUN, BATCH, [Result("text", {"B": 1.0}), Result("other", {"A": 1.0})])

    assert pq.read_table(uri)["text_hash"].to_pylist() == sorted(hashes_of("text", "other"))
    assert [path.name for path in Path(uri).parent.iterdir()] == [f"{BATCH}.parquet"]


@pytest.mark.parametrize("number", [3, 200_000])
def test_erased_texts_are_gone_and_the_others_stay(tmp_path: Path, number: int) -> None:
    layout = WorkLayout(str(tmp_path))
    texts = [f"text {row}" for row in range(number)]
    uri = keep(layout, RUN, BATCH, [Result(text, {"A": 1.0}) for text in texts], at_once=50_000)
    other = keep(layout, RUN, "20261118-00001-0123abcd", [Result("text 1", {"A": 1.0})])
    untouched = Path(other).read_bytes()

    erase_from_store(plain_access(), layout, RUN, BATCH, set(hashes_of("text 1", "never seen")))

    left = pq.read_table(uri)
    assert left["text_hash"].to_pylist() == sorted(set(hashes_of(*texts)) - set(hashes_of("text 1")))
    assert left["labels"].to_pylist() == [["A"]] * (number - 1)
    assert Path(other).read_bytes() == untouched


def test_a_damaged_file_is_erased_whole(tmp_path: Path) -> None:
    layout = WorkLayout(str(tmp_path))
    uri = Path(keep(layout, RUN, BATCH, [Result("text", {"A": 1.0})]))
    uri.write_bytes(uri.read_bytes()[:100])

    erase_from_store(plain_access(), layout, RUN, BATCH, set(hashes_of("text")))

    assert not uri.exists()


def test_erasing_where_nothing_is_kept_is_no_error(tmp_path: Path) -> None:
    layout = WorkLayout(str(tmp_path))
    erase_from_store(plain_access(), layout, RUN, BATCH, set(hashes_of("text")))
    keep(layout, "20261119", BATCH, [Result("text", {"A": 1.0})])
    erase_from_store(plain_access(), layout, RUN, BATCH, set(hashes_of("text")))

    assert Path(layout.results_of_version(VERSION)).exists()


def test_the_files_of_a_run_are_found_whatever_the_version(tmp_path: Path) -> None:
    layout, access = WorkLayout(str(tmp_path)), plain_access()
    assert results_of_run(layout, access, RUN) == []
    kept = keep(layout, RUN, BATCH, [Result("text", {"A": 1.0})])
    keep(layout, "20261119", BATCH, [Result("text", {"A": 1.0})])
    other = layout.stored_results("v2", RUN, BATCH)
    Path(other).parent.mkdir(parents=True)
    Path(other).write_bytes(Path(kept).read_bytes())

    assert results_of_run(layout, access, RUN) == sorted([kept, other])


def test_a_file_that_was_emptied_is_still_a_file_of_results(tmp_path: Path) -> None:
    layout = WorkLayout(str(tmp_path))
    uri = keep(layout, RUN, BATCH, [Result("text", {"A": 1.0})])

    empty_results(uri, plain_access())

    assert (len(pq.read_table(uri)), pq.read_schema(uri)) == (0, STORED_SCHEMA)
    erase_from_store(plain_access(), layout, RUN, BATCH, set(hashes_of("text")))
    assert Path(uri).exists()

"""What the join promises: exactly one result per document of the manifest, whatever the output holds."""

from __future__ import annotations

import gzip
import io
import json
import logging
import tarfile
from collections import Counter
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nightsort.arrow.manifest_schema import MANIFEST_SCHEMA
from nightsort.batches.manifest import Manifest
from nightsort.results import archive as archives
from nightsort.results.archive import ArchiveError
from nightsort.results.join import BatchResults, WrongOutputError

if TYPE_CHECKING:
    from collections.abc import Collection


def manifest(documents: int, *, per_file: bool = False, forgotten: Collection[int] = ()) -> Manifest:
    files = [f"doc-{n}.txt" if per_file else "batch.txt" for n in range(documents)]
    columns = [
        pa.array(files, pa.string()).dictionary_encode(),
        pa.array([0] * documents if per_file else range(documents), pa.int64()),
        pa.array([None if n in forgotten else f"id-{n}" for n in range(documents)], pa.string()),
    ]
    return Manifest.from_batches([pa.record_batch(columns, schema=MANIFEST_SCHEMA)])


def archive(*lines: Any) -> io.BytesIO:
    texts = [line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines]
    content = b"".join(text + b"\n" for text in texts)
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        member = tarfile.TarInfo("predictions.jsonl")
        member.size = len(content)
        tar.addfile(member, io.BytesIO(content))
    return io.BytesIO(gzip.compress(buffer.getvalue(), 1))


def prediction(
    line: int | None, label: str = "BUG", file: str = "batch.txt", key: str = "Classes"
) -> dict[str, Any]:
    row: dict[str, Any] = {"File": file, "Line": None if line is None else str(line)}
    row[key] = [{"Name": label, "Score": 0.75}, {"Name": "OTHER", "Score": 0.125}]
    return {name: value for name, value in row.items() if value is not None}


def error(line: int, code: str = "DOCUMENT_SIZE_EXCEEDED") -> dict[str, Any]:
    return {"File": "batch.txt", "Line": line, "ErrorCode": code, "ErrorMessage": "x"}


def results(
    source: io.BytesIO, documents: Manifest, mode: str = "MULTI_CLASS", threshold: float = 0.5
) -> tuple[dict[str, dict[str, Any]], BatchResults]:
    joined = BatchResults(source, documents, mode=mode, threshold=threshold)
    rows = [row for batch in joined for row in batch.to_pylist()]
    by_id = {row["document_id"]: row for row in rows}
    assert len(by_id) == len(rows)
    return by_id, joined


def test_each_prediction_finds_its_document_in_any_order() -> None:
    rows, joined = results(archive(*(prediction(n, f"L{n}") for n in (2, 0, 1))), manifest(3))
    assert {key: row["label"] for key, row in rows.items()} == {"id-0": "L0", "id-1": "L1", "id-2": "L2"}
    assert rows["id-2"] == {
        "line": 2,
        "document_id": "id-2",
        "status": "classified",
        "label": "L2",
        "score": 0.75,
        "labels": ["L2", "OTHER"],
        "scores": [0.75, 0.125],
        "accepted": ["L2"],
        "reason": None,
        "source": "job",
        "source_run": None,
    }
    assert (joined.counts.classified, joined.counts.failed) == (3, 0)


def test_one_document_per_file_with_and_without_line() -> None:
    source = archive(prediction(None, "A", "doc-1.txt"), prediction(0, "B", "doc-0.txt"))
    rows, _ = results(source, manifest(2, per_file=True))
    assert {key: row["label"] for key, row in rows.items()} == {"id-0": "B", "id-1": "A"}
    assert [rows[f"id-{n}"]["line"] for n in range(2)] == [0, 1]


@pytest.mark.parametrize(("threshold", "accepted"), [(0.5, ["BUG"]), (0.125, ["BUG", "OTHER"]), (0.8, [])])
def test_multi_label_accepts_what_is_at_or_above_the_threshold(threshold: float, accepted: list[str]) -> None:
    source = archive(prediction(0, key="Labels"), prediction(1, key="Labels"))
    rows, _ = results(source, manifest(2), "MULTI_LABEL", threshold)
    assert [rows[f"id-{n}"]["accepted"] for n in range(2)] == [accepted, accepted]
    assert rows["id-1"]["label"] == "BUG"


def test_every_document_without_prediction_has_its_reason() -> None:
    no_labels = {"File": "batch.txt", "Line": "2", "Classes": []}
    garbled = b'{"File": "batch.txt", "Line": "3", "Classes": [{"Na'
    rows, joined = results(archive(prediction(0), error(1), no_labels, garbled), manifest(5))
    assert {key: (row["status"], row["reason"]) for key, row in rows.items()} == {
        "id-0": ("classified", None),
        "id-1": ("failed", "error:DOCUMENT_SIZE_EXCEEDED"),
        "id-2": ("failed", "no_labels"),
        "id-3": ("failed", "unreadable_line"),
        "id-4": ("failed", "missing_from_output"),
    }
    assert rows["id-1"]["labels"] is None
    counts = joined.counts
    assert (counts.documents, counts.classified, counts.failed, counts.missing, counts.unreadable) == (
        5,
        1,
        4,
        1,
        1,
    )
    assert counts.reasons == Counter(row["reason"] for row in rows.values() if row["reason"])


def test_an_output_without_lines_leaves_every_document_missing() -> None:
    rows, joined = results(archive(), manifest(3))
    assert {row["reason"] for row in rows.values()} == {"missing_from_output"}
    assert joined.counts.missing == 3


def test_the_first_of_double_lines_wins_and_the_others_are_counted() -> None:
    source = archive(prediction(0, "FIRST"), prediction(1), prediction(0, "SECOND"), prediction(0, "THIRD"))
    rows, joined = results(source, manifest(2))
    assert rows["id-0"]["label"] == "FIRST"
    assert joined.counts.duplicates == 2


def test_doubles_far_apart_are_found_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "CHUNK_BYTES", 100)
    lines = [prediction(n % 4, f"L{n}") for n in range(12)]
    rows, joined = results(archive(*lines), manifest(4))
    assert {key: row["label"] for key, row in rows.items()} == {f"id-{n}": f"L{n}" for n in range(4)}
    assert (joined.counts.classified, joined.counts.duplicates) == (4, 8)


def test_what_an_output_may_unpack_to_goes_by_the_documents(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "MIN_UNPACKED_BYTES", 0)
    lines = [prediction(0), bytes(100_000)]
    assert results(archive(*lines), manifest(2))[1].counts.classified == 1
    with pytest.raises(ArchiveError, match=r"more than 65,536 bytes"):
        results(archive(*lines), manifest(1))


@pytest.mark.parametrize("turned", [False, True])
def test_a_prediction_wins_over_an_error_for_the_same_document_in_any_order(turned: bool) -> None:
    lines = [error(0), prediction(0), prediction(1)]
    rows, joined = results(archive(*(lines[::-1] if turned else lines)), manifest(2))
    assert rows["id-0"]["status"] == "classified"
    assert joined.counts.duplicates == 1


def test_results_for_places_that_the_batch_does_not_have_are_counted() -> None:
    source = archive(
        prediction(0), prediction(7), prediction(0, file="other.txt"), error(9), prediction(None)
    )
    rows, joined = results(source, manifest(2))
    assert joined.counts.unknown == 4
    assert rows["id-1"]["reason"] == "missing_from_output"


def test_another_batch_s_output_is_refused() -> None:
    with pytest.raises(WrongOutputError, match=r"none of its 2 results is for this batch.*batch\.txt"):
        results(archive(prediction(0, file="other.txt"), prediction(1, file="other.txt")), manifest(2))


def test_a_thousand_sorts_of_errors_stay_named_and_more_do_not_break_it() -> None:
    rows, joined = results(archive(*(error(n, f"CODE_{n}") for n in range(1_200))), manifest(1_200))
    assert rows["id-7"]["reason"] == "error:CODE_7"
    assert rows["id-1199"]["reason"] == "error:UNNAMED"
    assert sum(joined.counts.reasons.values()) == 1_200


def test_counts_are_not_given_before_the_end() -> None:
    joined = BatchResults(archive(prediction(0)), manifest(1), mode="MULTI_CLASS", threshold=0.5)
    with pytest.raises(RuntimeError, match="iterate to the end"):
        _ = joined.counts


def test_the_log_tells_of_unreadable_lines_without_their_content(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        results(archive(prediction(0), *([b"a confidential sentence"] * 20)), manifest(1))
    assert 1 <= len(caplog.records) <= 5
    assert "confidential" not in caplog.text
    assert "Line 2 of the output is unreadable" in caplog.text


# 200 outputs for up to six documents: 1 s. More documents bring no case that six do not have.
@settings(max_examples=200)
@given(st.data())
def test_whatever_the_output_each_document_has_exactly_one_result(data: st.DataObject) -> None:
    documents = data.draw(st.integers(1, 6))
    place = st.integers(-1, 7)
    odd = st.binary(max_size=30).filter(lambda raw: b"\n" not in raw)
    lines: list[dict[str, Any] | bytes] = data.draw(
        st.lists(
            place.map(lambda n: prediction(abs(n)))
            | place.map(lambda n: error(n))
            | place.map(lambda n: {"File": "batch.txt", "Line": n, "Classes": []})
            | odd,
            max_size=15,
        )
    )
    ours = [prediction(0)] if data.draw(st.booleans()) else []
    try:
        rows, joined = results(archive(*ours, *lines), manifest(documents))
    except WrongOutputError:
        assert not ours
        return
    assert set(rows) == {f"id-{n}" for n in range(documents)}
    counts = joined.counts
    assert counts.classified + counts.failed == counts.documents == documents
    assert sum(counts.reasons.values()) == counts.failed
    whole = [line for line in lines if isinstance(line, dict) and "ErrorCode" not in line and line["Classes"]]
    expected = {0 for _ in ours} | {int(line["Line"]) for line in whole if int(line["Line"]) < documents}
    assert {n for n in range(documents) if rows[f"id-{n}"]["status"] == "classified"} >= expected


@given(st.sets(st.integers(0, 10)), st.lists(st.integers(0, 12), max_size=20), st.sets(st.integers(0, 10)))
def test_a_forgotten_document_has_no_result_whatever_the_output_says_of_it(
    forgotten: set[int], lines: list[int], failed: set[int]
) -> None:
    lines = [*lines, 11]
    said = [error(line) if line in failed else prediction(line, f"L{line}") for line in lines]
    found, joined = results(archive(*said), manifest(12, forgotten=forgotten))
    left = [n for n in range(12) if n not in forgotten]
    assert sorted(found) == sorted(f"id-{n}" for n in left)
    assert joined.counts.documents == joined.counts.classified + joined.counts.failed == len(left)
    others = [each for each, line in zip(said, lines, strict=True) if line not in forgotten]
    same, all_joined = results(archive(*others), manifest(12))
    assert found == {f"id-{n}": same[f"id-{n}"] for n in left}
    assert (joined.counts.unknown, joined.counts.duplicates) == (
        all_joined.counts.unknown,
        all_joined.counts.duplicates,
    )

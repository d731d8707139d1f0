"""What files of predictions promise: the same rows in each format, readable by others."""

from __future__ import annotations

import csv
import io
import json
import tarfile
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from upath import UPath

from nightsort.arrow.manifest_schema import MANIFEST_SCHEMA
from nightsort.results.files import (
    UnknownFileTypeError,
    write_predictions,
    write_results,
)

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def archive(tmp_path: Path) -> UPath:
    lines = [
        {
            "File": "b.txt",
            "Line": "1",
            "Labels": [{"Name": "A", "Score": 0.75}, {"Name": "B, c", "Score": 0.5}],
        },
        {"File": "b.txt", "Line": 0, "ErrorCode": "INTERNAL", "ErrorMessage": "x"},
    ]
    content = "\n".join(map(json.dumps, lines)).encode() + b"\noops"
    path = tmp_path / "output.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        member = tarfile.TarInfo("predictions.jsonl")
        member.size = len(content)
        tar.addfile(member, io.BytesIO(content))
    return UPath(path)


@pytest.fixture
def manifest(tmp_path: Path) -> UPath:
    files = pa.array(["b.txt"] * 3, pa.string()).dictionary_encode()
    path = tmp_path / "manifest.parquet"
    columns = [files, pa.array([0, 1, 2]), pa.array(["x", "y", "z"])]
    pq.write_table(pa.table(columns, schema=MANIFEST_SCHEMA), path)
    return UPath(path)


def read(path: Path) -> list[dict[str, Any]]:
    if path.suffix == ".parquet":
        return pq.read_table(path).to_pylist()
    if path.suffix == ".jsonl":
        return [json.loads(line) for line in path.read_text().splitlines()]
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("kind", ["jsonl", "parquet"])
def test_a_row_per_document(archive: UPath, manifest: UPath, tmp_path: Path, kind: str) -> None:
    output = tmp_path / f"rows.{kind}"
    counts = write_results(archive, manifest, output, mode="MULTI_LABEL", threshold=0.6)
    rows = {row["document_id"]: row for row in read(output)}
    assert rows["y"] == {
        "line": 1,
        "document_id": "y",
        "status": "classified",
        "label": "A",
        "score": 0.75,
        "labels": ["A", "B, c"],
        "scores": [0.75, 0.5],
        "accepted": ["A"],
        "reason": None,
        "source": "job",
        "source_run": None,
    }
    assert (rows["x"]["reason"], rows["z"]["reason"]) == ("error:INTERNAL", "missing_from_output")
    assert (counts["documents"], counts["classified"], counts["unreadable"]) == (3, 1, 1)


def test_csv_joins_lists(archive: UPath, manifest: UPath, tmp_path: Path) -> None:
    output = tmp_path / "rows.csv"
    write_results(archive, manifest, output, mode="MULTI_LABEL", threshold=0.6)
    rows = {row["document_id"]: row for row in read(output)}
    assert (rows["y"]["labels"], rows["y"]["scores"]) == ("A|B, c", "0.75|0.5")
    assert (rows["z"]["label"], rows["z"]["reason"]) == ("", "missing_from_output")


def test_parquet_is_read_by_pandas(archive: UPath, manifest: UPath, tmp_path: Path) -> None:
    output = tmp_path / "rows.parquet"
    write_results(archive, manifest, output, mode="MULTI_CLASS", threshold=0.5)
    frame = pd.read_parquet(output).set_index("document_id")
    assert frame.loc["y", "label"] == "A"


def test_predictions_alone_by_file_and_line(archive: UPath, tmp_path: Path) -> None:
    output = tmp_path / "rows.jsonl"
    counts = write_predictions(archive, output)
    assert counts == {"predictions": 1, "failures": 1, "unreadable": 1}
    assert read(output) == [{"file": "b.txt", "line": 1, "labels": ["A", "B, c"], "scores": [0.75, 0.5]}]


def test_without_a_file_it_counts(archive: UPath, manifest: UPath) -> None:
    told: list[int] = []
    assert write_predictions(archive, None, progress=lambda _, n: told.append(n))["predictions"] == 1
    write_results(
        archive, manifest, None, mode="MULTI_CLASS", threshold=0.5, progress=lambda _, n: told.append(n)
    )
    assert told[-1] == 3


def test_a_file_of_another_type_is_refused(archive: UPath, tmp_path: Path) -> None:
    with pytest.raises(UnknownFileTypeError, match=r"\.jsonl, \.csv or \.parquet"):
        write_predictions(archive, tmp_path / "rows.xlsx")

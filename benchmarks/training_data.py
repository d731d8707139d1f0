"""Labelled CSV -> training.csv, test.csv, rejects, report: ours, Arrow alone, DuckDB, Polars and pandas."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from benchmarks.measuring import Comparison, Contender, Target, least
from benchmarks.random_texts import RandomTexts
from nightsort.classifier_spec.model import ClassifierSpec
from nightsort.comprehend.limits import MAX_DOCUMENT_BYTES, MAX_LABELS
from nightsort.storage import plain_access
from nightsort.training.prepare import prepare_training_data

if TYPE_CHECKING:
    from collections.abc import Callable

SOURCE, MODE = "labelled.csv", "mode.txt"

_SEED = 20_261_121
_CHUNK = 20_000
_DIFFERENT = 1_000_000
_DOUBLES, _WITH_THEIR_LABELS, _BLANK = 0.006, 0.8, 0.001
_DOCUMENTS_PER_LABEL = 400
_FEWEST_LABELS = 25
_MOST_LABELS = {"MULTI_CLASS": 1_000, "MULTI_LABEL": 100}
_MOST_LABELS_PER_DOCUMENT = 5
_TEST_SHARE = 0.1
_FEWEST_DOCUMENTS = 10


def make_multi_class(folder: Path, size: int) -> None:
    """Assign each document a label, of up to 1,000; the most frequent one about ten times the rarest."""
    _make(folder, size, "MULTI_CLASS")


def make_multi_label(folder: Path, size: int) -> None:
    """Assign each document one to five labels, of up to 100."""
    _make(folder, size, "MULTI_LABEL")


def _make(folder: Path, size: int, mode: str) -> None:
    """Write id, label and text of so many documents; behind a million, the same come again."""
    (folder / MODE).write_text(mode)
    texts = RandomTexts(_SEED)
    labels = min(_MOST_LABELS[mode], max(_FEWEST_LABELS, size // _DOCUMENTS_PER_LABEL))
    names = [f"label {number:04}" for number in range(labels)]
    schema = pa.schema({"id": pa.string(), "label": pa.string(), "text": pa.string()})
    with pa_csv.CSVWriter(str(folder / SOURCE), schema) as writer:
        for start in range(0, size, _CHUNK):
            random = np.random.default_rng([_SEED, start % _DIFFERENT])
            count = min(_CHUNK, size - start)
            cells = _cells(random, names, count, mode)
            ids = pa.array([f"document-{number:08}" for number in range(start, start + count)])
            writer.write_batch(_dirty(random, ids, cells, texts.column(random, count)))


def _cells(random: np.random.Generator, names: list[str], count: int, mode: str) -> Any:
    weights = 1 / (np.arange(len(names)) + len(names) / 10)
    weights /= weights.sum()
    column = pa.array(names)
    if mode == "MULTI_CLASS":
        return column.take(pa.array(random.choice(len(names), count, p=weights), pa.int64()))
    lengths = random.integers(1, _MOST_LABELS_PER_DOCUMENT + 1, count)
    offsets = pa.array(np.concatenate(([0], np.cumsum(lengths))), pa.int32())
    picked = column.take(pa.array(random.choice(len(names), int(lengths.sum()), p=weights), pa.int64()))
    return pc.binary_join(pa.ListArray.from_arrays(offsets, picked), "|")


def _dirty(random: np.random.Generator, ids: Any, labels: Any, texts: Any) -> pa.RecordBatch:
    """Put in doubles, some of them with labels of their own, and blank texts."""
    count = len(ids)
    places = np.arange(count)
    doubles = random.random(count) < _DOUBLES
    text_of = np.where(doubles, random.integers(0, count, count), places)
    label_of = np.where(random.random(count) < _WITH_THEIR_LABELS, text_of, places)
    blank = pa.array(random.random(count) < _BLANK)
    texts = pc.if_else(blank, " \n", texts.take(pa.array(text_of)))
    return pa.record_batch([ids, labels.take(pa.array(label_of)), texts], names=["id", "label", "text"])


def ours(folder: Path, _size: int) -> dict[str, float]:
    """Nightsort, as its operator calls it."""
    spec = ClassifierSpec.model_validate(
        {
            "name": "benchmark",
            "mode": (folder / MODE).read_text(),
            "labelled": {"uri": str(folder / SOURCE), "format": "csv", "id_column": "id"},
            "incoming": {"uri": "s3://bucket/incoming/{day}/", "format": "lines"},
            "work_uri": str(Path.cwd() / "work"),
            "data_access_role_arn": "arn:aws:iam::123456789012:role/Comprehend",
            "test_share": _TEST_SHARE,
            "min_documents_per_label": _FEWEST_DOCUMENTS,
        }
    )
    prepared = prepare_training_data(spec, plain_access())
    return {
        "documents": prepared.training_documents + prepared.test_documents,
        "rejects": prepared.rejected,
    }


def floor(folder: Path, _size: int) -> dict[str, float]:
    """Arrow reads the CSV as a stream and writes label and text as another; nothing is checked."""
    documents = 0
    columns = pa.schema({"label": pa.string(), "text": pa.string()})
    with (
        pa_csv.open_csv(
            str(folder / SOURCE),
            parse_options=pa_csv.ParseOptions(newlines_in_values=True),
            convert_options=pa_csv.ConvertOptions(include_columns=columns.names, column_types=columns),
        ) as reader,
        pa_csv.CSVWriter(
            "training.csv", columns, write_options=pa_csv.WriteOptions(include_header=False)
        ) as writer,
    ):
        for batch in reader:
            documents += len(batch)
            writer.write_batch(batch)
    return {"documents": documents}


def pandas_script(folder: Path, _size: int) -> dict[str, float]:
    """The script one would write with pandas; cleans, rejects, splits and counts alike."""
    import pandas as pd

    frame = pd.read_csv(folder / SOURCE, dtype=str, keep_default_na=False)
    frame["text"] = (
        frame["text"]
        .str.replace("\ufeff", "")
        .str.replace(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]", " ", regex=True)
        .str.strip()
    )
    checks: dict[str, Callable[[pd.DataFrame], pd.Series[bool]]] = {
        "blank": lambda rows: rows["text"] == "",
        "too_large": lambda rows: rows["text"].str.encode("utf-8").map(len) > MAX_DOCUMENT_BYTES,
        "no_label": lambda rows: rows["label"] == "",
    }
    rejects = []
    for reason, is_wrong in checks.items():
        wrong = is_wrong(frame)
        rejects.append(frame[wrong].assign(reason=reason))
        frame = frame[~wrong]

    if (folder / MODE).read_text() == "MULTI_CLASS":
        frame = frame.drop_duplicates(["text", "label"])
        conflicting = frame.duplicated("text", keep=False)
        rejects.append(frame[conflicting].assign(reason="conflicting_labels"))
        frame = frame[~conflicting]
        pairs = frame[["label"]]
        test_ids = frame.groupby("label").sample(frac=_TEST_SHARE, random_state=1).index
    else:
        labels = frame["label"].str.split("|").map(lambda found: sorted(set(found)))
        frame = frame.assign(label=labels.str.join("|")).drop_duplicates(["text", "label"])
        pairs = labels[frame.index].explode().to_frame("label")
        # Each label at least once, as Comprehend wants it.
        test_ids = (
            pairs.groupby("label").head(1).index.union(frame.sample(frac=_TEST_SHARE, random_state=1).index)
        )

    in_test = frame.index.isin(test_ids)
    training, test = frame[~in_test], frame[in_test]
    counts = pd.crosstab(pairs["label"], pairs.index.isin(test_ids)).set_axis(["training", "test"], axis=1)
    if counts["training"].min() < _FEWEST_DOCUMENTS or len(counts) > MAX_LABELS[(folder / MODE).read_text()]:
        raise SystemExit("too few documents, or too many labels")
    for rows, file in ((training, "training.csv"), (test, "test.csv")):
        rows.to_csv(file, columns=["label", "text"], header=False, index=False)
    Path("test.txt").write_text("\n".join(test["text"]) + "\n", encoding="utf-8")
    pd.concat(rejects)[["id", "reason"]].to_json("rejects.jsonl", orient="records", lines=True)
    counts.to_json("report.json", orient="index")
    return {"documents": len(frame), "rejects": sum(map(len, rejects))}


def duckdb_sql(folder: Path, _size: int) -> dict[str, float]:
    """DuckDB within 200 MB: cleans, rejects, splits and counts alike in SQL, on tables on local disk."""
    from benchmarks import duckdb_peers

    mode = (folder / MODE).read_text()
    return duckdb_peers.training_data(folder / SOURCE, mode, _TEST_SHARE, _FEWEST_DOCUMENTS)


def polars_streaming(folder: Path, _size: int) -> dict[str, float]:
    """Polars' streaming engine: cleans, rejects, splits and counts alike; a bad row fails the file."""
    from benchmarks import polars_peers

    mode = (folder / MODE).read_text()
    return polars_peers.training_data(folder / SOURCE, mode, _TEST_SHARE, _FEWEST_DOCUMENTS)


_SIZES = {10_000: 3, 100_000: 3, 1_000_000: 3}
_MOST_READ = 4_000_000


def _targets(largest: int) -> list[Target]:
    million = 1_000_000
    return [
        *least("ours", "duckdb_sql", "polars_streaming", "pandas_script"),
        Target("ours", "<=", 400, measure="peak_mb", size=million),
        Target("ours", "<=", 1.1, measure="peak_mb", size=largest, over_size=million),
        Target("ours", "<=", 1.1 * largest / million, measure="cpu_seconds", size=largest, over_size=million),
    ]


_CONTENDERS = [
    Contender(ours),
    Contender(floor),
    Contender(duckdb_sql, imports=("duckdb", "benchmarks.duckdb_peers"), may_fail=True),
    Contender(polars_streaming, imports=("polars", "benchmarks.polars_peers"), may_fail=True),
    Contender(pandas_script, imports=("pandas",), sizes=(10_000, 100_000, 1_000_000), runs=1),
]

COMPARISONS = [
    Comparison(
        "training_data_multi_class",
        "Training data: labelled CSV to training and test CSV, 1,000 classes",
        make=make_multi_class,
        contenders=_CONTENDERS,
        sizes=_SIZES | {_MOST_READ: 1},
        targets=_targets(_MOST_READ),
        quick_size=10_000,
    ),
    Comparison(
        "training_data_multi_label",
        "Training data: the same, 100 labels, one to five a document",
        make=make_multi_label,
        contenders=_CONTENDERS,
        sizes=_SIZES,
        targets=_targets(1_000_000)[:-2],
        quick_size=10_000,
    ),
]

"""What one would write with Polars and its streaming engine: the training data and the batches.

What it loses is in ``benchmarks/notes`` and in docs/adr/0027-no-engine-and-no-compiled-kernel.md.
"""

from __future__ import annotations

from pathlib import Path

import polars as pl

from nightsort.comprehend.limits import (
    MAX_DOCUMENT_BYTES,
    MAX_DOCUMENT_ID_BYTES,
    MAX_JOB_DOCUMENTS,
    MAX_LABELS,
)

CLEANED = Path("cleaned.parquet")
"""Cleaned rows, on local disk: they are gone through several times and must not lie in memory."""

_CONTROLS = r"[\x{00}-\x{1f}\x{7f}-\x{9f}\x{2028}\x{2029}]"
# White space and what cannot be seen, as in Nightsort.
_VISIBLE = r"[^\pZ\pC]"


def training_data(source: Path, mode: str, test_share: float, fewest: int) -> dict[str, float]:
    """Clean, reject, find doubles and conflicts, split by a hash of the text, count and write."""
    text, label = pl.col("text"), pl.col("label")
    reason = (
        pl.when(~text.str.contains(_VISIBLE))
        .then(pl.lit("blank"))
        .when(text.str.len_bytes() > MAX_DOCUMENT_BYTES)
        .then(pl.lit("too_large"))
        .when(label == "")
        .then(pl.lit("no_label"))
    )
    # Two hashes of 64 bits stand for a text. Another version of Polars may give others, and another split.
    _read(source, ["id", "label", "text"]).with_columns(
        _cleaned("text"), _cleaned("label") if mode == "MULTI_CLASS" else _cleaned_labels()
    ).with_columns(reason=reason, hash=text.hash(seed=0), second=text.hash(seed=1)).sink_parquet(
        CLEANED, compression="uncompressed", statistics=False, row_group_size=20_000, engine="streaming"
    )

    cleaned = pl.scan_parquet(CLEANED)
    numbers = cleaned.select("row", "reason", "hash", "second", "label").collect(engine="streaming")
    usable = numbers.filter(pl.col("reason").is_null())
    chosen = usable.unique(["hash", "second", "label"], keep="first")
    conflicts = chosen.clear()
    if mode == "MULTI_CLASS":
        conflicts = chosen.filter(pl.len().over("hash", "second") > 1)
    kept = chosen.join(conflicts, on="row", how="anti")
    pairs = kept.select("row", "hash", "label")
    if mode == "MULTI_LABEL":
        pairs = pairs.with_columns(label.str.split("|")).explode("label")
    # The lowest hash of each label is tested too, as Comprehend wants each label in the test.
    lowest = pairs.group_by("label").agg(pl.col("row").sort_by("hash").first())["row"]
    by_hash = kept.filter(pl.col("hash") < int(test_share * 2**64))["row"]
    in_test = pl.col("row").is_in(pl.concat([lowest, by_hash]).unique().implode())
    counts = pairs.group_by("label").agg(training=(~in_test).sum(), test=in_test.sum())
    if (counts["training"] < fewest).any() or len(counts) > MAX_LABELS[mode]:
        raise SystemExit("too few documents, or too many labels")

    fates = pl.concat(
        [
            kept.select("row", fate=pl.when(in_test).then(pl.lit("test")).otherwise(pl.lit("training"))),
            usable.join(conflicts, on=["hash", "second"], how="semi").select(
                "row", fate=pl.lit("conflicting_labels")
            ),
            numbers.filter(pl.col("reason").is_not_null()).select("row", fate="reason"),
        ]
    )
    judged = _beside(cleaned.select("id", "row", "label", "text"), numbers, fates)
    test = judged.filter(pl.col("fate") == "test")
    rejects = judged.filter(~pl.col("fate").is_in(["test", "training"]))
    _write(
        judged.filter(pl.col("fate") == "training")
        .select("label", "text")
        .sink_csv("training.csv", include_header=False, lazy=True),
        test.select("label", "text").sink_csv("test.csv", include_header=False, lazy=True),
        _lines(test, "test.txt"),
        rejects.select("id", "row", reason="fate").sink_ndjson("rejects.jsonl", lazy=True),
    )
    counts.write_ndjson("report.json")
    return {"documents": len(kept), "rejects": len(fates) - len(kept)}


def batches(source: Path) -> dict[str, float]:
    """Clean, reject, find ids that came before, and write each job's input with its manifest."""
    text, key = pl.col("text"), pl.col("id")
    reason = (
        pl.when(key == "")
        .then(pl.lit("missing_id"))
        .when(key.str.len_bytes() > MAX_DOCUMENT_ID_BYTES)
        .then(pl.lit("id_too_long"))
        .when(~text.str.contains(_VISIBLE))
        .then(pl.lit("blank"))
        .when(text.str.len_bytes() > MAX_DOCUMENT_BYTES)
        .then(pl.lit("too_large"))
    )
    _read(source, ["id", "text"]).with_columns(_cleaned("id"), _cleaned("text")).with_columns(
        reason=reason
    ).sink_parquet(
        CLEANED, compression="uncompressed", statistics=False, row_group_size=20_000, engine="streaming"
    )

    cleaned = pl.scan_parquet(CLEANED)
    numbers = cleaned.select("row", "reason", hash=key.hash(seed=0), second=key.hash(seed=1)).collect(
        engine="streaming"
    )
    firsts = numbers.filter(pl.col("reason").is_null()).unique(
        ["hash", "second"], keep="first", maintain_order=True
    )
    judged = _beside(cleaned, numbers, firsts.select("row").with_row_index("place"))
    for start in range(0, len(firsts), MAX_JOB_DOCUMENTS):
        name = f"batch-{start // MAX_JOB_DOCUMENTS:05}"
        rows = judged.filter(pl.col("place").is_between(start, start + MAX_JOB_DOCUMENTS, closed="left"))
        manifest = rows.select(file=pl.lit(f"{name}.txt"), line=pl.col("place") - start, document_id="id")
        _write(
            _lines(rows, f"{name}.txt"),
            manifest.sink_parquet(f"{name}.parquet", compression="zstd", lazy=True),
        )
    _write(
        judged.filter(pl.col("place").is_null())
        .select("id", "row", pl.col("reason").fill_null("duplicate_id"))
        .sink_ndjson("rejects.jsonl", lazy=True)
    )
    return {"documents": len(firsts), "rejects": len(numbers) - len(firsts)}


def _read(source: Path, columns: list[str]) -> pl.LazyFrame:
    # One row that is damaged is an error for the whole file; what is tolerated instead is not told.
    return pl.scan_csv(
        source, schema=dict.fromkeys(columns, pl.String), row_index_name="row", empty_string_is_null=False
    )


def _cleaned(column: str) -> pl.Expr:
    text = pl.col(column).str.replace_all("\ufeff", "", literal=True)
    return text.str.replace_all(_CONTROLS, " ").str.strip_chars()


def _cleaned_labels() -> pl.Expr:
    one = pl.element().str.replace_all(_CONTROLS, " ").str.strip_chars()
    labels = pl.col("label").str.replace_all("\ufeff", "", literal=True).str.split("|").list.eval(one)
    return labels.list.unique().list.sort().list.join("|")


def _beside(cleaned: pl.LazyFrame, numbers: pl.DataFrame, found: pl.DataFrame) -> pl.LazyFrame:
    """Put what was found of some rows beside all rows; a join with the texts would need them in memory."""
    found = numbers.select("row").join(found, on="row", how="left", maintain_order="left").drop("row")
    return pl.concat([cleaned, found.lazy()], how="horizontal")


def _write(*outputs: pl.LazyFrame) -> None:
    for output in outputs:
        output.collect(engine="streaming")


def _lines(rows: pl.LazyFrame, file: str) -> pl.LazyFrame:
    """Write texts as they are: cleaned ones have no line ends."""
    return rows.select("text").sink_csv(file, include_header=False, quote_style="never", lazy=True)

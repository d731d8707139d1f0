"""Where the files of a spec lie."""

from __future__ import annotations

import pytest

from nightsort.classifier_spec.model import ClassifierSpec
from nightsort.layout import WorkLayout, without_run


def test_a_spec_lays_its_files_out_below_its_work_uri() -> None:
    assert ClassifierSpec.model_construct(work_uri="s3://b/work").layout == WorkLayout("s3://b/work")  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("uri", "stable"),
    [
        ("s3://b/w/runs/20261118/input/20261118-00000-0123abcd.txt", "s3://b/w/runs/input"),
        ("s3://b/w/runs/20261118-0123abcd/manifests/x.parquet", "s3://b/w/runs/manifests"),
        ("s3://b/w/runs/20261118/output/1-CLN-2/output/output.tar.gz", "s3://b/w/runs/output"),
        ("s3://b/w/runs/20261118/output/", "s3://b/w/runs/output"),
        ("s3://b/w/runs/20261118/rejects.jsonl", "s3://b/w/runs/rejects.jsonl"),
        ("s3://b/w/training/v0123456789ab/training.csv", "s3://b/w/training/training.csv"),
        ("s3://b/w/training/v0123456789ab-g2/output/x/output.tar.gz", "s3://b/w/training/output"),
        ("s3://b/runs/of/mine.csv", "s3://b/runs/of/mine.csv"),
        ("s3://b/training/v1/mine.csv", "s3://b/training/v1/mine.csv"),
    ],
)
def test_what_differs_from_run_to_run_is_left_out(uri: str, stable: str) -> None:
    assert without_run(uri) == stable

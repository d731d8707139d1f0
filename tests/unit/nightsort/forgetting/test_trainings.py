"""What is left of a training's data: rows of the same size and labels, and a document that says nothing."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightsort.classifier_spec.model import ClassifierSpec
from nightsort.forgetting.trainings import _without_text, erase_from_training, find_in_training
from nightsort.storage import plain_access
from nightsort.training.prepare import prepare_training_data
from nightsort.training.training_csv import csv_rows, row_starts, values

TEXT = st.text(st.characters(exclude_characters="\n\r\0", exclude_categories=["Cs"]), min_size=1, max_size=30)


@given(TEXT, TEXT)
def test_the_labels_stay_and_the_document_goes(label: str, text: str) -> None:
    row = bytes(values(csv_rows(row_starts(pa.array([label])), pa.array([text])))).removesuffix(b"\n")
    after = _without_text(row)
    assert len(after) == len(row)
    assert _without_text(after) == after
    ((kept, left),) = csv.reader(io.StringIO(after.decode(), newline=""))
    assert kept == label
    assert left == ("forgotten " * 30)[: len(left)]


@pytest.mark.parametrize("mode", ["MULTI_CLASS", "MULTI_LABEL"])
def test_every_document_of_a_training_can_be_found_by_its_id(tmp_path: Path, mode: str) -> None:
    source = tmp_path / "labelled.csv"
    source.write_text("label,text\n" + "".join(f"{'ab'[n % 2]},document {n}\n" for n in range(120)))
    spec = ClassifierSpec.model_validate(
        {
            "name": "tickets",
            "mode": mode,
            "labelled": {"uri": str(source), "format": "csv"},
            "incoming": {"uri": f"{tmp_path}/incoming/{{day}}/", "format": "lines"},
            "work_uri": f"{tmp_path}/work",
            "data_access_role_arn": "arn:aws:iam::123456789012:role/Comprehend",
        }
    )
    access = plain_access()
    prepared = prepare_training_data(spec, access)
    folder = spec.layout.training(prepared.version)
    names = [f"labelled.csv:{n}" for n in range(120)]
    found = find_in_training(folder, pa.array(names), names, access)
    assert found.documents is not None
    assert len(found.documents.files) == prepared.training_documents + prepared.test_documents
    assert list(erase_from_training(folder, found, names, access, tmp_path)) == []
    for file in (prepared.training_uri, prepared.test_uri):
        with Path(file).open(newline="") as rows:
            assert {text.split()[0] for _, text in csv.reader(rows)} == {"forgotten"}

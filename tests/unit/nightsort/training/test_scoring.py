"""Test documents that the active version has classified are not sent, and count as if they had been."""

from __future__ import annotations

import io
import json
import re
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from upath import UPath

from nightsort.evaluation import from_job_output
from nightsort.forgetting.trainings import erase_from_training, find_in_training
from nightsort.storage import MissingObjectError, plain_access
from nightsort.training.prepare import prepare_training_data
from nightsort.training.scoring import split_scoring
from tests.unit.nightsort.nights import Night
from tests.unit.nightsort.reuse.stored_nights import VERSION, Result, keep

if TYPE_CHECKING:
    from nightsort.classifier_spec.model import ClassifierSpec
    from nightsort.training.prepare import PreparedTraining
    from nightsort.training.scoring import Scoring

NIGHT = "20261118"


@pytest.fixture
def spec(tmp_path: Path) -> ClassifierSpec:
    labelled = tmp_path / "labelled.csv"
    rows = (f"{'ab'[number % 2]},Ä document {number}\n" for number in range(120))
    labelled.write_text("label,text\n" + "".join(rows), encoding="utf-8")
    return Night(tmp_path, [], labelled={"uri": str(labelled), "format": "csv"}).spec


@pytest.fixture
def prepared(spec: ClassifierSpec) -> PreparedTraining:
    return prepare_training_data(spec, plain_access())


def texts_to_test(prepared: PreparedTraining) -> list[str]:
    return Path(prepared.test_documents_uri).read_text(encoding="utf-8").splitlines()


def said_of(text: str) -> dict[str, float]:
    """What the version says: right of two documents of three."""
    number = int(text.rpartition(" ")[2])
    best = "ab"[(number + (number % 3 == 0)) % 2]
    return {best: 0.75, "ba"["ab".index(best)]: 0.25}


def split(spec: ClassifierSpec, prepared: PreparedTraining, runs: list[str]) -> Scoring:
    folder = spec.layout.training(prepared.version)
    return split_scoring(spec, plain_access(), folder, version=VERSION, runs=lambda: runs)


def output(texts: list[str]) -> io.BytesIO:
    """The output of a job over some texts, one per line."""
    lines = [
        {
            "File": "any.txt",
            "Line": str(line),
            "Classes": [{"Name": name, "Score": score} for name, score in said_of(text).items()],
        }
        for line, text in enumerate(texts)
    ]
    content = "\n".join(map(json.dumps, lines)).encode()
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        member = tarfile.TarInfo("predictions.jsonl")
        member.size = len(content)
        tar.addfile(member, io.BytesIO(content))
    packed.seek(0)
    return packed


@pytest.mark.parametrize("known", [0, 1, 5, -1])
def test_the_metrics_are_those_of_a_job_over_all_test_documents(
    spec: ClassifierSpec, prepared: PreparedTraining, known: int
) -> None:
    texts = texts_to_test(prepared)
    stored = texts if known < 0 else texts[1 : 1 + known]
    keep(spec.layout, NIGHT, "batch", [Result(text, said_of(text)) for text in ["other 1", *stored]])

    found = split(spec, prepared, [NIGHT])

    left = [text for text in texts if text not in stored]
    assert (found.known, found.documents, found.units) == (len(stored), len(left), 3 * len(left))
    if left:
        assert Path(found.input_uri).read_text(encoding="utf-8").splitlines() == left
    assert (found.fingerprint is None) == (found.input_uri == prepared.test_documents_uri) == (not stored)
    test_csv = UPath(prepared.test_uri)
    assert from_job_output(
        output(left) if left else None, test_csv, mode="MULTI_CLASS", known=UPath(found.known_uri)
    ) == from_job_output(output(texts), test_csv, mode="MULTI_CLASS")


def test_what_was_decided_once_stays_whatever_is_classified_later(
    spec: ClassifierSpec, prepared: PreparedTraining
) -> None:
    texts = texts_to_test(prepared)
    none_known = split(spec, prepared, [])
    keep(spec.layout, NIGHT, "batch", [Result(text, said_of(text)) for text in texts])

    assert split(spec, prepared, [NIGHT]) == none_known
    Path(none_known.known_uri).unlink()
    assert split(spec, prepared, [NIGHT]).documents == 0


def test_neither_texts_nor_hashes_are_kept_of_what_is_known(
    spec: ClassifierSpec, prepared: PreparedTraining
) -> None:
    keep(spec.layout, NIGHT, "batch", [Result(text, said_of(text)) for text in texts_to_test(prepared)])
    found = split(spec, prepared, [NIGHT])

    names = pq.read_schema(found.known_uri).names
    assert names == ["line", "labels", "scores"]


def test_a_forgotten_test_document_is_gone_from_the_job_s_input_and_the_others_stay(
    spec: ClassifierSpec, prepared: PreparedTraining, tmp_path: Path
) -> None:
    texts = texts_to_test(prepared)
    keep(spec.layout, NIGHT, "batch", [Result(text, said_of(text)) for text in texts[2:5]])
    found = split(spec, prepared, [NIGHT])
    # One before, one among and one behind the known documents.
    forgotten = [texts[0], texts[3], texts[7]]
    ids = [f"labelled.csv:{text.rpartition(' ')[2]}" for text in forgotten]
    folder = spec.layout.training(prepared.version)
    documents = find_in_training(folder, pa.array(ids), ids, plain_access())

    assert list(erase_from_training(folder, documents, ids, plain_access(), tmp_path)) == []

    lines = Path(found.input_uri).read_text(encoding="utf-8").splitlines()
    expected = [text for text in texts if text not in texts[2:5]]
    assert [line if line in texts else None for line in lines] == [
        None if text in forgotten else text for text in expected
    ]
    everything = b"".join(path.read_bytes() for path in Path(folder.uri).iterdir())
    assert not [text for text in forgotten if re.search(rf"{text}(?!\d)".encode(), everything)]
    assert split(spec, prepared, [NIGHT]) == found


def test_an_input_that_a_crashed_attempt_left_is_removed_when_a_document_is_forgotten(
    spec: ClassifierSpec, prepared: PreparedTraining, tmp_path: Path
) -> None:
    texts = texts_to_test(prepared)
    keep(spec.layout, NIGHT, "batch", [Result(texts[0], said_of(texts[0]))])
    found = split(spec, prepared, [NIGHT])
    Path(found.known_uri).unlink()
    ids = [f"labelled.csv:{texts[1].rpartition(' ')[2]}"]
    folder = spec.layout.training(prepared.version)
    documents = find_in_training(folder, pa.array(ids), ids, plain_access())

    assert list(erase_from_training(folder, documents, ids, plain_access(), tmp_path)) == []

    assert not Path(found.input_uri).exists()


def test_test_documents_that_are_gone_are_named(spec: ClassifierSpec, prepared: PreparedTraining) -> None:
    Path(prepared.test_documents_uri).unlink()
    with pytest.raises(MissingObjectError, match=r"test\.txt is gone"):
        split(spec, prepared, [])

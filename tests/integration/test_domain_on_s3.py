"""The domain on S3 and PostgreSQL, without Airflow: what its steps write is what the next one reads."""

from __future__ import annotations

import io
import json
import re
import tarfile
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from nightsort.batches.prepare import prepare_batches
from nightsort.classifier_spec.model import ClassifierSpec
from nightsort.cli import app
from nightsort.errors import NightsortError
from nightsort.naming import run_key
from nightsort.storage import UPLOAD_PART_BYTES, Access, StorageError, plain_access, upload, upload_texts
from nightsort.tables.load import load_predictions
from nightsort.tables.runs import finish_run
from nightsort.tables.unsent import load_rejects
from nightsort.training.prepare import TrainingDataError, prepare_training_data
from tests.integration.local_aws_server import local_aws

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import psycopg

    from nightsort.batches.prepare import Batch

pytestmark = pytest.mark.integration

DAY = date(2026, 11, 18)


@pytest.fixture(scope="module")
def s3() -> Iterator[Access]:
    with local_aws() as aws, aws.for_this_process():
        aws.client("s3").create_bucket(Bucket="nightsort")
        yield plain_access()


def spec(name: str, **settings: Any) -> ClassifierSpec:
    return ClassifierSpec.model_validate(
        {
            "name": name,
            "mode": "MULTI_CLASS",
            "labelled": {"uri": f"s3://nightsort/{name}/labelled/", "format": "csv"},
            "incoming": {
                "uri": f"s3://nightsort/{name}/incoming/{{day}}/",
                "format": "csv",
                "id_column": "id",
            },
            "work_uri": f"s3://nightsort/{name}/work",
            "data_access_role_arn": "arn:aws:iam::123456789012:role/Comprehend",
            **settings,
        }
    )


def classify(s3: Access, batch: Batch) -> str:
    """Write an output as a job would that calls each document by its own text."""
    if batch.input_uri.endswith("/"):
        named = [({"File": path.name}, path.read_text()) for path in s3.path(batch.input_uri).iterdir()]
    else:
        name = batch.input_uri.rpartition("/")[2]
        texts = s3.path(batch.input_uri).read_text().splitlines()
        named = [({"File": name, "Line": str(number)}, text) for number, text in enumerate(texts)]
    lines = [{**place, "Classes": [{"Name": text, "Score": 0.5}]} for place, text in named]
    content = "\n".join(map(json.dumps, lines)).encode()
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        member = tarfile.TarInfo("predictions.jsonl")
        member.size = len(content)
        tar.addfile(member, io.BytesIO(content))
    uri = f"{batch.manifest_uri}.output.tar.gz"
    s3.path(uri).write_bytes(buffer.getvalue())
    return uri


@pytest.mark.parametrize("form", ["ONE_DOC_PER_LINE", "ONE_DOC_PER_FILE"])
def test_a_night_from_s3_to_the_table(s3: Access, database: psycopg.Connection[Any], form: str) -> None:
    name = form.lower().replace("_", "-")
    night = spec(name, input_format=form, batch={"max_documents": 3})
    rows = [f"doc/{n},label {n % 7}" for n in range(100)]
    s3.path(f"s3://nightsort/{name}/incoming/2026-11-18/a.csv").write_text("id,text\n" + "\n".join(rows[:60]))
    rest = "\n".join([*rows[60:], "blank,", "doc/1,again"])
    s3.path(f"s3://nightsort/{name}/incoming/2026-11-18/b.csv").write_text("id,text\n" + rest)
    key = run_key(DAY, None)
    prepared = prepare_batches(night, s3, run_key=key, day=DAY)
    assert [batch.lines for batch in prepared.batches] == [3, 3, 1], "of seven texts"
    for batch in prepared.batches:
        load_predictions(
            database,
            spec=night,
            version="v1",
            run_key=key,
            batch=batch.name,
            archive=s3.path(classify(s3, batch)),
            manifest=s3.path(batch.manifest_uri),
        )
    load_rejects(database, spec=night, run_key=key, rejects_path=s3.path(prepared.rejects_uri))
    counts = finish_run(database, spec=night, run_key=key, version="v1", prepared=prepared)
    assert (counts.documents_in, counts.classified, counts.failed, counts.rejected) == (102, 100, 0, 2)
    found = dict(database.execute("SELECT document_id, label FROM nightsort.latest_predictions").fetchall())
    assert found == {f"doc/{n}": f"label {n % 7}" for n in range(100)}
    assert prepare_batches(night, s3, run_key=key, day=DAY) == prepared
    s3.path(f"s3://nightsort/{name}/incoming/2026-11-18/0-late.csv").write_text("id,text\nlate,label 1\n")
    again = prepare_batches(night, s3, run_key=key, day=DAY)
    assert [batch.name for batch in again.batches] == [batch.name for batch in prepared.batches]
    assert (again.documents_in, again.units, again.repeated) == (103, prepared.units, prepared.repeated + 1)


def test_an_empty_prefix_is_a_night_with_zeros(s3: Access, database: psycopg.Connection[Any]) -> None:
    night = spec("empty")
    prepared = prepare_batches(night, s3, run_key=run_key(DAY, None), day=DAY)
    load_rejects(database, spec=night, run_key="20261118", rejects_path=s3.path(prepared.rejects_uri))
    counts = finish_run(database, spec=night, run_key="20261118", version=None, prepared=prepared)
    assert (prepared.batches, counts.documents_in) == ((), 0)


def test_a_file_of_several_parts_arrives_whole(s3: Access, tmp_path: Path) -> None:
    content = bytes(range(256)) * (5 * UPLOAD_PART_BYTES // 256) + b"the end"
    (tmp_path / "local").write_bytes(content)

    upload(tmp_path / "local", "s3://nightsort/uploads/large.txt", s3)

    assert s3.path("s3://nightsort/uploads/large.txt").read_bytes() == content


def test_many_texts_arrive_in_files_of_their_own(s3: Access) -> None:
    texts = {f"text-{number}": b"" if number == 7 else b"%d" % number for number in range(1_030)}

    upload_texts(iter(texts.items()), "s3://nightsort/uploads/texts/", s3)

    found = s3.path("s3://nightsort/uploads/texts/")
    assert sorted(path.name for path in found.iterdir()) == sorted(texts)
    assert all((found / name).read_bytes() == texts[name] for name in ("text-0", "text-7", "text-1029"))


class TestPlacesThatAreNotThere:
    """S3 says only that a bucket or a key does not exist; a person needs its name and the key of the spec."""

    def test_the_bucket_of_the_labelled_documents(self, s3: Access) -> None:
        lost = spec("lost", labelled={"uri": "s3://no-such-bucket/labelled/", "format": "csv"})
        with pytest.raises(StorageError, match=r"s3://no-such-bucket/labelled/ .*correct labelled\.uri"):
            prepare_training_data(lost, s3)

    def test_the_bucket_of_the_new_documents(self, s3: Access) -> None:
        lost = spec("lost", incoming={"uri": "s3://no-such-bucket/{day}/", "format": "lines"})
        with pytest.raises(StorageError, match=r"s3://no-such-bucket/2026-11-18/ .*correct incoming\.uri"):
            prepare_batches(lost, s3, run_key=run_key(DAY, None), day=DAY)

    def test_one_file(self, s3: Access) -> None:
        lost = spec("lost", labelled={"uri": "s3://no-such-bucket/x.csv", "format": "csv"})
        with pytest.raises(NightsortError, match=r"s3://no-such-bucket/x\.csv"):
            prepare_training_data(lost, s3)

    def test_the_bucket_to_write_to(self, s3: Access) -> None:
        s3.path("s3://nightsort/there/incoming/2026-11-18/a.csv").write_text("id,text\na,b\n")
        lost = spec("there", work_uri="s3://no-such-bucket/work")
        with pytest.raises(StorageError, match=r"s3://no-such-bucket/work .*correct work_uri in the spec"):
            prepare_batches(lost, s3, run_key=run_key(DAY, None), day=DAY)

    def test_the_bucket_for_the_rejects_of_a_training(self, s3: Access) -> None:
        s3.path("s3://nightsort/rejected/labelled/a.csv").write_text("label,text\na,\n")
        lost = spec("rejected", work_uri="s3://no-such-bucket/work")
        with pytest.raises(StorageError, match=r"s3://no-such-bucket/work.*work_uri in the spec"):
            prepare_training_data(lost, s3)

    @pytest.mark.parametrize("uri", ["s3://nightsort/nope.tar.gz", "s3://no-such-bucket/nope.tar.gz"])
    def test_an_archive(self, s3: Access, uri: str) -> None:
        result = CliRunner().invoke(app, ["read-predictions", uri])
        assert result.exit_code == 2
        assert f"{uri} does not exist" in result.output


def test_the_rejects_of_a_training_that_fails_are_where_the_message_says(s3: Access) -> None:
    s3.path("s3://nightsort/failing/labelled/a.csv").write_text("label,text\na,\n,b\n")
    with pytest.raises(TrainingDataError) as error:
        prepare_training_data(spec("failing"), s3)
    place = re.search(r"All rejects are in (\S+)", str(error.value))
    assert place is not None
    assert [json.loads(line)["row"] for line in s3.path(place[1]).read_text().splitlines()] == [0, 1]

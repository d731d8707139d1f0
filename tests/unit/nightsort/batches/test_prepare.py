"""What batches promise: every document in exactly one place, the manifest says where, and the same input
gives the same names and bytes."""

from __future__ import annotations

import logging
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO
from unicodedata import category

import orjson
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from upath import UPath

from nightsort.batches import uploads as uploading
from nightsort.batches.manifest import Manifest
from nightsort.batches.prepare import Batch, TooManyBatchesError, forecast_run, no_batch
from nightsort.layout import document_file
from nightsort.naming import run_key
from nightsort.sources.source_files import NoFilesError
from nightsort.storage import Access, plain_access, upload
from nightsort_local.local_aws.s3.location import S3Location
from nightsort_local.local_aws.work.job_input import read_job_input
from tests.unit.nightsort.nights import DAY, Night, documents, sent

if TYPE_CHECKING:
    from collections.abc import Iterator


TEXTS = st.text(max_size=12) | st.text(
    'a", \n\r\t\v\f\x00\x1c\x85\u2028\u2029\ufeff\u200b\u00a0\U0001f600', max_size=8
)


def by_hand(text: str) -> str:
    """A text as the rule for cleaning leaves it."""
    marks = [mark for mark in text if mark != "\ufeff"]
    return "".join(" " if category(c) == "Cc" or c in "\u2028\u2029" else c for c in marks).strip()


class Folder:
    """What the local Comprehend reads a job's input with, on a folder in place of S3."""

    def list(self, uri: str) -> list[tuple[S3Location, int]]:
        folder, _, start = uri.rpartition("/")
        files = sorted(path for path in Path(folder).iterdir() if path.name.startswith(start))
        return [(S3Location("bucket", str(path)), path.stat().st_size) for path in files]

    @contextmanager
    def open(self, location: S3Location) -> Iterator[BinaryIO]:
        with Path(location.key).open("rb") as stream:
            yield stream


class TestRunKey:
    def test_a_night_is_its_day(self) -> None:
        assert run_key(DAY, None) == "20261118"

    def test_a_source_by_hand_has_a_key_of_its_own(self) -> None:
        one, other = (run_key(DAY, uri) for uri in ("s3://b/one/", "s3://b/other/"))
        assert one != other
        assert one == run_key(DAY, "s3://b/one/")
        assert one.startswith("20261118-")
        assert len(one) == len("20261118-") + 8


class TestOneDocumentPerLine:
    def test_line_n_is_document_n(self, tmp_path: Path) -> None:
        night = Night(tmp_path, documents(5))
        prepared = night.prepare()
        (batch,) = prepared.batches
        content = "".join(f"text of document {n}\n" for n in range(5))
        assert UPath(batch.input_uri).read_text() == content
        assert sent(prepared) == dict(documents(5))
        assert batch == Batch(
            name=f"20261118-00000-{batch.fingerprint[:8]}",
            input_uri=f"{night.work}/runs/20261118/input/{batch.name}.txt",
            manifest_uri=f"{night.work}/runs/20261118/manifests/{batch.name}.parquet",
            documents=5,
            lines=5,
            bytes=len(content),
            units=15,
            fingerprint=batch.fingerprint,
        )
        assert (prepared.documents_in, prepared.documents_sent, prepared.units) == (5, 5, 15)
        assert prepared.rejected == 0
        assert orjson.loads(orjson.dumps(prepared.to_dict()))["batches"][0]["name"] == batch.name

    @pytest.mark.parametrize(("most", "sizes"), [(1, [1] * 7), (3, [3, 3, 1]), (7, [7]), (100, [7])])
    def test_batches_are_cut_by_count(self, tmp_path: Path, most: int, sizes: list[int]) -> None:
        prepared = Night(tmp_path, documents(7), batch={"max_documents": most}).prepare()
        assert [batch.documents for batch in prepared.batches] == sizes
        assert sent(prepared) == dict(documents(7))
        assert len({batch.name for batch in prepared.batches}) == len(sizes)

    def test_batches_are_cut_by_bytes(self, tmp_path: Path) -> None:
        texts = [(f"d{n}", f"{n}" * size) for n, size in enumerate((4, 4, 9, 3, 100, 1, 1))]
        prepared = Night(tmp_path, texts, batch={"max_bytes": 10}).prepare()
        # A line has its line end; a document above the limit is alone in its batch.
        assert [batch.bytes for batch in prepared.batches] == [10, 10, 4, 101, 4]
        assert sent(prepared) == dict(texts)

    def test_the_limit_in_bytes_holds_across_files(self, tmp_path: Path) -> None:
        night = Night(tmp_path, [], batch={"max_bytes": 10})
        for n in range(5):
            night.write(f"{n}.jsonl", [(f"d{n}", f"fou{n}")])
        assert [batch.documents for batch in night.prepare().batches] == [2, 2, 1]

    def test_order_is_that_of_the_source_across_files_and_batches(self, tmp_path: Path) -> None:
        night = Night(tmp_path, documents(10), batch={"max_documents": 4})
        night.write("a-first.jsonl", [(f"first-{n}", f"first {n}") for n in range(3)])
        assert list(sent(night.prepare())) == [f"first-{n}" for n in range(3)] + [
            f"doc-{n}" for n in range(10)
        ]

    def test_units_are_those_of_each_document(self, tmp_path: Path) -> None:
        prepared = Night(tmp_path, [("a", "x"), ("b", "y" * 450)]).prepare()
        assert prepared.units == 3 + 5

    # 60 nights of at most 12 documents: 2 s. What one text does, it does in any place of any batch.
    @settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(texts=st.lists(TEXTS, max_size=12), most=st.integers(1, 5), per_file=st.booleans())
    def test_every_document_is_sent_once_or_rejected_and_comprehend_reads_what_was_sent(
        self, tmp_path_factory: pytest.TempPathFactory, texts: list[str], most: int, per_file: bool
    ) -> None:
        source = [(f"id/{n % 9}", text) for n, text in enumerate(texts)]
        form = "ONE_DOC_PER_FILE" if per_file else "ONE_DOC_PER_LINE"
        folder = tmp_path_factory.mktemp("night")
        prepared = Night(folder, source, batch={"max_documents": most}, input_format=form).prepare()
        found = sent(prepared)
        assert prepared.documents_in == len(source) == len(found) + prepared.rejected
        rejected = [orjson.loads(line) for line in UPath(prepared.rejects_uri).read_bytes().splitlines()]
        assert Counter(reject["reason"] for reject in rejected) == prepared.reject_counts
        for name, text in found.items():
            assert any(name == i and by_hand(t) == text for i, t in source)
        read: dict[str | None, str] = {}
        for batch in prepared.batches:
            manifest = Manifest.read(UPath(batch.manifest_uri))
            documents = list(read_job_input(Folder(), batch.input_uri, not per_file))  # type: ignore[arg-type]
            places = manifest.positions(
                pa.array([document.file for document in documents]),
                pa.array([document.line for document in documents], pa.int64()),
            )
            assert sorted(places) == list(range(batch.lines))
            ids = manifest.document_ids.take(pa.array(places)).to_pylist()
            read |= {name: document.text for name, document in zip(ids, documents, strict=True)}
            for positions, others in manifest.repeats():
                own = manifest.document_ids.take(pa.array(positions)).to_pylist()
                read |= {name: read[one] for name, one in zip(others.to_pylist(), own, strict=True)}
        assert read == found


class TestOneDocumentPerFile:
    def test_each_document_is_a_file_of_its_name(self, tmp_path: Path) -> None:
        night = Night(tmp_path, documents(5), input_format="ONE_DOC_PER_FILE")
        prepared = night.prepare()
        (batch,) = prepared.batches
        assert batch.input_uri == f"{night.work}/runs/20261118/input/{batch.name}/"
        assert sorted(path.name for path in UPath(batch.input_uri).iterdir()) == [
            f"doc-{n}" for n in range(5)
        ]
        assert (UPath(batch.input_uri) / "doc-3").read_text() == "text of document 3"
        assert batch.bytes == sum(len(text) for _, text in documents(5))
        assert sent(prepared) == dict(documents(5))

    def test_ids_that_are_no_safe_names_get_a_hash(self, tmp_path: Path) -> None:
        ids = [
            "a/b",
            "../up",
            ".",
            "..",
            ".hidden",
            "ü",
            "with blank",
            "x" * 300,
            "_mine",
            "s3://b/k",
            "ok.txt",
            "-r",
        ]
        night = Night(
            tmp_path, [(i, f"text {n}") for n, i in enumerate(ids)], input_format="ONE_DOC_PER_FILE"
        )
        prepared = night.prepare()
        assert sent(prepared) == {i: f"text {n}" for n, i in enumerate(ids)}
        names = {path.name for path in UPath(prepared.batches[0].input_uri).iterdir()}
        assert len(names) == len(ids)
        assert {name for name in names if not name.startswith("_")} == {"ok.txt"}
        assert not (night.work / "runs" / "up").exists()

    def test_batches_do_not_contain_one_another(self, tmp_path: Path) -> None:
        night = Night(tmp_path, documents(12), input_format="ONE_DOC_PER_FILE", batch={"max_documents": 1})
        uris = [batch.input_uri for batch in night.prepare().batches]
        assert not [(a, b) for a in uris for b in uris if a != b and a.startswith(b)]

    @given(st.sets(st.text(st.characters(exclude_categories=["Cs"]), max_size=20), min_size=2, max_size=2))
    def test_two_ids_never_share_a_name(self, ids: set[str]) -> None:
        one, other = ids
        assert document_file(one) != document_file(other)


class TestTheSameAgain:
    @pytest.mark.parametrize("form", ["ONE_DOC_PER_LINE", "ONE_DOC_PER_FILE"])
    def test_the_same_input_gives_the_same_names_and_bytes(self, tmp_path: Path, form: str) -> None:
        night = Night(
            tmp_path, [*documents(9), ("doc-1", "double")], input_format=form, batch={"max_documents": 4}
        )
        first, objects = night.prepare(), night.objects()
        assert night.prepare() == first
        assert night.objects() == objects

    def test_other_content_gives_other_names(self, tmp_path: Path) -> None:
        night = Night(tmp_path, documents(4))
        (before,) = night.prepare().batches
        night.write("documents.jsonl", [*documents(3), ("doc-3", "corrected")])
        (after,) = night.prepare(started=no_batch).batches
        assert after.name != before.name
        assert after.fingerprint != before.fingerprint

    def test_other_ids_give_other_names_where_files_are_named_by_them(self, tmp_path: Path) -> None:
        night = Night(tmp_path, [("a", "text")], input_format="ONE_DOC_PER_FILE")
        (before,) = night.prepare().batches
        night.write("documents.jsonl", [("b", "text")])
        (after,) = night.prepare(started=no_batch).batches
        assert after.name != before.name

    def test_after_a_crash_during_uploads_a_rerun_leaves_the_right_objects(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        night = Night(tmp_path, documents(9), batch={"max_documents": 2})
        whole = Night(tmp_path / "other", documents(9), batch={"max_documents": 2})
        whole.prepare()
        uploads = 0

        def failing(local: Path, uri: str, access: Access, **options: Any) -> None:
            nonlocal uploads
            uploads += 1
            if uploads == 4:
                raise ConnectionResetError("the network is gone")
            upload(local, uri, access, **options)

        monkeypatch.setattr(uploading, "upload", failing)
        with pytest.raises(ConnectionResetError):
            night.prepare()
        assert night.objects() != whole.objects()
        prepared = night.prepare()
        assert night.objects() == whole.objects()
        assert sent(prepared) == dict(documents(9))

    def test_nothing_is_left_on_local_disk(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        scratch = tmp_path / "scratch"
        scratch.mkdir()
        monkeypatch.setattr("tempfile.tempdir", str(scratch))
        Night(tmp_path, documents(9), batch={"max_documents": 2}).prepare()
        assert list(scratch.iterdir()) == []


class TestIdsMadeOfFiles:
    """Without a column of ids, an id holds what tells days apart."""

    @staticmethod
    def night(folder: Path, uri: str, **settings: Any) -> Night:
        incoming = {"uri": uri, "format": "lines"}
        return Night(folder, [], **{"incoming": incoming, "work_uri": str(folder / "work"), **settings})

    @pytest.mark.parametrize(
        ("pattern", "file", "document_id"),
        [
            ("{day}/", "2026-11-18/docs.txt", "2026-11-18/docs.txt:0"),
            ("{day:%Y/%m/%d}/*.txt", "2026/11/18/docs.txt", "2026/11/18/docs.txt:0"),
            ("{day}/docs.txt", "2026-11-18/docs.txt", "2026-11-18/docs.txt:0"),
            ("docs-{day}.txt", "docs-2026-11-18.txt", "docs-2026-11-18.txt:0"),
            ("*/{day}/*", "eu/2026-11-18/docs.txt", "eu/2026-11-18/docs.txt:0"),
            ("a/", "a/docs.txt", "docs.txt:0"),
        ],
    )
    def test_they_begin_behind_the_folder_of_all_days(
        self, tmp_path: Path, pattern: str, file: str, document_id: str
    ) -> None:
        path = tmp_path / "in" / file
        path.parent.mkdir(parents=True)
        path.write_text("hello\n")
        prepared = self.night(tmp_path, f"{tmp_path}/in/{pattern}").prepare()
        assert sent(prepared) == {document_id: "hello"}

    def test_a_file_named_by_hand_has_the_ids_of_its_day(self, tmp_path: Path) -> None:
        (tmp_path / "in" / "2026-11-18").mkdir(parents=True)
        (tmp_path / "in" / "2026-11-18" / "a.txt").write_text("hello\n")
        (tmp_path / "other.txt").write_text("hello\n")
        night = self.night(tmp_path, f"{tmp_path}/in/{{day}}/")
        by_hand = night.prepare(source_uri=f"{tmp_path}/in/2026-11-18/a.txt")
        assert sent(by_hand) == {"2026-11-18/a.txt:0": "hello"}
        elsewhere = night.prepare(source_uri=f"{tmp_path}/other.txt")
        assert sent(elsewhere) == {f"{tmp_path}/other.txt:0": "hello"}

    def test_a_run_that_was_prepared_with_short_ids_keeps_them_and_is_not_paid_for_again(
        self, tmp_path: Path
    ) -> None:
        (tmp_path / "in" / "2026-11-18").mkdir(parents=True)
        (tmp_path / "in" / "2026-11-18" / "a.txt").write_text("hello\n")
        night = self.night(tmp_path, f"{tmp_path}/in/2026-11-18/")
        before = night.prepare()
        plan = night.work / "runs" / "20261118" / "batches.json"
        content = orjson.loads(plan.read_bytes())
        del content["long_names"]
        plan.write_bytes(orjson.dumps(content))

        night = self.night(tmp_path, f"{tmp_path}/in/{{day}}/")
        again = [night.prepare(), night.prepare()]

        assert [prepared.batches for prepared in again] == [before.batches] * 2
        assert sent(again[1]) == {"a.txt:0": "hello"}


class TestNothingAndTooMuch:
    def test_an_empty_source_gives_zeros_and_a_line_in_the_log(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        night = Night(tmp_path, [])
        (night.incoming / "documents.jsonl").unlink()
        with caplog.at_level(logging.INFO):
            prepared = night.prepare()
        assert (prepared.batches, prepared.documents_in, prepared.units) == ((), 0, 0)
        assert UPath(prepared.rejects_uri).read_bytes() == b""
        assert "Nothing to classify" in caplog.text

    @pytest.mark.parametrize(("no_files", "level"), [("ok", "INFO"), ("warn", "WARNING")])
    def test_a_night_without_files_says_so_as_the_spec_wants_it(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture, no_files: str, level: str
    ) -> None:
        night = Night(tmp_path, [], no_files=no_files)
        (night.incoming / "documents.jsonl").rename(night.incoming / "_SUCCESS")
        with caplog.at_level(logging.INFO):
            prepared = night.prepare()
            forecast_run(night.spec, plain_access(), run_key="20261118", day=DAY)
        assert prepared.files == 0
        said = [record for record in caplog.records if f"{night.incoming}/ holds no file" in record.message]
        assert [record.levelname for record in said] == [level, level]
        assert "correct incoming.uri" in said[0].message

    def test_a_night_without_files_fails_where_the_spec_says_so(self, tmp_path: Path) -> None:
        night = Night(tmp_path, [], no_files="fail")
        assert night.prepare().files == 1
        (night.incoming / "documents.jsonl").unlink()
        for step in (
            night.prepare,
            lambda: forecast_run(night.spec, plain_access(), run_key="20261118", day=DAY),
        ):
            with pytest.raises(NoFilesError, match=r"incoming/ holds no file; put documents there"):
                step()

    def test_a_source_of_rejects_alone_gives_no_batch_and_a_warning(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        night = Night(tmp_path, [("a", " "), ("b", "\u2028")])
        prepared = night.prepare()
        assert f"Nothing to classify: {night.incoming}/ has no usable document" in caplog.text
        assert prepared.batches == ()
        assert (prepared.documents_in, prepared.rejected, prepared.reject_counts) == (2, 2, {"blank": 2})

    def test_more_batches_than_a_run_can_carry_are_refused_with_the_remedy(self, tmp_path: Path) -> None:
        night = Night(tmp_path, documents(1_001), batch={"max_documents": 1})
        with pytest.raises(
            TooManyBatchesError, match=r"more than 1,000 batches.*Raise batch\.max_documents \(1\)"
        ):
            night.prepare()

    def test_no_text_reaches_the_log(self, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        with caplog.at_level(logging.DEBUG):
            Night(tmp_path, [("a", "a confidential sentence"), ("b", " ")]).prepare()
        assert "confidential" not in caplog.text

    def test_a_source_by_hand_takes_the_place_of_the_spec_s(self, tmp_path: Path) -> None:
        night = Night(tmp_path, documents(3))
        by_hand = tmp_path / "by-hand.jsonl"
        by_hand.write_bytes(orjson.dumps({"id": "x", "text": "other"}) + b"\n")
        assert sent(night.prepare(source_uri=str(by_hand))) == {"x": "other"}

    def test_progress_is_told(self, tmp_path: Path) -> None:
        told: list[tuple[str, int]] = []
        Night(tmp_path, documents(3)).prepare(progress=lambda doing, number: told.append((doing, number)))
        assert told[-1][1] == 3


def test_a_forecast_is_what_the_batches_are_and_writes_nothing(tmp_path: Path) -> None:
    night = Night(tmp_path, [*documents(9), ("blank", " "), ("long", "x" * 1_000)])
    forecast, rejects = forecast_run(night.spec, plain_access(), run_key="20261118", day=DAY)
    assert not night.work.exists()
    prepared = night.prepare()
    assert (forecast.documents, forecast.units) == (prepared.documents_sent, prepared.units)
    assert rejects.counts == prepared.reject_counts == {"blank": 1}

"""What a run that is prepared again promises: a batch whose documents are unchanged keeps its name, whatever
came, went or moved beside it; every document is in exactly one batch."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import orjson
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from upath import UPath

from nightsort.batches import earlier as earlier_batches
from nightsort.batches import local_batch
from nightsort.batches.prepare import MAX_BATCHES, PreparedBatches, TooManyBatchesError
from tests.unit.nightsort.nights import Night, documents, sent

if TYPE_CHECKING:
    from pathlib import Path

FORMATS = ("ONE_DOC_PER_LINE", "ONE_DOC_PER_FILE")
LATE = [("late-1", "a late document"), ("late-2", "another one")]


def names(prepared: PreparedBatches) -> list[str]:
    return [batch.name for batch in prepared.batches]


def night_of_three(folder: Path, **settings: Any) -> Night:
    """Eight documents in batches of three: the last batch has room."""
    return Night(folder, documents(8), batch={"max_documents": 3}, **settings)


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("file", ["a-first.jsonl", "z-last.jsonl"])
def test_late_documents_go_into_a_batch_of_their_own(tmp_path: Path, file: str, form: str) -> None:
    night = night_of_three(tmp_path, input_format=form)
    before = night.prepare()
    night.write(file, LATE)
    after = night.prepare()
    assert after.batches[:3] == before.batches
    (late,) = after.batches[3:]
    assert (late.documents, late.name.rsplit("-", 2)[1]) == (2, "00003")
    assert sent(after) == dict(documents(8) + LATE)
    assert (after.documents_in, after.documents_sent) == (10, 10)
    assert after.units == before.units + late.units


@pytest.mark.parametrize("form", FORMATS)
def test_prepared_again_and_again_it_stays_as_it_is(tmp_path: Path, form: str) -> None:
    night = night_of_three(tmp_path, input_format=form)
    night.prepare()
    night.write("late.jsonl", LATE)
    late, objects = night.prepare(), night.objects()
    assert night.prepare() == late
    assert night.objects() == objects
    night.write("later.jsonl", [("later", "the last one")])
    assert night.prepare().batches[:4] == late.batches


@pytest.mark.parametrize("form", FORMATS)
def test_a_changed_text_costs_its_own_batch_alone(tmp_path: Path, form: str) -> None:
    night = night_of_three(tmp_path, input_format=form)
    before = names(night.prepare())
    changed = [(i, "corrected" if i == "doc-4" else text) for i, text in documents(8)]
    night.write("documents.jsonl", changed)
    after = night.prepare()
    assert names(after)[:2] == [before[0], before[2]]
    assert [batch.documents for batch in after.batches] == [3, 2, 3]
    assert sent(after) == dict(changed)


@pytest.mark.parametrize("form", FORMATS)
def test_a_document_that_is_gone_costs_its_own_batch_alone(tmp_path: Path, form: str) -> None:
    night = night_of_three(tmp_path, input_format=form)
    before = names(night.prepare())
    night.write("documents.jsonl", documents(8)[1:])
    after = night.prepare()
    assert names(after)[:2] == before[1:]
    assert [batch.documents for batch in after.batches] == [3, 2, 2]
    assert sent(after) == dict(documents(8)[1:])


def test_another_order_changes_nothing(tmp_path: Path) -> None:
    night = night_of_three(tmp_path)
    before = night.prepare()
    night.write("documents.jsonl", documents(8)[::-1])
    assert night.prepare() == before


def test_the_same_text_under_another_id_is_another_document(tmp_path: Path) -> None:
    night = Night(tmp_path, [("a", "text")])
    before = night.prepare()
    night.write("documents.jsonl", [("b", "text")])
    after = night.prepare()
    assert sent(after) == {"b": "text"}
    assert names(after) != names(before)


def test_a_late_document_takes_the_id_where_its_file_comes_first(tmp_path: Path) -> None:
    """The rule of one run holds for all its preparations: of equal ids the first in the source wins."""
    night = night_of_three(tmp_path)
    before = names(night.prepare())
    night.write("a-first.jsonl", [("doc-0", "the other text")])
    after = night.prepare()
    assert sent(after) == {**dict(documents(8)), "doc-0": "the other text"}
    assert after.reject_counts == {"duplicate_id": 1}
    assert names(after)[:2] == before[1:]
    night.write("a-first.jsonl", [])
    night.write("z-last.jsonl", [("doc-1", "the other text")])
    assert sent(night.prepare())["doc-1"] == "text of document 1"


def test_other_limits_or_another_format_of_the_input(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    night = night_of_three(tmp_path)
    before = names(night.prepare())
    larger = Night(tmp_path, documents(8), batch={"max_documents": 100})
    larger.write("late.jsonl", LATE)
    assert names(larger.prepare())[:3] == before
    per_file = Night(tmp_path, documents(8), input_format="ONE_DOC_PER_FILE").prepare()
    assert len(per_file.batches) == 1
    assert sent(per_file) == dict(documents(8) + LATE)
    assert "not in storage" not in caplog.text


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("loss", ["input", "manifest", "changed"])
def test_a_batch_that_is_not_in_storage_any_more_is_made_anew(
    tmp_path: Path, form: str, loss: str, caplog: pytest.LogCaptureFixture
) -> None:
    night = night_of_three(tmp_path, input_format=form)
    before = night.prepare()
    last = before.batches[2]
    path = UPath(last.manifest_uri if loss == "manifest" else last.input_uri)
    if path.is_dir():
        path /= "doc-7"
    if loss == "changed":
        path.write_bytes(path.read_bytes()[:-5])
    else:
        path.unlink()
    with caplog.at_level(logging.WARNING):
        after = night.prepare()
    assert f"objects of batch {last.name} are missing or changed" in caplog.text
    assert after == before
    assert sent(after) == dict(documents(8))


@pytest.mark.parametrize(
    "content", [b"", b"{}", b'{"input_format": "ONE_DOC_PER_LINE", "batches": [{}]}', b"[]"]
)
def test_a_plan_that_cannot_be_read_is_no_obstacle(tmp_path: Path, content: bytes) -> None:
    night = night_of_three(tmp_path)
    before = night.prepare()
    (night.work / "runs" / "20261118" / "batches.json").write_bytes(content)
    assert night.prepare() == before


def test_ids_that_look_like_compressed_files_are_read_back_as_they_are(tmp_path: Path) -> None:
    night = Night(tmp_path, [("a.gz", "one"), ("b.zst", "two")], input_format="ONE_DOC_PER_FILE")
    before = night.prepare()
    night.write("late.jsonl", LATE)
    assert night.prepare().batches[0] == before.batches[0]


def test_kept_batches_count_among_those_that_a_run_can_carry(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert MAX_BATCHES == 1_000
    monkeypatch.setattr(local_batch, "MAX_BATCHES", 3)
    night = night_of_three(tmp_path)
    night.prepare()
    night.write("late.jsonl", LATE)
    with pytest.raises(TooManyBatchesError, match="more than 3 batches"):
        night.prepare()


def test_after_a_crash_the_next_preparation_gives_what_the_crashed_one_would_have(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    night, other = night_of_three(tmp_path / "one"), night_of_three(tmp_path / "other")
    for each in (night, other):
        each.prepare()
        each.write("a-late.jsonl", LATE)
        each.write("documents.jsonl", documents(7))
    with monkeypatch.context() as patch:
        patch.setattr("nightsort.batches.plan.RunPlan.write", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            night.prepare()
    assert names(night.prepare()) == names(other.prepare())
    assert night.objects() == other.objects()


ARRIVALS = st.lists(st.tuples(st.sampled_from("abcdefgh"), st.sampled_from(["x", "y", "zz"])), max_size=8)


# 60 nights of three preparations each: some 3 s.
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    sources=st.lists(ARRIVALS, min_size=2, max_size=3), most=st.integers(1, 4), form=st.sampled_from(FORMATS)
)
def test_whatever_comes_and_goes_every_document_is_sent_once(
    tmp_path_factory: pytest.TempPathFactory, sources: list[list[tuple[str, str]]], most: int, form: str
) -> None:
    night = Night(tmp_path_factory.mktemp("night"), [], batch={"max_documents": most}, input_format=form)
    earlier: dict[str, dict[str, str]] = {}
    for source in sources:
        night.write("documents.jsonl", source)
        prepared = night.prepare()
        first = dict(reversed(source))
        assert sent(prepared) == first
        assert prepared.documents_in == len(source) == len(first) + prepared.rejected
        assert len(set(names(prepared))) == len(prepared.batches)
        for name, held in earlier.items():
            assert (name in names(prepared)) == (held.items() <= first.items())
        earlier = {batch.name: {i: first[i] for i in _ids(batch.manifest_uri)} for batch in prepared.batches}


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(before=ARRIVALS, after=ARRIVALS, block=st.integers(1, 3), most=st.integers(1, 4))
def test_so_it_is_where_the_documents_arrive_in_several_blocks(
    tmp_path_factory: pytest.TempPathFactory,
    before: list[tuple[str, str]],
    after: list[tuple[str, str]],
    block: int,
    most: int,
) -> None:
    folder = tmp_path_factory.mktemp("night")
    night = Night(folder, before, batch={"max_documents": most})
    earlier = night.prepare()
    night.write("documents.jsonl", [])
    for number, document in enumerate(after):
        night.write(f"document-{number}.jsonl", [document])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(earlier_batches, "BLOCK_DOCUMENTS", block)
        prepared = night.prepare()
    first = dict(reversed(after))
    assert sent(prepared) == first
    for batch in earlier.batches:
        held = {i: dict(reversed(before))[i] for i in _ids(batch.manifest_uri)}
        assert (batch in prepared.batches) == (held.items() <= first.items())


def _ids(manifest_uri: str) -> list[str]:
    return [str(name) for name in pq.read_table(manifest_uri)["document_id"].to_pylist()]


def test_the_plan_names_no_folder_so_that_it_may_be_moved(tmp_path: Path) -> None:
    night = night_of_three(tmp_path)
    night.prepare()
    plan = (night.work / "runs" / "20261118" / "batches.json").read_bytes()
    assert str(tmp_path).encode() not in plan
    assert [batch["documents"] for batch in orjson.loads(plan)["batches"]] == [3, 3, 2]

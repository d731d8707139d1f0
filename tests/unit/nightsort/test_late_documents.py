"""What a run that is prepared again promises: a batch that was started keeps its name, whatever came, went or
moved; a text is in one line of one batch, whatever happens to its documents; every document has its text."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import orjson
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from upath import UPath

from nightsort.arrow.manifest_schema import HASHED_SCHEMA, manifest_writer
from nightsort.batches import local_batch, new_lines
from nightsort.batches.prepare import MAX_BATCHES, PreparedBatches, TooManyBatchesError
from tests.unit.nightsort.nights import Night, documents, sent

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
def test_a_changed_text_costs_itself_alone(tmp_path: Path, form: str) -> None:
    night = night_of_three(tmp_path, input_format=form)
    before = names(night.prepare())
    changed = [(i, "corrected" if i == "doc-4" else text) for i, text in documents(8)]
    night.write("documents.jsonl", changed)
    after = night.prepare()
    assert names(after)[:3] == before
    assert [(batch.documents, batch.lines) for batch in after.batches] == [(3, 3), (2, 3), (2, 2), (1, 1)]
    assert sent(after) == dict(changed)
    night.write("documents.jsonl", documents(8))
    back = night.prepare()
    assert names(back) == names(after), "what was paid for is not given up"
    assert [batch.documents for batch in back.batches] == [3, 3, 2, 0]
    assert sent(back) == dict(documents(8))


@pytest.mark.parametrize("form", FORMATS)
def test_a_document_that_is_gone_costs_nothing(tmp_path: Path, form: str) -> None:
    night = night_of_three(tmp_path, input_format=form)
    before = names(night.prepare())
    night.write("documents.jsonl", documents(8)[1:])
    after = night.prepare()
    assert names(after) == before
    assert [batch.documents for batch in after.batches] == [2, 3, 2]
    assert sent(after) == dict(documents(8)[1:])


@pytest.mark.parametrize("form", FORMATS)
def test_what_was_not_started_is_cut_anew_and_pays_for_no_text_that_is_gone(
    tmp_path: Path, form: str
) -> None:
    night = night_of_three(tmp_path, input_format=form)
    before = night.prepare()
    first, second, third = names(before)
    night.write("documents.jsonl", [*documents(4), *documents(8)[5:]])
    after = night.prepare(started=lambda batches: {first})
    assert names(after)[0] == first
    assert [(batch.lines, batch.number) for batch in after.batches] == [(3, 0), (3, 1), (1, 2)]
    assert not {second, third} & set(names(after))
    night.write("documents.jsonl", documents(8))
    assert night.prepare(started=lambda batches: {first}) == before, "the same texts, the same names"


def test_another_order_changes_nothing(tmp_path: Path) -> None:
    night = night_of_three(tmp_path)
    before = night.prepare()
    night.write("documents.jsonl", documents(8)[::-1])
    assert night.prepare() == before


@pytest.mark.parametrize("form", FORMATS)
def test_the_same_text_under_another_id_is_not_paid_for_again(tmp_path: Path, form: str) -> None:
    night = Night(tmp_path, [("a", "text")], input_format=form)
    before = night.prepare()
    night.write("documents.jsonl", [("b", "text")])
    after = night.prepare()
    assert sent(after) == {"b": "text"}
    assert after.batches == before.batches
    night.write("documents.jsonl", [("c", "text"), ("b", "text"), ("a", "text")])
    more = night.prepare()
    assert sent(more) == dict.fromkeys("abc", "text")
    assert (names(more), more.repeated, more.saved_units) == (names(before), 2, 6)
    rows = pq.read_table(more.batches[0].manifest_uri)["document_id"].to_pylist()
    assert rows == ["b", "c", "a"], "who has the line keeps it"


def test_a_late_document_takes_the_id_where_its_file_comes_first(tmp_path: Path) -> None:
    """The rule of one run holds for all its preparations: of equal ids the first in the source wins."""
    night = night_of_three(tmp_path)
    before = names(night.prepare())
    night.write("a-first.jsonl", [("doc-0", "the other text")])
    after = night.prepare()
    assert sent(after) == {**dict(documents(8)), "doc-0": "the other text"}
    assert after.reject_counts == {"duplicate_id": 1}
    assert names(after)[:3] == before
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


def damage(manifest: Path, how: str) -> None:
    """Damage a manifest: zeros in its last row group, its end cut off, or half of its rows left."""
    parquet, content = pq.ParquetFile(manifest), bytearray(manifest.read_bytes())
    if how == "half":
        rows, lines = parquet.read(), parquet.metadata.num_rows // 2
        with manifest_writer(manifest, HASHED_SCHEMA, lines=lines) as writer:
            writer.write_table(rows.slice(0, lines).cast(HASHED_SCHEMA))
        return
    column = parquet.metadata.row_group(parquet.num_row_groups - 1).column(2)
    start = column.data_page_offset
    content[start + 20 : start + column.total_compressed_size] = bytes(column.total_compressed_size - 20)
    manifest.write_bytes(content[: start + 20] if how == "cut" else content)


@pytest.mark.parametrize("how", ["half", "cut", "zeros"])
@pytest.mark.parametrize("number", range(3))
def test_of_a_batch_whose_manifest_is_damaged_no_line_is_used(tmp_path: Path, how: str, number: int) -> None:
    """What was read of it before the damage must not count as lines of the batch beside it."""
    night = night_of_three(tmp_path)
    before = night.prepare()
    damage(Path(before.batches[number].manifest_uri), how)
    night.write("late.jsonl", LATE)
    after = night.prepare()
    assert sent(after) == dict(documents(8) + LATE)
    assert (after.documents_in, after.documents_sent) == (10, 10)


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
    earlier: list[str] = []
    texts: set[str] = set()
    for source in sources:
        night.write("documents.jsonl", source)
        prepared = night.prepare()
        first = dict(reversed(source))
        assert sent(prepared) == first
        assert prepared.documents_in == len(source) == len(first) + prepared.rejected
        assert names(prepared)[: len(earlier)] == earlier
        earlier = names(prepared)
        texts |= set(first.values())
        assert (prepared.lines, prepared.units) == (len(texts), 3 * len(texts)), "a text is paid for once"
        assert prepared.repeated == prepared.documents_sent - len(set(first.values()))
        assert prepared.saved_units == 3 * prepared.repeated


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    before=ARRIVALS,
    after=ARRIVALS,
    block=st.integers(1, 3),
    most=st.integers(1, 4),
    same_night=st.booleans(),
)
def test_so_it_is_where_the_documents_arrive_in_several_blocks(
    tmp_path_factory: pytest.TempPathFactory,
    before: list[tuple[str, str]],
    after: list[tuple[str, str]],
    block: int,
    most: int,
    same_night: bool,
) -> None:
    folder = tmp_path_factory.mktemp("night")
    night = Night(folder, before, batch={"max_documents": most}, reuse={"same_night": same_night})
    earlier = night.prepare()
    if not same_night:
        assert (earlier.lines, earlier.repeated) == (earlier.documents_sent, 0)
        assert night.prepare() == earlier
    night.write("documents.jsonl", [])
    for number, document in enumerate(after):
        night.write(f"document-{number}.jsonl", [document])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(new_lines, "BLOCK_DOCUMENTS", block)
        prepared = night.prepare()
    first = dict(reversed(after))
    assert sent(prepared) == first
    assert names(prepared)[: len(earlier.batches)] == names(earlier)
    if same_night:
        assert prepared.lines == len({*dict(reversed(before)).values(), *first.values()})


@pytest.mark.parametrize("form", FORMATS)
def test_a_run_that_an_earlier_release_prepared_is_not_paid_for_again(tmp_path: Path, form: str) -> None:
    """It has a line for each document, no hashes in its manifests, and other members in its plan."""
    texts = [("a", "one"), ("b", "two"), ("c", "one"), ("d", "three")]
    night = Night(tmp_path, texts, input_format=form, reuse={"same_night": False})
    before = night.prepare()
    (batch,) = before.batches
    rows = pq.read_table(batch.manifest_uri).drop_columns(["text_hash"])
    pq.write_table(rows.replace_schema_metadata(None), batch.manifest_uri)
    plan = night.work / "runs" / "20261118" / "batches.json"
    content = orjson.loads(plan.read_bytes())
    del content["batches"][0]["lines"]
    plan.write_bytes(orjson.dumps(content))
    night = Night(tmp_path, [*texts[1:], ("e", "two")], input_format=form)
    after = night.prepare()
    assert names(after) == names(before)
    assert sent(after) == dict([*texts[1:], ("e", "two")])
    assert (after.units, after.repeated, after.batches[0].lines) == (before.units, 1, 4)


def test_the_plan_names_no_folder_so_that_it_may_be_moved(tmp_path: Path) -> None:
    night = night_of_three(tmp_path)
    night.prepare()
    plan = (night.work / "runs" / "20261118" / "batches.json").read_bytes()
    assert str(tmp_path).encode() not in plan
    assert [batch["documents"] for batch in orjson.loads(plan)["batches"]] == [3, 3, 2]

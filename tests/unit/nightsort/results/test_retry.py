"""What failed for a curable reason is written as a batch of its own, and nothing else is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from nightsort.arrow.label_lists import LABEL
from nightsort.results.join import result_rows
from nightsort.results.retry import prepare_retry
from nightsort.storage import plain_access
from tests.unit.nightsort.nights import Night, documents, sent

if TYPE_CHECKING:
    from collections.abc import Collection

    from nightsort.batches.plan import Batch

RUN = "20261118"


def results(batch: Batch, failed: dict[int, str]) -> list[pa.RecordBatch]:
    """The results of a batch of which some documents failed, those with a label first, as a load has them."""
    lines = [line for line in range(batch.documents) if line not in failed]
    classified = result_rows(
        len(lines), line=pa.array(lines, pa.int64()), label=pa.array(["BUG"] * len(lines), LABEL)
    )
    reasons = pa.array(list(failed.values()), LABEL)
    return [classified, result_rows(len(failed), line=pa.array(list(failed), pa.int64()), reason=reasons)]


def retry(
    night: Night, batch: Batch, failed: dict[int, str], attempt: int = 1, *, started: Collection[str] = ()
) -> Batch | None:
    return prepare_retry(
        night.spec,
        plain_access(),
        run_key=RUN,
        batch=batch,
        results=results(batch, failed),
        attempt=attempt,
        started=started.__contains__,
    )


@pytest.mark.parametrize("input_format", ["ONE_DOC_PER_LINE", "ONE_DOC_PER_FILE"])
def test_documents_that_failed_for_a_curable_reason_are_sent_again_alone(
    tmp_path: Path, input_format: str
) -> None:
    night = Night(tmp_path, documents(6), input_format=input_format)
    prepared = night.prepare()
    (batch,) = prepared.batches
    again = retry(
        night,
        batch,
        {1: "missing_from_output", 2: "error:DOCUMENT_SIZE_EXCEEDED", 4: "error:INTERNAL_SERVER_ERROR"},
    )
    assert again is not None
    assert again.name.startswith(f"{batch.name}-r1-")
    assert (again.documents, again.units) == (2, 6)
    texts = dict(documents(6))
    of_retry: Any = type("Prepared", (), {"batches": (again,)})
    assert sent(of_retry) == {"doc-1": texts["doc-1"], "doc-4": texts["doc-4"]}
    assert sent(prepared) == texts, "the batch itself is left as it was"


def test_the_same_failures_are_the_same_retry_and_others_are_another_one(tmp_path: Path) -> None:
    night = Night(tmp_path, documents(6))
    (batch,) = night.prepare().batches
    first = retry(night, batch, {1: "missing_from_output", 2: "missing_from_output"})
    objects = night.objects()
    assert retry(night, batch, {2: "missing_from_output", 1: "error:InternalServerException"}) == first
    assert night.objects() == objects
    other = retry(night, batch, {1: "missing_from_output"})
    later = retry(night, batch, {1: "missing_from_output"}, attempt=2)
    assert first is not None
    assert other is not None
    assert later is not None
    assert len({first.name, other.name, later.name}) == 3


@pytest.mark.parametrize("input_format", ["ONE_DOC_PER_LINE", "ONE_DOC_PER_FILE"])
def test_a_retry_that_was_started_is_taken_where_it_has_all_that_failed(
    tmp_path: Path, input_format: str
) -> None:
    night = Night(tmp_path, documents(6), input_format=input_format)
    (batch,) = night.prepare().batches
    some, others = (dict.fromkeys(lines, "missing_from_output") for lines in ([1, 2, 4], [1, 5]))
    first = retry(night, batch, some)
    assert first is not None
    objects = night.objects()
    paid = {first.name}
    assert retry(night, batch, some, started=paid) == first
    assert retry(night, batch, {2: "missing_from_output"}, started=paid) == first
    assert night.objects() == objects
    for other in (
        retry(night, batch, others, started=paid),
        retry(night, batch, {2: "missing_from_output"}, attempt=2, started=paid),
        retry(night, batch, {2: "missing_from_output"}),
    ):
        assert other is not None
        assert other.name != first.name


def test_a_retry_that_was_started_and_has_lost_its_input_is_written_anew(tmp_path: Path) -> None:
    night = Night(tmp_path, documents(6))
    (batch,) = night.prepare().batches
    first = retry(night, batch, {1: "missing_from_output", 2: "missing_from_output"})
    assert first is not None
    Path(first.input_uri).unlink()
    again = retry(night, batch, {2: "missing_from_output"}, started={first.name})
    assert again is not None
    assert (again.documents, again.name == first.name) == (1, False)


def test_the_day_prepared_again_keeps_a_batch_whose_documents_were_sent_again(tmp_path: Path) -> None:
    night = Night(tmp_path, documents(6))
    first = night.prepare()
    retry(night, first.batches[0], {1: "missing_from_output"})
    night.write("late.jsonl", [("late", "a late text")])
    again = night.prepare()
    assert again.batches[0] == first.batches[0]
    assert [batch.documents for batch in again.batches] == [6, 1]


@pytest.mark.parametrize("failed", [{}, {0: "no_labels", 3: "error:UNSUPPORTED_ENCODING"}])
def test_nothing_is_written_where_nothing_can_be_cured(tmp_path: Path, failed: dict[int, str]) -> None:
    night = Night(tmp_path, documents(6))
    (batch,) = night.prepare().batches
    objects = night.objects()
    assert retry(night, batch, failed) is None
    assert night.objects() == objects

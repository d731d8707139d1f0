"""A document that was sent again has the result of its last attempt, in its own place."""

from __future__ import annotations

import io
import json
import tarfile
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightsort.arrow.hashing import as_column, hash_texts
from nightsort.arrow.manifest_schema import MANIFEST_SCHEMA
from nightsort.batches.manifest import Manifest, ManifestError
from nightsort.results.join import BatchResults
from nightsort.results.retried import RetriedResults

if TYPE_CHECKING:
    from collections.abc import Sequence

Answer = str | None
"""A label; or ``!code`` for an error; None where the output does not mention the document."""


def results(
    name: str, ids: Sequence[str | None], answers: Sequence[Answer], texts: Sequence[str] | None = None
) -> BatchResults:
    """The results of a job over some documents, from its output; without texts, of an earlier release."""
    files = pa.array([f"{name}.txt"] * len(ids)).dictionary_encode().cast(MANIFEST_SCHEMA.field("file").type)
    rows = [files, pa.array(range(len(ids)), pa.int64()), pa.array(ids, pa.string())]
    lines_of = pa.record_batch(rows, schema=MANIFEST_SCHEMA)
    if texts is not None:
        lines_of = lines_of.append_column("text_hash", as_column(*hash_texts(pa.array(texts, pa.string()))))
    manifest = Manifest.from_batches([lines_of])
    lines = []
    for line, answer in enumerate(answers):
        if answer is None:
            continue
        said: dict[str, object] = (
            {"ErrorCode": answer[1:]} if answer[0] == "!" else {"Classes": [{"Name": answer, "Score": 0.5}]}
        )
        lines.append(json.dumps({"File": f"{name}.txt", "Line": str(line), **said}) + "\n")
    content, archive = "".join(lines).encode(), io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as tar:
        member = tarfile.TarInfo("predictions.jsonl")
        member.size = len(content)
        tar.addfile(member, io.BytesIO(content))
    archive.seek(0)
    return BatchResults(archive, manifest, mode="MULTI_CLASS", threshold=0.5)


def rows_of(merged: RetriedResults) -> dict[str, tuple[int, str]]:
    """The place, and the label or reason, of each document."""
    found: dict[str, tuple[int, str]] = {}
    for batch in merged:
        for row in batch.to_pylist():
            assert row["document_id"] not in found
            found[row["document_id"]] = (row["line"], row["label"] or row["reason"])
    return found


answers = st.none() | st.sampled_from(["BUG", "PRAISE", "!INTERNAL_SERVER_ERROR"])


def failed(answer: Answer) -> bool:
    return answer is None or answer[0] == "!"


def as_shown(answer: Answer) -> str:
    return "missing_from_output" if answer is None else answer.replace("!", "error:")


@given(st.data())
def test_the_last_attempt_counts_for_each_document_and_its_place_stays(data: st.DataObject) -> None:
    first = data.draw(st.lists(answers, min_size=1, max_size=12))
    ids = [f"doc-{n}" for n in range(len(first))]
    expected = dict(zip(ids, first, strict=True))
    retries = []
    for attempt in range(data.draw(st.integers(1, 3))):
        again = [document for document in ids if failed(expected[document])]
        if not again:
            break
        said = data.draw(st.lists(answers, min_size=len(again), max_size=len(again)))
        expected.update(zip(again, said, strict=True))
        retries.append(results(f"retry-{attempt}", again, said))
    merged = RetriedResults(results("batch", ids, first), retries)
    assert rows_of(merged) == {
        document: (place, as_shown(expected[document])) for place, document in enumerate(ids)
    }
    counts = merged.counts
    assert (counts.documents, counts.classified) == (
        len(ids),
        sum(not failed(answer) for answer in expected.values()),
    )
    assert sum(counts.reasons.values()) == counts.failed == counts.documents - counts.classified
    assert counts.missing == sum(answer is None for answer in expected.values())


def test_a_retry_of_another_batch_is_refused() -> None:
    merged = RetriedResults(results("batch", ["a"], [None]), [results("other", ["b"], ["BUG"])])
    with pytest.raises(ManifestError, match=r"other\.txt holds documents of another batch than batch\.txt"):
        list(merged)


@pytest.mark.parametrize(
    ("owners", "expected"),
    [
        (["a", None], {"a": (0, "BUG")}),
        (["a", "heir"], {"a": (0, "BUG"), "heir": (1, "PRAISE")}),
        # The text of b was changed into that of a, which the source has lost.
        (["b", None], {"b": (0, "BUG")}),
        (["b", "a"], {"b": (0, "BUG"), "a": (1, "PRAISE")}),
    ],
)
def test_a_retry_is_about_texts_whoever_has_them_since(
    owners: list[str | None], expected: dict[str, tuple[int, str]]
) -> None:
    first = results("batch", owners, ["BUG", None], ["one text", "another"])
    merged = RetriedResults(first, [results("retry", ["b"], ["PRAISE"], ["another"])])
    assert rows_of(merged) == expected
    assert (merged.counts.documents, merged.counts.classified) == (len(expected), len(expected))


def test_equal_texts_of_a_batch_are_told_apart_by_their_ids() -> None:
    first = results("batch", ["a", "b"], ["BUG", None], ["same", "same"])
    merged = RetriedResults(first, [results("retry", ["b"], ["PRAISE"], ["same"])])
    assert rows_of(merged) == {"a": (0, "BUG"), "b": (1, "PRAISE")}


def test_a_retry_of_other_texts_is_refused() -> None:
    first = results("batch", ["a"], [None], ["one text"])
    merged = RetriedResults(first, [results("other", ["a"], ["BUG"], ["another"])])
    with pytest.raises(ManifestError, match="holds documents of another batch"):
        list(merged)

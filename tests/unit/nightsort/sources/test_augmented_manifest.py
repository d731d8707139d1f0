"""Augmented manifests of SageMaker Ground Truth are labelled documents, or rejects that say why not."""

from __future__ import annotations

import io
import json
import threading
from typing import TYPE_CHECKING, Any

import pytest
from upath import UPath

from nightsort.classifier_spec.source import LabelledSource
from nightsort.sources import augmented_manifest
from nightsort.sources.augmented_manifest import read_manifests
from nightsort.sources.row_blocks import ColumnSelection
from nightsort.sources.source_files import SourceError, SourceFile
from nightsort.storage import Access, plain_access
from tests.unit.nightsort.document_reading import Read, read

if TYPE_CHECKING:
    from pathlib import Path

CLASS = {"topic": 1, "topic-metadata": {"class-name": "sport", "confidence": 0.9, "human-annotated": "yes"}}
CLASSES = {"topic": [0, 2], "topic-metadata": {"class-map": {"0": "sport", "2": "news"}}}


def read_manifest(folder: Path, *lines: object, access: Access | None = None, **options: Any) -> Read:
    path = folder / "output.manifest"
    path.write_bytes(
        b"\n".join(line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines)
    )
    keys = {"attribute": "topic", **options.pop("keys", {})}
    source = LabelledSource(uri=str(path), format="augmented_manifest", **keys)
    return read(source, folder, access=access, **options)


def test_a_single_label_is_the_name_of_its_class(tmp_path: Path) -> None:
    found = read_manifest(tmp_path, {"source": "a goal", **CLASS})

    assert [(d["text"], d["labels"]) for d in found.documents] == [("a goal", ["sport"])]


def test_several_labels_are_the_names_of_the_class_map(tmp_path: Path) -> None:
    found = read_manifest(tmp_path, {"source": "a goal", **CLASSES}, mode="MULTI_LABEL", delimiter="|")

    assert [(d["text"], d["labels"]) for d in found.documents] == [("a goal", ["sport", "news"])]


def test_several_labels_are_too_many_for_one_class(tmp_path: Path) -> None:
    found = read_manifest(tmp_path, {"source": "a goal", **CLASSES}, {"source": "b", **CLASS})

    assert [row[1:] for row in found.reasons] == [(0, "several_labels")]


def test_other_attributes_are_ignored(tmp_path: Path) -> None:
    other = {"mood": 1, "mood-metadata": {"class-name": "glad"}}

    found = read_manifest(
        tmp_path,
        {"source": "a", **other, **CLASS},
        {"source": "b", **CLASS, **other},
        keys={"attribute": "mood"},
    )

    assert [d["labels"] for d in found.documents] == [["glad"], ["glad"]]


def test_ids_may_be_a_key_of_the_lines(tmp_path: Path) -> None:
    found = read_manifest(
        tmp_path, {"source": "a", "meta": {"id": 7}, **CLASS}, keys={"id_column": "meta.id"}
    )

    assert [d["document_id"] for d in found.documents] == ["7"]


def test_a_failed_annotation_is_a_reject_with_its_reason(tmp_path: Path) -> None:
    failed = {"topic": -1, "topic-metadata": {"failure-reason": "ClientError: no worker\n" + "x" * 500}}

    found = read_manifest(tmp_path, {"source": "a", "id": "T-1", **failed}, {"source": "b", "id": 2, **CLASS},
                          keys={"id_column": "id"})  # fmt: skip

    assert [d["text"] for d in found.documents] == ["b"]
    [reject] = found.rejects
    assert (reject["row"], reject["reason"], reject["document_id"]) == (0, "annotation_failed", "T-1")
    assert reject["detail"].startswith("ClientError: no worker")
    assert len(reject["detail"]) <= 100


def test_a_line_without_the_attribute_has_no_label(tmp_path: Path) -> None:
    found = read_manifest(tmp_path, {"source": "a"}, {"source": "b", **CLASS})

    assert [row[1:] for row in found.reasons] == [(0, "no_label")]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (b'{"source":', "not JSON"),
        (["a"], "a list, not an object"),
        ({**CLASS}, "has neither source nor source-ref"),
        ({"source": 5, **CLASS}, "source is a whole number, not a text"),
        ({"source": "a", "topic-metadata": "sport"}, "topic-metadata is a text, not an object"),
        ({"source": "a", "topic-metadata": {"confidence": 1}}, "has neither class-name nor class-map"),
        ({"source": "a", "topic-metadata": {"class-name": {}}}, "topic holds an object; a label is"),
        (
            {"source": "a", "topic-metadata": {"class-map": ["a"]}},
            "topic-metadata has neither class-name nor",
        ),
        ({"source-ref": 5, **CLASS}, "source-ref is not the URI of an object"),
        ({"source-ref": "s3://", **CLASS}, "source-ref is not the URI of an object"),
        ({"source-ref": "s3://bucket/folder/", **CLASS}, "source-ref is not the URI of an object"),
        ({"source-ref": "https://example.com/a.txt", **CLASS}, "source-ref is not the URI of an object"),
        ({"source-ref": "/nowhere/a.txt", **CLASS}, "the object of source-ref does not exist"),
        ({"source-ref": "/", **CLASS}, "is not the URI"),
        ({"source-ref": "/usr", **CLASS}, "the object of source-ref does not exist"),
    ],
)
def test_a_line_that_cannot_be_a_document_costs_only_itself(tmp_path: Path, line: object, says: str) -> None:
    found = read_manifest(tmp_path, {"source": "a", **CLASS}, line, {"source": "c", **CLASS})

    assert [d["text"] for d in found.documents] == ["a", "c"]
    assert [row[1:] for row in found.reasons] == [(1, "unreadable_row")]
    assert says in found.rejects[0]["detail"]


def test_an_attribute_that_no_line_has_is_an_error_that_names_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match='no labels of the attribute "mood"; it has those of: topic'):
        read_manifest(tmp_path, {"source": "a", **CLASS}, keys={"attribute": "mood"})


def test_an_empty_manifest_has_no_documents(tmp_path: Path) -> None:
    assert read_manifest(tmp_path, b"").documents == []


def test_texts_may_be_objects_of_their_own(tmp_path: Path) -> None:
    texts = [f"document {number}" for number in range(100)]
    for number, text in enumerate(texts):
        (tmp_path / f"{number}.txt").write_text(text)
    (tmp_path / "empty.txt").touch()
    lines = [{"source-ref": f"{tmp_path}/{number}.txt", **CLASS} for number in range(100)]
    lines.insert(50, {"source-ref": f"{tmp_path}/empty.txt", **CLASS})
    lines.insert(20, {"source": "in the line", **CLASS})

    found = read_manifest(tmp_path, *lines)

    assert found.texts == [*texts[:20], "in the line", *texts[20:]]
    assert [row[1:] for row in found.reasons] == [(51, "blank")]


def test_an_object_that_is_no_utf8_is_rejected(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"\xff\xfe")

    found = read_manifest(tmp_path, {"source-ref": f"{tmp_path}/a.txt", **CLASS})

    assert [row[1:] for row in found.reasons] == [(0, "invalid_utf8")]


def test_an_object_that_is_too_large_is_rejected(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"x" * 10_000_001)
    (tmp_path / "b.txt").write_bytes(b"x" * 10_000_000)

    found = read_manifest(tmp_path, *({"source-ref": f"{tmp_path}/{name}.txt", **CLASS} for name in "ab"))

    assert [row[1:] for row in found.reasons] == [(0, "too_large")]
    assert [len(text) for text in found.texts] == [10_000_000]


def storage(fs: object) -> Access:
    """Return access in which a file system stands in for S3."""

    class Bound:
        def __init__(self, path: str) -> None:
            self.fs, self.path = fs, path

    return Access(path=lambda uri: Bound(uri) if uri.startswith("s3://") else UPath(uri))  # type: ignore[return-value,arg-type]


def test_an_object_that_may_not_be_read_is_an_error(tmp_path: Path) -> None:
    class Forbidden:
        def cat_file(self, path: str, **_: int) -> bytes:
            raise PermissionError("Access Denied")

    with pytest.raises(SourceError, match=r"s3://bucket/k, .* may not be read \(Access Denied\)"):
        read_manifest(tmp_path, {"source-ref": "s3://bucket/k", **CLASS}, access=storage(Forbidden()))


def test_some_objects_are_fetched_at_once_and_never_more(tmp_path: Path) -> None:
    """The first ones wait for one another: only a reader that fetches ahead gets through."""
    together = threading.Barrier(augmented_manifest.PARALLEL_OBJECTS)
    lock = threading.Lock()

    class Slow:
        running = most = 0

        def cat_file(self, path: str, **_: int) -> bytes:
            with lock:
                self.running += 1
                self.most = max(self.most, self.running)
            if int(path.rpartition("/")[2]) < augmented_manifest.PARALLEL_OBJECTS:
                together.wait(240)
            with lock:
                self.running -= 1
            return path.encode()

    slow = Slow()
    lines = [{"source-ref": f"s3://bucket/{number}", **CLASS} for number in range(200)]

    found = read_manifest(tmp_path, *lines, access=storage(slow))

    assert found.texts == [f"s3://bucket/{number}" for number in range(200)]
    assert slow.most == augmented_manifest.PARALLEL_OBJECTS


def test_a_manifest_in_s3_cannot_name_files_of_the_worker(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("secret")
    line = json.dumps({"source-ref": f"{tmp_path}/a.txt", **CLASS}).encode()
    opened = [(SourceFile("s3://bucket/output.manifest", "output.manifest"), io.BytesIO(line))]

    [rows] = read_manifests(opened, ColumnSelection("source", label="topic"), plain_access())

    assert len(rows) == 0
    assert [bad.detail for bad in rows.bad] == ["source-ref is not an S3 URI"]

"""What the tests of batches share: a folder with a night's documents, and what was sent of them."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import orjson
import pyarrow.parquet as pq
from upath import UPath

from nightsort.batches.manifest import Manifest
from nightsort.batches.prepare import PreparedBatches, prepare_batches
from nightsort.classifier_spec.model import ClassifierSpec
from nightsort.naming import run_key
from nightsort.storage import plain_access

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

DAY = date(2026, 11, 18)


class Night:
    """A folder with incoming documents and the spec that reads them."""

    def __init__(self, folder: Path, documents: Sequence[tuple[str, str]], **settings: Any) -> None:
        self.incoming = folder / "incoming"
        self.incoming.mkdir(parents=True, exist_ok=True)
        self.work = folder / "work"
        self.write("documents.jsonl", documents)
        self.spec = ClassifierSpec.model_validate(
            {
                "name": "tickets",
                "mode": "MULTI_CLASS",
                "labelled": {"uri": "/data/labelled.csv", "format": "csv"},
                "incoming": {"uri": f"{self.incoming}/", "format": "jsonl", "id_column": "id"},
                "work_uri": str(self.work),
                "data_access_role_arn": "arn:aws:iam::123456789012:role/Comprehend",
                **settings,
            }
        )

    def write(self, name: str, documents: Sequence[tuple[str, str]]) -> None:
        lines = b"".join(orjson.dumps({"id": i, "text": t}) + b"\n" for i, t in documents)
        (self.incoming / name).write_bytes(lines)

    def prepare(self, **more: Any) -> PreparedBatches:
        return prepare_batches(self.spec, plain_access(), run_key=run_key(DAY, None), day=DAY, **more)

    def objects(self) -> dict[str, bytes]:
        return {str(p.relative_to(self.work)): p.read_bytes() for p in self.work.rglob("*") if p.is_file()}


def sent(prepared: PreparedBatches) -> dict[str, str]:
    """The text of each document, found by the manifest as the load does."""
    found: dict[str, str] = {}
    for batch in prepared.batches:
        rows = [
            row for row in pq.read_table(batch.manifest_uri).to_pylist() if row["document_id"] is not None
        ]
        assert Manifest.read(UPath(batch.manifest_uri)).documents == len(rows) == batch.documents
        for row in rows:
            if batch.input_uri.endswith("/"):
                text = (UPath(batch.input_uri) / row["file"]).read_bytes()
            else:
                assert batch.input_uri.endswith(f"/{row['file']}")
                text = UPath(batch.input_uri).read_bytes().split(b"\n")[row["line"]]
            assert row["document_id"] not in found
            found[row["document_id"]] = text.decode()
    return found


def documents(number: int) -> list[tuple[str, str]]:
    return [(f"doc-{n}", f"text of document {n}") for n in range(number)]

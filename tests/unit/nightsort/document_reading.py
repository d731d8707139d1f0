"""What the tests of sources share: read a source to the end, return its documents and its rejects."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

from nightsort.sources.documents import read_documents
from nightsort.sources.rejects import RejectLog
from nightsort.storage import Access, plain_access

if TYPE_CHECKING:
    from datetime import date
    from pathlib import Path

    from nightsort.classifier_spec.source import Source


@dataclass
class Read:
    documents: list[dict[str, Any]]
    rejects: list[dict[str, Any]]

    @property
    def texts(self) -> list[str]:
        return [document["text"] for document in self.documents]

    @property
    def reasons(self) -> list[tuple[str, int, str]]:
        return [(reject["file"], reject["row"], reject["reason"]) for reject in self.rejects]


def read(
    source: Source,
    folder: Path,
    *,
    mode: str = "MULTI_CLASS",
    delimiter: str | None = None,
    day: date | None = None,
    uri: str | None = None,
    access: Access | None = None,
) -> Read:
    log = folder / "rejects.jsonl"
    documents: list[dict[str, Any]] = []
    with RejectLog(log) as rejects:
        for batch in read_documents(
            source,
            access or plain_access(),
            mode=mode,
            label_delimiter=delimiter,
            day=day,
            uri=uri,
            rejects=rejects,
        ):
            documents += batch.to_pylist()
    return Read(documents, [orjson.loads(line) for line in log.read_bytes().splitlines()])

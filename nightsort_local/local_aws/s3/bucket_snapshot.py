"""Keep buckets across restarts: write a list of buckets and objects next to the objects' bytes.

The list has the buckets with region and versioning, and each object's latest version with its metadata. It
has no policies, tags, older versions and unfinished uploads.
"""

from __future__ import annotations

import json
import logging
from datetime import datetime
from typing import TYPE_CHECKING, Any

from moto.s3.models import FakeDeleteMarker, s3_backends

from nightsort_local.local_aws.account import ACCOUNT_ID
from nightsort_local.local_aws.files import write_atomically

if TYPE_CHECKING:
    from pathlib import Path

    from nightsort_local.local_aws.s3.object_bodies import BodyFolder

log = logging.getLogger(__name__)


class BucketSnapshot:
    """Save and restore the buckets.

    :param bodies: stores the objects' bytes.
    :param file: the list of buckets and objects; None writes no list, and only deletes unused bodies.
    """

    def __init__(self, bodies: BodyFolder, file: Path | None) -> None:
        self._bodies = bodies
        self._file = file
        self._saved = ""

    def restore(self) -> None:
        """Restore the buckets and objects of an earlier server."""
        if self._file is None or not self._file.exists():
            return
        backend = s3_backends[ACCOUNT_ID]["aws"]
        for record in json.loads(self._file.read_text(encoding="utf-8"))["buckets"]:
            bucket = backend.create_bucket(record["name"], record["region"])
            bucket.versioning_status = record["versioning"]
            bucket.creation_date = datetime.fromisoformat(record["created"])
            for entry in record["objects"]:
                self._restore_object(backend, record["name"], entry)

    def _restore_object(self, backend: Any, bucket: str, entry: dict[str, Any]) -> None:
        body = self._bodies.restore(entry["body"])
        if not all(segment.file.path.exists() for segment in body.segments):
            log.warning(
                "Object s3://%s/%s is lost: its bytes are missing in %s.",
                bucket,
                entry["key"],
                self._bodies.path,
            )
            return
        key = backend.put_object(bucket, entry["key"], body, etag=entry["etag"])
        key.set_metadata(entry["metadata"])
        key.last_modified = datetime.fromisoformat(entry["modified"])

    def save(self) -> None:
        """Write the list, then delete the bytes without an object."""
        # In this order, the list on disk never refers to deleted bytes.
        unused = self._bodies.unused()
        if self._file is not None:
            text = json.dumps({"buckets": [_described(bucket) for bucket in _buckets()]})
            if text != self._saved:
                write_atomically(self._file, text)
                self._saved = text
        self._bodies.remove(unused)


def _buckets() -> list[Any]:
    return list(s3_backends[ACCOUNT_ID]["aws"].buckets.values())


def _described(bucket: Any) -> dict[str, Any]:
    return {
        "name": bucket.name,
        "region": bucket.region_name,
        "versioning": bucket.versioning_status,
        "created": bucket.creation_date.isoformat(),
        "objects": [
            {
                "key": name,
                "etag": key.etag.strip('"'),
                "modified": key.last_modified.isoformat(),
                "metadata": dict(key.metadata),
                "body": key.value.described(),
            }
            for name, key in bucket.keys.items()
            if not isinstance(key, FakeDeleteMarker)
        ],
    }

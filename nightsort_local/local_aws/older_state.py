"""Take over the data folder of a server that wrote its state as two JSON files, now and then."""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING, Any

from moto.s3.models import s3_backends

from nightsort_local.local_aws.account import ACCOUNT_ID
from nightsort_local.local_aws.comprehend.store import RESOURCE

if TYPE_CHECKING:
    from pathlib import Path

    from nightsort_local.local_aws.s3.kept_buckets import KeptBuckets
    from nightsort_local.local_aws.s3.object_bodies import BodyFolder
    from nightsort_local.local_aws.state_file import StateFile


def take_over(data: Path, state: StateFile, bodies: BodyFolder, buckets: KeptBuckets) -> None:
    """Move ``comprehend.json`` and ``buckets.json`` into the state file, if they are there.

    :param data: the data folder.
    :param state: the state file.
    :param bodies: has the objects' bytes.
    :param buckets: stores the buckets.
    """
    resources, listed = data / "comprehend.json", data / "buckets.json"
    if resources.exists():
        records = json.loads(resources.read_text(encoding="utf-8"))["resources"]
        state.write((RESOURCE, record["arn"], "", json.dumps(record).encode()) for record in records)
        resources.unlink()
    if listed.exists():
        for record in json.loads(listed.read_text(encoding="utf-8"))["buckets"]:
            _make_bucket(record, bodies)
        buckets.store_touched()
        listed.unlink()


def _make_bucket(record: dict[str, Any], bodies: BodyFolder) -> None:
    backend = s3_backends[ACCOUNT_ID]["aws"]
    bucket = backend.create_bucket(record["name"], record["region"])
    bucket.versioning_status = record["versioning"]
    bucket.creation_date = datetime.fromisoformat(record["created"])
    for entry in record["objects"]:
        body: Any = bodies.body(entry["body"])
        key = backend.put_object(record["name"], entry["key"], body, etag=entry["etag"])
        key.set_metadata(entry["metadata"])
        key.last_modified = datetime.fromisoformat(entry["modified"])

"""Keep buckets, objects and unfinished uploads: each change is stored before it is answered.

moto's objects are stored whole: metadata, tags, versions, delete markers, policies and rules. The bytes are
in files already.
"""

from __future__ import annotations

import copy
import logging
from bisect import insort
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from moto.s3.models import FakeBucket, MultipartDict, s3_backends

from nightsort_local.local_aws import pickles
from nightsort_local.local_aws.account import ACCOUNT_ID
from nightsort_local.local_aws.s3.moto_s3 import KeyStore
from nightsort_local.local_aws.s3.object_bodies import StoredFile
from nightsort_local.local_aws.s3.operations import s3_call

if TYPE_CHECKING:
    from collections.abc import Iterator
    from wsgiref.types import WSGIEnvironment

    from nightsort_local.local_aws.s3.object_bodies import BodyFolder
    from nightsort_local.local_aws.state_file import Change, StateFile

log = logging.getLogger(__name__)

BUCKET, OBJECT, UPLOAD, PART = "bucket", "object", "upload", "part"


class KeptBuckets:
    """Store moto's buckets and restore them.

    :param state: keeps them.
    :param bodies: has the objects' bytes.
    """

    def __init__(self, state: StateFile, bodies: BodyFolder) -> None:
        self._state = state
        self._bodies = bodies
        # A file whose name is in the state must not be garbage, whatever moto has dropped since.
        self._files: dict[tuple[str, str, str], list[StoredFile]] = {}
        self._buckets: set[str] = set()
        self._uploads: dict[str, str] = {}

    def restore(self) -> None:
        """Restore what an earlier server stored."""
        backend = _backend()
        for name, _, content in self._state.read(BUCKET):
            bucket, tags = pickles.load(content)
            # Made anew first: an attribute that another version of moto adds has its default.
            restored: Any = FakeBucket(name, ACCOUNT_ID, bucket.region_name)  # type: ignore[abstract]
            restored.__dict__.update(vars(bucket), keys=KeyStore(), multiparts=MultipartDict())
            backend.buckets[name] = restored
            backend.tagger.tags.update(tags)
            self._buckets.add(name)
        for name, key, content in self._state.read(OBJECT):
            versions, tags = self._load((OBJECT, name, key), content)
            backend.buckets[name].keys.setlist(key, versions)
            backend.tagger.tags.update(tags)
        for name, upload_id, content in self._state.read(UPLOAD):
            backend.buckets[name].multiparts[upload_id] = pickles.load(content)
            self._uploads[upload_id] = name
        for upload_id, part, content in self._state.read(PART):
            upload = backend.buckets[self._uploads[upload_id]].multiparts[upload_id]
            upload.parts[int(part)] = self._load((PART, upload_id, part), content)
            insort(upload.partlist, int(part))
        for name in self._buckets:
            backend.buckets[name].keys.drain()

    def store(self, environ: WSGIEnvironment) -> None:
        """Store what a request has changed."""
        if not self._state.keeps:
            return
        call = s3_call(environ)
        bucket, key = (call.bucket, call.key) if call is not None else (None, None)
        query = parse_qs(environ.get("QUERY_STRING", ""))
        upload_id, part = (query.get(name, [""])[0] for name in ("uploadId", "partNumber"))
        if bucket in _backend().buckets and key is not None and not upload_id:
            # Tags and access lists change without the key store.
            _backend().buckets[bucket].keys.touched.add(key)
        self.store_touched(bucket if key is None else None, upload_id, part)

    def store_touched(self, bucket: str | None = None, upload_id: str = "", part: str = "") -> None:
        """Store new, removed and touched buckets, objects and uploads.

        :param bucket: a bucket whose own attributes may have changed.
        :param upload_id: an upload that may have a new part.
        :param part: its number.
        """
        self._write(
            [
                *self._changed_buckets(bucket),
                *self._changed_uploads(upload_id, part),
                *self._changed_objects(),
            ]
        )

    def _changed_buckets(self, named: str | None) -> Iterator[tuple[Change, list[StoredFile]]]:
        backend = _backend()
        for name in {named, *(self._buckets ^ backend.buckets.keys())} - {None}:
            bucket = backend.buckets.get(name)
            if bucket is None:
                yield from self._removed_bucket(str(name))
                continue
            self._buckets.add(bucket.name)
            bare = copy.copy(bucket)
            bare.keys = bare.multiparts = None
            tags = _tags(backend, [bucket.arn])
            yield (BUCKET, bucket.name, "", pickles.dump((bare, tags))), []

    def _removed_bucket(self, name: str) -> Iterator[tuple[Change, list[StoredFile]]]:
        self._buckets.discard(name)
        yield (BUCKET, name, "", None), []
        for kind, bucket, key in [place for place in self._files if place[:2] == (OBJECT, name)]:
            yield (kind, bucket, key, None), []

    def _changed_objects(self) -> Iterator[tuple[Change, list[StoredFile]]]:
        backend = _backend()
        for bucket in list(backend.buckets.values()):
            for key in bucket.keys.drain():
                versions = bucket.keys.getlist(key)
                if not versions:
                    yield (OBJECT, bucket.name, key, None), []
                    continue
                arns = [version.arn for version in versions if hasattr(version, "arn")]
                content, files = self._dumped((versions, _tags(backend, arns)))
                yield (OBJECT, bucket.name, key, content), files

    def _changed_uploads(self, upload_id: str, part: str) -> Iterator[tuple[Change, list[StoredFile]]]:
        """Return changes of uploads that began or ended, and of the part that a request has sent."""
        current = {
            found: (bucket.name, upload)
            for bucket in list(_backend().buckets.values())
            for found, upload in bucket.multiparts.items()
        }
        for found in self._uploads.keys() - current.keys():
            yield (UPLOAD, self._uploads.pop(found), found, None), []
            for kind, name, number in [place for place in self._files if place[:2] == (PART, found)]:
                yield (kind, name, number, None), []
        for found in current.keys() - self._uploads.keys():
            bucket, upload = current[found]
            self._uploads[found] = bucket
            bare = copy.copy(upload)
            bare.parts, bare.partlist = {}, []
            yield (UPLOAD, bucket, found, pickles.dump(bare)), []
        if upload_id in current and part.isdecimal() and (sent := current[upload_id][1].parts.get(int(part))):
            content, files = self._dumped(sent)
            yield (PART, upload_id, str(int(part)), content), files

    def _write(self, changes: list[tuple[Change, list[StoredFile]]]) -> None:
        if not changes:
            return
        self._state.write(change for change, _ in changes)
        for (kind, name, part, content), files in changes:
            if content is None:
                self._files.pop((kind, name, part), None)
            else:
                self._files[kind, name, part] = files

    def _dumped(self, value: Any) -> tuple[bytes, list[StoredFile]]:
        files: list[StoredFile] = []

        def name_of(found: Any) -> str | None:
            if not isinstance(found, StoredFile):
                return None
            files.append(found)
            return found.path.name

        return pickles.dump(value, name_of), files

    def _load(self, place: tuple[str, str, str], content: bytes) -> Any:
        files = self._files[place] = []

        def named(name: str) -> StoredFile:
            file = self._bodies.file(name)
            if not file.path.exists():
                log.warning("The bytes of the %s %s/%s are lost: %s is missing.", *place, file.path)
            files.append(file)
            return file

        return pickles.load(content, named)


def _backend() -> Any:
    return s3_backends[ACCOUNT_ID]["aws"]


def _tags(backend: Any, arns: list[str]) -> dict[str, dict[str, str]]:
    return {arn: backend.tagger.tags[arn] for arn in arns if arn in backend.tagger.tags}

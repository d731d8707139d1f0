"""moto's S3 over bodies in files.

moto reads each body into memory, copies it for a GET and again for a range of it: 500 MB took 1.1 GB, 1.6 GB
as a multipart upload, and a download in ranges 16 s. Here a large object passes through moto as a
:class:`StoredBody`, which moto takes for bytes: it only measures, cuts and hands on.
"""

from __future__ import annotations

import hashlib
import io
from typing import TYPE_CHECKING, Any, ClassVar

import moto.s3.models as s3_models
from moto.moto_server.werkzeug_app import BackendRequest, create_backend_app
from moto.s3.exceptions import EntityTooSmall, InvalidPart, MalformedXML
from moto.s3.models import FakeKey, FakeMultipart, MultipartChecksumBuilder
from moto.settings import S3_UPLOAD_PART_MIN_SIZE

from nightsort_local.local_aws.s3.object_bodies import BodyFolder, StoredBody, joined

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flask import Flask

BODY = "nightsort.body"
"""Where a request's environ holds its body when it is in a file."""


def create_app(service: Any) -> Flask:
    """Return moto's application of a service; S3's can take its body from a file."""
    app = create_backend_app(service)
    if service == "s3":
        app.request_class = _S3Request
    return app


def keep_bodies_in(folder: BodyFolder) -> None:
    """Make moto keep the objects of this process in a folder."""
    _Key.folder = folder
    # moto has no other way in: it makes objects of these classes by their names in its module.
    vars(s3_models).update(FakeKey=_Key, FakeMultipart=_Multipart)


class _S3Request(BackendRequest):
    def get_data(self, *args: Any, **kwargs: Any) -> Any:
        body = self.environ.get(BODY)
        return super().get_data(*args, **kwargs) if body is None else body


class _Key(FakeKey):
    """An object, or a part of a multipart upload."""

    folder: ClassVar[BodyFolder]

    @property
    def value(self) -> Any:
        return self._body

    @value.setter
    def value(self, new: bytes | str | StoredBody) -> None:
        body = new.encode() if isinstance(new, str) else new
        if isinstance(body, (bytes, bytearray)) and len(body) >= self.folder.least:
            body = self.folder.receive(io.BytesIO(body))
        self._body = body
        self.contentsize = len(body)

    @property
    def etag(self) -> str:
        if self._etag is None:
            body = self._body
            self._etag = body.md5 if isinstance(body, StoredBody) else _md5(body)
        return f'"{self._etag}"'


class _Multipart(FakeMultipart):
    """A multipart upload; its parts become the object as they lie."""

    def complete(self, body: Iterator[tuple[int, str]]) -> tuple[Any, str, tuple[str, str, int] | None]:
        algorithm = self.metadata.get("x-amz-checksum-algorithm")
        checksums = MultipartChecksumBuilder(algorithm, self.metadata.get("x-amz-checksum-type"))
        # A checksum over the whole object would need the whole object; S3 answers without one, too.
        checked = algorithm is not None and checksums.checksum_type == "COMPOSITE"
        parts: list[StoredBody] = []
        digests = bytearray()
        previous: FakeKey | None = None
        for number, etag in body:
            part = self.parts.get(number)
            if part is None or part.etag.strip('"') != etag.strip('"'):
                raise InvalidPart
            if previous is not None and previous.contentsize < S3_UPLOAD_PART_MIN_SIZE:
                raise EntityTooSmall
            previous = part
            digests.extend(bytes.fromhex(part.etag.strip('"')))
            if checked:
                checksums.addPart(bytes(part.value))
            value = part.value
            parts.append(value if isinstance(value, StoredBody) else _Key.folder.receive(io.BytesIO(value)))
        if not parts:
            raise MalformedXML
        etag = f"{_md5(bytes(digests))}-{len(parts)}"
        return joined(parts), etag, checksums.build() if checked else None


def _md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()

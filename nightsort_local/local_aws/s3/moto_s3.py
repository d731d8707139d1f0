"""moto's S3 with object bodies in files.

moto reads each body into memory, and copies it for a GET and for each range. For 500 MB it took 1.1 GB, 1.6
GB with a multipart upload, and 16 s to download in ranges. Here a large object is a :class:`StoredBody`,
which moto uses like bytes: it only takes its length, slices it and passes it on.
"""

from __future__ import annotations

import hashlib
import io
from typing import TYPE_CHECKING, Any, ClassVar

import moto.s3.models as s3_models
from moto.moto_server.werkzeug_app import BackendRequest, create_backend_app
from moto.s3.exceptions import EntityTooSmall, InvalidPart, MalformedXML
from moto.s3.models import FakeKey, FakeMultipart, MultipartChecksumBuilder
from moto.s3.utils import _VersionedKeyStore
from moto.settings import S3_UPLOAD_PART_MIN_SIZE

from nightsort_local.local_aws.s3.object_bodies import BodyFolder, StoredBody, joined

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flask import Flask

BODY = "nightsort.body"
"""Key of a request's environ with the body that is in a file."""


def create_app(service: Any) -> Flask:
    """Return moto's application of a service; that of S3 accepts bodies in files."""
    app = create_backend_app(service)
    if service == "s3":
        app.request_class = _S3Request
    return app


def keep_bodies_in(folder: BodyFolder) -> None:
    """Make moto store the objects of this process in a folder."""
    _Key.folder = folder
    # moto has no extension point: it creates objects of these classes by their names in its module.
    vars(s3_models).update(FakeKey=_Key, FakeMultipart=_Multipart, _VersionedKeyStore=KeyStore)


class _S3Request(BackendRequest):
    def get_data(self, *args: Any, **kwargs: Any) -> Any:
        body = self.environ.get(BODY)
        return super().get_data(*args, **kwargs) if body is None else body


class KeyStore(_VersionedKeyStore):
    """The keys of a bucket with their versions; it notes which have changed."""

    def __init__(self) -> None:
        super().__init__()
        self.touched: set[str] = set()

    def drain(self) -> set[str]:
        """Return the keys that have changed since the last time."""
        drained, self.touched = self.touched, set()
        return drained

    def __setitem__(self, key: str, value: Any) -> None:
        self.touched.add(key)
        super().__setitem__(key, value)

    def setlist(self, key: str, list_: Any) -> None:
        """Replace all versions of a key."""
        self.touched.add(key)
        super().setlist(key, list_)

    def pop(self, key: str) -> None:  # type: ignore[override]
        """Remove a key with all its versions."""
        self.touched.add(key)
        super().pop(key)


class _Key(FakeKey):
    """An object, or a part of a multipart upload."""

    folder: ClassVar[BodyFolder]

    def __setstate__(self, state: dict[str, Any]) -> None:
        # Made anew first: an attribute that another version of moto adds has its default.
        self.__init__(state["name"], state["value"], state["account_id"], state["region_name"])  # type: ignore[misc]
        self.__dict__.update({name: value for name, value in state.items() if name != "value"})

    @property
    def value(self) -> Any:
        return self._body

    @value.setter
    def value(self, new: bytes | str | StoredBody) -> None:
        body = new.encode() if isinstance(new, str) else new
        if isinstance(body, (bytes, bytearray)) and len(body) >= self.folder.min_file_size:
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
    """A multipart upload. Its parts become the object without being copied."""

    def complete(self, body: Iterator[tuple[int, str]]) -> tuple[Any, str, tuple[str, str, int] | None]:
        algorithm = self.metadata.get("x-amz-checksum-algorithm")
        checksums = MultipartChecksumBuilder(algorithm, self.metadata.get("x-amz-checksum-type"))
        # A checksum of the whole object would need all its bytes; S3 also answers without one.
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

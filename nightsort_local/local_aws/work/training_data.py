"""Read the training and test data of a task from S3."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO, Literal

from nightsort.comprehend.limits import MAX_DOCUMENT_BYTES, MAX_TRAINING_BYTES
from nightsort_local.local_aws.learning.augmented_manifests import read_manifest
from nightsort_local.local_aws.learning.examples import invalid_input
from nightsort_local.local_aws.learning.labelled_csv import read_csv
from nightsort_local.local_aws.learning.labelled_data import LabelledData, LabelledDataBuilder
from nightsort_local.local_aws.s3.location import S3Location

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from nightsort_local.local_aws.learning.examples import Example, Unusable
    from nightsort_local.local_aws.work.object_store import ObjectStore
    from nightsort_local.local_aws.work.tasks import AugmentedManifest, TrainTask

    Reader = Callable[[BinaryIO, str], Iterator[Example | Unusable]]
    """Yield the rows of a file, given its content and its name."""


def sources_of(
    store: ObjectStore, task: TrainTask, split: Literal["TRAIN", "TEST"]
) -> list[tuple[str, Reader]]:
    """Return the S3 URIs of a task's training or test data, each with the reader of its format."""

    def csv_reader(stream: BinaryIO, file: str) -> Iterator[Example | Unusable]:
        return read_csv(stream, file, task.mode, task.delimiter)

    def manifest_reader(manifest: AugmentedManifest) -> Reader:
        return lambda stream, file: read_manifest(stream, file, task.mode, manifest.attributes, fetch)

    def fetch(uri: str) -> bytes:
        with store.open(S3Location.parse(uri)) as stream:
            return stream.read(MAX_DOCUMENT_BYTES + 1)

    if task.manifests:
        return [
            (manifest.uri, manifest_reader(manifest))
            for manifest in task.manifests
            if manifest.split == split
        ]
    uri = task.training if split == "TRAIN" else task.test
    return [] if uri is None else [(uri, csv_reader)]


def read_labelled_data(store: ObjectStore, sources: Sequence[tuple[str, Reader]]) -> LabelledData:
    """Read every object whose key begins with the key of one of the URIs.

    :param sources: S3 URIs, each with the reader of its objects.
    :raises TaskError: an object cannot be read, its content is invalid, or the data exceeds a limit.
    """
    objects = [(location, size, reader) for uri, reader in sources for location, size in store.list(uri)]
    size = sum(size for _, size, _ in objects)
    if size > MAX_TRAINING_BYTES:
        uris = ", ".join(uri for uri, _ in sources)
        raise invalid_input(f"The data under {uris} is larger than {MAX_TRAINING_BYTES:,} bytes.")
    builder = LabelledDataBuilder(size)
    for location, _, reader in objects:
        with store.open(location) as stream:
            for row in reader(stream, location.uri):
                builder.add(row, location.uri)
    return builder.result()

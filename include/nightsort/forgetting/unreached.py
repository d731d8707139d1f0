"""What a forgetting cannot reach: models, sources, and what the bucket or the database still keeps."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
import pyarrow as pa

from nightsort.classifier_spec.day_template import has_day
from nightsort.classifier_spec.uris import fixed_folder
from nightsort.errors import NightsortError
from nightsort.forgetting.manifests import is_one_of
from nightsort.layout import REJECTS_FILE, S3
from nightsort.naming import VersionName, run_day
from nightsort.sources.documents import read_documents
from nightsort.sources.rejects import RejectLog
from nightsort.sources.source_files import source_of_day
from nightsort.tables.versions import find_versions

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from datetime import date

    import psycopg

    from nightsort.classifier_spec.model import ClassifierSpec
    from nightsort.classifier_spec.source import Source
    from nightsort.forgetting.holdings import Holdings
    from nightsort.storage import Access, Progress


@dataclass(frozen=True)
class Unreached:
    """Something that still holds documents, or may.

    :param what: in a few words.
    :param where: its name or URI.
    :param remedy: what a person can do.
    """

    what: str
    where: str
    remedy: str


def models(
    conn: psycopg.Connection[Any], spec: ClassifierSpec, trainings: Collection[str]
) -> Iterator[Unreached]:
    """Yield the versions that learned from the documents.

    :param conn: the database.
    :param spec: the classifier spec.
    :param trainings: the folders of trainings whose data held them.
    """
    remedy = "train again without the document, then delete this version (DeleteDocumentClassifier)"
    versions = find_versions(conn, spec.name)
    for base in trainings:
        found = [row for row in versions if (name := VersionName.parse(row.version)) and name.base == base]
        for row in found:
            yield Unreached("the active model" if row.active else "a model", row.arn, remedy)
        if not found and VersionName.parse(base) is not None:
            yield Unreached("a model, if there is one", f"version {base}, not in the tables", remedy)


def old_versions(spec: ClassifierSpec, access: Access) -> Iterator[Unreached]:
    """Yield the buckets that keep what was overwritten and removed.

    :param spec: the classifier spec.
    :param access: storage.
    """
    remedy = "expire noncurrent versions by a lifecycle rule, or delete them (docs/privacy.md says how)"
    written = [uri for uri in (spec.work_uri, spec.export_uri) if uri is not None and uri.startswith(S3)]
    for bucket in sorted({uri.removeprefix(S3).partition("/")[0] for uri in written}):
        fs = access.path(f"{S3}{bucket}/").fs
        try:
            status = fs.call_s3("get_bucket_versioning", Bucket=bucket).get("Status")
        except OSError:
            yield Unreached("old versions of objects, if it keeps them", f"bucket {bucket}", remedy)
            continue
        if status:
            yield Unreached("old versions of objects", f"bucket {bucket}", remedy)


def sources(
    spec: ClassifierSpec,
    access: Access,
    holdings: Holdings,
    document_ids: Collection[str],
    progress: Progress | None = None,
) -> Iterator[Unreached]:
    """Yield the sources that hold the documents still; they are read to find that out.

    :param spec: the classifier spec.
    :param access: storage.
    :param holdings: what held them.
    :param document_ids: the ids.
    :param progress: called with the documents read so far.
    """
    again = "remove it there, or the next run of the day classifies it, and pays for it, again"
    ids: Any = pa.array(sorted(document_ids), pa.string())
    below = fixed_folder(spec.incoming.uri or "")
    for key, run in holdings.runs.items():
        if run.ids:
            yield from _in_source(
                spec.incoming, access, run_day(key), run.source_uri, below, ids, again, progress
            )
    for_training = "remove it there, or the next training learns from it again"
    if not has_day(spec.labelled.template):
        yield from _in_source(spec.labelled, access, None, None, None, ids, for_training, progress, spec)
    elif holdings.trainings:
        yield Unreached("labelled documents, if they hold it", spec.labelled.template, for_training)


def _in_source(
    source: Source,
    access: Access,
    day: date | None,
    uri: str | None,
    named_below: str | None,
    ids: Any,
    remedy: str,
    progress: Progress | None,
    labelled_of: ClassifierSpec | None = None,
) -> Iterator[Unreached]:
    """Yield the file and row of each document that a source holds, or that it cannot be read."""
    what = "incoming documents" if labelled_of is None else "labelled documents"
    of_training: dict[str, Any] = {}
    if labelled_of is not None:
        of_training = {"mode": labelled_of.mode, "label_delimiter": labelled_of.label_delimiter}
    try:
        where = source_of_day(source, day, uri).uri or "the query"
    except NightsortError as error:
        yield Unreached(f"{what}, if they hold it", str(uri), f"{error}; {remedy}")
        return
    with tempfile.TemporaryDirectory(prefix="nightsort-") as scratch:
        rejected = Path(scratch) / REJECTS_FILE
        try:
            with RejectLog(rejected) as rejects:
                for documents in read_documents(
                    source,
                    access,
                    day=day,
                    uri=uri,
                    named_below=named_below,
                    rejects=rejects,
                    progress=progress,
                    **of_training,
                ):
                    for row in is_one_of(documents["document_id"], ids).tolist():
                        yield _there(
                            what, documents["file"][row].as_py(), documents["row"][row].as_py(), remedy
                        )
        except (NightsortError, OSError) as error:
            yield Unreached(f"{what}, if they hold it", where, f"it cannot be read ({error}); {remedy}")
        named = set(ids.to_pylist())
        with rejected.open("rb") as lines:
            for reject in map(orjson.loads, lines):
                if reject["document_id"] in named:
                    yield _there(what, reject["file"], reject["row"], remedy)


def _there(what: str, file: str, row: int, remedy: str) -> Unreached:
    return Unreached(what, f"{file} row {row}", remedy)

"""The buckets and the documents: whether they exist, in the right region, and can be used."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from nightsort.classifier_spec.day_template import before_day, has_day
from nightsort.layout import S3
from nightsort.sources.read_only import check_driver
from nightsort.sources.source_files import SourceError
from nightsort_airflow.aws_errors import error_code
from nightsort_airflow.doctor.aws_access import refused
from nightsort_airflow.doctor.findings import Check, failed, ok, warning
from nightsort_airflow.hooks.storage import connect_sql

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from nightsort.classifier_spec.model import ClassifierSpec, Source
    from nightsort_airflow.doctor.aws_access import AwsAccess
    from nightsort_airflow.doctor.findings import Outcome

GROUP: Final = "buckets and documents"

# One name, so that an identity that may not delete leaves only one object.
PROBE: Final = "_nightsort_doctor_probe"
# Readers of a folder of Parquet files skip names that begin with an underscore. It is not the name above,
# because docs/iam/doctor.json grants the removal of that one, which proves nothing about the files here.
EXPORT_PROBE: Final = "_nightsort_export_probe"
REGION_HEADER: Final = "x-amz-bucket-region"
PROBE_TEXT: Final = b"Written by `nightsort doctor`. It may be deleted.\n"


def bucket_checks(access: AwsAccess, specs: Sequence[ClassifierSpec], needs: Check) -> Iterator[Check]:
    """
    Return the checks of all buckets, of each folder that is written, and of each source.

    :param access: the AWS connection.
    :param specs: those that use it.
    :param needs: the check of the connection.
    """
    sources = {
        f"{spec.name}: {key} documents": source
        for spec in specs
        for key, source in (("labelled", spec.labelled), ("incoming", spec.incoming))
    }
    work_uris = dict.fromkeys(spec.work_uri for spec in specs)
    export_uris = dict.fromkeys(spec.export_uri for spec in specs if spec.export_uri)
    work_buckets = _buckets(work_uris)
    others = _buckets([*export_uris, *(source.uri for source in sources.values() if source.uri)])
    buckets = {
        name: Check(
            GROUP,
            f"bucket {name}",
            partial(bucket_and_region, access, name, of_work=name in work_buckets),
            (needs,),
        )
        for name in sorted(work_buckets | others)
    }

    def bucket_of(uri: str | None) -> tuple[Check, ...]:
        return tuple(buckets[name] for name in _buckets([uri or ""]))

    yield from buckets.values()
    for uri in work_uris:
        yield Check(GROUP, f"work_uri {uri}", partial(work_folder, access, uri), bucket_of(uri))
    for uri in export_uris:
        yield Check(GROUP, f"export {uri}", partial(export_folder, access, uri), bucket_of(uri))
    for subject, source in sources.items():
        yield Check(GROUP, subject, partial(documents, access, source), bucket_of(source.uri))


def _buckets(uris: Iterable[str]) -> set[str]:
    return {split(uri)[0] for uri in uris if uri.startswith(S3)}


def split(uri: str) -> tuple[str, str]:
    """Return bucket and key of an S3 URI."""
    bucket, _, key = uri.removeprefix(S3).partition("/")
    return bucket, key


def bucket_and_region(access: AwsAccess, name: str, *, of_work: bool) -> Outcome:
    """
    Check whether a bucket exists, and in which region.

    :param name: the bucket.
    :param of_work: whether Comprehend uses it, which it can only in its own region.
    """
    try:
        answer: Any = access.client("s3").head_bucket(Bucket=name)
    except ClientError as error:
        if error_code(error) == "404":
            return failed("there is no such bucket", "create it, or correct the URI in the spec")
        # A policy that allows to list some prefixes does not allow this; the region is said even so.
        answer = error.response
        if REGION_HEADER not in answer["ResponseMetadata"]["HTTPHeaders"]:
            return failed(
                f"no access ({error})",
                "allow s3:ListBucket: docs/iam/airflow-policy.json, and the bucket's own policy",
            )
    region = answer["ResponseMetadata"]["HTTPHeaders"].get(REGION_HEADER, access.region)
    if region == access.region:
        return ok(f"exists, in Comprehend's region {region}")
    if of_work:
        return failed(
            f"is in {region}, but Comprehend works in {access.region} and cannot read it",
            f"use a bucket in {access.region} for work_uri, or a connection of {region}",
        )
    return warning(
        f"is in {region}, but Comprehend works in {access.region}: transfer between regions costs",
        f"keep documents and exports in {access.region}",
    )


def work_folder(access: AwsAccess, uri: str) -> Outcome:
    """
    List, write, read and, if permitted, delete below a ``work_uri``.

    :param uri: the ``work_uri``.
    """
    if not uri.startswith(S3):
        return failed("is not an S3 URI, and Comprehend reads nothing else", "write s3://bucket/prefix")
    bucket, prefix = split(f"{uri}/")
    s3 = access.client("s3")
    try:
        s3.list_objects_v2(Bucket=bucket, Prefix=prefix, MaxKeys=1)
        s3.put_object(Bucket=bucket, Key=f"{prefix}{PROBE}", Body=PROBE_TEXT)
        s3.get_object(Bucket=bucket, Key=f"{prefix}{PROBE}")["Body"].read()
    except ClientError as error:
        return refused(error)
    try:
        s3.delete_object(Bucket=bucket, Key=f"{prefix}{PROBE}")
    except ClientError:
        return ok(
            f"list, write and read; {PROBE} stays, because s3:DeleteObject is missing, which no DAG needs"
        )
    return ok("list, write, read and delete")


def export_folder(access: AwsAccess, uri: str) -> Outcome:
    """
    List, write and delete below an export's URI, where files of earlier attempts are removed.

    :param uri: the folder of the partitions.
    """
    if not uri.startswith(S3):
        return _folder(f"{uri}/")
    bucket, prefix = split(f"{uri}/")
    s3 = access.client("s3")
    try:
        s3.list_objects_v2(Bucket=bucket, Prefix=prefix, MaxKeys=1)
        s3.put_object(Bucket=bucket, Key=f"{prefix}{EXPORT_PROBE}", Body=PROBE_TEXT)
        s3.delete_object(Bucket=bucket, Key=f"{prefix}{EXPORT_PROBE}")
    except ClientError as error:
        return failed(str(error), "grant this permission: docs/iam/airflow-export-policy.json")
    return ok("list, write and delete")


def documents(access: AwsAccess, source: Source) -> Outcome:
    """
    Check whether a source has something to read, and whether it can be read.

    :param source: the source, of any day.
    """
    if source.uri is None:
        return _database_of(source.conn_id or "")
    prefix = re.split(r"[*?\[]", before_day(source.uri))[0]
    if not prefix.startswith(S3):
        return _folder(prefix)
    bucket, key = split(prefix)
    s3 = access.client("s3")
    try:
        found = s3.list_objects_v2(Bucket=bucket, Prefix=key, MaxKeys=1).get("Contents", [])
        if found:
            # The first byte: HeadObject alone would not show a KMS key that may not be used.
            s3.get_object(Bucket=bucket, Key=found[0]["Key"], Range="bytes=0-0")
    except ClientError as error:
        if error_code(error) != "InvalidRange":
            return refused(error)
    if not found:
        return warning(f"there is nothing at {prefix}", _what_is_missing(source))
    return ok(f"readable at {prefix}")


def _what_is_missing(source: Source) -> str:
    if source.labelled:
        return "put labelled documents there before the first training"
    day = " of the day" if has_day(source.template) else ""
    return f"put documents{day} there if there should be some; no_files says what a night without files is"


def _folder(prefix: str) -> Outcome:
    path = Path(prefix.removeprefix("file://"))
    folder = path if prefix.endswith("/") or path.exists() else path.parent
    if not folder.exists():
        return failed(
            f"there is no {folder} on this machine", "put the documents where every worker sees them"
        )
    return ok(f"{folder} exists on this machine; every worker has to see it")


def _database_of(conn_id: str) -> Outcome:
    try:
        with connect_sql(conn_id) as connection:
            check_driver(connection)
    except SourceError as error:
        return failed(str(error), "see sql in docs/classifier-spec.md")
    return ok(f"the connection {conn_id} opens; the query itself is not run")

"""A person who may start a run reads what the spec allows, and nothing else."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import pytest

from nightsort.classifier_spec.model import ClassifierSpec
from nightsort.sources.by_hand import check_source_uri
from nightsort.sources.source_files import SourceError
from nightsort.storage import plain_access

if TYPE_CHECKING:
    from pathlib import Path

DAY = date(2026, 11, 18)


def spec(name: str = "tickets", work: str = "s3://bucket/work/tickets", **changes: Any) -> ClassifierSpec:
    incoming = {"uri": "s3://bucket/in/{day}/", "format": "lines", "by_hand": ["s3://archive/mail"]}
    return ClassifierSpec.model_validate(
        {
            "name": name,
            "mode": "MULTI_CLASS",
            "labelled": {"uri": "s3://bucket/labelled/", "format": "csv"},
            "incoming": incoming,
            "work_uri": work,
            "data_access_role_arn": "arn:aws:iam::123456789012:role/Comprehend",
            **changes,
        }
    )


def check(uri: str, of: ClassifierSpec | None = None, *others: ClassifierSpec) -> None:
    check_source_uri(of or spec(), uri, DAY, plain_access(), others=others)


@pytest.mark.parametrize(
    "uri",
    [
        "s3://bucket/in/2026-11-18/late.txt",
        "s3://bucket/in/{day:%Y-%m-%d}/",
        "s3://bucket/in/*/late-*.txt",
        "s3://archive/mail/2019/",
        "s3://archive/mail/x.txt",
    ],
)
def test_what_is_below_the_incoming_folder_or_a_listed_prefix_is_read(uri: str) -> None:
    check(uri)


@pytest.mark.parametrize(
    ("uri", "says"),
    [
        ("/etc/passwd", "is not of the kind of incoming.uri"),
        ("file:///etc/passwd", "is not of the kind of incoming.uri"),
        ("in/2026-11-18/", "is not of the kind of incoming.uri"),
        ("http://127.0.0.1:23777/internal/secret", "http:// cannot be read"),
        ("ftp://host/x", "ftp:// cannot be read"),
        ("memory://x", "memory:// cannot be read"),
        ("local:///etc/passwd", "local:// cannot be read"),
        ("data:text/plain,x", "data:// cannot be read"),
        ("simplecache::http://127.0.0.1/x", "simplecache:: cannot be read"),
        ("s3://bucket/in/::http://127.0.0.1/x", "(//)"),
        ("s3://bucket/in/../work/tickets/x", "a folder . or .."),
        ("S3://bucket/in/x", "use s3:// (in lower case)"),
        ("s3a://bucket/in/x", "s3a:// cannot be read"),
        ("zip://x::s3://bucket/in/a.zip", "zip:// cannot be read"),
        ("s3://bucket/[i]n/x.txt", "is not below"),
        ("s3://bucket/%69n/x.txt", "is not below"),
        ("s3://bucket/other/x.txt", "is not below incoming.uri or incoming.by_hand"),
        ("s3://bucket/*/x.txt", "is not below incoming.uri or incoming.by_hand"),
        ("s3://bucket/in-other/x.txt", "is not below"),
        ("s3://archive/mailing/x.txt", "is not below"),
        ("s3://other/in/x.txt", "this run may read what is below s3://bucket/in/ or s3://archive/mail/"),
        ("s3://bucket", "names a whole bucket"),
        ("s3://bucket/in/*/", "is a glob that ends in /"),
    ],
)
def test_everything_else_is_refused_by_name(uri: str, says: str) -> None:
    with pytest.raises(SourceError) as refused:
        check(uri)

    assert says in str(refused.value)
    assert uri in str(refused.value)


def test_what_may_be_a_password_is_not_repeated() -> None:
    with pytest.raises(SourceError, match="is not an S3 URI") as refused:
        check("s3://t0ken@bucket/in/x")

    assert "t0ken" not in str(refused.value)


@pytest.mark.parametrize("uri", ["s3://bucket/in/{day:../%d}/x", "s3://bucket/in/{day:..}/x"])
def test_a_day_is_no_way_out(uri: str) -> None:
    with pytest.raises(SourceError, match=r"a folder \. or \.\.|is the same on every day"):
        check(uri)


@pytest.mark.parametrize(
    "uri",
    [
        "s3://bucket/nightsort/reviews/work/training/*/training.csv",
        "s3://bucket/nightsort/reviews/work/runs/20261118/input/x.txt",
        "s3://bucket/nightsort/**/*.txt",
        "s3://bucket/nightsort/reviews/w?rk/x",
        "s3://bucket/night[!x]ort/reviews/work/*",
        "s3://bucket/{day:nightsort/reviews/work/runs/%Y%m%d/}input/x",
        "s3://bucket/nightsort/",
        "s3://bucket/lake/classifier=reviews/x.parquet",
        "s3://bucket/work/tickets/training/",
    ],
)
def test_what_any_classifier_writes_is_never_read(uri: str) -> None:
    whole_bucket = spec(incoming={"uri": "s3://bucket/{day}/", "format": "lines"})
    export = {"format": "parquet", "uri": "s3://bucket/lake"}
    reviews = spec("reviews", "s3://bucket/nightsort/reviews/work", export=export)

    with pytest.raises(SourceError, match=r"would read below (work_uri|export\.uri) of (reviews|tickets)"):
        check(uri, whole_bucket, reviews)
    check("s3://bucket/2026-11-18/x.txt", whole_bucket, reviews)


def test_a_query_cannot_be_replaced() -> None:
    query = {"sql": "SELECT id, text FROM t", "conn_id": "db", "id_column": "id"}

    with pytest.raises(SourceError, match="cannot take the place of a query"):
        check("s3://bucket/in/x.txt", spec(incoming=query))


class TestLocal:
    @staticmethod
    def spec(folder: Path) -> ClassifierSpec:
        (folder / "in" / "day").mkdir(parents=True)
        (folder / "secret").mkdir()
        (folder / "secret" / "token").write_text("secret")
        (folder / "in" / "day" / "a.txt").write_text("hello")
        incoming = {"uri": f"{folder}/in/{{day}}/", "format": "lines"}
        return spec(work=str(folder / "work"), incoming=incoming)

    def test_what_is_below_the_incoming_folder_is_read(self, tmp_path: Path) -> None:
        local = self.spec(tmp_path)
        (tmp_path / "in" / "day" / "link.txt").symlink_to("a.txt")

        for uri in ("in/day/", "in/day/a.txt", "in/day/*.txt"):
            check(f"{tmp_path}/{uri}", local)

    def test_a_folder_above_and_another_file_are_refused(self, tmp_path: Path) -> None:
        local = self.spec(tmp_path)

        for uri in (f"{tmp_path}/in/../secret/token", f"{tmp_path}/in/day/../../secret/"):
            with pytest.raises(SourceError, match=r"has a folder \.\."):
                check(uri, local)
        for uri in ("/etc/passwd", "file:///etc/passwd", f"{tmp_path}/secret/token", f"{tmp_path}/*/token"):
            with pytest.raises(SourceError, match="is not below incoming"):
                check(uri, local)
        with pytest.raises(SourceError, match="is not of the kind"):
            check("s3://bucket/in/x", local)

    def test_a_day_that_leads_out_of_the_folder_is_refused(self, tmp_path: Path) -> None:
        local = self.spec(tmp_path)
        (tmp_path / "18").mkdir()
        (tmp_path / "18" / "token").write_text("secret")

        with pytest.raises(SourceError, match=r"has a folder \.\."):
            check(f"{tmp_path}/in/{{day:../%d}}/token", local)

    def test_a_link_to_results_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "work" / "runs").mkdir(parents=True)
        (tmp_path / "work" / "runs" / "x.txt").write_text("text")
        (tmp_path / "link").symlink_to(tmp_path / "work")
        incoming = {"uri": f"{tmp_path}/{{day}}/", "format": "lines"}

        for uri in ("link/runs/x.txt", "link/runs/", "link/runs/*.txt"):
            with pytest.raises(SourceError, match="would read below work_uri of tickets"):
                check(f"{tmp_path}/{uri}", spec(work=str(tmp_path / "work"), incoming=incoming))

    def test_a_link_to_a_place_outside_is_refused(self, tmp_path: Path) -> None:
        local = self.spec(tmp_path)
        (tmp_path / "in" / "day" / "link.txt").symlink_to(tmp_path / "secret" / "token")
        (tmp_path / "in" / "linked").symlink_to(tmp_path / "secret")

        for uri in ("in/day/", "in/day/link.txt", "in/linked/", "in/linked/token"):
            with pytest.raises(SourceError, match="a link to a place outside"):
                check(f"{tmp_path}/{uri}", local)

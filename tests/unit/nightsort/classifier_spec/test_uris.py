"""A URI that means nothing is refused, with what to write instead."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from nightsort.classifier_spec.uris import (
    fixed_folder,
    fixed_prefix_problem,
    overlap,
    source_uri_problem,
    uri_problem,
)

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("uri", "says"),
    [
        ("s3://b-ucket/in/*/{day}/", 'write "s3://b-ucket/in/*/{day}/*"'),
        ("s3://b-ucket/in/**/", 'so it matches no file; write "s3://b-ucket/in/**/*"'),
        ("arn:aws:s3:::b-ucket/in/", "is an ARN; write s3://bucket/key"),
        ("~/in/", "write the whole path of the folder"),
        ("in/*/", 'write "in/*/*"'),
        ("s3://b-ucket//in/", "has an empty folder name (//)"),
        ("s3://b-ucket/in//{day}/", "has an empty folder name (//)"),
        ("/data//in/", "has an empty folder name (//)"),
        ("s3://b-ucket/in/../other/", "a folder . or .., which S3 does not know"),
        ("s3://b-ucket/./in/", "a folder . or .., which S3 does not know"),
        ("s3://b-ucket/in/[a-/x.csv", "has a [ without ]; write [[]"),
        ("s3://b-ucket/in/[]", "has a [ without ]"),
        ("s3://b-ucket/in/**.csv", "has ** inside a name"),
        ("s3://b-{day}/in/", "the day in the name of the bucket"),
        ("s3://b-ucket/{date}/", "unknown placeholder"),
        ("s3://b-ucket", "names a whole bucket"),
        ("s3://b-ucket/", "names a whole bucket"),
        ("s3://b*/in/", "is not an S3 URI"),
        ("s3:/b-ucket/in/", "s3:// cannot be read; use s3:// (in lower case)"),
        ("S3://b-ucket/in/", "S3:// cannot be read"),
        ("s3a://b-ucket/in/", "s3a:// cannot be read"),
        ("http://b-ucket/in/", "http:// cannot be read"),
        ("memory://x/", "memory:// cannot be read"),
        ("local:///etc/passwd", "local:// cannot be read"),
        ("file://data/x", "file:// cannot be read"),
        ("simplecache::s3://b-ucket/x", "simplecache:: cannot be read"),
        ("data:text/plain,x", "data:// cannot be read"),
        ("s3://b-ucket/in/\x1b[2J/", "has a control character"),
        ("s3://b-ucket/in/ ", "begins or ends with a space"),
    ],
)
def test_a_uri_that_means_nothing_is_refused(uri: str, says: str) -> None:
    message = source_uri_problem(uri)

    assert message is not None
    assert says in message
    assert "\x1b" not in message


@pytest.mark.parametrize(
    "uri",
    [
        "s3://b-ucket/in/*/{day}/*",
        "s3://b-ucket/in/**/*.csv",
        "s3://b-ucket/in/{day:%Y/%m/%d}/",
        "s3://b-ucket/in/year={day:%Y}/{day:%m-%d}.csv.gz",
        "s3://b-ucket/in/[a-c]*.csv",
        "s3://b-ucket/in/data[[]1]/*.csv",
        "s3://b-ucket/in/[!.]*",
        "s3://b-ucket/in/a b#c%20@d+e,f;g.csv",
        "s3://b-ucket/in/a::b.csv",
        "s3://b-ucket/{{x}}/",
        "in/data.csv",
        "../in/",
        "/data/in/{day}/",
        "file:///data/in/",
        "my-file:v2.csv",
    ],
)
def test_a_uri_with_a_meaning_is_good(uri: str) -> None:
    assert source_uri_problem(uri) is None


def test_a_bracket_in_the_name_of_a_folder_that_exists_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data[1]" / "{x}").mkdir(parents=True)

    for uri in (f"{tmp_path}/data[1]/", f"{tmp_path}/data[1]/*.csv", f"file://{tmp_path}/data[1]/{{day}}/"):
        assert f"{tmp_path}/data[1] exists, but [ begins a set" in (source_uri_problem(uri) or "")
    assert source_uri_problem(f"{tmp_path}/data[[]1]/*.csv") is None


@pytest.mark.parametrize(
    ("template", "folder"),
    [
        ("s3://b/in/{day}/", "s3://b/in/"),
        ("s3://b/in/docs-{day}.csv", "s3://b/in/"),
        ("s3://b/in/*/{day}/*", "s3://b/in/"),
        ("s3://b/in/{day:%Y/%m}/x-*.csv", "s3://b/in/"),
        ("s3://b/in/", "s3://b/in/"),
        ("s3://b/in/docs.csv", "s3://b/in/"),
        ("s3://b/{{in}}/docs.csv", "s3://b/{in}/"),
        ("s3://b/{day}.csv", "s3://b/"),
        ("docs.csv", ""),
    ],
)
def test_the_folder_of_all_days(template: str, folder: str) -> None:
    assert fixed_folder(template) == folder


@pytest.mark.parametrize(
    ("source", "work", "together"),
    [
        ("s3://b/in/", "s3://b/in/work", True),
        ("s3://b/in/", "s3://b/in", True),
        ("s3://b/in/", "s3://b/inwork", False),
        ("s3://b/in/*.csv", "s3://b/in/work", False),
        ("s3://b/in/*/*/*.csv", "s3://b/in/work", True),
        ("s3://b/**/*.csv", "s3://b/work", True),
        ("s3://b/{day}/", "s3://b/work", False),
        ("s3://b/{day}/", "s3://b/2026-11-18/work", True),
        ("s3://b/{day:%Y/%m}/", "s3://b/2026/11/work", True),
        ("s3://b/{day:%Y/%m}/", "s3://b/work/11", False),
        ("s3://b/{day:%-d}/", "s3://b/28/work", True),
        ("s3://b/{day:%B}/", "s3://b/work", True),
        ("s3://b/work/x.csv", "s3://b/work", True),
        ("s3://b/work.csv", "s3://b/work", False),
        ("/data/in/", "/data/in/work", True),
        ("file:///data/in/", "/data/in/work", True),
        ("/data/in/", "s3://b/data/in/work", False),
    ],
)
def test_what_is_written_is_never_read_as_documents(source: str, work: str, together: bool) -> None:
    assert overlap(source, work) is together


def test_where_nightsort_writes_is_one_fixed_prefix() -> None:
    assert fixed_prefix_problem("s3://b-ucket/work/") is None
    assert "has a placeholder" in (fixed_prefix_problem("s3://b-ucket/{day}") or "")
    assert "(//)" in (fixed_prefix_problem("s3://b-ucket//work") or "")
    assert uri_problem("s3://b-ucket/x") is None

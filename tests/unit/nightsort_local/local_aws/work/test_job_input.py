"""A job's lines are those that Comprehend documents: LF, CR and CRLF end them, nothing else does."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightsort_local.local_aws.s3.location import S3Location
from nightsort_local.local_aws.work.job_input import shuffled, split_lines

SNIPPETS = st.sampled_from(
    [b"\r", b"\n", b"\r\n", b"a", b"bc", "\u2028".encode(), "\u0085".encode(), b"\x0b", b"\x1c"]
)


@given(st.lists(st.lists(SNIPPETS).map(b"".join)))
def test_lines_do_not_depend_on_how_the_bytes_arrive(chunks: list[bytes]) -> None:
    lines = re.split(rb"\r\n|\r|\n", b"".join(chunks))
    expected = lines[:-1] if lines[-1] == b"" else lines
    assert list(split_lines(iter(chunk for chunk in chunks if chunk))) == expected


@pytest.mark.parametrize(
    ("content", "lines"),
    [
        (b"a\nb\n", [b"a", b"b"]),
        (b"a\rb\r\nc", [b"a", b"b", b"c"]),
        (b"a\n\nb", [b"a", b"", b"b"]),
        ("a\u2028b\n".encode(), ["a\u2028b".encode()]),
        (b"", []),
    ],
)
def test_line_ends(content: bytes, lines: list[bytes]) -> None:
    assert list(split_lines(iter([content] if content else []))) == lines


def test_a_line_over_the_limit_stays_over_it_in_little_memory() -> None:
    chunks = [b"x" * 100] * 50 + [b"y\nshort\n"]
    long, short = split_lines(iter(chunks), max_line=150)
    assert 150 < len(long) <= 500
    assert short == b"short"


@pytest.mark.parametrize("number", [2, 3, 4, 100])
def test_files_have_an_order_of_their_own_and_always_the_same(number: int) -> None:
    """In the predictions of MacHu-GWU/Dev-Exp-Share (2022) it is neither that of the keys nor of uploads."""
    objects = [S3Location("b", f"{key:03}.txt") for key in range(number)]
    order = shuffled(objects)
    assert order != objects
    assert sorted(order, key=lambda found: found.key) == objects
    assert shuffled(objects) == order


def test_no_file_and_one_file_have_one_order() -> None:
    assert shuffled([]) == []
    assert shuffled([S3Location("b", "k")]) == [S3Location("b", "k")]

"""A report has nothing of an account, whatever AWS writes into its messages."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightsort_local.compare.masking import Mask

BUCKET, ROLE = "acme-tickets", "arn:aws:iam::210987654321:role/team/AcmeData"
MASK = Mask({BUCKET: "<bucket>", ROLE: "<role>", "AcmeData": "<role name>", "eu-west-1": "<region>"})


@pytest.mark.parametrize(
    ("said", "masked"),
    [
        (f"{ROLE} may not read s3://{BUCKET}/a.csv", "<role> may not read s3://<bucket>/a.csv"),
        (
            "User: arn:aws:sts::210987654321:assumed-role/Admin/jo@acme.example is not authorized",
            "User: <identity> is not authorized",
        ),
        (
            "arn:aws-us-gov:comprehend:eu-west-1:210987654321:document-classifier/a",
            "arn:aws:comprehend:<region>:<account>:document-classifier/a",
        ),
        ("output/210987654321-CLR-0123456789abcdef0123456789abcdef/", "output/<account>-CLR-<id>/"),
        ("request 12345678-90ab-cdef-1234-567890abcdef failed", "request <uuid> failed"),
        ("key AKIAIOSFODNN7EXAMPLE", "key <key>"),
        ("at 2026-11-30T08:14:00.123Z or 1764490440.123", "at <time> or <time>"),
        ("https://comprehend.eu-west-1.amazonaws.com/ at 10.0.0.1", "<url> at <address>"),
        ("arn:aws:kms:eu-west-1:210987654321:key/1", "<identity>"),
        ("the bucket acme-tickets2 is another", "the bucket acme-tickets2 is another"),
        ("1,000,000 documents of 0.9459, 557 of 5,573", "1,000,000 documents of 0.9459, 557 of 5,573"),
    ],
)
def test_what_belongs_to_an_account_is_replaced(said: str, masked: str) -> None:
    assert MASK.text(said) == masked


def test_masks_reach_into_whatever_holds_texts() -> None:
    value = {BUCKET: [(ROLE, datetime.now(timezone.utc))], "n": 3, "share": 0.5, "none": None}
    assert MASK(value) == {"<bucket>": [["<role>", "<time>"]], "n": 3, "share": 0.5, "none": None}


@given(
    st.lists(
        st.sampled_from(
            [
                BUCKET,
                ROLE,
                "AcmeData",
                "210987654321",
                "0123456789abcdef0123456789abcdef",
                "2026-11-30",
                " ",
                "/",
                ":",
                "a",
                "-",
            ]
        )
    ).map(" ".join)
)
def test_no_known_word_is_left_and_a_second_mask_changes_nothing(text: str) -> None:
    masked = MASK.text(text)
    assert not [word for word in (BUCKET, ROLE, "AcmeData", "210987654321") if word in masked]
    assert MASK.text(masked) == masked

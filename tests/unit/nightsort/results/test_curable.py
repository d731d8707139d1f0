from __future__ import annotations

import re
from pathlib import Path

import pytest

from nightsort.results.curable import CURABLE, NEEDS_A_JOB

PAGE = (Path(__file__).parents[4] / "docs" / "bad-input.md").read_text()


@pytest.mark.parametrize(
    "reason",
    ["missing_from_output", "error:INTERNAL_SERVER_ERROR", "error:InternalServerException"],
)
def test_a_fault_of_the_service_is_curable(reason: str) -> None:
    assert reason in CURABLE


@pytest.mark.parametrize(
    "reason",
    ["no_labels", "error:DOCUMENT_SIZE_EXCEEDED", "error:UNSUPPORTED_ENCODING", "error:UNNAMED", "blank"],
)
def test_a_fault_of_the_document_is_not_sent_again_for_money(reason: str) -> None:
    assert reason not in CURABLE


@pytest.mark.parametrize("reason", NEEDS_A_JOB)
def test_what_an_endpoint_did_not_classify_is_no_fault_of_the_service(reason: str) -> None:
    assert reason not in CURABLE


def test_each_reason_names_its_source_and_is_documented() -> None:
    for reason, source in {**CURABLE, **NEEDS_A_JOB}.items():
        assert source
        assert re.search(rf"`{re.escape(reason)}`", PAGE), f"docs/bad-input.md does not name {reason}"

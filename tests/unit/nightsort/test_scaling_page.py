"""The arithmetic of docs/scaling.md is that of the code."""

from __future__ import annotations

import re
from math import ceil
from pathlib import Path

import pyarrow as pa
import pytest

from nightsort.batches.prepare import MAX_BATCHES
from nightsort.comprehend import limits
from nightsort.comprehend.prices import classification_cost, document_units

PAGE = (Path(__file__).parents[3] / "docs" / "scaling.md").read_text(encoding="utf-8")
CHARACTERS = 500
WINDOW_HOURS = 6


def numbers(row: str) -> list[float]:
    """The cells of the row of the table that begins so."""
    (line,) = (line for line in PAGE.splitlines() if line.startswith(f"| {row}"))
    cells = line.strip("| ").split("|")[1:]
    return [float(re.sub(r"[^\d.]", "", cell)) for cell in cells]


DOCUMENTS = [10**6, 10**7, 10**8, 10**9]
BATCHES = [
    max(
        ceil(number / limits.MAX_JOB_DOCUMENTS),
        ceil(number * (CHARACTERS + 1) / limits.MAX_JOB_BYTES),
    )
    for number in DOCUMENTS
]
ROUNDS = [ceil(batches / limits.MAX_ACTIVE_CLASSIFICATION_JOBS) for batches in BATCHES]


def units(characters: int) -> int:
    return int(document_units(pa.array(["x" * characters]))[0])


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ("bytes of text", [number * CHARACTERS / 10**9 for number in DOCUMENTS]),
        ("batches (at most 1,000,000 documents and 5 GB each)", BATCHES),
        ("units of 100 characters", [number * units(CHARACTERS) for number in DOCUMENTS]),
        ("Comprehend, USD", [classification_cost(number * units(CHARACTERS)) for number in DOCUMENTS]),
        (
            "the same for documents of up to 300 characters, USD",
            [classification_cost(number * units(300)) for number in DOCUMENTS],
        ),
        ("starting all jobs, at 1 a second", [n / limits.START_CALLS_PER_SECOND for n in BATCHES]),
        ("rounds of 10 active jobs", ROUNDS),
    ],
)
def test_the_table_is_what_quotas_and_prices_come_to(row: str, expected: list[float]) -> None:
    assert numbers(row) == expected


def test_the_time_that_a_job_may_take_is_the_night_by_its_rounds() -> None:
    (line,) = (line for line in PAGE.splitlines() if line.startswith("| a job may take"))
    hours = {"h": 1.0, "min": 1 / 60}
    found = [float(n) * hours[unit] for n, unit in re.findall(r"([\d.]+) (h|min)\b", line)]
    assert found == pytest.approx([WINDOW_HOURS / rounds for rounds in ROUNDS])


def test_a_billion_documents_are_the_most_that_one_run_carries() -> None:
    assert max(BATCHES) == MAX_BATCHES
    assert f"at most {MAX_BATCHES:,} batches" in PAGE

from __future__ import annotations

from typing import Any

import pytest

from nightsort.reports.outcomes import outcome
from tests.unit.nightsort.reports.test_night_measures import run


def well(**changes: Any) -> Any:
    return run(**{"failed": 0, "classified": 9, **changes})


@pytest.mark.parametrize(
    ("night", "word", "reason"),
    [
        (well(), "complete", ""),
        (well(message="limit exceeded"), "with warnings", "limit exceeded."),
        (run(), "with warnings", "2 of 9 documents that were sent have no label (22.2%)."),
        (well(drifted=True, drift="They drifted."), "with warnings", "They drifted."),
        (well(state="failed", message="why."), "failed", "why."),
        (well(state="incomplete", message="1 missing", drifted=True), "incomplete", "1 missing."),
        (well(state="running"), "running", ""),
    ],
)
def test_a_night_in_a_word_with_its_reasons(night: Any, word: str, reason: str) -> None:
    found = outcome(night)
    assert (found.word, " ".join(found.reasons)) == (word, reason)
    assert found.is_complete == (night.state == "complete")


def test_a_day_without_documents_is_a_warning_unless_the_spec_says_that_it_is_fine() -> None:
    empty = run(documents_in=0, classified=0, failed=0, rejected=0)
    for no_files in ("warn", "fail"):
        found = outcome(empty, no_files)
        assert found.word == "with warnings"
        assert found.reasons[0].startswith("No documents came in: look whether they arrived")
    assert outcome(empty, "ok").word == "complete"


def test_a_source_given_by_hand_without_documents_is_not_looked_for_where_the_spec_says() -> None:
    (reason,) = outcome(
        run(documents_in=0, classified=0, failed=0, rejected=0, source_uri="s3://b/x/"), "warn"
    ).reasons
    assert reason == "No documents came in: the source that was given holds none."


def test_a_run_that_goes_on_has_not_come_without_documents() -> None:
    assert outcome(run(state="running", documents_in=0, classified=0, failed=0)).reasons == ()

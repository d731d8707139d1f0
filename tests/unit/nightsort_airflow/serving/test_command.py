"""A line for people has the label, the score and the version."""

from __future__ import annotations

import pytest

from nightsort.errors import NightsortError
from nightsort_airflow.serving import command
from nightsort_airflow.serving.endpoint import Answer


def test_a_line() -> None:
    assert command._line(Answer((("BILLING", 0.91234), ("BUG", 0.05)), ("BILLING",), "v1")) == (
        "BILLING  0.9123  v1"
    )
    assert command._line(Answer((), (), "v1")) == "-  no label  v1"


def test_without_a_token_the_service_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NIGHTSORT_SERVE_TOKEN", raising=False)
    with pytest.raises(NightsortError, match="Callers need a token"):
        command.serve([], "127.0.0.1", 1)

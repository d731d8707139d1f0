"""Errors have the form of RFC 9457, and say when to come again."""

from __future__ import annotations

import json

from nightsort_airflow.serving.problems import ProblemError


def test_the_form() -> None:
    response = ProblemError(429, "Too much.", retry_after=0.2, where="here").response()
    assert response.status_code == 429
    assert response.headers["retry-after"] == "1", "whole seconds, and never now"
    assert response.headers["content-type"] == "application/problem+json"
    assert json.loads(bytes(response.body)) == {
        "type": "about:blank",
        "title": "Too Many Requests",
        "status": 429,
        "detail": "Too much.",
        "where": "here",
    }


def test_a_missing_token_asks_for_one() -> None:
    response = ProblemError(401, "Send it.").response()
    assert response.headers["www-authenticate"] == "Bearer"
    assert "retry-after" not in response.headers

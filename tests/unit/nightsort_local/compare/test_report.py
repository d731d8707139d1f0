"""What is the same, what differs, and what was not reached."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from nightsort_local.compare.checks import Check, Stage
from nightsort_local.compare.report import Outcome, Results, Verdict, markdown, outcomes, write_report

if TYPE_CHECKING:
    from pathlib import Path

CHECK = Check("a check", "A | B.", "Much.", Stage.REQUESTS, lambda _: {})
ABOUT = {"month": "2026-11"}


def outcome(here: dict[str, Any], there: dict[str, Any]) -> Outcome:
    (found,) = outcomes([CHECK], Results({CHECK.name: here}, {}), Results({CHECK.name: there}, {}))
    return found


@pytest.mark.parametrize(
    ("here", "there", "verdict", "parts"),
    [
        ({"a": (1, 2)}, {"a": [1, 2]}, Verdict.SAME, [Verdict.SAME]),
        ({"a": 1}, {"a": 2}, Verdict.DIFFERENT, [Verdict.DIFFERENT]),
        ({"a": 1, "b": 2}, {"a": 1}, Verdict.SAME, [Verdict.SAME, Verdict.NOT_REACHED]),
        ({}, {"a": 1}, Verdict.NOT_REACHED, [Verdict.NOT_REACHED]),
        ({"a": 1}, {"a": {"not reached": "no permission"}}, Verdict.NOT_REACHED, [Verdict.NOT_REACHED]),
        (
            {"a": {"not reached": "busy"}, "b": 1},
            {"a": 1, "b": 2},
            Verdict.DIFFERENT,
            [Verdict.NOT_REACHED, Verdict.DIFFERENT],
        ),
    ],
)
def test_verdicts(
    here: dict[str, Any], there: dict[str, Any], verdict: Verdict, parts: list[Verdict]
) -> None:
    found = outcome(here, there)
    assert found.verdict is verdict
    assert [item.verdict for item in found.compared] == parts


def test_a_check_without_observations_says_why() -> None:
    (found,) = outcomes(
        [CHECK], Results({CHECK.name: {"a": 1}}, {}), Results({}, {CHECK.name: "no permission"})
    )
    assert (found.verdict, found.why) == (Verdict.NOT_REACHED, "there: no permission")


def test_both_values_are_in_both_reports(tmp_path: Path) -> None:
    found = [outcome({"a": "x|y", "same": 1}, {"a": "`z`", "same": 1})]
    file = write_report(tmp_path / "new", found, ABOUT, 1.5)
    text = file.read_text(encoding="utf-8")
    assert '| a | `"x\\|y"` | `"\'z\'"` |' in text
    assert "1 check: 0 same, 1 different, 0 not reached. It cost 1.50 USD." in text
    assert "Same: same." in text
    content = json.loads((tmp_path / "new" / "report.json").read_text(encoding="utf-8"))
    assert (content["usd"], content["about"]) == (1.5, ABOUT)
    (check,) = content["checks"]
    assert check["compared"] == [
        {"what": "a", "verdict": "different", "here": "x|y", "there": "`z`"},
        {"what": "same", "verdict": "same", "here": 1},
    ]


def test_differences_come_first() -> None:
    same, different = outcome({"a": 1}, {"a": 1}), outcome({"a": 1}, {"a": 2})
    text = markdown([same, different], ABOUT, 0.0)
    assert text.index("## Different (1)") < text.index("## Not reached (0)") < text.index("## Same (1)")

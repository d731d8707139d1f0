"""What `make audit` finds in the tools' reports, and what a person must have said for it to pass."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from deployment.supply_chain import (
    REVIEWED,
    knows_the_canary,
    licence_problems,
    read_reviewed,
    vulnerability_problems,
)

TODAY = date(2026, 11, 21)
# As pip-audit 2.10 writes them: of a service that was reached, and of one that knows no package at all.
FOUND: dict[str, Any] = {
    "dependencies": [
        {"name": "numpy", "version": "2.4.0", "vulns": []},
        {
            "name": "jinja2",
            "version": "2.10",
            "vulns": [
                {
                    "id": "PYSEC-2019-217",
                    "fix_versions": ["2.10.1"],
                    "aliases": ["CVE-2019-10906"],
                    "description": "",
                }
            ],
        },
    ],
    "fixes": [],
}
NOT_REACHED: dict[str, Any] = {
    "dependencies": [
        {"name": "jinja2", "skip_reason": "Dependency not found on PyPI and could not be audited"}
    ],
    "fixes": [],
}
ACCEPTED = """\
licences:
  allowed: [MIT, Apache-2.0]
  exceptions:
    - {package: Some.Library, licence: LGPL-3.0-only, reason: unchanged and replaceable, reviewed: 2026-11-01}
vulnerabilities:
  ignored:
    - {id: CVE-2019-10906, package: Jinja2, reason: no template comes from outside, reviewed: 2026-11-01}
"""


def package(name: str, licence: str) -> dict[str, str]:
    return {"Name": name, "Version": "1.0", "License": licence}


LIBRARY = package("some-library", "LGPL-3.0-only")


def test_a_licence_that_nobody_accepted_is_a_problem_that_names_the_package() -> None:
    (problem,) = licence_problems(
        [package("free", "MIT"), package("viral", "AGPL-3.0-only"), LIBRARY], read_reviewed(ACCEPTED)
    )
    assert problem.startswith("viral 1.0: ")
    assert "AGPL-3.0-only" in problem


def test_of_several_licences_one_may_be_chosen() -> None:
    both = package("both", "GNU General Public License (GPL); MIT")
    assert licence_problems([both, LIBRARY], read_reviewed(ACCEPTED)) == []


def test_an_exception_holds_for_the_licence_that_was_reviewed_and_no_longer() -> None:
    changed = package("some-library", "SSPL-1.0")
    (problem,) = licence_problems([changed], read_reviewed(ACCEPTED))
    assert "SSPL-1.0" in problem


def test_an_exception_for_a_package_that_has_gone_is_to_be_taken_out() -> None:
    (problem,) = licence_problems([package("free", "MIT")], read_reviewed(ACCEPTED))
    assert problem.startswith("some-library: ")


def test_a_vulnerability_is_a_problem_that_says_where_it_is_mended() -> None:
    nothing = read_reviewed(
        ACCEPTED.partition("  ignored:")[0] + "  ignored: []",
    )
    (problem,) = vulnerability_problems(FOUND, nothing, TODAY)
    assert "jinja2 2.10" in problem
    assert "PYSEC-2019-217, CVE-2019-10906" in problem
    assert "2.10.1" in problem


def test_a_reviewed_vulnerability_is_ignored_by_any_of_its_names_for_half_a_year() -> None:
    reviewed = read_reviewed(ACCEPTED)
    assert vulnerability_problems(FOUND, reviewed, TODAY) == []
    (problem,) = vulnerability_problems(FOUND, reviewed, date(2027, 6, 1))
    assert "ignored since 2026-11-01: review it again" in problem


def test_a_package_that_was_not_looked_at_is_a_problem() -> None:
    (problem,) = vulnerability_problems(NOT_REACHED, read_reviewed(ACCEPTED), TODAY)
    assert problem.startswith("jinja2: not looked at: ")


def test_a_service_that_does_not_know_the_canary_was_not_reached() -> None:
    assert knows_the_canary(FOUND)
    assert not knows_the_canary(NOT_REACHED)
    assert not knows_the_canary(None)


@pytest.mark.parametrize(
    ("said", "instead"),
    [
        ("reason: no template comes from outside, ", ""),
        ("no template comes from outside", "fine"),
        (", reviewed: 2026-11-01}\n", "}\n"),
        ("id: CVE", "name: CVE"),
    ],
)
def test_nothing_is_ignored_without_a_reason_and_a_date(said: str, instead: str) -> None:
    with pytest.raises(ValidationError):
        read_reviewed(ACCEPTED.replace(said, instead))


def test_what_was_reviewed_can_be_read_and_was_reviewed_in_the_past() -> None:
    reviewed = read_reviewed(REVIEWED.read_text(encoding="utf-8"))
    days = [entry.reviewed for entry in reviewed.licences.exceptions]
    days += [entry.reviewed for entry in reviewed.vulnerabilities.ignored]
    assert days
    assert max(days) <= date.today()


def test_workflows_take_actions_by_their_commit_and_may_only_read() -> None:
    workflows = sorted((Path(__file__).parents[2] / ".github" / "workflows").iterdir())
    assert workflows
    for workflow in workflows:
        text = workflow.read_text(encoding="utf-8")
        assert all(
            re.fullmatch(r"[\w/-]+@[0-9a-f]{40}", action) for action in re.findall(r"uses: (\S+)", text)
        )
        assert yaml.safe_load(text)["permissions"] == {"contents": "read"}

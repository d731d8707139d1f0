"""Every check is made, whatever becomes of the others."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from airflow.sdk.log import mask_secret
from botocore.exceptions import ClientError

from nightsort_airflow.doctor.findings import Check, State, failed, ok
from nightsort_airflow.doctor.run_checks import examine

if TYPE_CHECKING:
    import pytest

    from nightsort_airflow.doctor.findings import Outcome


def breaks() -> Outcome:
    raise ValueError("the canary\nsings")


def test_a_check_that_raises_is_a_failed_line_and_the_next_is_made() -> None:
    first, second = examine([Check("g", "breaks", breaks), Check("g", "works", lambda: ok("fine"))])
    assert (first.state, first.says) == (State.FAILED, "ValueError: the canary sings")
    assert first.remedy
    assert (second.state, second.says) == (State.OK, "fine")


def test_a_check_that_never_ends_is_a_failed_line_after_its_time_and_holds_nobody() -> None:
    forever = threading.Event()

    def hangs() -> Outcome:
        forever.wait()
        return ok("at last")

    works = Check("g", "works", lambda: ok("fine"), seconds=240)
    hung, next_one = examine([Check("g", "hangs", hangs), works], 0.2)
    forever.set()
    assert (hung.state, hung.says) == (State.FAILED, "no answer within 0.2 s")
    assert "security group" in hung.remedy
    assert next_one.state is State.OK


def test_what_needs_a_failed_check_is_not_made_and_says_which_failed() -> None:
    asked: list[str] = []

    def ask(name: str) -> Outcome:
        asked.append(name)
        return ok("fine")

    root = Check("g", "root", lambda: failed("no", "mend it"))
    branch = Check("g", "branch", lambda: ask("branch"), (root,))
    leaf = Check("g", "leaf", lambda: ask("leaf"), (branch,))
    other = Check("g", "other", lambda: ask("other"))
    states = {finding.subject: finding for finding in examine([root, branch, leaf, other])}
    assert asked == ["other"]
    assert states["branch"].state is states["leaf"].state is State.CANNOT_TELL
    assert states["branch"].says == "not checked, because this failed: root"
    assert states["leaf"].says == "not checked, because this failed: branch"


def test_a_secret_that_airflow_knows_is_in_no_line(monkeypatch: pytest.MonkeyPatch) -> None:
    mask_secret("hunter2-canary")

    def tells() -> Outcome:
        raise RuntimeError("cannot log in with hunter2-canary at db.example.com")

    (finding,) = examine([Check("g", "tells", tells)])
    assert "hunter2" not in finding.says
    assert "db.example.com" in finding.says


def test_an_error_of_aws_comes_with_the_remedy_that_the_tasks_give() -> None:
    def refused() -> Outcome:
        answer = {"Error": {"Code": "AccessDeniedException", "Message": "not authorized"}}
        raise ClientError(answer, "DescribeDocumentClassificationJob")  # type: ignore[arg-type]

    (finding,) = examine([Check("g", "refused", refused)])
    assert "not authorized" in finding.says
    assert "docs/iam/airflow-policy.json" in finding.remedy


def test_a_check_that_is_done_apart_goes_on_while_the_others_are_made() -> None:
    others_are_made = threading.Event()

    def apart() -> Outcome:
        return ok("beside") if others_are_made.wait(240) else failed("the others waited for it", "")

    def other() -> Outcome:
        others_are_made.set()
        return ok("fine")

    first, second = examine([Check("g", "apart", apart, apart=True), Check("g", "other", other)])
    assert (first.subject, first.says) == ("apart", "beside")
    assert (second.subject, second.says) == ("other", "fine")

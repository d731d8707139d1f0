"""``nightsort-local compare`` against a second local AWS, in the place of AWS."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from nightsort.terminal import Terminal
from nightsort_local.compare import command
from nightsort_local.compare.checks import CHECKS, Check, Stage
from nightsort_local.compare.clean_up import delete_everything
from nightsort_local.compare.command import Request, compare, options_of, remove
from nightsort_local.compare.ledger import open_ledger
from nightsort_local.compare.material import JOBS
from nightsort_local.compare.run import run_side
from nightsort_local.compare.side import Place, Side
from nightsort_local.errors import StackError
from nightsort_local.progress import Progress
from tests.integration.iam_identities import EVERYTHING, documented, role, user
from tests.integration.local_aws_server import PROJECT, ROLE, LocalAwsServer, local_aws, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# Each comparison starts a server of its own, which a loaded machine may take minutes for.
pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]

BUCKET = "tickets-of-acme"
FOREIGN = "nightsort/compare-notes.txt"
"""An object of the user's beside the prefix of the comparison."""

SEEN_STATES = {
    f"NIGHTSORT_LOCAL_AWS_{state}_SECONDS": "1" for state in ("SUBMITTED", "TRAINING", "JOB", "ENDPOINT")
}


@pytest.fixture(autouse=True)
def one_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    """The comparison's own local AWS has one worker, as those of all tests."""
    monkeypatch.setenv("NIGHTSORT_LOCAL_AWS_WORKERS", "1")


@pytest.fixture(scope="module")
def aws() -> Iterator[LocalAwsServer]:
    with local_aws(environment=SEEN_STATES) as server:
        server.client("s3").create_bucket(Bucket=BUCKET)
        yield server


@pytest.fixture(autouse=True)
def nothing_before(aws: LocalAwsServer) -> Iterator[None]:
    """A test begins and ends with the user's object alone."""
    aws.client("s3").put_object(Bucket=BUCKET, Key=FOREIGN, Body=b"notes")
    yield
    aws.control.clear()
    assert left_on(aws) == ([], [], [FOREIGN])


def left_on(aws: LocalAwsServer) -> tuple[list[str], list[str], list[str]]:
    """The ARNs of classifiers and endpoints, and the keys of objects, with their old versions."""
    comprehend, s3 = aws.client("comprehend"), aws.client("s3")
    classifiers = comprehend.list_document_classifiers()["DocumentClassifierPropertiesList"]
    endpoints = comprehend.list_endpoints()["EndpointPropertiesList"]
    objects = s3.list_object_versions(Bucket=BUCKET)
    return (
        [found["DocumentClassifierArn"] for found in classifiers],
        [found["EndpointArn"] for found in endpoints],
        sorted({item["Key"] for kind in ("Versions", "DeleteMarkers") for item in objects.get(kind, ())}),
    )


def job_names(aws: LocalAwsServer) -> list[str]:
    jobs = aws.client("comprehend").list_document_classification_jobs(MaxResults=500)
    return [job["JobName"] for job in jobs["DocumentClassificationJobPropertiesList"]]


def request(aws: LocalAwsServer | None, folder: Path, **changes: Any) -> Request:
    values: dict[str, Any] = {
        "bucket": BUCKET,
        "role": ROLE,
        "most_usd": 5.0,
        "options": frozenset(),
        "other_url": aws.url if aws else "",
        "profile": "",
        "region": "",
        "output": folder / "compared",
    }
    return Request(**{**values, **changes})


def silent() -> Progress:
    return Progress(Terminal(file=io.StringIO(), width=118))


def report(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "compared" / "report.json").read_text(encoding="utf-8"))
    return found


def verdicts(found: dict[str, Any], verdict: str) -> dict[str, list[str]]:
    """The checks with a verdict, each with what has it."""
    return {
        check["check"]: [item["what"] for item in check["compared"] if item["verdict"] == verdict]
        for check in found["checks"]
        if check["verdict"] == verdict
    }


def start(aws: LocalAwsServer, folder: Path, *arguments: str) -> subprocess.Popen[str]:
    """The command, as a user starts it."""
    return subprocess.Popen(
        [
            sys.executable, "-m", "nightsort_local", "compare", "--bucket", BUCKET, "--role", ROLE,
            "--other-url", aws.url, "--output", str(folder / "compared"), *arguments,
        ],
        cwd=PROJECT,
        env={**os.environ, "NO_COLOR": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )  # fmt: skip


def test_two_equal_services_are_the_same_with_the_documented_permissions_and_nothing_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every check, through the SDK's own configuration, as on AWS."""
    enforced = {**SEEN_STATES, "NIGHTSORT_LOCAL_AWS_ENFORCE_IAM": "true"}
    with local_aws(environment=enforced) as server:
        trust = documented("data-access-role-trust.json", BUCKET)
        role(server, ROLE, documented("data-access-role-policy.json", BUCKET), trust)
        admin = user(server, "admin", EVERYTHING)
        admin.client("s3").create_bucket(Bucket=BUCKET)
        admin.client("s3").put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
        admin.client("s3").put_object(Bucket=BUCKET, Key=FOREIGN, Body=b"notes")
        person = user(server, "person", documented("compare-policy.json", BUCKET))
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", person.access_key_id)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", person.secret_access_key)
        monkeypatch.setattr(command, "PAUSE", 0.2)
        options = options_of(endpoint=True, more_trainings=True)
        compare(request(None, tmp_path, options=options, most_usd=20, region="us-east-1"), silent())
        assert left_on(admin) == ([], [], [FOREIGN])
    found = report(tmp_path)
    assert len(found["checks"]) == len(CHECKS)
    assert verdicts(found, "different") == {}
    assert verdicts(found, "not reached") == {}
    # A loaded machine may be too slow to see a state, and to ask for what is possible in it only.
    unseen = [
        item["what"] for check in found["checks"] for item in check["compared"] if item["verdict"] != "same"
    ]
    assert [what for what in unseen if not what.startswith(("members while", "changing one"))] == []
    assert found["usd"] > 0

    state = json.loads((tmp_path / "compared" / "state.json").read_text(encoding="utf-8"))
    text = "".join((tmp_path / "compared" / f"report.{kind}").read_text("utf-8") for kind in ("md", "json"))
    known = (BUCKET, ROLE, ROLE.rpartition("/")[2], "123456789012", state["run"], person.access_key_id)
    assert [word for word in known if word in text] == []
    patterns = (r"arn:aws:(iam|sts|s3)", r"\b[0-9a-f]{32}\b", r"\d\d:\d\d:\d\d", r"\d{4}-\d\d-\d\d", "http:")
    assert [pattern for pattern in patterns if re.search(pattern, text)] == []


@pytest.mark.slow
def test_what_differs_is_named_and_nothing_else_and_a_killed_comparison_goes_on(tmp_path: Path) -> None:
    """The second server is one of other years, and three of its answers are changed."""
    strict = {**SEEN_STATES, "NIGHTSORT_LOCAL_AWS_MIN_DOCUMENTS_PER_LABEL": "10"}
    with local_aws(environment=strict) as aws:
        aws.client("s3").create_bucket(Bucket=BUCKET)
        aws.client("s3").put_object(Bucket=BUCKET, Key=FOREIGN, Body=b"notes")
        aws.control.inject("warning", resource="training", name="label-sets", message="Two rows are odd.")
        aws.control.inject("lost_lines", resource="job", name="broken", lines=[0])
        aws.control.inject("fail", resource="job", name="no-input", message="NO_INPUT: There is none.")
        with aws.control.injected("stuck", resource="training", name="label-sets"):
            first = start(aws, tmp_path)
            try:
                wait_until(lambda: is_in_training(aws, "label-sets"), "the training")
                wait_until(lambda: "tags" in observed(tmp_path), "the checks before it")
            finally:
                first.kill()
                first.communicate()
        assert left_on(aws)[0], "a killed process deletes nothing"
        assert not (tmp_path / "compared" / "report.md").exists()

        again = start(aws, tmp_path)
        said, _ = again.communicate()
        assert again.returncode == 0, said
        assert left_on(aws) == ([], [], [FOREIGN])
        assert sorted(job.rpartition("-1-")[2] for job in job_names(aws)) == [
            "broken",
            "lines",
            "no-input",
            "token",
        ]
    found = report(tmp_path)
    assert verdicts(found, "different") == {
        "few documents of a label": ["state", "message"],
        "training of classes": ["state", "message", "members", "members of the metadata", "metrics"],
        "training of label sets": ["state", "message", "members"],
        "broken documents": ["lines of latin-1.txt"],
        "job without input": ["message"],
    }
    assert verdicts(found, "not reached").keys() == {
        "test by label",
        "matrix of classes",
        "rows of whole files",
        "lines of classes",
    }
    (message,) = (
        item
        for check in found["checks"]
        for item in check["compared"]
        if (check["check"], item["what"]) == ("job without input", "message")
    )
    assert message["here"].startswith("NO_READ_ACCESS_TO_INPUT")
    assert message["there"] == "NO_INPUT: There is none."
    text = (tmp_path / "compared" / "report.md").read_text(encoding="utf-8")
    assert '| message | `"NO_READ_ACCESS' in text


def is_in_training(aws: LocalAwsServer, name: str) -> bool:
    listed = aws.client("comprehend").list_document_classifiers(Filter={"Status": "TRAINING"})
    arns = [found["DocumentClassifierArn"] for found in listed["DocumentClassifierPropertiesList"]]
    return any(f"-{name}/" in arn for arn in arns)


def observed(folder: Path) -> dict[str, Any]:
    """What a comparison that runs has on disk."""
    file = folder / "compared" / "state.json"
    found: dict[str, Any] = json.loads(file.read_text("utf-8"))["observed"] if file.exists() else {}
    return found


@pytest.mark.slow
class TestInterruption:
    def test_ctrl_c_deletes_everything_and_reports_what_there_is(
        self, aws: LocalAwsServer, tmp_path: Path
    ) -> None:
        aws.control.inject("stuck", resource="training", name="label-sets")
        process = start(aws, tmp_path)
        try:
            wait_until(lambda: is_in_training(aws, "label-sets"), "the training")
            process.send_signal(signal.SIGTERM)
            said, _ = process.communicate()
        finally:
            process.kill()
        assert process.returncode == 130, said
        assert "The same command goes on from here" in said
        assert "interrupted before it" in (tmp_path / "compared" / "report.md").read_text(encoding="utf-8")

    def test_what_was_kept_can_be_deleted_later(self, aws: LocalAwsServer, tmp_path: Path) -> None:
        aws.control.inject("stuck", resource="training", name="label-sets")
        process = start(aws, tmp_path, "--keep")
        try:
            wait_until(lambda: is_in_training(aws, "label-sets"), "the training")
            process.send_signal(signal.SIGTERM)
            said, _ = process.communicate()
        finally:
            process.kill()
        assert process.returncode == 130, said
        assert left_on(aws)[0]
        remove(request(aws, tmp_path), silent())


class Killed(BaseException):
    """The process dies here."""


class Struck:
    """A client that dies before or after a call, and counts the calls that made something.

    :param client: a boto3 client.
    :param made: receives the names of what was made.
    :param strikes: the operation at whose first call it dies, with before or after.
    """

    def __init__(self, client: Any, made: list[str], strikes: list[tuple[str, str]]) -> None:
        self._client, self._made, self._strikes = client, made, strikes

    def __getattr__(self, operation: str) -> Any:
        method = getattr(self._client, operation)
        if not callable(method) or operation == "get_paginator":
            return method

        def call(**parameters: Any) -> Any:
            self._die(operation, "before")
            answer = method(**parameters)
            if operation.startswith(("create_", "start_")):
                self._made.append(parameters.get("JobName") or parameters["DocumentClassifierName"])
            self._die(operation, "after")
            return answer

        return call

    def _die(self, operation: str, moment: str) -> None:
        if self._strikes and self._strikes[0] == (operation, moment):
            self._strikes.pop()
            raise Killed


FEW = [check for check in CHECKS if check.name in ("broken documents", "taken names")]


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize(
    "operation",
    [
        "create_document_classifier",
        "start_document_classification_job",
        "describe_document_classification_job",
        "get_object",
    ],
)
def test_wherever_it_dies_nothing_is_made_twice(
    aws: LocalAwsServer, tmp_path: Path, operation: str, moment: str
) -> None:
    made: list[str] = []
    strikes = [(operation, moment)]
    file = tmp_path / "state.json"
    with pytest.raises(Killed):
        run_side(side_of(aws, file, made, strikes), FEW)
    side = side_of(aws, file, made, strikes)
    assert run_side(side, FEW) == {}
    assert set(side.ledger.observed) == {check.name for check in FEW}
    # Both versions without data have one name.
    assert sorted(name.rpartition("-1-")[2] for name in made) == [
        "broken",
        "label-sets",
        "nothing",
        "nothing",
    ]
    assert delete_everything(side) == []


def test_what_was_started_and_never_looked_at_is_paid_for_too(aws: LocalAwsServer, tmp_path: Path) -> None:
    strikes = [("describe_document_classification_job", "before")]
    side = side_of(aws, tmp_path / "state.json", [], strikes)
    with pytest.raises(Killed):
        run_side(side, FEW)
    job = f"job/{side.name('broken')}/"
    assert job not in side.ledger.spent
    assert delete_everything(side) == []
    assert side.ledger.spent[job] == JOBS["broken"].most_usd


def test_an_answer_that_nobody_knew_ends_no_other_check(aws: LocalAwsServer, tmp_path: Path) -> None:
    def strange(side: Side) -> dict[str, Any]:
        return dict(side.comprehend.list_endpoints()["NoSuchMember"])

    odd = Check("odd", "", "", Stage.REQUESTS, strange)
    (known,) = (check for check in CHECKS if check.name == "taken names")
    side = side_of(aws, tmp_path / "state.json", [], [])
    assert run_side(side, [odd, known]) == {"odd": "unexpected answer (KeyError: 'NoSuchMember')"}
    assert set(side.ledger.observed) == {"taken names"}
    assert delete_everything(side) == []


def test_a_network_that_comes_back_costs_nothing(aws: LocalAwsServer, tmp_path: Path) -> None:
    for operation in ("DescribeDocumentClassifier", "DescribeDocumentClassificationJob"):
        aws.control.inject("reset_before", operation=operation, times=3)
    made: list[str] = []
    side = side_of(aws, tmp_path / "state.json", made, [])
    assert run_side(side, FEW) == {}
    assert len(made) == 4
    assert delete_everything(side) == []


def side_of(aws: LocalAwsServer, file: Path, made: list[str], strikes: list[tuple[str, str]]) -> Side:
    def clients(service: str, checked: bool) -> Any:
        return Struck(aws.client(service, parameter_validation=checked), made, strikes)

    return Side(Place(clients, BUCKET, ROLE, None, 0.02), open_ledger(file, {}), lambda _: None)


class TestRefusal:
    def test_a_comparison_that_may_cost_too_much_does_not_start(
        self, aws: LocalAwsServer, tmp_path: Path
    ) -> None:
        with pytest.raises(StackError, match=r"may cost 4\.\d\d USD, and --most-usd is 4\.00 USD") as caught:
            compare(request(aws, tmp_path, most_usd=4), silent())
        assert "Nothing was started" in str(caught.value)
        assert not (tmp_path / "compared").exists()

    @pytest.mark.parametrize(
        ("options", "least"),
        [
            (options_of(endpoint=True, more_trainings=False), 5),
            (options_of(endpoint=False, more_trainings=True), 9),
        ],
    )
    def test_options_cost_more(
        self, aws: LocalAwsServer, tmp_path: Path, options: frozenset[str], least: float
    ) -> None:
        with pytest.raises(StackError, match="Nothing was started"):
            compare(request(aws, tmp_path, options=options, most_usd=least), silent())

    def test_a_training_that_takes_too_long_is_stopped(self, aws: LocalAwsServer, tmp_path: Path) -> None:
        aws.control.inject("stuck", resource="training", name="label-sets")
        side = Side(
            Place(
                lambda service, checked: aws.client(service, parameter_validation=checked),
                BUCKET,
                ROLE,
                0.0,
                0.02,
            ),
            open_ledger(tmp_path / "state.json", {}),
            lambda _: None,
        )
        (check,) = (check for check in CHECKS if check.name == "matrix of label sets")
        unreached = run_side(side, [check])
        assert "exceeded --most-usd" in unreached[check.name]
        assert delete_everything(side) == []
        assert side.ledger.total_usd() > 0

    def test_a_bucket_that_is_not_there(self, aws: LocalAwsServer, tmp_path: Path) -> None:
        with pytest.raises(StackError, match="Create it, or give another --bucket"):
            compare(request(aws, tmp_path, bucket="nobody-made-it"), silent())

    def test_a_bucket_in_another_region(self, aws: LocalAwsServer, tmp_path: Path) -> None:
        aws.client("s3", region="eu-central-1").create_bucket(
            Bucket="in-frankfurt", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"}
        )
        with pytest.raises(StackError, match="give --region eu-central-1, or a bucket there"):
            compare(request(aws, tmp_path, bucket="in-frankfurt"), silent())

    def test_a_role_that_is_none(self, aws: LocalAwsServer, tmp_path: Path) -> None:
        with pytest.raises(StackError, match="looks like arn:aws:iam::123456789012:role/Name"):
            compare(request(aws, tmp_path, role="Comprehend"), silent())

    def test_there_is_nothing_to_delete(self, aws: LocalAwsServer, tmp_path: Path) -> None:
        with pytest.raises(StackError, match="remembers no comparison"):
            remove(request(aws, tmp_path), silent())

    def test_an_account_without_custom_classification(self, aws: LocalAwsServer, tmp_path: Path) -> None:
        message = "Your account is not authorized to make this call."
        refusal = {"operation": "*", "code": "NotAuthorizedException", "message": message}
        with (
            aws.control.injected("error", times=None, **refusal),
            pytest.raises(StackError, match="no custom classification here: give another --region"),
        ):
            compare(request(aws, tmp_path), silent())

    def test_the_state_of_another_comparison(self, aws: LocalAwsServer, tmp_path: Path) -> None:
        open_ledger(tmp_path / "compared" / "state.json", {"bucket": "another"}).save()
        with pytest.raises(StackError, match="another --output"):
            compare(request(aws, tmp_path), silent())

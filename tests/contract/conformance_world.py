"""What has to be there before an operation can be asked for something, and good requests for each.

The requests of an operation have, taken together, every member that the local Comprehend takes.
"""

from __future__ import annotations

import itertools
import time
from typing import TYPE_CHECKING, Any

from tests.contract.conformance_cases import ACCOUNT
from tests.contract.conformance_wire import Wire

if TYPE_CHECKING:
    from collections.abc import Callable

    from nightsort_local.local_aws.launcher import LocalAwsServer
    from tests.contract.conformance_wire import Answer

BUCKET = "conformance"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/Conformance"
KEY = "1234abcd-12ab-34cd-56ef-1234567890ab"
VPC = {"SecurityGroupIds": ["sg-1"], "Subnets": ["subnet-1"]}
READER = {
    "DocumentReadAction": "TEXTRACT_ANALYZE_DOCUMENT",
    "DocumentReadMode": "SERVICE_DEFAULT",
    "FeatureTypes": ["TABLES"],
}
NOWHERE = f"s3://{BUCKET}/nothing-here"

TEXTS = {"BILLING": "refund of my payment", "BUG": "crash and error"}
TRAINING = "".join(f"{label},{text} {n}\n" for n in range(30) for label, text in TEXTS.items())
MULTI_LABEL = TRAINING + "".join(f"BILLING|BUG,{' and '.join(TEXTS.values())} {n}\n" for n in range(30))

QUICK = {"endpoint_seconds": 0, "deletion_seconds": 0}
LONG_SECONDS = 3_600
"""A delay that holds a state until the test changes it, however slow the machine is."""

CLASSIFIER_ENDS = ("TRAINED", "TRAINED_WITH_WARNING", "IN_ERROR", "STOPPED")
JOB_ENDS = ("COMPLETED", "FAILED")


class World:
    """A server with a bucket, a finished job, two trained classifiers and their endpoints.

    Args:
        aws: the server, used by nobody else.
    """

    def __init__(self, aws: LocalAwsServer) -> None:
        self.aws = aws
        self.control = aws.control
        self._wire = Wire(aws.url)
        self.answers: dict[str, list[Any]] = {}
        """The content of every good answer, by operation."""
        self._numbers = itertools.count(1)
        self.control.set_behaviour(delays=QUICK)
        s3 = aws.client("s3")
        s3.create_bucket(Bucket=BUCKET)
        for key, body in {
            "training.csv": TRAINING,
            "multi-label.csv": MULTI_LABEL,
            "warning.csv": TRAINING + "one cell\n",
            "documents.txt": "".join(f"{text}\n" for text in TEXTS.values()),
        }.items():
            s3.put_object(Bucket=BUCKET, Key=key, Body=body.encode())
        self.classifier = self.trained("training.csv")
        self.other = self.trained("multi-label.csv", Mode="MULTI_LABEL")
        self.job = self.started()
        self.endpoint = self.served(Tags=[{"Key": "team", "Value": "search"}])
        self.label_endpoint = self.served(ModelArn=self.other)

    def send(self, operation: str, body: Any) -> Answer:
        """The answer to a request."""
        answer = self._wire(operation, body)
        if answer.status == 200:
            self.answers.setdefault(operation, []).append(answer.content)
        return answer

    # --- requests ---------------------------------------------------------------------------------------

    def name(self) -> str:
        """A name that nothing has."""
        return f"c{next(self._numbers)}"

    def new_classifier(self, **changes: Any) -> dict[str, Any]:
        """The least that CreateDocumentClassifier takes; its training fails at once, for want of data."""
        return {
            "DocumentClassifierName": self.name(),
            "DataAccessRoleArn": ROLE,
            "LanguageCode": "en",
            "InputDataConfig": {"S3Uri": NOWHERE},
            **changes,
        }

    def new_job(self, **changes: Any) -> dict[str, Any]:
        """The least that StartDocumentClassificationJob takes."""
        return {
            "DocumentClassifierArn": self.classifier,
            "InputDataConfig": {"S3Uri": f"s3://{BUCKET}/documents.txt"},
            "OutputDataConfig": {"S3Uri": f"s3://{BUCKET}/output"},
            "DataAccessRoleArn": ROLE,
            **changes,
        }

    def new_endpoint(self, **changes: Any) -> dict[str, Any]:
        """The least that CreateEndpoint takes."""
        return {
            "EndpointName": self.name(),
            "ModelArn": self.classifier,
            "DesiredInferenceUnits": 1,
            **changes,
        }

    # --- what a test needs to be there ------------------------------------------------------------------

    def good(self, operation: str, body: dict[str, Any]) -> dict[str, Any]:
        """The answer to a request that must succeed."""
        answer = self.send(operation, body)
        assert answer.status == 200, (operation, answer.content)
        content: dict[str, Any] = answer.content
        return content

    def trained(self, file: str, **changes: Any) -> str:
        """The ARN of a classifier whose training on a file has ended."""
        request = self.new_classifier(InputDataConfig={"S3Uri": f"s3://{BUCKET}/{file}"}, **changes)
        arn: str = self.good("CreateDocumentClassifier", request)["DocumentClassifierArn"]
        assert self.classifier_in(arn, CLASSIFIER_ENDS)["Status"].startswith("TRAINED")
        return arn

    def failed(self) -> str:
        """The ARN of a classifier that is IN_ERROR."""
        arn: str = self.good("CreateDocumentClassifier", self.new_classifier())["DocumentClassifierArn"]
        assert self.classifier_in(arn, CLASSIFIER_ENDS)["Status"] == "IN_ERROR"
        return arn

    def started(self, **changes: Any) -> str:
        """The id of a job that has ended."""
        job: str = self.good("StartDocumentClassificationJob", self.new_job(**changes))["JobId"]
        self.job_in(job, JOB_ENDS)
        return job

    def served(self, **changes: Any) -> str:
        """The ARN of an endpoint that is IN_SERVICE."""
        arn: str = self.good("CreateEndpoint", self.new_endpoint(**changes))["EndpointArn"]
        self.endpoint_in(arn, ("IN_SERVICE",))
        return arn

    def classifier_in(self, arn: str, states: tuple[str, ...]) -> dict[str, Any]:
        """A classifier's properties, once it is in one of the states."""
        return self._once(
            "DescribeDocumentClassifier",
            {"DocumentClassifierArn": arn},
            "DocumentClassifierProperties",
            "Status",
            states,
        )

    def job_in(self, job: str, states: tuple[str, ...]) -> dict[str, Any]:
        """A job's properties, once it is in one of the states."""
        return self._once(
            "DescribeDocumentClassificationJob",
            {"JobId": job},
            "DocumentClassificationJobProperties",
            "JobStatus",
            states,
        )

    def endpoint_in(self, arn: str, states: tuple[str, ...]) -> dict[str, Any]:
        """An endpoint's properties, once it is in one of the states."""
        return self._once("DescribeEndpoint", {"EndpointArn": arn}, "EndpointProperties", "Status", states)

    def wait_until_nothing_runs(self) -> None:
        """Wait for the trainings and jobs that earlier tests left, because they count against the limits."""
        states = (
            ("ListDocumentClassifiers", "Status", "SUBMITTED TRAINING STOP_REQUESTED"),
            ("ListDocumentClassificationJobs", "JobStatus", "SUBMITTED IN_PROGRESS"),
        )

        def nothing_runs() -> bool:
            # In the order of the states: nothing moves from a later one into an earlier one.
            return not any(
                found
                for operation, member, names in states
                for state in names.split()
                for found in self.good(operation, {"Filter": {member: state}}).values()
            )

        self._wait(nothing_runs, "all trainings and jobs to end")

    def without_endpoint(self, arn: str) -> None:
        """Delete an endpoint once it is made, and wait until it is gone."""
        self.endpoint_in(arn, ("IN_SERVICE", "FAILED"))
        self.good("DeleteEndpoint", {"EndpointArn": arn})
        self._wait(
            lambda: self.send("DescribeEndpoint", {"EndpointArn": arn}).status == 404, f"{arn} to be gone"
        )

    def _once(
        self, operation: str, body: dict[str, Any], member: str, state: str, states: tuple[str, ...]
    ) -> dict[str, Any]:
        found: dict[str, Any] = {}

        def arrived() -> bool:
            found.update(self.good(operation, body)[member])
            ended = found[state] in (*CLASSIFIER_ENDS, *JOB_ENDS)
            assert not ended or found[state] in states, f"{found} is not {' or '.join(states)}"
            return found[state] in states

        self._wait(arrived, f"{body} to be {' or '.join(states)}")
        return found

    @staticmethod
    def _wait(condition: Callable[[], bool], what: str, seconds: float = 240) -> None:
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, f"waited {seconds} s for {what}"
            time.sleep(0.01)

"""One side of a comparison: a service, what is made there, and what it says."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from nightsort.comprehend.prices import training_cost
from nightsort_local.compare.ledger import CLASSIFIER, ENDPOINT, JOB, Ledger, Made
from nightsort_local.compare.masking import Mask
from nightsort_local.compare.material import JOBS, TRAININGS, Job, Training

if TYPE_CHECKING:
    from collections.abc import Callable

TRAINING_ENDED: Final = frozenset({"TRAINED", "TRAINED_WITH_WARNING", "IN_ERROR", "STOPPED"})
JOB_ENDED: Final = frozenset({"COMPLETED", "FAILED", "STOPPED"})
USABLE: Final = frozenset({"TRAINED", "TRAINED_WITH_WARNING"})

ENDPOINT_USD_PER_SECOND: Final = 0.0005
"""Price of an inference unit (pricing, read in 2026; the least is a minute)."""

PATIENCE: Final = 120
"""How many looks at work may be without an answer: half an hour of AWS."""

NOT_ALLOWED: Final = frozenset(
    {"AccessDenied", "AccessDeniedException", "NotAuthorizedException", "UnrecognizedClientException"}
)
BUSY: Final = frozenset({"ThrottlingException", "TooManyRequestsException", "InternalServerException"})

NOT_REACHED: Final = "not reached"
"""The member of an observation that says why there is none."""

_NAMES: Final = {
    "create_document_classifier": (CLASSIFIER, "DocumentClassifierName", "DocumentClassifierArn"),
    "start_document_classification_job": (JOB, "JobName", "JobId"),
    "create_endpoint": (ENDPOINT, "EndpointName", "EndpointArn"),
}
"""Operations that make something: its kind, the member with its name, the member with its id."""


class NotReachedError(Exception):
    """Something could not be observed; the message says why."""


@dataclass
class Place:
    """Where a side runs.

    :param clients: returns a boto3 client of a service, with or without the SDK's own checks of requests.
    :param bucket: the bucket; everything is below one prefix of it.
    :param role: ARN of the data access role.
    :param most_usd: what may be spent; None for a service that costs nothing.
    :param pause: seconds between two looks at work that runs.
    """

    clients: Callable[[str, bool], Any]
    bucket: str
    role: str
    most_usd: float | None
    pause: float


class Side:
    """Make things at one service under names of the comparison's own, wait for them, and ask.

    :param place: where.
    :param ledger: what was made and observed there.
    :param say: shows what is waited for.
    """

    def __init__(self, place: Place, ledger: Ledger, say: Callable[[str], None]) -> None:
        self.place = place
        self.ledger = ledger
        self.say = say
        self.comprehend = place.clients("comprehend", True)
        self.unchecked = place.clients("comprehend", False)
        self.s3 = place.clients("s3", True)
        self.region: str = self.comprehend.meta.region_name
        self.prefix = f"nightsort/compare/{ledger.run}/"
        self.mask = Mask(self._words())

    def _words(self) -> dict[str, str]:
        """Return what the report must not have, with what it has instead."""
        return {
            self.place.role: "<role>",
            self.place.role.rpartition("/")[2]: "<role name>",
            f"s3://{self.place.bucket}/{self.prefix}": "s3://<bucket>/<prefix>/",
            self.place.bucket: "<bucket>",
            self.ledger.name(""): "<run>-",
            self.ledger.run: "<run>",
            self.region: "<region>",
        }

    def name(self, what: str) -> str:
        """Return a name that only this comparison has."""
        return self.ledger.name(what)

    def uri(self, key: str) -> str:
        """Return the URI of a key below the comparison's prefix."""
        return f"s3://{self.place.bucket}/{self.prefix}{key}"

    def upload(self, key: str, content: bytes) -> str:
        """Write an object below the prefix; return its URI."""
        self.s3.put_object(Bucket=self.place.bucket, Key=f"{self.prefix}{key}", Body=content)
        return self.uri(key)

    # --- requests -------------------------------------------------------------------------------------------

    def make(self, operation: str, request: dict[str, Any], *, checked: bool = True) -> dict[str, Any]:
        """Send a request that may make something. It is noted before, so that it is deleted whatever happens.

        :param operation: a method of the client.
        :param request: its parameters; they have a name of :meth:`name`.
        :param checked: let the SDK check the request first.
        """
        kind, name_member, id_member = _NAMES[operation]
        made = Made(kind, request[name_member], request.get("VersionName", ""))
        is_new = made.key not in self.ledger.made
        if is_new:
            self.ledger.put(made)
        try:
            answer = getattr(self.comprehend if checked else self.unchecked, operation)(**request)
        except ClientError:
            if is_new:
                self.ledger.forget(made)
            raise
        self.ledger.put(Made(made.kind, made.name, made.version, answer[id_member]))
        return dict(answer)

    def answer(self, operation: str, **request: Any) -> dict[str, Any]:
        """Return what the service answers, good or bad.

        An answer that says nothing about the request has :data:`NOT_REACHED`: no permission, or too busy.
        """
        try:
            if operation in _NAMES:
                answer = self.make(operation, request, checked=False)
            else:
                answer = dict(getattr(self.unchecked, operation)(**request))
        except ClientError as error:
            return refusal(error)
        except BotoCoreError as error:
            return {NOT_REACHED: str(error)}
        answer.pop("ResponseMetadata", None)
        return {"answer": sorted(answer)}

    # --- work that is paid for ------------------------------------------------------------------------------

    def start(self, kind: str, name: str, operation: str, request: dict[str, Any], version: str = "") -> str:
        """Return the id of something; make it unless it was made before.

        :param kind: classifier, job or endpoint.
        :param name: its name.
        :param operation: what makes it.
        :param request: the parameters.
        :param version: a classifier's version.
        """
        made = self.ledger.made.get(Made(kind, name, version).key)
        if made is None:
            self.make(operation, request)
        elif not made.id:
            # The process died between the request and the answer: look before it is paid for again.
            found = self.find(made)
            if found:
                self.ledger.put(Made(kind, name, version, found))
            else:
                self.make(operation, request)
        return self.ledger.made[Made(kind, name, version).key].id

    def find(self, made: Made) -> str:
        """Return the id of something by its name; empty if it does not exist."""
        if made.kind == CLASSIFIER:
            found = self.comprehend.list_document_classifiers(Filter={"DocumentClassifierName": made.name})
            for item in found["DocumentClassifierPropertiesList"]:
                if item.get("VersionName", "") == made.version:
                    return str(item["DocumentClassifierArn"])
        elif made.kind == JOB:
            found = self.comprehend.list_document_classification_jobs(Filter={"JobName": made.name})
            for item in found["DocumentClassificationJobPropertiesList"]:
                return str(item["JobId"])
        else:
            pages = self.comprehend.get_paginator("list_endpoints").paginate()
            for item in pages.search("EndpointPropertiesList[]"):
                if item["EndpointArn"].endswith(f"/{made.name}"):
                    return str(item["EndpointArn"])
        return ""

    def training_request(self, training: Training) -> dict[str, Any]:
        """Return the request that starts a training; a second one with it has the same token."""
        name = self.name(training.name)
        source = {"S3Uri": self.uri(f"training/{training.name}.csv")}
        if training.test is not None:
            source["TestS3Uri"] = self.uri(f"test/{training.name}.csv")
        return {
            "DocumentClassifierName": name,
            "VersionName": "v1",
            "LanguageCode": "en",
            "Mode": training.mode,
            "DataAccessRoleArn": self.place.role,
            "InputDataConfig": source,
            "OutputDataConfig": {"S3Uri": self.uri(f"trained/{training.name}/")},
            "ClientRequestToken": name,
            "Tags": [{"Key": "nightsort-compare", "Value": self.ledger.run}],
        }

    def start_training(self, name: str) -> str:
        """Return the ARN of a training's classifier; start it if nothing has."""
        training = TRAININGS[name]
        request = self.training_request(training)
        made = self.ledger.made.get(Made(CLASSIFIER, request["DocumentClassifierName"], "v1").key)
        if made is None or not made.id:
            self.upload(f"training/{name}.csv", training.data)
            if training.test is not None:
                self.upload(f"test/{name}.csv", training.test)
        return self.start(
            CLASSIFIER, request["DocumentClassifierName"], "create_document_classifier", request, "v1"
        )

    def training(self, name: str) -> dict[str, Any]:
        """Return the properties of a training that has ended; wait for it."""
        arn = self.start_training(name)
        found = self.classifier_at_its_end(name, arn)
        self.ledger.spent[Made(CLASSIFIER, self.name(name), "v1").key] = training_usd(found)
        self.ledger.save()
        return found

    def trained(self, name: str) -> str:
        """Return the ARN of a classifier that can classify.

        :raises NotReachedError: its training failed.
        """
        found = self.training(name)
        if found["Status"] not in USABLE:
            raise NotReachedError(f"the training {name} ended {found['Status']}: {found.get('Message', '')}")
        return str(found["DocumentClassifierArn"])

    def classifier_at_its_end(self, name: str, arn: str) -> dict[str, Any]:
        """Wait until a classifier's training has ended; note what each state shows."""
        while True:
            answer = self._patiently("describe_document_classifier", DocumentClassifierArn=arn)
            found: dict[str, Any] = answer["DocumentClassifierProperties"]
            state = found["Status"]
            self.ledger.saw(name, state, sorted(found))
            if state in TRAINING_ENDED:
                return found
            self.say(f"training {name}: {state}")
            if state == "TRAINING":
                self._stop_above_the_limit(name, arn)
            time.sleep(self.place.pause)

    def _patiently(self, operation: str, **request: Any) -> dict[str, Any]:
        """Ask until there is an answer: what runs is paid for, and a network comes back."""
        for _ in range(PATIENCE):
            try:
                return dict(getattr(self.comprehend, operation)(**request))
            except BotoCoreError as error:
                self.say(f"no answer: {error}")
            time.sleep(self.place.pause)
        return dict(getattr(self.comprehend, operation)(**request))

    def _stop_above_the_limit(self, name: str, arn: str) -> None:
        """Stop a training that takes so long that it would cost more than may be spent."""
        since = self.ledger.training_since.setdefault(name, time.time())
        # All trainings were started together, so the others that run cost as much.
        unpaid = sum(
            Made(CLASSIFIER, self.name(other), "v1").key in self.ledger.made
            and not self.ledger.is_paid(CLASSIFIER, other, "v1")
            for other in TRAININGS
        )
        limit, running = self.place.most_usd, training_cost(time.time() - since) * unpaid
        if limit is not None and running + self.ledger.total_usd() > limit:
            self.comprehend.stop_training_document_classifier(DocumentClassifierArn=arn)
            raise NotReachedError(f"the training {name} was stopped, because it exceeded --most-usd")

    def job_request(self, job: Job, arn: str) -> dict[str, Any]:
        """Return the request that starts a job; a second one with it has the same token."""
        return {
            "JobName": self.name(job.name),
            "DocumentClassifierArn": arn,
            "DataAccessRoleArn": self.place.role,
            "InputDataConfig": {
                "S3Uri": self.uri(f"input/{job.name}/"),
                "InputFormat": "ONE_DOC_PER_LINE" if job.one_per_line else "ONE_DOC_PER_FILE",
            },
            "OutputDataConfig": {"S3Uri": self.uri(f"output/{job.name}/")},
            "ClientRequestToken": self.name(job.name),
        }

    def start_job(self, name: str) -> str:
        """Return the id of a job; start it if nothing has."""
        job = JOBS[name]
        made = self.ledger.made.get(Made(JOB, self.name(name)).key)
        if made is not None and made.id:
            return made.id
        for file, content in job.files.items():
            self.upload(f"input/{name}/{file}", content)
        request = self.job_request(job, self.trained(job.training))
        return self.start(JOB, request["JobName"], "start_document_classification_job", request)

    def job(self, name: str) -> dict[str, Any]:
        """Return the properties of a job that has ended; wait for it."""
        found = self.job_at_its_end(name, self.start_job(name))
        self.ledger.spent[Made(JOB, self.name(name)).key] = JOBS[name].most_usd
        self.ledger.save()
        return found

    def job_at_its_end(self, name: str, job_id: str) -> dict[str, Any]:
        """Wait until a job has ended; note what each state shows."""
        while True:
            answer = self._patiently("describe_document_classification_job", JobId=job_id)
            found: dict[str, Any] = answer["DocumentClassificationJobProperties"]
            self.ledger.saw(f"job {name}", found["JobStatus"], sorted(found))
            if found["JobStatus"] in JOB_ENDED:
                return found
            self.say(f"job {name}: {found['JobStatus']}")
            time.sleep(self.place.pause)

    def read(self, uri: str) -> bytes:
        """Return the content of an object."""
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        content: bytes = self.s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        return content


def refusal(error: ClientError) -> dict[str, Any]:
    """Return a refusal as it is compared, or why it says nothing about the request."""
    code, message = error.response["Error"].get("Code", ""), error.response["Error"].get("Message", "")
    if code in NOT_ALLOWED | BUSY or message.startswith("UNSUPPORTED_OPERATION"):
        return {NOT_REACHED: f"{error.operation_name}: {code}: {message}"}
    return {
        "code": code,
        "status": error.response["ResponseMetadata"]["HTTPStatusCode"],
        "message": message,
    }


def training_usd(properties: dict[str, Any]) -> float:
    """Return what a training cost: its time from TrainingStartTime to TrainingEndTime."""
    start, end = properties.get("TrainingStartTime"), properties.get("TrainingEndTime")
    return training_cost((end - start).total_seconds()) if start and end else 0.0

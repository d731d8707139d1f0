"""Endpoints of the local Comprehend come, change and go as the real ones do, and answer at once."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import psutil
import pytest
from botocore.exceptions import ClientError

from tests.integration.classification_data import (
    create_request,
    csv_bytes,
    multi_label_rows,
    predictions,
    put,
    trained_classifier,
)
from tests.integration.comprehend_answers import check_answers
from tests.integration.local_aws_server import (
    PATIENCE_SECONDS,
    ROLE,
    LocalAwsServer,
    local_aws,
    wait_for_classifier,
    wait_for_job,
    wait_until,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.integration

ARN = "arn:aws:comprehend:us-east-1:123456789012:document-classifier-endpoint"
FLYWHEEL = "arn:aws:comprehend:us-east-1:123456789012:flywheel/f"
KEY = "1234abcd-12ab-34cd-56ef-1234567890ab"
TEXT = "a refund of my payment"


@pytest.fixture(scope="module")
def classifier(aws: LocalAwsServer, comprehend: Any) -> str:
    return trained_classifier(aws, comprehend, "served")


@pytest.fixture(scope="module")
def multi_label(aws: LocalAwsServer, comprehend: Any) -> str:
    uri = put(aws, "multi/training.csv", csv_bytes(multi_label_rows(200)))
    request = create_request("multi", uri, Mode="MULTI_LABEL")
    arn: str = comprehend.create_document_classifier(**request)["DocumentClassifierArn"]
    assert wait_for_classifier(comprehend, arn)["Status"] == "TRAINED"
    return arn


def described(comprehend: Any, arn: str) -> dict[str, Any]:
    properties: dict[str, Any] = comprehend.describe_endpoint(EndpointArn=arn)["EndpointProperties"]
    return properties


def settled(comprehend: Any, arn: str) -> dict[str, Any]:
    """Wait until an endpoint is made or updated; return its properties."""
    wait_until(lambda: described(comprehend, arn)["Status"] not in ("CREATING", "UPDATING"), f"{arn}")
    return described(comprehend, arn)


def created(comprehend: Any, name: str, classifier: str, units: int = 1, **members: Any) -> str:
    """The ARN of an endpoint in service."""
    arn: str = comprehend.create_endpoint(
        EndpointName=name, ModelArn=classifier, DesiredInferenceUnits=units, **members
    )["EndpointArn"]
    assert settled(comprehend, arn)["Status"] == "IN_SERVICE"
    return arn


def deleted(comprehend: Any, arn: str) -> None:
    """Delete an endpoint and wait until it is gone."""
    comprehend.delete_endpoint(EndpointArn=arn)

    def gone() -> bool:
        try:
            assert described(comprehend, arn)["Status"] == "DELETING"
        except comprehend.exceptions.ResourceNotFoundException:
            return True
        return False

    wait_until(gone, f"{arn} to be gone")


def refusal(call: Any, **request: Any) -> tuple[str, int]:
    with pytest.raises(ClientError) as caught:
        call(**request)
    response = caught.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]


@pytest.fixture(scope="module")
def endpoint(comprehend: Any, classifier: str) -> str:
    return created(comprehend, "standing", classifier, DataAccessRoleArn=ROLE)


class TestLife:
    def test_an_endpoint_from_begin_to_end(
        self, comprehend: Any, classifier: str, slow: Callable[..., None]
    ) -> None:
        slow(endpoint_seconds=3_600, deletion_seconds=3_600)
        answer = comprehend.create_endpoint(EndpointName="life", ModelArn=classifier, DesiredInferenceUnits=2)
        arn = f"{ARN}/life"
        assert answer["EndpointArn"] == arn
        creating = described(comprehend, arn)
        assert creating["Status"] == "CREATING"
        assert "CurrentInferenceUnits" not in creating
        assert refusal(comprehend.classify_document, EndpointArn=arn, Text=TEXT) == (
            "ResourceUnavailableException", 404,
        )  # fmt: skip
        for call, request in (
            (comprehend.delete_endpoint, {}),
            (comprehend.update_endpoint, {"DesiredInferenceUnits": 1}),
        ):
            assert refusal(call, EndpointArn=arn, **request) == ("ResourceInUseException", 400)

        slow(endpoint_seconds=0)
        properties = settled(comprehend, arn)
        assert properties["Status"] == "IN_SERVICE"
        assert (properties["ModelArn"], properties["DesiredModelArn"]) == (classifier, classifier)
        assert (properties["CurrentInferenceUnits"], properties["DesiredInferenceUnits"]) == (2, 2)
        assert properties["LastModifiedTime"] == properties["CreationTime"]

        comprehend.delete_endpoint(EndpointArn=arn)
        assert described(comprehend, arn)["Status"] == "DELETING"
        assert refusal(comprehend.classify_document, EndpointArn=arn, Text=TEXT)[1] == 404
        update = refusal(comprehend.update_endpoint, EndpointArn=arn, DesiredInferenceUnits=1)
        assert update == ("ResourceUnavailableException", 404)
        slow(deletion_seconds=0)
        wait_until(
            lambda: all(found["EndpointArn"] != arn for found in listed(comprehend)), f"{arn} to be gone"
        )

    def test_an_update_shows_what_is_desired_until_it_is_done(
        self, comprehend: Any, classifier: str, multi_label: str, slow: Callable[..., None]
    ) -> None:
        arn = created(comprehend, "updated", classifier)
        slow(endpoint_seconds=3_600)
        comprehend.update_endpoint(
            EndpointArn=arn,
            DesiredModelArn=multi_label,
            DesiredInferenceUnits=3,
            DesiredDataAccessRoleArn=ROLE,
        )
        updating = described(comprehend, arn)
        assert updating["Status"] == "UPDATING"
        assert (updating["ModelArn"], updating["DesiredModelArn"]) == (classifier, multi_label)
        assert (updating["CurrentInferenceUnits"], updating["DesiredInferenceUnits"]) == (1, 3)
        assert updating["LastModifiedTime"] > updating["CreationTime"]
        assert "Classes" in comprehend.classify_document(EndpointArn=arn, Text=TEXT), "by the old model"
        for model in (classifier, multi_label):
            answer = refusal(comprehend.delete_document_classifier, DocumentClassifierArn=model)
            assert answer == ("ResourceInUseException", 400)

        slow(endpoint_seconds=0)
        properties = settled(comprehend, arn)
        assert (properties["ModelArn"], properties["CurrentInferenceUnits"]) == (multi_label, 3)
        assert properties["DataAccessRoleArn"] == ROLE
        assert "Labels" in comprehend.classify_document(EndpointArn=arn, Text=TEXT)
        deleted(comprehend, arn)

    def test_a_classifier_goes_only_after_its_endpoints(self, aws: LocalAwsServer, comprehend: Any) -> None:
        classifier = trained_classifier(aws, comprehend, "leaving")
        arn = created(comprehend, "last", classifier)
        call = comprehend.delete_document_classifier
        assert refusal(call, DocumentClassifierArn=classifier) == ("ResourceInUseException", 400)
        deleted(comprehend, arn)
        call(DocumentClassifierArn=classifier)

    def test_an_encrypted_model_needs_a_role(
        self, aws: LocalAwsServer, comprehend: Any, slow: Callable[..., None]
    ) -> None:
        classifier = trained_classifier(aws, comprehend, "encrypted", ModelKmsKeyId=KEY)
        answer = comprehend.create_endpoint(
            EndpointName="no-role", ModelArn=classifier, DesiredInferenceUnits=1
        )
        properties = settled(comprehend, answer["EndpointArn"])
        assert properties["Status"] == "FAILED"
        assert properties["Message"].startswith("KMS_ACCESS_DENIED: ")
        deleted(comprehend, created(comprehend, "role", classifier, DataAccessRoleArn=ROLE))
        deleted(comprehend, answer["EndpointArn"])


class TestRefusals:
    def test_a_model_that_is_not_there_or_has_not_learnt(self, comprehend: Any, classifier: str) -> None:
        request = create_request("unlearnt", "s3://data/nothing-here")
        failed = comprehend.create_document_classifier(**request)["DocumentClassifierArn"]
        wait_for_classifier(comprehend, failed)
        for model, answer in (
            (f"{classifier}/version/none", ("ResourceNotFoundException", 404)),
            (
                classifier.replace("document-classifier", "entity-recognizer"),
                ("ResourceNotFoundException", 404),
            ),
            (failed, ("ResourceUnavailableException", 404)),
        ):
            create = {"EndpointName": "refused", "ModelArn": model, "DesiredInferenceUnits": 1}
            assert refusal(comprehend.create_endpoint, **create) == answer

    def test_there_are_no_flywheels(self, comprehend: Any, classifier: str, endpoint: str) -> None:
        create, update = comprehend.create_endpoint, comprehend.update_endpoint
        base = {"EndpointName": "refused", "DesiredInferenceUnits": 1}
        missing = ("ResourceNotFoundException", 404)
        wrong = ("InvalidRequestException", 400)
        assert refusal(create, **base, FlywheelArn=FLYWHEEL) == missing
        assert refusal(create, **base, FlywheelArn=FLYWHEEL, ModelArn=classifier) == wrong
        assert refusal(create, **base) == wrong
        assert refusal(update, EndpointArn=endpoint, FlywheelArn=FLYWHEEL) == missing
        assert refusal(update, EndpointArn=endpoint) == wrong

    def test_a_name_is_taken_once_unless_it_is_the_same_call(
        self, comprehend: Any, classifier: str, endpoint: str
    ) -> None:
        request = {"EndpointName": "standing", "ModelArn": classifier, "DesiredInferenceUnits": 1}
        assert refusal(comprehend.create_endpoint, **request) == ("ResourceInUseException", 400)

        once = {**request, "EndpointName": "once", "ClientRequestToken": "endpoint-1"}
        arns = {comprehend.create_endpoint(**once)["EndpointArn"] for _ in range(2)}
        other = {**once, "DesiredInferenceUnits": 2}
        assert refusal(comprehend.create_endpoint, **other) == ("InvalidRequestException", 400)
        settled(comprehend, *arns)
        deleted(comprehend, *arns)
        assert created(comprehend, "once", classifier, ClientRequestToken="endpoint-1"), "gone with it"
        deleted(comprehend, *arns)

    def test_tags_hold_to_their_rules(self, comprehend: Any, classifier: str, endpoint: str) -> None:
        many = [{"Key": str(number), "Value": ""} for number in range(51)]
        request = {"EndpointName": "tags", "ModelArn": classifier, "DesiredInferenceUnits": 1}
        assert refusal(comprehend.create_endpoint, **request, Tags=many) == ("TooManyTagsException", 400)
        comprehend.tag_resource(ResourceArn=endpoint, Tags=[{"Key": "team", "Value": "a"}])
        assert comprehend.list_tags_for_resource(ResourceArn=endpoint)["Tags"] == [
            {"Key": "team", "Value": "a"}
        ]

    def test_an_account_has_ten_endpoints_and_ten_units_each(self, aws: LocalAwsServer) -> None:
        # A region of its own: quotas are counted by region.
        elsewhere = check_answers(aws.client("comprehend", region="eu-west-1"))
        uri = put(aws, "trained/served.csv", csv_bytes(multi_label_rows(100)))
        model = elsewhere.create_document_classifier(**create_request("quota", uri, Mode="MULTI_LABEL"))
        model_arn = model["DocumentClassifierArn"]
        wait_for_classifier(elsewhere, model_arn)

        def create(number: int, units: int) -> dict[str, Any]:
            return {"EndpointName": f"e{number}", "ModelArn": model_arn, "DesiredInferenceUnits": units}

        full = ("ResourceLimitExceededException", 400)
        assert refusal(elsewhere.create_endpoint, **create(0, 11)) == full
        arns = [elsewhere.create_endpoint(**create(number, 10))["EndpointArn"] for number in range(10)]
        assert refusal(elsewhere.create_endpoint, **create(10, 1)) == full
        settled(elsewhere, arns[0])
        update = elsewhere.update_endpoint
        assert refusal(update, EndpointArn=arns[0], DesiredInferenceUnits=11) == full
        update(EndpointArn=arns[0], DesiredInferenceUnits=10)
        settled(elsewhere, arns[0])
        deleted(elsewhere, arns[0])
        assert elsewhere.create_endpoint(**create(10, 1))


def listed(comprehend: Any, **criteria: Any) -> list[dict[str, Any]]:
    request = {"Filter": criteria} if criteria else {}
    found: list[dict[str, Any]] = comprehend.list_endpoints(**request)["EndpointPropertiesList"]
    return found


class TestLists:
    def test_pages_and_filters(self, aws: LocalAwsServer, comprehend: Any, classifier: str) -> None:
        arns = [created(comprehend, f"listed-{number}", classifier) for number in range(3)]
        pages = comprehend.get_paginator("list_endpoints").paginate(PaginationConfig={"PageSize": 2})
        found = [item["EndpointArn"] for answer in pages for item in answer["EndpointPropertiesList"]]
        assert found[:3] == arns[::-1], "the newest come first"

        middle = described(comprehend, arns[1])
        after = listed(comprehend, CreationTimeAfter=middle["CreationTime"])
        assert [item["EndpointArn"] for item in after] == [arns[2]]
        before = listed(comprehend, CreationTimeBefore=middle["CreationTime"])
        assert before[-1]["EndpointArn"] == arns[0], "the oldest come first"
        assert middle in listed(comprehend, ModelArn=classifier)
        assert {item["Status"] for item in listed(comprehend, Status="IN_SERVICE")} == {"IN_SERVICE"}
        two = {"Filter": {"Status": "IN_SERVICE", "ModelArn": classifier}}
        assert refusal(comprehend.list_endpoints, **two) == ("InvalidRequestException", 400)

        token = comprehend.list_endpoints(MaxResults=1)["NextToken"]
        foreign = {"NextToken": token, "MaxResults": 1}
        answer = refusal(comprehend.list_document_classifiers, **foreign)
        assert answer == ("InvalidRequestException", 400)
        for arn in arns:
            deleted(comprehend, arn)


class TestClassifyDocument:
    def test_a_text_has_classes_and_nothing_else(self, comprehend: Any, endpoint: str) -> None:
        answer = comprehend.classify_document(EndpointArn=endpoint, Text=TEXT)
        del answer["ResponseMetadata"]
        assert list(answer) == ["Classes"]
        assert [list(found) for found in answer["Classes"]] == [["Name", "Score"]] * 3
        assert answer["Classes"][0]["Name"] == "BILLING"
        scores = [found["Score"] for found in answer["Classes"]]
        assert scores == sorted(scores, reverse=True)

    def test_bytes_come_with_page_and_type(self, comprehend: Any, endpoint: str) -> None:
        answer = comprehend.classify_document(EndpointArn=endpoint, Bytes=TEXT.encode())
        assert {found["Page"] for found in answer["Classes"]} == {1}
        assert answer["DocumentMetadata"] == {
            "Pages": 1, "ExtractedCharacters": [{"Page": 1, "Count": len(TEXT)}],
        }  # fmt: skip
        assert answer["DocumentType"] == [{"Page": 1, "Type": "PLAIN_TEXT"}]
        assert "Errors" not in answer
        assert "Warnings" not in answer

    def textract(self, text: str) -> bytes:
        content = {
            "DocumentMetadata": {"Pages": 1},
            "Blocks": [{"BlockType": "LINE", "Text": text}],
            "AnalyzeDocumentModelVersion": "1.0",
        }
        return json.dumps(content).encode()

    def test_an_answer_of_textract_is_read_with_a_warning(self, comprehend: Any, endpoint: str) -> None:
        answer = comprehend.classify_document(EndpointArn=endpoint, Bytes=self.textract(TEXT))
        assert answer["Classes"][0]["Name"] == "BILLING"
        assert answer["DocumentType"] == [{"Page": 1, "Type": "TEXTRACT_ANALYZE_DOCUMENT_JSON"}]
        (warning,) = answer["Warnings"]
        assert warning["WarnCode"] == "INFERENCING_NATIVE_DOCUMENT_WITH_PLAINTEXT_TRAINED_MODEL"

    def test_a_page_with_too_many_characters_is_an_error_of_the_page(
        self, comprehend: Any, endpoint: str
    ) -> None:
        answer = comprehend.classify_document(EndpointArn=endpoint, Bytes=self.textract("x" * 10_001))
        assert [(error["Page"], error["ErrorCode"]) for error in answer["Errors"]] == [
            (1, "PAGE_CHARACTERS_EXCEEDED")
        ]
        assert "Classes" not in answer

    def test_a_job_and_an_endpoint_say_the_same(
        self, aws: LocalAwsServer, comprehend: Any, multi_label: str, endpoint: str, classifier: str
    ) -> None:
        arn = created(comprehend, "multi", multi_label)
        for model, served, member in ((classifier, endpoint, "Classes"), (multi_label, arn, "Labels")):
            job = comprehend.start_document_classification_job(
                DocumentClassifierArn=model,
                InputDataConfig={"S3Uri": put(aws, "same/in.txt", b"hotel payment crash\n")},
                OutputDataConfig={"S3Uri": "s3://data/out"},
                DataAccessRoleArn=ROLE,
            )
            (line,) = predictions(aws, wait_for_job(comprehend, job["JobId"]))
            answer = comprehend.classify_document(EndpointArn=served, Text="hotel payment crash")
            rounded = [{**found, "Score": round(found["Score"], 4)} for found in answer[member]]
            assert rounded == line[member]
        deleted(comprehend, arn)

    @pytest.mark.parametrize(
        ("document", "code"),
        [
            ({}, "InvalidRequestException"),
            ({"Text": TEXT, "Bytes": b"x"}, "InvalidRequestException"),
            ({"Text": "x" * 10_001}, "TextSizeLimitExceededException"),
            (
                {"Text": TEXT, "DocumentReaderConfig": {"DocumentReadAction": "TEXTRACT_ANALYZE_DOCUMENT"}},
                "InvalidRequestException",
            ),
        ],
    )
    def test_what_is_no_document_is_refused(
        self, comprehend: Any, endpoint: str, document: dict[str, Any], code: str
    ) -> None:
        assert refusal(comprehend.classify_document, EndpointArn=endpoint, **document) == (code, 400)

    def test_a_document_that_cannot_be_read_says_why(self, comprehend: Any, endpoint: str) -> None:
        with pytest.raises(ClientError) as caught:
            comprehend.classify_document(EndpointArn=endpoint, Bytes=b"%PDF-1.7" + b"x" * 2_000_000)
        answer: dict[str, Any] = {**caught.value.response}
        assert (answer["Error"]["Code"], answer["Reason"]) == ("InvalidRequestException", "INVALID_DOCUMENT")
        assert answer["Detail"] == {"Reason": "UNSUPPORTED_DOC_TYPE"}

    @pytest.mark.parametrize("owner", ["123456789012", "aws"])
    def test_an_endpoint_that_is_not_there(self, comprehend: Any, owner: str) -> None:
        arn = f"{ARN}/nobody".replace("123456789012", owner)
        answer = refusal(comprehend.classify_document, EndpointArn=arn, Text=TEXT)
        assert answer == ("ResourceUnavailableException", 404)

    def test_the_process_with_the_models_may_die(
        self, aws: LocalAwsServer, comprehend: Any, endpoint: str
    ) -> None:
        expected = comprehend.classify_document(EndpointArn=endpoint, Text=TEXT)["Classes"]
        children = psutil.Process(aws.process.pid).children(recursive=True)
        max(children, key=lambda child: child.create_time()).kill()
        answer = comprehend.classify_document(EndpointArn=endpoint, Text=TEXT)
        assert answer["Classes"] == expected

    def test_inference_units_limit_what_it_does(
        self, aws: LocalAwsServer, comprehend: Any, endpoint: str
    ) -> None:
        aws.control.set_behaviour(rate_limits=True)
        try:
            # More than a second's worth: the next one has to wait.
            assert comprehend.classify_document(EndpointArn=endpoint, Text="refund " * 1_000)["Classes"]
            throttled = aws.client("comprehend").classify_document
            assert refusal(throttled, EndpointArn=endpoint, Text="refund") == ("ThrottlingException", 400)
        finally:
            aws.control.set_behaviour(rate_limits=False)


def test_endpoints_survive_a_restart(tmp_path: Path) -> None:
    with local_aws(tmp_path) as aws:
        comprehend = check_answers(aws.client("comprehend"))
        arn = created(comprehend, "kept", trained_classifier(aws, comprehend, "kept"))
        before = described(comprehend, arn)
        aws.control.set_behaviour(delays={"deletion_seconds": 3_600, "endpoint_seconds": 3_600})
        model = before["ModelArn"]
        making = comprehend.create_endpoint(EndpointName="making", ModelArn=model, DesiredInferenceUnits=1)
        expected = comprehend.classify_document(EndpointArn=arn, Text=TEXT)["Classes"]
    with local_aws(tmp_path) as aws:
        comprehend = check_answers(aws.client("comprehend"))
        assert described(comprehend, arn) == before
        assert comprehend.classify_document(EndpointArn=arn, Text=TEXT)["Classes"] == expected
        assert settled(comprehend, making["EndpointArn"])["Status"] == "IN_SERVICE"

        family = psutil.Process(aws.process.pid).children(recursive=True)
        aws.process.kill()
        _, alive = psutil.wait_procs(family, timeout=PATIENCE_SECONDS)
        assert not alive, "the process with the models ends with a server that is killed"

"""Requests are refused as the real service refuses them: by every constraint of botocore's model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest

from nightsort_local.local_aws.comprehend.errors import ApiError
from nightsort_local.local_aws.comprehend.request_validation import operation_model, parse_request
from nightsort_local.local_aws.comprehend.service import OPERATIONS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from botocore.model import ListShape, Shape, StructureShape

ROLE = "arn:aws:iam::123456789012:role/Nightsort"
ENDPOINT = "arn:aws:comprehend:us-east-1:123456789012:document-classifier-endpoint/e"
ARN = "arn:aws:comprehend:us-east-1:123456789012:document-classifier/c"


def create(**changes: Any) -> dict[str, Any]:
    request = {
        "DocumentClassifierName": "tickets",
        "DataAccessRoleArn": ROLE,
        "LanguageCode": "en",
        "InputDataConfig": {"S3Uri": "s3://bucket/key"},
    }
    return {**request, **changes}


def source(config: dict[str, str]) -> dict[str, Any]:
    return {"InputDataConfig": config}


def refusal(operation: str, body: Any) -> ApiError:
    with pytest.raises(ApiError) as caught:
        parse_request(operation, body)
    return caught.value


class TestConstraints:
    def test_a_good_request_comes_through_as_it_is(self) -> None:
        assert parse_request("CreateDocumentClassifier", create()) == create()

    @pytest.mark.parametrize(
        ("change", "member", "constraint"),
        [
            ({"DocumentClassifierName": "a_b"}, "documentClassifierName", "regular expression"),
            ({"DocumentClassifierName": "-a"}, "documentClassifierName", "regular expression"),
            ({"DocumentClassifierName": "a" * 64}, "documentClassifierName", "or equal to 63"),
            ({"VersionName": "v.1"}, "versionName", "regular expression"),
            ({"LanguageCode": "xx"}, "languageCode", "enum value set: [en,"),
            ({"Mode": "NOPE"}, "mode", "enum value set: [MULTI_CLASS, MULTI_LABEL]"),
            (source({"S3Uri": "S3://bucket/key"}), "inputDataConfig.s3Uri", "regular expression"),
            (source({"S3Uri": "s3://a_b/key"}), "inputDataConfig.s3Uri", "regular expression"),
            (source({"S3Uri": "key"}), "inputDataConfig.s3Uri", "regular expression"),
            (source({"LabelDelimiter": "||"}), "inputDataConfig.labelDelimiter", "or equal to 1"),
            (source({"LabelDelimiter": ","}), "inputDataConfig.labelDelimiter", "regular expression"),
            ({"DataAccessRoleArn": "arn:aws:iam::1:r"}, "dataAccessRoleArn", "or equal to 20"),
            ({"ClientRequestToken": "a b"}, "clientRequestToken", "regular expression"),
            ({"Tags": [{"Key": "", "Value": "v"}]}, "tags.1.member.key", "or equal to 1"),
            ({"Tags": [{"Key": "k"}, {"Key": "k" * 129}]}, "tags.2.member.key", "or equal to 128"),
            ({"VpcConfig": {"SecurityGroupIds": [], "Subnets": []}}, "vpcConfig.securityGroupIds", "equal"),
            ({"VpcConfig": {"SecurityGroupIds": ["g"]}}, "vpcConfig.subnets", "not be null"),
            ({"VolumeKmsKeyId": "schl\u00fcssel"}, "volumeKmsKeyId", "regular expression"),
        ],
    )  # fmt: skip
    def test_what_botocore_lets_through_is_refused(
        self, change: dict[str, Any], member: str, constraint: str
    ) -> None:
        error = refusal("CreateDocumentClassifier", create(**change))
        assert (error.code, error.status) == ("ValidationException", 400)
        assert f"'{member}'" in error.message
        assert constraint in error.message

    def test_every_member_at_fault_is_named_at_once(self) -> None:
        error = refusal("CreateDocumentClassifier", create(DocumentClassifierName="a_b", Mode="NOPE"))
        assert error.message.startswith("2 validation errors detected: ")
        assert "documentClassifierName" in error.message
        assert "mode" in error.message

    @pytest.mark.parametrize(
        "name", ["Tickets 2026-11-18", "ticket.s/v1:a=b+c%@_", "Näc ht", "\u540d\u524d 7"]
    )
    def test_job_names_may_have_letters_of_any_script(self, name: str) -> None:
        body = {"JobName": name, "JobStatus": "COMPLETED"}
        assert parse_request("ListDocumentClassificationJobs", {"Filter": body})["Filter"] == body

    @pytest.mark.parametrize("name", ["a\nb", "a#b", "a\U0001f600", ""])
    def test_other_job_names_are_refused(self, name: str) -> None:
        error = refusal("ListDocumentClassificationJobs", {"Filter": {"JobName": name}})
        assert "'filter.jobName'" in error.message

    def test_numbers_have_bounds(self) -> None:
        assert "less than or equal to 500" in refusal("ListDocumentClassifiers", {"MaxResults": 501}).message
        assert "or equal to 1" in refusal("ListDocumentClassifiers", {"MaxResults": 0}).message

    def test_a_documents_text_never_stands_in_a_message(self) -> None:
        error = refusal("ClassifyDocument", {"Text": "", "EndpointArn": "my secret is not an ARN"})
        assert "(sensitive)" in error.message


class TestTypes:
    """As measured on real JSON services of AWS: Athena, and X-Ray for timestamps."""

    @pytest.mark.parametrize(
        ("body", "message"),
        [
            ([], "Start of list found where not expected"),
            ({"MaxResults": "5"}, "STRING_VALUE can not be converted to an Integer"),
            ({"MaxResults": True}, "TRUE_VALUE can not be converted to an Integer"),
            ({"MaxResults": False}, "FALSE_VALUE can not be converted to an Integer"),
            ({"MaxResults": {}}, "Start of structure or map found where not expected."),
            ({"MaxResults": 1e400}, "NUMBER_VALUE can not be converted to an Integer"),
            ({"Filter": []}, "Start of list found where not expected"),
            ({"Filter": "x"}, "Expected null"),
            ({"NextToken": 5}, "NUMBER_VALUE can not be converted to a String"),
            (
                {"Filter": {"SubmitTimeAfter": "2024-01-01T00:00:00Z"}},
                "STRING_VALUE can not be converted to milliseconds since epoch",
            ),
        ],
    )
    def test_a_wrong_type_cannot_be_read(self, body: Any, message: str) -> None:
        error = refusal("ListDocumentClassifiers", body)
        assert (error.code, error.message) == ("SerializationException", message)

    @pytest.mark.parametrize(
        ("tags", "message"),
        [
            ("team", "Expected list or null"),
            ({}, "Start of structure or map found where not expected."),
            (["team"], "Expected null"),
        ],
    )
    def test_a_list_is_a_list(self, tags: Any, message: str) -> None:
        assert refusal("TagResource", {"ResourceArn": ARN, "Tags": tags}).message == message

    def test_a_fraction_is_cut_off_and_a_number_is_a_time(self) -> None:
        request = parse_request(
            "ListDocumentClassifiers", {"MaxResults": 5.9, "Filter": {"SubmitTimeAfter": 1704067200}}
        )
        assert request == {"MaxResults": 5, "Filter": {"SubmitTimeAfter": 1704067200.0}}

    def test_null_in_a_list_is_nothing(self) -> None:
        request = {"ResourceArn": ARN, "TagKeys": ["a", None, "b"]}
        assert parse_request("UntagResource", request)["TagKeys"] == ["a", "b"]

    def test_bytes_come_as_base64_or_as_they_are(self) -> None:
        for content in ("eA==", b"x"):
            request = {"EndpointArn": ENDPOINT, "Bytes": content}
            assert parse_request("ClassifyDocument", request)["Bytes"] == b"x"
        for content in ("no base64!", "\u00e4"):
            error = refusal("ClassifyDocument", {"EndpointArn": ENDPOINT, "Bytes": content})
            assert (error.code, content in error.message) == ("SerializationException", False)

    def test_null_is_absence(self) -> None:
        assert parse_request("ListDocumentClassifiers", {"Filter": None, "MaxResults": 5}) == {
            "MaxResults": 5
        }

    def test_members_that_the_model_lacks_are_ignored(self) -> None:
        assert parse_request("ListDocumentClassifiers", {"Colour": "green"}) == {}

    def test_an_operation_that_is_none(self) -> None:
        assert refusal("StopDocumentClassificationJob", {}).code == "UnknownOperationException"


def _bounded_members(shape: Shape, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Shape]]:
    """Every string that has a maximum, with the way to it."""
    if shape.type_name == "structure":
        for name, member in cast("StructureShape", shape).members.items():
            yield from _bounded_members(member, (*path, name))
    elif shape.type_name == "list":
        yield from _bounded_members(cast("ListShape", shape).member, (*path, "[]"))
    elif shape.type_name == "string" and "max" in shape.metadata:
        yield path, shape


ALL_BOUNDED = [
    (operation, path, shape.metadata["max"])
    for operations in OPERATIONS.values()
    for operation in operations
    for path, shape in _bounded_members(cast("Shape", operation_model(operation).input_shape))
]


@pytest.mark.parametrize(("operation", "path", "most"), ALL_BOUNDED, ids=lambda value: str(value)[:80])
def test_no_text_of_any_operation_may_be_longer_than_the_model_says(
    operation: str, path: tuple[str, ...], most: int
) -> None:
    body: Any = "a" * (most + 1)
    for name in reversed(path):
        body = [body] if name == "[]" else {name: body}
    assert f"Member must have length less than or equal to {most}" in refusal(operation, body).message


def test_the_bounded_members_were_found() -> None:
    assert len(ALL_BOUNDED) > 40

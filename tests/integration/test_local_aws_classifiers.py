"""Document classifiers of the local Comprehend live as the real ones do."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from tests.integration.classification_data import (
    LABELS,
    archive_members,
    create_request,
    csv_bytes,
    labelled_rows,
    multi_label_rows,
    put,
    trained_classifier,
)
from tests.integration.comprehend_answers import check_answers
from tests.integration.local_aws_server import (
    ROLE,
    LocalAwsServer,
    hold_reads,
    local_aws,
    wait_for_classifier,
    wait_until,
)

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.integration

ARN = "arn:aws:comprehend:us-east-1:123456789012:document-classifier"
KEY = "1234abcd-12ab-34cd-56ef-1234567890ab"


@pytest.fixture(scope="module")
def training(aws: LocalAwsServer) -> str:
    """Good training data."""
    return put(aws, "good/training.csv", csv_bytes(labelled_rows(30)))


def trained(comprehend: Any, name: str, uri: str, **changes: Any) -> dict[str, Any]:
    """Train to whatever end; return what Describe then says."""
    answer = comprehend.create_document_classifier(**create_request(name, uri, **changes))
    return wait_for_classifier(comprehend, answer["DocumentClassifierArn"])


def refusal(call: Any, **request: Any) -> tuple[str, int, str]:
    with pytest.raises(ClientError) as caught:
        call(**request)
    error = caught.value.response
    return error["Error"]["Code"], error["ResponseMetadata"]["HTTPStatusCode"], error["Error"]["Message"]


class TestTraining:
    def test_it_learns_and_tells_how_well(self, comprehend: Any, training: str, aws: LocalAwsServer) -> None:
        test = put(aws, "good/test.csv", csv_bytes(labelled_rows(10, first=500)))
        properties = trained(
            comprehend,
            "learns",
            training,
            VersionName="v1",
            InputDataConfig={"S3Uri": training, "TestS3Uri": test},
            OutputDataConfig={"S3Uri": "s3://data/output/"},
        )
        assert properties["Status"] == "TRAINED"
        assert properties["DocumentClassifierArn"] == f"{ARN}/learns/version/v1"
        metadata = properties["ClassifierMetadata"]
        assert (metadata["NumberOfLabels"], metadata["NumberOfTestDocuments"]) == (4, 40)
        assert metadata["NumberOfTrainedDocuments"] == 120
        assert metadata["EvaluationMetrics"]["F1Score"] > 0.9
        assert (properties["Mode"], properties["VersionName"]) == ("MULTI_CLASS", "v1")
        times = [properties[f"{name}Time"] for name in ("Submit", "TrainingStart", "TrainingEnd", "End")]
        assert times == sorted(times)

    def test_the_confusion_matrix_lies_nested_at_the_announced_place(
        self, comprehend: Any, training: str, aws: LocalAwsServer
    ) -> None:
        request = create_request("matrix", training, OutputDataConfig={"S3Uri": "s3://data/output/"})
        arn = comprehend.create_document_classifier(**request)["DocumentClassifierArn"]
        described = comprehend.describe_document_classifier(DocumentClassifierArn=arn)
        announced = described["DocumentClassifierProperties"]["OutputDataConfig"]["S3Uri"]
        pattern = r"s3://data/output/123456789012-CLR-[0-9a-f]{32}/output/output\.tar\.gz"
        assert re.fullmatch(pattern, announced), "announced before the training has ended"

        properties = wait_for_classifier(comprehend, arn)
        assert properties["OutputDataConfig"]["S3Uri"] == announced
        members = archive_members(aws, announced)
        assert list(members) == ["output/confusion_matrix.json"]
        content = json.loads(members["output/confusion_matrix.json"])
        assert list(content) == ["confusion_matrix", "labels", "type", "all_labels"]
        assert (content["type"], content["all_labels"]) == ("multi_class", LABELS)
        tested = properties["ClassifierMetadata"]["NumberOfTestDocuments"]
        assert sum(map(sum, content["confusion_matrix"])) == tested

    def test_a_tenth_is_split_off_for_testing(self, comprehend: Any, training: str) -> None:
        metadata = trained(comprehend, "split", training)["ClassifierMetadata"]
        assert (metadata["NumberOfTrainedDocuments"], metadata["NumberOfTestDocuments"]) == (108, 12)

    @pytest.mark.parametrize("delimiter", [None, "#", " "])
    def test_labels_can_be_many_to_a_document(
        self, comprehend: Any, aws: LocalAwsServer, delimiter: str | None
    ) -> None:
        name = f"multi-label-{ord(delimiter or '|')}"
        uri = put(aws, f"good/{name}.csv", csv_bytes(multi_label_rows(200, delimiter=delimiter or "|")))
        source = {"S3Uri": uri, **({"LabelDelimiter": delimiter} if delimiter else {})}
        properties = trained(
            comprehend,
            name,
            uri,
            InputDataConfig=source,
            Mode="MULTI_LABEL",
            OutputDataConfig={"S3Uri": "s3://data/o"},
        )
        assert properties["ClassifierMetadata"]["NumberOfLabels"] == 4
        assert properties["ClassifierMetadata"]["EvaluationMetrics"]["F1Score"] > 0.9
        content = json.loads(
            archive_members(aws, properties["OutputDataConfig"]["S3Uri"])["output/confusion_matrix.json"]
        )
        assert content["type"] == "multi_label"
        assert all(len(table) == 2 for table in content["confusion_matrix"])

    def test_in_multi_class_a_delimiter_is_part_of_the_label(
        self, comprehend: Any, aws: LocalAwsServer
    ) -> None:
        rows = [(f"{label}|X", text) for label, text in labelled_rows(20)]
        uri = put(aws, "good/pipes.csv", csv_bytes(rows))
        assert trained(comprehend, "pipes", uri)["ClassifierMetadata"]["NumberOfLabels"] == 4

    def test_every_object_that_begins_with_the_key_is_read(
        self, comprehend: Any, aws: LocalAwsServer
    ) -> None:
        uri = put(aws, "several/part-1", csv_bytes(labelled_rows(20)))
        put(aws, "several/part-10.csv", csv_bytes(labelled_rows(20, first=20)))
        put(aws, "several/part-1/", b"")
        metadata = trained(comprehend, "several", uri)["ClassifierMetadata"]
        assert metadata["NumberOfTrainedDocuments"] + metadata["NumberOfTestDocuments"] == 160

    def test_quotes_commas_and_line_ends_are_csv(self, comprehend: Any, aws: LocalAwsServer) -> None:
        rows = [(label, f'{text}, "so\nto" say') for label, text in labelled_rows(15)]
        uri = put(aws, "good/quoted.csv", csv_bytes(rows).replace(b"\n", b"\r\n"))
        metadata = trained(comprehend, "quoted", uri)["ClassifierMetadata"]
        assert metadata["NumberOfTrainedDocuments"] + metadata["NumberOfTestDocuments"] == 60

    def test_rows_that_are_no_rows_are_skipped_with_a_warning(
        self, comprehend: Any, aws: LocalAwsServer
    ) -> None:
        body = csv_bytes(labelled_rows(15)) + b"BUG\nBUG,two,three\nBUG,\n\n"
        properties = trained(
            comprehend, "warned", put(aws, "bad/rows.csv", body), OutputDataConfig={"S3Uri": "s3://data/o"}
        )
        assert properties["Status"] == "TRAINED_WITH_WARNING"
        # The text in the tests of Airflow's amazon provider.
        assert properties["Message"] == (
            "Unable to parse some documents. See details in the output S3 location. "
            "These documents have been skipped."
        )
        metadata = properties["ClassifierMetadata"]
        assert metadata["NumberOfTrainedDocuments"] + metadata["NumberOfTestDocuments"] == 60

    def test_what_was_asked_is_what_describe_shows(self, comprehend: Any, training: str) -> None:
        members: dict[str, Any] = {
            "VolumeKmsKeyId": KEY,
            "ModelKmsKeyId": f"arn:aws:kms:us-east-1:123456789012:key/{KEY}",
            "VpcConfig": {"SecurityGroupIds": ["sg-1"], "Subnets": ["subnet-1", "subnet-2"]},
        }
        output = {"S3Uri": "s3://data/o", "KmsKeyId": "alias/output"}
        properties = trained(comprehend, "echo", training, OutputDataConfig=output, **members)
        assert {name: properties[name] for name in members} == members
        assert properties["OutputDataConfig"]["KmsKeyId"] == "alias/output"
        assert properties["InputDataConfig"] == {"DataFormat": "COMPREHEND_CSV", "S3Uri": training}
        assert properties["DataAccessRoleArn"] == ROLE

    def test_without_output_and_version_describe_leaves_them_empty(
        self, comprehend: Any, training: str
    ) -> None:
        properties = trained(comprehend, "bare", training)
        assert properties["OutputDataConfig"] == {}
        assert "VersionName" not in properties
        assert properties["DocumentClassifierArn"] == f"{ARN}/bare"

    def test_the_same_data_gives_the_same_metrics(self, comprehend: Any, aws: LocalAwsServer) -> None:
        rows = [(label, " ".join(text.split()[:3])) for label, text in labelled_rows(30)]
        uri = put(aws, "good/hard.csv", csv_bytes(rows))
        first, second = (
            trained(comprehend, name, uri)["ClassifierMetadata"] for name in ("same-1", "same-2")
        )
        assert first == second


BAD_DATA = {
    "no label": (csv_bytes([*labelled_rows(15), ("", "text")]), "MULTI_CLASS", "found on line: 61 "),
    "one label": (csv_bytes(labelled_rows(40, labels=["BUG"])), "MULTI_CLASS", "at least 2 labels"),
    "no rows": (b"\n", "MULTI_CLASS", "at least 2 labels"),
    "bad UTF-8": (csv_bytes(labelled_rows(15)) + b"BUG,caf\xe9\n", "MULTI_CLASS", "not UTF-8"),
    "a long label": (
        csv_bytes([("B" * 5_001, "text")]),
        "MULTI_CLASS",
        "individual label is 5000 characters",
    ),
    "a huge document": (csv_bytes([("BUG", "x" * 10_000_001)]), "MULTI_CLASS", "individual document is 10MB"),
    "an empty label": (csv_bytes([("BUG||TRAVEL", "text")]), "MULTI_LABEL", "Empty label found on line: 1 "),
    "a trailing delimiter": (csv_bytes([("BUG|", "text")]), "MULTI_LABEL", "Empty label found on line: 1 "),
    "few in all": (csv_bytes(multi_label_rows(49)), "MULTI_LABEL", "at least 50 documents"),
    "too many labels": (
        csv_bytes([(f"L{n}", "text") for n in range(1_010)] * 2),
        "MULTI_CLASS",
        "at most 1,000 labels",
    ),
}


class TestTrainingThatFails:
    @pytest.mark.parametrize("kind", sorted(BAD_DATA))
    def test_bad_data_is_told_at_the_end_of_the_training(
        self, comprehend: Any, aws: LocalAwsServer, kind: str
    ) -> None:
        body, mode, reason = BAD_DATA[kind]
        name = f"bad-{kind.replace(' ', '-')}"
        properties = trained(comprehend, name, put(aws, f"bad/{name}", body), Mode=mode)
        assert properties["Status"] == "IN_ERROR"
        assert properties["Message"].startswith("CLASSIFIER_INVALID_INPUT: ")
        assert reason in properties["Message"]
        assert "ClassifierMetadata" not in properties
        assert "TrainingStartTime" not in properties
        assert properties["EndTime"] >= properties["SubmitTime"]

    @pytest.mark.parametrize("uri", ["s3://data/nothing-here", "s3://no-such-bucket/key"])
    def test_data_that_cannot_be_read(self, comprehend: Any, training: str, uri: str) -> None:
        properties = trained(comprehend, f"unreadable-{len(uri)}", uri)
        assert properties["Status"] == "IN_ERROR"
        assert properties["Message"].startswith("NO_READ_ACCESS_TO_INPUT: ")
        assert uri in properties["Message"]

    def test_output_that_cannot_be_written(self, comprehend: Any, training: str) -> None:
        properties = trained(
            comprehend, "unwritable", training, OutputDataConfig={"S3Uri": "s3://no-such-bucket/o"}
        )
        assert properties["Status"] == "IN_ERROR"
        assert properties["Message"].startswith("NO_WRITE_ACCESS_TO_OUTPUT: ")

    @pytest.mark.parametrize(
        ("labels", "reason"),
        [(LABELS[:3], "Missing: TRAVEL."), ([*LABELS, "OTHER"], "training data lacks: OTHER.")],
    )
    def test_a_test_set_must_have_the_labels_of_the_training(
        self, comprehend: Any, training: str, aws: LocalAwsServer, labels: list[str], reason: str
    ) -> None:
        rows = [(label, "text") for label in labels]
        test = put(aws, f"bad/test-{len(labels)}.csv", csv_bytes(rows))
        properties = trained(
            comprehend,
            f"test-{len(labels)}",
            training,
            InputDataConfig={"S3Uri": training, "TestS3Uri": test},
        )
        assert properties["Status"] == "IN_ERROR"
        assert reason in properties["Message"]


class TestRefusals:
    def test_a_name_and_version_is_taken_once(self, comprehend: Any, training: str) -> None:
        create = comprehend.create_document_classifier
        for version in ({}, {"VersionName": "v1"}, {"VersionName": "v2"}):
            create(**create_request("taken", training, **version))
            code, status, _ = refusal(create, **create_request("taken", training, **version))
            assert (code, status) == ("ResourceInUseException", 400)

    @pytest.mark.parametrize(
        ("change", "code"),
        [
            ({"LanguageCode": "ja"}, "UnsupportedLanguageException"),
            ({"InputDataConfig": {}}, "InvalidRequestException"),
            (
                {"InputDataConfig": {"S3Uri": "s3://data/x", "DataFormat": "AUGMENTED_MANIFEST"}},
                "InvalidRequestException",
            ),
            (
                {"InputDataConfig": {"S3Uri": "s3://data/x", "DocumentType": "SEMI_STRUCTURED_DOCUMENT"}},
                "InvalidRequestException",
            ),
            ({"Tags": [{"Key": "aws:x", "Value": ""}]}, "InvalidRequestException"),
            ({"Tags": [{"Key": str(n), "Value": ""} for n in range(51)]}, "TooManyTagsException"),
            ({"VolumeKmsKeyId": "my-key"}, "KmsKeyValidationException"),
            ({"Mode": "BOTH"}, "ValidationException"),
        ],
    )
    def test_what_cannot_be_is_refused_at_once(
        self, comprehend: Any, training: str, change: dict[str, Any], code: str
    ) -> None:
        call = comprehend.create_document_classifier
        assert refusal(call, **create_request("refused", training, **change))[:2] == (code, 400)
        found = comprehend.list_document_classifiers(Filter={"DocumentClassifierName": "refused"})
        assert found["DocumentClassifierPropertiesList"] == []

    @pytest.mark.parametrize(
        "operation",
        ["describe_document_classifier", "delete_document_classifier", "stop_training_document_classifier"],
    )
    def test_what_is_not_there_is_not_found(self, comprehend: Any, operation: str) -> None:
        answer = refusal(getattr(comprehend, operation), DocumentClassifierArn=f"{ARN}/nobody")
        assert answer[:2] == ("ResourceNotFoundException", 404)

    def test_a_version_is_not_its_name(self, comprehend: Any, training: str) -> None:
        comprehend.create_document_classifier(**create_request("versioned", training, VersionName="v1"))
        code, _, _ = refusal(
            comprehend.describe_document_classifier, DocumentClassifierArn=f"{ARN}/versioned"
        )
        assert code == "ResourceNotFoundException"

    def test_regions_are_apart(self, comprehend: Any, aws: LocalAwsServer, training: str) -> None:
        elsewhere = check_answers(aws.client("comprehend", region="eu-west-1"))
        request = create_request("regional", training)
        arns = {
            client.create_document_classifier(**request)["DocumentClassifierArn"]
            for client in (comprehend, elsewhere)
        }
        assert arns == {f"{ARN}/regional", f"{ARN}/regional".replace("us-east-1", "eu-west-1")}
        code, _, _ = refusal(elsewhere.describe_document_classifier, DocumentClassifierArn=f"{ARN}/regional")
        assert code == "ResourceNotFoundException"


class TestTokens:
    def test_the_same_request_again_is_the_same_classifier(self, comprehend: Any, training: str) -> None:
        request = create_request("token", training, ClientRequestToken="token-1")
        arns = {comprehend.create_document_classifier(**request)["DocumentClassifierArn"] for _ in range(2)}
        assert arns == {f"{ARN}/token"}

    def test_a_token_is_forgotten_with_its_classifier(self, comprehend: Any, training: str) -> None:
        request = create_request("token-c", training, ClientRequestToken="token-3")
        arn = comprehend.create_document_classifier(**request)["DocumentClassifierArn"]
        first = wait_for_classifier(comprehend, arn)
        comprehend.delete_document_classifier(DocumentClassifierArn=arn)
        assert comprehend.create_document_classifier(**request)["DocumentClassifierArn"] == arn
        wait_until_gone(comprehend, arn)
        assert comprehend.create_document_classifier(**request)["DocumentClassifierArn"] == arn
        assert wait_for_classifier(comprehend, arn)["SubmitTime"] > first["SubmitTime"], "trained anew"

    def test_another_request_under_the_same_token_is_refused(self, comprehend: Any, training: str) -> None:
        create = comprehend.create_document_classifier
        create(**create_request("token-a", training, ClientRequestToken="token-2"))
        again = create_request("token-b", training, ClientRequestToken="token-2")
        assert refusal(create, **again)[0] == "InvalidRequestException"


class TestLists:
    def test_pages_filters_and_summaries(self, comprehend: Any, training: str) -> None:
        for version in ("v1", "v2", "v3"):
            trained(comprehend, "listed", training, VersionName=version)
        by_name = {"Filter": {"DocumentClassifierName": "listed"}}
        pages = comprehend.get_paginator("list_document_classifiers").paginate(
            **by_name, PaginationConfig={"PageSize": 2}
        )
        versions = [
            [found["VersionName"] for found in page["DocumentClassifierPropertiesList"]] for page in pages
        ]
        assert versions == [["v1", "v2"], ["v3"]]

        full = comprehend.list_document_classifiers(**by_name)["DocumentClassifierPropertiesList"]
        described = comprehend.describe_document_classifier(DocumentClassifierArn=f"{ARN}/listed/version/v3")
        assert full[-1] == described["DocumentClassifierProperties"]
        since = comprehend.list_document_classifiers(Filter={"SubmitTimeAfter": full[1]["SubmitTime"]})
        assert [found["VersionName"] for found in since["DocumentClassifierPropertiesList"]] == ["v3"]

        token: dict[str, str] = {}
        summaries = []
        while True:
            page = comprehend.list_document_classifier_summaries(MaxResults=2, **token)
            summaries += page["DocumentClassifierSummariesList"]
            if "NextToken" not in page:
                break
            token = {"NextToken": page["NextToken"]}
        (summary,) = [found for found in summaries if found["DocumentClassifierName"] == "listed"]
        assert (summary["NumberOfVersions"], summary["LatestVersionName"]) == (3, "v3")
        assert summary["LatestVersionStatus"] == "TRAINED"
        assert summary["LatestVersionCreatedAt"] == full[-1]["SubmitTime"]

    def test_one_filter_member_at_a_time(self, comprehend: Any) -> None:
        both = {"Status": "TRAINED", "DocumentClassifierName": "listed"}
        assert refusal(comprehend.list_document_classifiers, Filter=both)[0] == "InvalidFilterException"
        only = comprehend.list_document_classifiers(Filter={"Status": "IN_ERROR"})
        assert {found["Status"] for found in only["DocumentClassifierPropertiesList"]} <= {"IN_ERROR"}


def wait_until_gone(comprehend: Any, arn: str) -> None:
    def gone() -> bool:
        try:
            comprehend.describe_document_classifier(DocumentClassifierArn=arn)
        except comprehend.exceptions.ResourceNotFoundException:
            return True
        return False

    wait_until(gone, f"{arn} to be gone")


class TestEnds:
    def test_a_deleted_classifier_is_gone_a_little_later(
        self, aws: LocalAwsServer, comprehend: Any, training: str, slow: Callable[..., None]
    ) -> None:
        arn = trained_classifier(aws, comprehend, "deleted")
        slow(deletion_seconds=3_600)
        comprehend.delete_document_classifier(DocumentClassifierArn=arn)
        properties = comprehend.describe_document_classifier(DocumentClassifierArn=arn)
        assert properties["DocumentClassifierProperties"]["Status"] == "DELETING"
        code, status, _ = refusal(comprehend.delete_document_classifier, DocumentClassifierArn=arn)
        assert (code, status) == ("ResourceUnavailableException", 404)
        slow(deletion_seconds=0)
        wait_until_gone(comprehend, arn)
        assert trained(comprehend, "deleted", training)["Status"] == "TRAINED", "its name is free again"

    def test_to_stop_a_finished_training_does_nothing(self, aws: LocalAwsServer, comprehend: Any) -> None:
        arn = trained_classifier(aws, comprehend, "finished")
        comprehend.stop_training_document_classifier(DocumentClassifierArn=arn)
        assert wait_for_classifier(comprehend, arn)["Status"] == "TRAINED"


class TestStop:
    """Trainings that wait or run can be stopped; no more than ten at a time may."""

    def test_waiting_and_running_trainings_stop(self) -> None:
        with local_aws() as aws:
            hold_reads(aws)
            comprehend = check_answers(aws.client("comprehend"))
            uri = put(aws, "training.csv", csv_bytes(labelled_rows(12)))
            arns = [
                comprehend.create_document_classifier(**create_request(f"held-{n}", uri))[
                    "DocumentClassifierArn"
                ]
                for n in range(10)
            ]
            code, status, _ = refusal(
                comprehend.create_document_classifier, **create_request("eleventh", uri)
            )
            assert (code, status) == ("ResourceLimitExceededException", 400)

            def properties_of(arn: str) -> dict[str, Any]:
                answer = comprehend.describe_document_classifier(DocumentClassifierArn=arn)
                properties: dict[str, Any] = answer["DocumentClassifierProperties"]
                return properties

            wait_until(lambda: properties_of(arns[0])["Status"] == "TRAINING", "TRAINING")
            assert "TrainingStartTime" not in properties_of(arns[0])
            assert properties_of(arns[1])["Status"] == "SUBMITTED"
            code, status, _ = refusal(comprehend.delete_document_classifier, DocumentClassifierArn=arns[0])
            assert (code, status) == ("ResourceUnavailableException", 404)

            for arn in arns:
                comprehend.stop_training_document_classifier(DocumentClassifierArn=arn)
            for arn in arns:
                properties = wait_for_classifier(comprehend, arn)
                assert properties["Status"] == "STOPPED"
                assert "ClassifierMetadata" not in properties
            aws.control.clear()
            assert trained_classifier(aws, comprehend, "after"), "the worker is there again"
            comprehend.delete_document_classifier(DocumentClassifierArn=arns[0])


class TestTags:
    def test_tags_come_and_go(self, comprehend: Any, training: str) -> None:
        request = create_request("tagged", training, Tags=[{"Key": "team", "Value": "a"}, {"Key": "bare"}])
        arn = comprehend.create_document_classifier(**request)["DocumentClassifierArn"]
        comprehend.tag_resource(
            ResourceArn=arn, Tags=[{"Key": "team", "Value": "b"}, {"Key": "Team", "Value": "c"}]
        )
        comprehend.untag_resource(ResourceArn=arn, TagKeys=["bare", "never-there"])
        answer = comprehend.list_tags_for_resource(ResourceArn=arn)
        assert answer["ResourceArn"] == arn
        assert answer["Tags"] == [{"Key": "team", "Value": "b"}, {"Key": "Team", "Value": "c"}]

    def test_the_limits_of_tags(self, comprehend: Any, training: str) -> None:
        arn = comprehend.create_document_classifier(**create_request("tag-limits", training))[
            "DocumentClassifierArn"
        ]
        many = [{"Key": str(n), "Value": ""} for n in range(51)]
        assert refusal(comprehend.tag_resource, ResourceArn=arn, Tags=many)[0] == "TooManyTagsException"
        keys = [str(n) for n in range(51)]
        assert (
            refusal(comprehend.untag_resource, ResourceArn=arn, TagKeys=keys)[0] == "TooManyTagKeysException"
        )

    def test_nobodys_tags(self, comprehend: Any) -> None:
        code, status, _ = refusal(comprehend.list_tags_for_resource, ResourceArn=f"{ARN}/nobody")
        assert (code, status) == ("ResourceNotFoundException", 404)

"""What public recordings of Amazon Comprehend show, the local one does. Each test names its source.

The order of files and the split of the data are in the unit tests of ``job_input`` and ``evaluation_split``.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.classification_data import (
    archive_members,
    create_request,
    csv_bytes,
    labelled_rows,
    multi_label_rows,
    put,
    trained_classifier,
)
from tests.integration.local_aws_server import (
    ROLE,
    LocalAwsServer,
    answer_of,
    local_aws,
    wait_for_classifier,
    wait_until,
)

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def classifier(aws: LocalAwsServer, comprehend: Any) -> str:
    return trained_classifier(aws, comprehend, "recorded")


def trained(comprehend: Any, name: str, uri: str, **changes: Any) -> dict[str, Any]:
    request = create_request(name, uri, **changes)
    return wait_for_classifier(
        comprehend, comprehend.create_document_classifier(**request)["DocumentClassifierArn"]
    )


def matrix(aws: LocalAwsServer, properties: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
    """The content of a confusion matrix, and its bytes."""
    uri = properties["OutputDataConfig"]["S3Uri"]
    body = archive_members(aws, uri)["output/confusion_matrix.json"]
    return json.loads(body), body


class TestFewDocuments:
    def test_a_header_row_becomes_a_label_without_a_warning(
        self, aws: LocalAwsServer, comprehend: Any
    ) -> None:
        """AWS CLI, describe-document-classifier (2023): three labels of SMS data with two and a header."""
        body = b"label,text\n" + csv_bytes(labelled_rows(30, labels=["BILLING", "BUG"]))
        properties = trained(comprehend, "header", put(aws, "recorded/header.csv", body))
        assert properties["Status"] == "TRAINED"
        assert "Message" not in properties
        metadata = properties["ClassifierMetadata"]
        assert metadata["NumberOfLabels"] == 3
        assert (metadata["NumberOfTrainedDocuments"], metadata["NumberOfTestDocuments"]) == (55, 6)
        assert metadata["EvaluationMetrics"]["Recall"] > 0.7, "the label without a test does not count"

    def test_a_label_of_three_documents_is_not_in_the_matrix(
        self, aws: LocalAwsServer, comprehend: Any
    ) -> None:
        """mohankumardhamu/intellegent-document-classification (2021): 14, 9 and 3 documents."""
        rows = [
            row
            for label, number in (("BILLING", 14), ("BUG", 9), ("PRAISE", 3))
            for row in labelled_rows(number, labels=[label])
        ]
        properties = trained(
            comprehend,
            "few",
            put(aws, "recorded/few.csv", csv_bytes(rows)),
            OutputDataConfig={"S3Uri": "s3://data/recorded/"},
        )
        metadata = properties["ClassifierMetadata"]
        assert (metadata["NumberOfTrainedDocuments"], metadata["NumberOfTestDocuments"]) == (24, 2)
        content, _ = matrix(aws, properties)
        assert content["labels"] == ["BILLING", "BUG"]
        assert content["all_labels"] == ["BILLING", "BUG", "PRAISE"]
        assert [sum(row) for row in content["confusion_matrix"]] == [1, 1]

    def test_44_documents_of_a_label_are_enough_and_may_be_the_test_too(
        self, aws: LocalAwsServer, comprehend: Any
    ) -> None:
        """terraform-provider-aws, documents.csv of its acceptance tests: 56 and 44; testDocuments."""
        rows = [*labelled_rows(56, labels=["BILLING"]), *labelled_rows(44, labels=["BUG"])]
        uri = put(aws, "recorded/terraform.csv", csv_bytes(rows))
        properties = trained(comprehend, "own-test", uri, InputDataConfig={"S3Uri": uri, "TestS3Uri": uri})
        assert (properties["Status"], "Message" in properties) == ("TRAINED", False)
        metadata = properties["ClassifierMetadata"]
        assert (metadata["NumberOfTrainedDocuments"], metadata["NumberOfTestDocuments"]) == (100, 100)

    def test_a_byte_order_mark_makes_a_label_of_its_own(self, aws: LocalAwsServer, comprehend: Any) -> None:
        """Assumed from the header row: a label is the exact string of its cell."""
        body = b"\xef\xbb\xbf" + csv_bytes(labelled_rows(15))
        properties = trained(comprehend, "bom", put(aws, "recorded/bom.csv", body))
        assert properties["Status"] == "TRAINED"
        assert properties["ClassifierMetadata"]["NumberOfLabels"] == 5

    def test_a_setting_refuses_labels_with_few_documents(self) -> None:
        """AWS's pages ask for 10 and for 50 documents; apache/airflow pull request 40287 says 10 (2024)."""
        with local_aws(environment={"NIGHTSORT_LOCAL_AWS_MIN_DOCUMENTS_PER_LABEL": "10"}) as aws:
            comprehend = aws.client("comprehend")
            body = b"label,text\n" + csv_bytes(labelled_rows(15))
            properties = trained(comprehend, "strict", put(aws, "header.csv", body))
            assert properties["Status"] == "IN_ERROR"
            assert "at least 10 documents. Too few for: label (1)." in properties["Message"]


def test_the_matrix_of_equal_labels_has_equal_rows(aws: LocalAwsServer, comprehend: Any) -> None:
    """gcaseycupp/AWSComprehendCustomClassification (2021). Its file also shows members and the last byte."""
    properties = trained(
        comprehend,
        "equal",
        put(aws, "recorded/equal.csv", csv_bytes(labelled_rows(100))),
        OutputDataConfig={"S3Uri": "s3://data/recorded/"},
    )
    content, body = matrix(aws, properties)
    assert [sum(row) for row in content["confusion_matrix"]] == [10] * 4
    assert list(content) == ["confusion_matrix", "labels", "type", "all_labels"]
    assert body.endswith(b"]}")


class TestLabelDelimiter:
    """terraform-provider-aws, document_classifier_test.go, multiLabel_basic and its multi-class siblings."""

    def test_describe_and_list_show_the_default_of_multi_label(
        self, aws: LocalAwsServer, comprehend: Any
    ) -> None:
        uri = put(aws, "recorded/multi.csv", csv_bytes(multi_label_rows(60)))
        source = trained(comprehend, "multi", uri, Mode="MULTI_LABEL")["InputDataConfig"]
        assert source == {"DataFormat": "COMPREHEND_CSV", "S3Uri": uri, "LabelDelimiter": "|"}
        (listed,) = comprehend.list_document_classifiers(Filter={"DocumentClassifierName": "multi"})[
            "DocumentClassifierPropertiesList"
        ]
        assert listed["InputDataConfig"] == source

    def test_another_one_than_the_data_has_makes_a_label_of_the_whole_cell(
        self, aws: LocalAwsServer, comprehend: Any
    ) -> None:
        """multiLabel_labelDelimiter: "~" on data with "|" is TRAINED, with three labels."""
        rows = [
            (label, text)
            for label, text in multi_label_rows(240)
            if set(label.split("|")) <= {"BILLING", "BUG"}
        ]
        uri = put(aws, "recorded/tilde.csv", csv_bytes(rows + rows))
        source = {"S3Uri": uri, "LabelDelimiter": "~"}
        properties = trained(comprehend, "tilde", uri, Mode="MULTI_LABEL", InputDataConfig=source)
        assert properties["Status"] == "TRAINED", properties.get("Message")
        assert properties["ClassifierMetadata"]["NumberOfLabels"] == 3

    def test_multi_class_has_none(self, comprehend: Any, classifier: str) -> None:
        described = comprehend.describe_document_classifier(DocumentClassifierArn=classifier)
        assert "LabelDelimiter" not in described["DocumentClassifierProperties"]["InputDataConfig"]


class TestLists:
    """AWS CLI, examples of 2023: 11 of 11 lists of models and jobs are oldest first; summaries are not."""

    def test_classifiers_are_listed_from_the_oldest_and_names_from_the_newest(self) -> None:
        with local_aws() as aws:
            comprehend = aws.client("comprehend")
            for name, version in (("b", "v1"), ("a", "v1"), ("c", "v1"), ("b", "v2")):
                request = create_request(name, "s3://data/nothing-here", VersionName=version)
                comprehend.create_document_classifier(**request)
            listed = comprehend.list_document_classifiers()["DocumentClassifierPropertiesList"]
            arns = [found["DocumentClassifierArn"].partition("/")[2] for found in listed]
            assert arns == ["b/version/v1", "a/version/v1", "c/version/v1", "b/version/v2"]
            summaries = comprehend.list_document_classifier_summaries()
            found = summaries["DocumentClassifierSummariesList"]
            assert [summary["DocumentClassifierName"] for summary in found] == ["b", "c", "a"]
            assert [summary["LatestVersionName"] for summary in found] == ["v2", "v1", "v1"]

    def test_jobs_are_listed_from_the_oldest(
        self, aws: LocalAwsServer, comprehend: Any, classifier: str
    ) -> None:
        ids = [start(aws, comprehend, classifier)["JobId"] for _ in range(3)]
        listed = comprehend.list_document_classification_jobs()["DocumentClassificationJobPropertiesList"]
        assert [found["JobId"] for found in listed] == ids


def start(aws: LocalAwsServer, comprehend: Any, classifier: str) -> dict[str, Any]:
    answer: dict[str, Any] = comprehend.start_document_classification_job(
        DocumentClassifierArn=classifier,
        InputDataConfig={"S3Uri": put(aws, "recorded/in.txt", b"a refund of my payment\n")},
        OutputDataConfig={"S3Uri": "s3://data/recorded/"},
        DataAccessRoleArn=ROLE,
    )
    answer.pop("ResponseMetadata")
    return answer


def test_answers_have_no_member_that_only_flywheels_need(
    aws: LocalAwsServer, comprehend: Any, classifier: str, slow: Callable[..., None]
) -> None:
    """AWS CLI, examples of 2023: start-document-classification-job, create-endpoint, update-endpoint."""
    assert set(start(aws, comprehend, classifier)) == {"JobId", "JobArn", "JobStatus"}
    slow(endpoint_seconds=0)
    created = comprehend.create_endpoint(EndpointName="e", ModelArn=classifier, DesiredInferenceUnits=1)
    assert set(created) == {"EndpointArn", "ResponseMetadata"}
    endpoint = {"EndpointArn": created["EndpointArn"]}
    wait_until(
        lambda: comprehend.describe_endpoint(**endpoint)["EndpointProperties"]["Status"] == "IN_SERVICE",
        "the endpoint",
    )
    updated = comprehend.update_endpoint(**endpoint, DesiredInferenceUnits=2)
    assert set(updated) == {"ResponseMetadata"}


def test_the_text_of_a_resource_that_is_not_found(comprehend: Any, classifier: str) -> None:
    """CloudTrail record of AWS's own canary (guide, logging-using-cloudtrail): no ARN."""
    with pytest.raises(comprehend.exceptions.ResourceNotFoundException) as caught:
        comprehend.describe_document_classifier(DocumentClassifierArn=f"{classifier}-gone")
    assert caught.value.response["Error"]["Message"] == (
        "RESOURCE_NOT_FOUND: Could not find specified resource."
    )


def test_the_text_of_a_warning(aws: LocalAwsServer, comprehend: Any) -> None:
    """Tests of hook and sensor of Airflow's amazon provider: no code in front."""
    body = csv_bytes(labelled_rows(15)) + b"one cell\n"
    properties = trained(comprehend, "warned", put(aws, "recorded/warned.csv", body))
    assert properties["Status"] == "TRAINED_WITH_WARNING"
    assert properties["Message"] == (
        "Unable to parse some documents. See details in the output S3 location. "
        "These documents have been skipped."
    )


def test_json_is_compact(aws: LocalAwsServer, comprehend: Any, classifier: str) -> None:
    """MacHu-GWU/Dev-Exp-Share (2022): the Content-Length of a start is 182, that of compact JSON."""
    job = start(aws, comprehend, classifier)
    assert len(json.dumps(job, separators=(",", ":"))) == 182
    for operation, request in (
        ("DescribeDocumentClassificationJob", {"JobId": job["JobId"]}),
        ("DescribeDocumentClassificationJob", {"JobId": "0" * 32}),
    ):
        headers = {"X-Amz-Target": f"Comprehend_20171127.{operation}"}
        body = answer_of("POST", aws.url, json=request, headers=headers).content
        assert body == json.dumps(json.loads(body), separators=(",", ":")).encode()

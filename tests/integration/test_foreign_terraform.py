"""The calls of Terraform's AWS provider, one after the other, as its resource for classifiers makes them.

Source: ``internal/service/comprehend/document_classifier.go`` and ``document_classifier_test.go`` of
hashicorp/terraform-provider-aws. The provider itself cannot be installed as a package, so its calls are made
with boto3: the same members, the same states to wait for, the same errors to tell apart.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.classification_data import csv_bytes, labelled_rows, multi_label_rows, put
from tests.integration.local_aws_server import ROLE, hold_reads, wait_until

if TYPE_CHECKING:
    from tests.integration.local_aws_server import LocalAwsServer

pytestmark = pytest.mark.integration


class Resource:
    """One ``aws_comprehend_document_classifier``: create, read, update and delete as the provider does."""

    def __init__(self, aws: LocalAwsServer, name: str, **arguments: Any) -> None:
        self._comprehend = aws.client("comprehend")
        self.name = name
        self.arguments = arguments
        self.arn = ""

    def publish(self) -> None:
        """Create a version, with a token of its own, and wait until it is trained: ``terraform apply``."""
        created = self._comprehend.create_document_classifier(
            DocumentClassifierName=self.name,
            VersionName=f"terraform-{uuid.uuid4().hex}",
            ClientRequestToken=f"terraform-{uuid.uuid4().hex}",
            DataAccessRoleArn=ROLE,
            LanguageCode="en",
            **self.arguments,
        )
        self.arn = created["DocumentClassifierArn"]
        self._wait_for(pending={"SUBMITTED", "TRAINING"}, target={"TRAINED"})

    def read(self) -> dict[str, Any]:
        """Describe the version and its tags: ``terraform plan``."""
        described = self._comprehend.describe_document_classifier(DocumentClassifierArn=self.arn)
        tags = self._comprehend.list_tags_for_resource(ResourceArn=self.arn)["Tags"]
        return {**described["DocumentClassifierProperties"], "Tags": tags}

    def retag(self, added: dict[str, str], removed: list[str]) -> None:
        """Change tags alone: the provider removes first, then adds."""
        self._comprehend.untag_resource(ResourceArn=self.arn, TagKeys=removed)
        tags = [{"Key": key, "Value": value} for key, value in added.items()]
        self._comprehend.tag_resource(ResourceArn=self.arn, Tags=tags)

    def destroy(self) -> list[str]:
        """Stop, find all versions by name, delete each, wait until it is not found; return their ARNs."""
        self._comprehend.stop_training_document_classifier(DocumentClassifierArn=self.arn)
        self._wait_for(
            pending={"SUBMITTED", "TRAINING", "STOP_REQUESTED"},
            target={"TRAINED", "STOPPED", "IN_ERROR", "DELETING"},
        )
        pages = self._comprehend.get_paginator("list_document_classifiers").paginate(
            Filter={"DocumentClassifierName": self.name}
        )
        versions = [
            found["DocumentClassifierArn"]
            for page in pages
            for found in page["DocumentClassifierPropertiesList"]
        ]
        for version in versions:
            self._comprehend.delete_document_classifier(DocumentClassifierArn=version)
            wait_until(lambda version=version: self._status(version) is None, f"{version} to be gone")  # type: ignore[misc]
        return versions

    def is_gone(self) -> bool:
        """Whether it is not found, as the provider's acceptance tests ask at their end."""
        return self._status(self.arn) is None

    def _wait_for(self, pending: set[str], target: set[str]) -> None:
        """Fail, as the provider does, in any state that is neither pending nor the target."""

        def is_reached() -> bool:
            status = self._status(self.arn)
            assert status in pending | target, status
            return status in target

        wait_until(is_reached, f"{self.arn} to reach {sorted(target)}")

    def _status(self, arn: str) -> str | None:
        try:
            described = self._comprehend.describe_document_classifier(DocumentClassifierArn=arn)
        except self._comprehend.exceptions.ResourceNotFoundException:
            return None
        properties = described["DocumentClassifierProperties"]
        status: str = properties["Status"]
        assert status != "IN_ERROR", properties["Message"]
        return status


def test_a_resource_is_made_read_changed_and_destroyed(local_aws: LocalAwsServer) -> None:
    training = put(local_aws, "terraform/documents.csv", csv_bytes(labelled_rows(30)))
    resource = Resource(
        local_aws,
        "terraform-life",
        Mode="MULTI_CLASS",
        InputDataConfig={"DataFormat": "COMPREHEND_CSV", "S3Uri": training},
        OutputDataConfig={"S3Uri": "s3://data/terraform/out/"},
        Tags=[{"Key": "key1", "Value": "value1"}],
    )
    resource.publish()
    first = resource.read()
    assert first["Mode"] == "MULTI_CLASS"
    assert first["LanguageCode"] == "en"
    assert first["InputDataConfig"] == {"DataFormat": "COMPREHEND_CSV", "S3Uri": training}
    # The provider finds its own output_data_config in this path, so it must have this form.
    output = first["OutputDataConfig"]["S3Uri"]
    assert output.startswith("s3://data/terraform/out/")
    assert output.endswith("/output/output.tar.gz")
    assert first["Tags"] == [{"Key": "key1", "Value": "value1"}]

    resource.retag({"key1": "value1updated", "key2": "value2"}, removed=["key1"])
    tags = {tag["Key"]: tag["Value"] for tag in resource.read()["Tags"]}
    assert tags == {"key1": "value1updated", "key2": "value2"}

    resource.publish()
    second = resource.read()
    assert second["VersionName"] != first["VersionName"]

    destroyed = resource.destroy()
    assert sorted(destroyed) == sorted([first["DocumentClassifierArn"], second["DocumentClassifierArn"]])
    assert resource.is_gone()


def test_a_resource_that_is_gone_is_destroyed_without_an_error(local_aws: LocalAwsServer) -> None:
    comprehend = local_aws.client("comprehend")
    gone = "arn:aws:comprehend:us-east-1:123456789012:document-classifier/terraform-gone/version/v1"
    with pytest.raises(comprehend.exceptions.ResourceNotFoundException):
        comprehend.stop_training_document_classifier(DocumentClassifierArn=gone)


def test_a_training_is_stopped_and_deleted(local_aws: LocalAwsServer) -> None:
    """``terraform destroy`` of a resource whose training was given up half-way."""
    training = put(local_aws, "terraform/stopped.csv", csv_bytes(labelled_rows(30)))
    resource = Resource(local_aws, "terraform-stopped", InputDataConfig={"S3Uri": training})
    hold_reads(local_aws)
    try:
        created = local_aws.client("comprehend").create_document_classifier(
            DocumentClassifierName=resource.name,
            VersionName="v1",
            DataAccessRoleArn=ROLE,
            LanguageCode="en",
            InputDataConfig={"S3Uri": training},
        )
        resource.arn = created["DocumentClassifierArn"]
        assert resource.destroy() == [resource.arn]
    finally:
        local_aws.control.clear()
    assert resource.is_gone()


@pytest.mark.parametrize(
    ("mode", "configured", "shown"),
    [
        ("MULTI_LABEL", None, "|"),
        ("MULTI_LABEL", "|", "|"),
        ("MULTI_LABEL", "~", "~"),
        ("MULTI_CLASS", None, None),
    ],
)
def test_the_delimiter_that_a_plan_is_compared_with(
    local_aws: LocalAwsServer, mode: str, configured: str | None, shown: str | None
) -> None:
    """``multiLabel_basic`` and its siblings: an absent delimiter reads as ``|``; giving it is no change."""
    rows = multi_label_rows(60) if mode == "MULTI_LABEL" else labelled_rows(30)
    training = put(local_aws, f"terraform/{mode}.csv", csv_bytes(rows))
    given = {} if configured is None else {"LabelDelimiter": configured}
    name = f"terraform-delimiter-{mode.lower().replace('_', '-')}-{ord(configured or ' ')}"
    resource = Resource(local_aws, name, Mode=mode, InputDataConfig={"S3Uri": training, **given})
    resource.publish()
    assert resource.read()["InputDataConfig"].get("LabelDelimiter") == shown
    resource.destroy()

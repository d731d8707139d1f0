"""ARNs, ids and output paths have the real service's form."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightsort.comprehend.limits import CLASSIFIER_NAME_PATTERN
from nightsort_local.local_aws.comprehend import arns
from nightsort_local.local_aws.comprehend.request_validation import problems, service_model
from nightsort_local.local_aws.s3.location import S3Location


@pytest.mark.parametrize(("version", "end"), [(None, "tickets"), ("v1", "tickets/version/v1")])
def test_a_classifiers_arn_tells_its_name_and_version(version: str | None, end: str) -> None:
    arn = arns.classifier_arn("eu-west-1", "tickets", version)
    assert arn == f"arn:aws:comprehend:eu-west-1:123456789012:document-classifier/{end}"
    assert arns.classifier_name(arn) == ("tickets", version)
    assert not list(problems(service_model().shape_for("DocumentClassifierArn"), arn))


def test_another_arn_is_no_classifiers() -> None:
    with pytest.raises(ValueError, match="is not the ARN of a document classifier"):
        arns.classifier_name(arns.job_arn("eu-west-1", "0" * 32))


def test_an_endpoints_arn_is_its_name() -> None:
    arn = arns.endpoint_arn("eu-west-1", "tickets")
    assert arn == "arn:aws:comprehend:eu-west-1:123456789012:document-classifier-endpoint/tickets"
    assert not list(problems(service_model().shape_for("ComprehendEndpointArn"), arn))


names = st.from_regex(CLASSIFIER_NAME_PATTERN, fullmatch=True).map(lambda name: name[:63].rstrip("-"))


@given(names, st.none() | names)
def test_every_name_and_version_comes_back_out_of_its_arn(name: str, version: str | None) -> None:
    arn = arns.classifier_arn("us-east-1", name, version)
    assert arns.classifier_name(arn) == (name, version)
    assert not list(problems(service_model().shape_for("DocumentClassifierArn"), arn))


def test_ids_are_32_hex_digits() -> None:
    assert re.fullmatch("[0-9a-f]{32}", arns.new_id())
    assert not list(problems(service_model().shape_for("JobId"), arns.new_id()))


@pytest.mark.parametrize("uri", ["s3://bucket/out", "s3://bucket/out/"])
def test_the_output_path_does_not_double_a_slash(uri: str) -> None:
    path = arns.output_archive(uri, "CLN", "ab" * 16)
    assert path == f"s3://bucket/out/123456789012-CLN-{'ab' * 16}/output/output.tar.gz"


@pytest.mark.parametrize(
    ("uri", "bucket", "key"),
    [("s3://b-1/a/b", "b-1", "a/b"), ("s3://b-1", "b-1", ""), ("s3://b-1/", "b-1", "")],
)
def test_an_s3_uri_is_a_bucket_and_a_key(uri: str, bucket: str, key: str) -> None:
    assert S3Location.parse(uri) == S3Location(bucket, key)

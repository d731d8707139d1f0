"""Which rights a request needs."""

from __future__ import annotations

from typing import Any

import pytest
from werkzeug.test import EnvironBuilder

from nightsort_local.local_aws.permissions.needed_permissions import (
    SCALING_ROLE,
    cloudwatch_permissions,
    comprehend_permissions,
    s3_permissions,
    scaling_permissions,
)
from nightsort_local.local_aws.s3.operations import s3_call

REGION = "eu-west-1"
ROLE = "arn:aws:iam::123456789012:role/r"
ROOT = f"arn:aws:comprehend:{REGION}:123456789012"
CLASSIFIER = f"{ROOT}:document-classifier/tickets/version/v1"
ENDPOINT = f"{ROOT}:document-classifier-endpoint/live"


@pytest.mark.parametrize(
    ("operation", "request_", "needed"),
    [
        ("ListDocumentClassifiers", {}, [("comprehend:ListDocumentClassifiers", "*")]),
        (
            "CreateDocumentClassifier",
            {"DocumentClassifierName": "tickets", "VersionName": "v1", "DataAccessRoleArn": ROLE},
            [("comprehend:CreateDocumentClassifier", CLASSIFIER), ("iam:PassRole", ROLE)],
        ),
        (
            "StartDocumentClassificationJob",
            {"DocumentClassifierArn": CLASSIFIER, "DataAccessRoleArn": ROLE, "Tags": [{"Key": "a"}]},
            [
                ("comprehend:StartDocumentClassificationJob", f"{ROOT}:document-classification-job/*"),
                ("comprehend:StartDocumentClassificationJob", CLASSIFIER),
                ("comprehend:TagResource", f"{ROOT}:document-classification-job/*"),
                ("iam:PassRole", ROLE),
            ],
        ),
        (
            "DescribeDocumentClassificationJob",
            {"JobId": "0a"},
            [("comprehend:DescribeDocumentClassificationJob", f"{ROOT}:document-classification-job/0a")],
        ),
        (
            "CreateEndpoint",
            {"EndpointName": "live", "ModelArn": CLASSIFIER, "Tags": []},
            [("comprehend:CreateEndpoint", ENDPOINT), ("comprehend:CreateEndpoint", CLASSIFIER)],
        ),
        ("ClassifyDocument", {"EndpointArn": ENDPOINT}, [("comprehend:ClassifyDocument", ENDPOINT)]),
        (
            "TagResource",
            {"ResourceArn": CLASSIFIER, "Tags": [{"Key": "a"}]},
            [("comprehend:TagResource", CLASSIFIER)],
        ),
    ],
)
def test_comprehend(operation: str, request_: dict[str, Any], needed: list[tuple[str, str]]) -> None:
    found = comprehend_permissions(operation, request_, REGION)
    assert [(access.action, access.resource) for access in found] == needed


def test_a_role_is_passed_to_comprehend() -> None:
    request = {"DocumentClassifierName": "tickets", "DataAccessRoleArn": ROLE}
    passed = comprehend_permissions("CreateDocumentClassifier", request, REGION)[-1]
    assert passed.context["iam:PassedToService"] == "comprehend.amazonaws.com"


@pytest.mark.parametrize(
    ("method", "url", "headers", "needed"),
    [
        ("GET", "/", {}, [("s3:ListAllMyBuckets", "*")]),
        ("PUT", "/b", {}, [("s3:CreateBucket", "b")]),
        ("HEAD", "/b", {}, [("s3:ListBucket", "b")]),
        ("GET", "/b?list-type=2&prefix=a%2F", {}, [("s3:ListBucket", "b")]),
        ("GET", "/b/a/b%20c", {}, [("s3:GetObject", "b/a/b c")]),
        ("HEAD", "/b/k", {}, [("s3:GetObject", "b/k")]),
        ("PUT", "/b/k", {}, [("s3:PutObject", "b/k")]),
        (
            "PUT",
            "/b/k",
            {"x-amz-copy-source": "/c/d%20e?versionId=1"},
            [("s3:PutObject", "b/k"), ("s3:GetObject", "c/d e")],
        ),
        ("POST", "/b/k?uploads", {}, [("s3:PutObject", "b/k")]),
        ("PUT", "/b/k?partNumber=1&uploadId=x", {}, [("s3:PutObject", "b/k")]),
        ("POST", "/b/k?uploadId=x", {}, [("s3:PutObject", "b/k")]),
        ("DELETE", "/b/k?uploadId=x", {}, [("s3:AbortMultipartUpload", "b/k")]),
        ("DELETE", "/b/k", {}, [("s3:DeleteObject", "b/k")]),
        ("POST", "/b?delete", {}, [("s3:DeleteObject", "b/*")]),
    ],
)
def test_s3(method: str, url: str, headers: dict[str, str], needed: list[tuple[str, str]]) -> None:
    environ = EnvironBuilder(
        method=method, path=url, base_url="http://127.0.0.1/", headers=headers.items()
    ).get_environ()
    call = s3_call(environ)
    assert call is not None
    found = s3_permissions(call, environ)
    assert [(access.action, access.resource) for access in found] == [
        (action, f"arn:aws:s3:::{path}") for action, path in needed
    ]


def test_a_listing_says_its_prefix_to_conditions() -> None:
    environ = EnvironBuilder(path="/b?list-type=2&prefix=a%2F", base_url="http://127.0.0.1/").get_environ()
    call = s3_call(environ)
    assert call is not None
    (access,) = s3_permissions(call, environ)
    assert access.context == {"s3:prefix": "a/"}


@pytest.mark.parametrize(
    ("url", "headers"),
    [
        (
            "/",
            {"Authorization": "AWS4-HMAC-SHA256 Credential=A/20261120/eu-west-1/iam/aws4_request"},
        ),
        ("/", {"X-Amz-Target": "DynamoDB_20120810.ListTables"}),
        ("/", {"Content-Type": "application/x-www-form-urlencoded"}),
    ],
)
def test_requests_to_others_are_none_to_s3(url: str, headers: dict[str, str]) -> None:
    environ = EnvironBuilder(method="POST", path=url, headers=headers.items()).get_environ()
    assert s3_call(environ) is None


TARGETS = f"arn:aws:application-autoscaling:{REGION}:123456789012:scalable-target/*"


@pytest.mark.parametrize(
    ("operation", "needed"),
    [
        ("DescribeScalableTargets", [("application-autoscaling:DescribeScalableTargets", "*")]),
        (
            "RegisterScalableTarget",
            [
                ("application-autoscaling:RegisterScalableTarget", TARGETS),
                ("comprehend:DescribeEndpoint", ENDPOINT),
                ("comprehend:UpdateEndpoint", ENDPOINT),
                ("iam:CreateServiceLinkedRole", SCALING_ROLE),
            ],
        ),
        (
            "PutScalingPolicy",
            [
                ("application-autoscaling:PutScalingPolicy", TARGETS),
                ("cloudwatch:PutMetricAlarm", "*"),
                ("cloudwatch:DescribeAlarms", "*"),
            ],
        ),
    ],
)
def test_application_auto_scaling(operation: str, needed: list[tuple[str, str]]) -> None:
    found = scaling_permissions(operation, {"ResourceId": ENDPOINT}, REGION)
    assert [(access.action, access.resource) for access in found] == needed


def test_cloudwatch() -> None:
    (access,) = cloudwatch_permissions("GetMetricData", {}, REGION)
    assert (access.action, access.resource) == ("cloudwatch:GetMetricData", "*")

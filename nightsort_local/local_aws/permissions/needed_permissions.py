"""The permissions that a request needs: actions and their resources.

Those of Comprehend follow the Service Authorization Reference. Starting a job needs the classifier and
``document-classification-job/*`` (Comprehend's guide): the job has no id yet.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote

from nightsort.comprehend.iam_policies import Access
from nightsort.comprehend.role import COMPREHEND
from nightsort_local.local_aws.account import ACCOUNT_ID
from nightsort_local.local_aws.comprehend import arns
from nightsort_local.local_aws.services import AUTO_SCALING, CLOUDWATCH
from nightsort_local.local_aws.services import COMPREHEND as COMPREHEND_SERVICE

if TYPE_CHECKING:
    from collections.abc import Mapping
    from wsgiref.types import WSGIEnvironment

    from nightsort_local.local_aws.s3.operations import S3Call

_ANY = "*"

SCALING_PRINCIPAL = "comprehend.application-autoscaling.amazonaws.com"
SCALING_ROLE = (
    f"arn:aws:iam::{ACCOUNT_ID}:role/aws-service-role/{SCALING_PRINCIPAL}/"
    "AWSServiceRoleForApplicationAutoScaling_ComprehendEndpoint"
)
"""The service-linked role, which AWS makes at the first registration of an endpoint."""

_ROLES = ("DataAccessRoleArn", "DesiredDataAccessRoleArn")
_RESOURCES = ("DocumentClassifierArn", "EndpointArn", "ResourceArn", "ModelArn", "DesiredModelArn")


def comprehend_permissions(operation: str, request: Mapping[str, Any], region: str) -> list[Access]:
    """Return the permissions that a request to Comprehend needs, in the order of their checks."""
    created = _created(operation, request, region)
    resources = [*filter(None, [created]), *(request[member] for member in _RESOURCES if member in request)]
    if operation == "DescribeDocumentClassificationJob":
        resources = [arns.job_arn(region, str(request.get("JobId")))]
    context = {"aws:RequestedRegion": region}
    needed = [Access(f"comprehend:{operation}", str(arn), context) for arn in resources or [_ANY]]
    if created is not None and request.get("Tags"):
        needed.append(Access("comprehend:TagResource", created, context))
    passed = {**context, "iam:PassedToService": COMPREHEND}
    needed += [Access("iam:PassRole", str(request[role]), passed) for role in _ROLES if role in request]
    return needed


def _created(operation: str, request: Mapping[str, Any], region: str) -> str | None:
    """Return the ARN of the resource that an operation creates; None if it creates none."""
    if operation == "CreateDocumentClassifier":
        name = str(request.get("DocumentClassifierName"))
        return arns.classifier_arn(region, name, request.get("VersionName"))
    if operation == "StartDocumentClassificationJob":
        return arns.job_arn(region, _ANY)
    if operation == "CreateEndpoint":
        endpoint = f"document-classifier-endpoint/{request.get('EndpointName')}"
        return f"arn:aws:comprehend:{region}:{ACCOUNT_ID}:{endpoint}"
    return None


def scaling_permissions(operation: str, request: Mapping[str, Any], region: str) -> list[Access]:
    """Return the permissions that a request to Application Auto Scaling needs.

    Besides its own action the caller needs those of the endpoint and of the alarms (Application Auto Scaling
    User Guide, "Identity-based policy examples"), and to register the right to make the service-linked role.
    """
    context = {"aws:RequestedRegion": region}
    targets = f"arn:aws:application-autoscaling:{region}:{ACCOUNT_ID}:scalable-target/*"
    resource = _ANY if operation.startswith("Describe") else targets
    needed = [Access(f"application-autoscaling:{operation}", resource, context)]
    if operation == "RegisterScalableTarget":
        endpoint = str(request.get("ResourceId"))
        actions = ("DescribeEndpoint", "UpdateEndpoint")
        needed += [Access(f"comprehend:{action}", endpoint, context) for action in actions]
        linked = {**context, "iam:AWSServiceName": SCALING_PRINCIPAL}
        needed.append(Access("iam:CreateServiceLinkedRole", SCALING_ROLE, linked))
    needed += [Access(f"cloudwatch:{action}", _ANY, context) for action in _ALARM_ACTIONS.get(operation, ())]
    return needed


_ALARM_ACTIONS = {
    "PutScalingPolicy": ("PutMetricAlarm", "DescribeAlarms"),
    "DeleteScalingPolicy": ("DeleteAlarms",),
    "DeregisterScalableTarget": ("DeleteAlarms",),
}


def cloudwatch_permissions(operation: str, _: Mapping[str, Any], region: str) -> list[Access]:
    """Return the permission that a request to CloudWatch needs; its metrics have no ARNs."""
    return [Access(f"cloudwatch:{operation}", _ANY, {"aws:RequestedRegion": region})]


NEEDED_PERMISSIONS = {
    COMPREHEND_SERVICE: comprehend_permissions,
    AUTO_SCALING: scaling_permissions,
    CLOUDWATCH: cloudwatch_permissions,
}
"""What a request to a service needs, in the order of the checks."""

READING = ("GetObject", "HeadObject", "GetObjectAttributes")
"""Operations that need ``s3:GetObject``."""

_S3_ACTIONS = {
    "HeadObject": "s3:GetObject",
    "GetObjectAttributes": "s3:GetObject",
    "ListObjects": "s3:ListBucket",
    "ListObjectsV2": "s3:ListBucket",
    "HeadBucket": "s3:ListBucket",
    "ListObjectVersions": "s3:ListBucketVersions",
    "ListMultipartUploads": "s3:ListBucketMultipartUploads",
    "ListParts": "s3:ListMultipartUploadParts",
    "ListBuckets": "s3:ListAllMyBuckets",
    "CopyObject": "s3:PutObject",
    "CreateMultipartUpload": "s3:PutObject",
    "UploadPart": "s3:PutObject",
    "UploadPartCopy": "s3:PutObject",
    "CompleteMultipartUpload": "s3:PutObject",
    "DeleteObjects": "s3:DeleteObject",
}
"""Actions whose name differs from the operation's (Amazon S3 User Guide, "Required permissions")."""


def s3_permissions(call: S3Call, environ: WSGIEnvironment) -> list[Access]:
    """Return the permissions that a request to S3 needs."""
    query = parse_qs(environ.get("QUERY_STRING", ""), keep_blank_values=True)
    context = {f"s3:{name}": query[name][0] for name in ("prefix", "delimiter") if name in query}
    action = _S3_ACTIONS.get(call.operation, f"s3:{call.operation}")
    if call.operation == "DeleteObjects":
        # The keys are in the body, which is not read here: the check is for all keys of the bucket.
        resource = _s3_arn(f"{call.bucket}/*")
    elif call.key is not None:
        resource = _s3_arn(f"{call.bucket}/{call.key}")
    else:
        resource = _s3_arn(call.bucket or _ANY)
    needed = [Access(action, resource, context)]
    source = environ.get("HTTP_X_AMZ_COPY_SOURCE")
    if source is not None:
        path = unquote(source.partition("?")[0]).removeprefix("/")
        needed.append(Access("s3:GetObject", _s3_arn(path), context))
    return needed


def missing_object_permission(call: S3Call) -> Access:
    """Return what a caller needs besides to be told that an object is not there, in place of being refused.

    S3 asks whether the caller may list names that begin like the object's (S3 User Guide, "HeadObject";
    ceph/ceph #68577).
    """
    return Access("s3:ListBucket", _s3_arn(call.bucket or _ANY), {"s3:prefix": call.key or ""})


def _s3_arn(path: str) -> str:
    return f"arn:aws:s3:::{path}"

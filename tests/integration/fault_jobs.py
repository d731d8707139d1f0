"""Jobs for faults to strike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.integration.classification_data import put
from tests.integration.local_aws_server import ROLE

if TYPE_CHECKING:
    from tests.integration.local_aws_server import LocalAwsServer


def start_request(aws: LocalAwsServer, classifier: str, name: str, documents: int = 20) -> dict[str, Any]:
    text = "".join(f"document {number} with a refund\n" for number in range(documents))
    return {
        "JobName": name,
        "ClientRequestToken": name,
        "DocumentClassifierArn": classifier,
        "InputDataConfig": {"S3Uri": put(aws, f"in/{name}.txt", text.encode())},
        "OutputDataConfig": {"S3Uri": f"s3://data/out/{name}/"},
        "DataAccessRoleArn": ROLE,
    }


def jobs(aws: LocalAwsServer, name: str) -> list[dict[str, Any]]:
    answer = aws.client("comprehend").list_document_classification_jobs(Filter={"JobName": name})
    found: list[dict[str, Any]] = answer["DocumentClassificationJobPropertiesList"]
    return found

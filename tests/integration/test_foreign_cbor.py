"""A client that speaks Smithy RPC v2 with CBOR: botocore's own, told by the service model to prefer it."""

from __future__ import annotations

import gzip
import json
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import botocore
import botocore.session
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.integration.local_aws_server import CREDENTIALS, REGION, ROLE, LocalAwsServer, wait_for_classifier

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.integration

MODEL = Path("comprehend", "2017-11-27", "service-2.json")
CBOR = "smithy-rpc-v2-cbor"


@pytest.fixture
def comprehend(local_aws: LocalAwsServer, tmp_path: Path) -> Iterator[Any]:
    packed = Path(botocore.__file__).parent / "data" / MODEL.with_suffix(".json.gz")
    model = json.loads(gzip.decompress(packed.read_bytes()))
    model["metadata"]["protocols"] = [CBOR]
    (tmp_path / MODEL).parent.mkdir(parents=True)
    (tmp_path / MODEL).write_text(json.dumps(model))
    session = botocore.session.get_session()
    session.set_config_variable("data_path", str(tmp_path))
    client: Any = session.create_client(
        "comprehend",
        endpoint_url=local_aws.url,
        region_name=REGION,
        aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
        config=Config(retries={"total_max_attempts": 1}),
    )
    assert client.meta.service_model.resolved_protocol == CBOR
    yield client
    client.close()


def test_requests_and_answers_are_those_of_json(local_aws: LocalAwsServer, comprehend: Any) -> None:
    arn = comprehend.create_document_classifier(
        DocumentClassifierName="cbor",
        DataAccessRoleArn=ROLE,
        LanguageCode="en",
        InputDataConfig={"S3Uri": "s3://nobody-has-this/training.csv"},
        Tags=[{"Key": "team", "Value": "search"}],
    )["DocumentClassifierArn"]
    properties = wait_for_classifier(comprehend, arn)
    assert isinstance(properties["SubmitTime"], datetime)
    as_json = local_aws.client("comprehend").describe_document_classifier(DocumentClassifierArn=arn)
    assert properties == as_json["DocumentClassifierProperties"]
    assert comprehend.list_tags_for_resource(ResourceArn=arn)["Tags"] == [{"Key": "team", "Value": "search"}]
    since = comprehend.list_document_classifiers(Filter={"SubmitTimeAfter": properties["SubmitTime"]})
    assert arn not in [found["DocumentClassifierArn"] for found in since["DocumentClassifierPropertiesList"]]


def test_errors_have_their_code_and_status(local_aws: LocalAwsServer, comprehend: Any) -> None:
    refused: tuple[tuple[Callable[[], object], str, int], ...] = (
        (lambda: comprehend.describe_document_classification_job(JobId="0"), "JobNotFoundException", 404),
        (lambda: comprehend.list_document_classifiers(MaxResults=501), "ValidationException", 400),
    )
    for call, code, status in refused:
        with pytest.raises(ClientError) as caught:
            call()
        response = caught.value.response
        assert (response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]) == (code, status)
        assert response["Error"]["Message"]
    with (
        local_aws.control.injected("error", operation="TagResource", code="InternalServerException"),
        pytest.raises(comprehend.exceptions.InternalServerException),
    ):
        comprehend.tag_resource(ResourceArn=f"arn:aws:comprehend:{REGION}:123456789012:x/y", Tags=[])

"""What the guides and tutorials on Comprehend show works as they show it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import boto3
import pytest

from tests.integration.classification_data import predictions, put
from tests.integration.local_aws_server import REGION, LocalAwsServer, wait_for_classifier, wait_for_job

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.integration

# The classes of the guide's page on asynchronous classification.
GENRES = {
    "DOCUMENTARY": "the true history of a war, told by witnesses and archives",
    "SCIENCE_FICTION": "a starship, a robot and an alien planet of the far future",
    "ROMANTIC_COMEDY": "a wedding, a kiss and a funny mistake in Paris",
    "SERIOUS_DRAMA": "a family, grief, guilt and a long silence",
}
ROLE = "arn:aws:iam::123456789012:role/resource name"


@pytest.fixture(scope="module")
def folder(local_aws: LocalAwsServer) -> str:
    single = [f"{genre},{text.replace(',', '')} {n}\n" for n in range(30) for genre, text in GENRES.items()]
    pairs = [
        f"{one}|{other},{GENRES[one].replace(',', '')} {GENRES[other].replace(',', '')} {n}\n"
        for n in range(10)
        for one in GENRES
        for other in GENRES
        if one < other
    ]
    put(local_aws, "docclass/file name", "".join(single).encode())
    put(local_aws, "docclass/labels.csv", "".join(pairs).encode())
    # As the guide shows it: a blank before the end of each line.
    lines = "".join(f"{text} \n" for text in GENRES.values())
    put(local_aws, "lines/file1.txt", lines.encode())
    for number, text in enumerate(GENRES.values()):
        put(local_aws, f"files/file{number}.txt", text.encode())
    return "s3://data"


@pytest.fixture
def client(local_aws_environment: LocalAwsServer) -> Iterator[Any]:
    client = boto3.client("comprehend", region_name=REGION)
    yield client
    client.close()


def test_custom_training_and_a_job(local_aws: LocalAwsServer, client: Any, folder: str) -> None:
    """The calls of a tutorial, its placeholders filled in and nothing else changed."""
    create_response = client.create_document_classifier(
        InputDataConfig={"S3Uri": f"{folder}/docclass/file name"},
        DataAccessRoleArn=ROLE,
        DocumentClassifierName="SampleCodeClassifier1",
        LanguageCode="en",
    )
    arn = f"arn:aws:comprehend:{REGION}:123456789012:document-classifier/SampleCodeClassifier1"
    assert create_response["DocumentClassifierArn"] == arn
    assert wait_for_classifier(client, arn)["Status"] == "TRAINED"
    start_response = client.start_document_classification_job(
        InputDataConfig={"S3Uri": f"{folder}/lines/file1.txt", "InputFormat": "ONE_DOC_PER_LINE"},
        OutputDataConfig={"S3Uri": f"{folder}/output"},
        DataAccessRoleArn=ROLE,
        DocumentClassifierArn=arn,
    )
    lines = predictions(local_aws, wait_for_job(client, start_response["JobId"]))
    # {"File": "file1.txt", "Line": "0", "Classes": [{"Name": "Documentary", "Score": 0.8642}, …]}
    assert [(line["File"], line["Line"]) for line in lines] == [("file1.txt", str(n)) for n in range(4)]
    assert [line["Classes"][0]["Name"] for line in lines] == list(GENRES)
    assert {tuple(found) for line in lines for found in line["Classes"]} == {("Name", "Score")}

    start_response = client.start_document_classification_job(
        InputDataConfig={"S3Uri": f"{folder}/files/", "InputFormat": "ONE_DOC_PER_FILE"},
        OutputDataConfig={"S3Uri": f"{folder}/output"},
        DataAccessRoleArn=ROLE,
        DocumentClassifierArn=arn,
    )
    lines = predictions(local_aws, wait_for_job(client, start_response["JobId"]))
    # The guide's sample has no "Line"; recorded output has "Line": "0".
    assert {line["File"]: line["Classes"][0]["Name"] for line in lines} == {
        f"file{number}.txt": genre for number, genre in enumerate(GENRES)
    }
    assert {tuple(line) for line in lines} == {("File", "Line", "Classes")}


def test_multi_label_output(local_aws: LocalAwsServer, client: Any, folder: str) -> None:
    arn = client.create_document_classifier(
        InputDataConfig={"S3Uri": f"{folder}/docclass/labels.csv", "LabelDelimiter": "|"},
        DataAccessRoleArn=ROLE,
        DocumentClassifierName="Genres",
        LanguageCode="en",
        Mode="MULTI_LABEL",
    )["DocumentClassifierArn"]
    assert wait_for_classifier(client, arn)["Status"] == "TRAINED"
    job = client.start_document_classification_job(
        InputDataConfig={"S3Uri": f"{folder}/lines/file1.txt", "InputFormat": "ONE_DOC_PER_LINE"},
        OutputDataConfig={"S3Uri": f"{folder}/output"},
        DataAccessRoleArn=ROLE,
        DocumentClassifierArn=arn,
    )
    lines = predictions(local_aws, wait_for_job(client, job["JobId"]))
    # {"File": "file1.txt", "Line": "0", "Labels": [{"Name": "Action", "Score": 0.8642}, …]}
    assert [line["Labels"][0]["Name"] for line in lines] == list(GENRES)
    assert {tuple(line) for line in lines} == {("File", "Line", "Labels")}

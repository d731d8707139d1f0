"""What our operators send passes Comprehend's own rules, those included that botocore leaves to the
service."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from airflow.dag_processing.dagbag import DagBag

from nightsort.classifier_spec.model import load_spec
from nightsort_airflow.comprehend_requests import (
    classifier_parameters,
    job_parameters,
    output_config,
    training_input_config,
)
from nightsort_airflow.operators.batch_job import StartBatchJobOperator
from nightsort_airflow.operators.comprehend import ComprehendCreateDocumentClassifierOperator
from tests.airflow_environment import ROOT, SAMPLE_SPECS
from tests.contract.comprehend_model import problems

if TYPE_CHECKING:
    from pathlib import Path

    from nightsort.classifier_spec.model import ClassifierSpec

# The longest of everything that a spec may say.
NAME = "a" * 40
WORK = "s3://" + "b" * 63 + "/" + "w" * 700
VERSION = "v" + "0123456789ab"
BATCH = "20261118-01234567-00000-89abcdef"
FULL = f"""
name: {NAME}
mode: MULTI_LABEL
label_delimiter: "\\t"
language: pt
labelled: {{uri: "s3://bucket/labelled/", format: csv}}
incoming: {{uri: "s3://bucket/incoming/{{day}}/", format: jsonl, id_column: id}}
work_uri: {WORK}
data_access_role_arn: arn:aws-us-gov:iam::123456789012:role/team/ComprehendAccess
kms: {{volume_key_id: abc, model_key_id: "arn:aws:kms:us-east-1:1:key/abc", output_key_id: alias/papers}}
vpc: {{security_group_ids: [sg-0a1b2c], subnets: [subnet-0a1b2c, subnet-1a1b2c]}}
tags: {{team: search, "": no}}
""".replace(', "": no', "")
MINIMAL = FULL.split("kms:")[0].replace("MULTI_LABEL", "MULTI_CLASS").replace('label_delimiter: "\\t"\n', "")


@pytest.fixture(params=[FULL, MINIMAL], ids=["everything set", "nothing set"])
def spec(request: pytest.FixtureRequest, tmp_path: Path) -> ClassifierSpec:
    path = tmp_path / "spec.yaml"
    path.write_text(request.param)
    return load_spec(path)


def training_request(spec: ClassifierSpec, version: str) -> dict[str, Any]:
    folder = f"{spec.work_uri}/training/{VERSION}"
    operator = ComprehendCreateDocumentClassifierOperator(
        task_id="create",
        document_classifier_name=spec.name,
        version_name=VERSION,
        input_data_config=training_input_config(spec, f"{folder}/training.csv", f"{folder}/test.csv"),
        output_data_config=output_config(spec, f"{folder}/output/"),
        mode=spec.mode,
        language_code=spec.language,
        data_access_role_arn=spec.data_access_role_arn,
        document_classifier_kwargs=classifier_parameters(spec),
    )
    return operator._request(version)


def job_request(spec: ClassifierSpec, generation: int) -> dict[str, Any]:
    account = "arn:aws-us-gov:comprehend:us-gov-west-1:123456789012"
    arn = f"{account}:document-classifier/{spec.name}/version/{VERSION}-g12"
    operator = StartBatchJobOperator(
        task_id="start",
        job={
            "job_name": f"{spec.name}-{VERSION}-g12-{BATCH}",
            "document_classifier_arn": arn,
            "input_data_config": {
                "S3Uri": f"{spec.work_uri}/runs/20261118-01234567/input/{BATCH}.txt",
                "InputFormat": spec.input_format,
            },
            "output_data_config": output_config(spec, f"{spec.work_uri}/runs/20261118-01234567/output/"),
            "input_fingerprint": "0123",
        },
        data_access_role_arn=spec.data_access_role_arn,
        job_kwargs=job_parameters(spec),
    )
    operator.render_template_fields({})
    return operator._request(f"{operator.job_name}-g{generation}")


@pytest.mark.parametrize("version", [VERSION, f"{VERSION}-g99"])
def test_what_a_training_sends_is_what_comprehend_takes(spec: ClassifierSpec, version: str) -> None:
    request = training_request(spec, version)
    assert problems("CreateDocumentClassifier", request) == []
    assert ("LabelDelimiter" in request["InputDataConfig"]) == (spec.mode == "MULTI_LABEL")


@pytest.mark.parametrize("generation", [1, 99])
def test_what_a_job_sends_is_what_comprehend_takes(spec: ClassifierSpec, generation: int) -> None:
    assert problems("StartDocumentClassificationJob", job_request(spec, generation)) == []


def test_everything_that_a_spec_sets_is_sent(tmp_path: Path) -> None:
    path = tmp_path / "spec.yaml"
    path.write_text(FULL)
    spec = load_spec(path)
    training, job = training_request(spec, VERSION), job_request(spec, 1)
    for request in (training, job):
        assert request["VolumeKmsKeyId"] == "abc"
        assert request["OutputDataConfig"]["KmsKeyId"] == "alias/papers"
        assert request["VpcConfig"] == {
            "SecurityGroupIds": ["sg-0a1b2c"],
            "Subnets": ["subnet-0a1b2c", "subnet-1a1b2c"],
        }
        assert request["Tags"] == [{"Key": "team", "Value": "search"}]
    assert training["ModelKmsKeyId"].endswith("key/abc")
    assert "ModelKmsKeyId" not in job


def test_the_checks_see_what_botocore_does_not() -> None:
    """Without this, all of the above could pass because nothing is checked."""
    good = {
        "DocumentClassifierName": "a",
        "DataAccessRoleArn": "arn:aws:iam::123456789012:role/x",
        "LanguageCode": "en",
        "InputDataConfig": {"S3Uri": "s3://bucket/x.csv"},
    }
    assert problems("CreateDocumentClassifier", good) == []
    for wrong in (
        {"DocumentClassifierName": "a_b"},
        {"DocumentClassifierName": "a" * 64},
        {"LanguageCode": "xx"},
        {"InputDataConfig": {"S3Uri": "S3://bucket/x.csv"}},
        {"Tags": [{"Key": ""}]},
        {"VpcConfig": {"SecurityGroupIds": ["sg-1"] * 6, "Subnets": ["s-1"]}},
    ):
        assert problems("CreateDocumentClassifier", {**good, **wrong}), wrong


def test_input_and_output_of_a_job_never_contain_one_another(spec: ClassifierSpec) -> None:
    """Comprehend's prefix match is a plain string match."""
    for request in (job_request(spec, 1), training_request(spec, VERSION)):
        inputs = [uri for key, uri in request["InputDataConfig"].items() if key.endswith("S3Uri")]
        output = request["OutputDataConfig"]["S3Uri"]
        assert output.endswith("/")
        for uri in inputs:
            assert not uri.startswith(output)
            assert not output.startswith(uri)


def test_the_dags_send_their_requests_with_these_very_operators(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NIGHTSORT_SPECS", str(SAMPLE_SPECS))
    bag = DagBag(str(ROOT / "dags"))
    kinds = {
        type(task).__name__
        for dag in bag.dags.values()
        for task in dag.tasks
        if hasattr(task, "aws_hook_class")
    }
    assert kinds == {
        "ComprehendCreateDocumentClassifierOperator",
        "ComprehendDocumentClassifierTrainedSensor",
        "ScoreActiveVersionOperator",
        "StartBatchJobOperator",
    }

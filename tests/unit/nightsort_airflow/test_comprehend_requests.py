from __future__ import annotations

from typing import TYPE_CHECKING

from nightsort_airflow import comprehend_requests
from tests.unit.nightsort_airflow.airflow_specs import local_spec

if TYPE_CHECKING:
    from pathlib import Path


def test_only_what_is_set_is_passed_on(tmp_path: Path) -> None:
    plain = local_spec(tmp_path)
    assert comprehend_requests.job_parameters(plain) == {}
    assert comprehend_requests.classifier_parameters(plain) == {}
    assert comprehend_requests.output_config(plain, "s3://b/out/") == {"S3Uri": "s3://b/out/"}
    full = local_spec(
        tmp_path,
        kms={"volume_key_id": "v", "model_key_id": "m", "output_key_id": "o"},
        vpc={"security_group_ids": ["sg-1"], "subnets": ["subnet-1"]},
        tags={"b": "2", "a": "1"},
    )
    expected = {
        "VolumeKmsKeyId": "v",
        "VpcConfig": {"SecurityGroupIds": ["sg-1"], "Subnets": ["subnet-1"]},
        "Tags": [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}],
    }
    assert comprehend_requests.job_parameters(full) == expected
    assert comprehend_requests.classifier_parameters(full) == {**expected, "ModelKmsKeyId": "m"}
    assert comprehend_requests.output_config(full, "s3://b/out/") == {"S3Uri": "s3://b/out/", "KmsKeyId": "o"}


def test_the_delimiter_goes_with_multi_label_only(tmp_path: Path) -> None:
    single = comprehend_requests.training_input_config(local_spec(tmp_path), "s3://b/a.csv", "s3://b/t.csv")
    assert single == {"DataFormat": "COMPREHEND_CSV", "S3Uri": "s3://b/a.csv", "TestS3Uri": "s3://b/t.csv"}
    several = local_spec(tmp_path, mode="MULTI_LABEL", label_delimiter=";")
    assert comprehend_requests.training_input_config(several, "s3://b/a.csv", "s3://b/t.csv") == {
        **single,
        "LabelDelimiter": ";",
    }


def test_the_tags_of_an_endpoint_are_the_specs_and_the_one_that_finds_it(tmp_path: Path) -> None:
    spec = local_spec(tmp_path, tags={"team": "support"})
    assert comprehend_requests.endpoint_tags(spec) == [
        {"Key": "nightsort:classifier", "Value": spec.name},
        {"Key": "team", "Value": "support"},
    ]

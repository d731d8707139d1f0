from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.sdk import CronDataIntervalTimetable

from nightsort_airflow import dag_parts
from tests.unit.nightsort_airflow.airflow_specs import local_spec

if TYPE_CHECKING:
    from pathlib import Path


def test_the_timetable_is_the_specs(tmp_path: Path) -> None:
    assert dag_parts.timetable(local_spec(tmp_path)) is None
    spec = local_spec(tmp_path, schedule="0 22 * * *", timezone="America/New_York")
    assert dag_parts.timetable(spec) == CronDataIntervalTimetable("0 22 * * *", timezone="America/New_York")


def test_only_what_is_set_is_passed_on(tmp_path: Path) -> None:
    plain = local_spec(tmp_path)
    assert dag_parts.job_parameters(plain) == {}
    assert dag_parts.classifier_parameters(plain) == {}
    assert dag_parts.output_config(plain, "s3://b/out/") == {"S3Uri": "s3://b/out/"}
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
    assert dag_parts.job_parameters(full) == expected
    assert dag_parts.classifier_parameters(full) == {**expected, "ModelKmsKeyId": "m"}
    assert dag_parts.output_config(full, "s3://b/out/") == {"S3Uri": "s3://b/out/", "KmsKeyId": "o"}


def test_the_delimiter_goes_with_multi_label_only(tmp_path: Path) -> None:
    single = dag_parts.training_input_config(local_spec(tmp_path), "s3://b/a.csv", "s3://b/t.csv")
    assert single == {"DataFormat": "COMPREHEND_CSV", "S3Uri": "s3://b/a.csv", "TestS3Uri": "s3://b/t.csv"}
    several = local_spec(tmp_path, mode="MULTI_LABEL", label_delimiter=";")
    assert dag_parts.training_input_config(several, "s3://b/a.csv", "s3://b/t.csv") == {
        **single,
        "LabelDelimiter": ";",
    }


def test_assets_are_named_after_the_classifier() -> None:
    assert dag_parts.predictions_asset("tickets").uri == "x-nightsort://tickets/predictions"
    assert dag_parts.active_version_asset("tickets").uri == "x-nightsort://tickets/active-version"
    assert dag_parts.active_version_alias("tickets").name == "nightsort_tickets_promotion"
